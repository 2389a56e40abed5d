"""The command `deepen`: finds the verb, runs it, and turns errors into exit codes."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from deepen.cli import bench, check, evaluate, models, predict, report, schema, train
from deepen.core.errors import DeepenError

app = typer.Typer(
    name="deepen",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Labelled text and a pretrained model in; a model to ship out, and a word on how deep it understands.\n\n"
    "deepen train reviews.csv; deepen predict runs/reviews-classification-1 --text 'good stuff'",
)
for module in (train, evaluate, predict, check, report, bench, models, schema):
    app.command(module.NAME, help=module.HELP, no_args_is_help=module.NEEDS_ARGUMENTS)(module.command)


def _version(show: bool) -> None:
    if show:
        from importlib.metadata import version

        print(f"deepen {version('deepen')}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Runs the command line: 0 done, 2 something to put right, 1 a bug, 130 interrupted."""
    try:
        app()
    except DeepenError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted; `--resume` goes on from here", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
