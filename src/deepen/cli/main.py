"""The command `deepen`: finds the verb, runs it, and turns errors into exit codes."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from deepen.cli import bench, check, diagnose, evaluate, models, predict, report, schema, streams, train
from deepen.core.errors import DeepenError, Interrupted, SettingError, nearest, plain_words

_UsageError: Any = typer.BadParameter.__mro__[1]  # its home moved between the versions of typer
_HELP = """Labelled text and a pretrained model in; a model to ship out, and a word on how deep it understands.

deepen train reviews.csv; deepen predict runs/reviews-classification-1 --text 'good stuff'"""

app = typer.Typer(
    name="deepen", add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, help=_HELP
)
VERBS = {module.NAME: module for module in (train, evaluate, predict, check, diagnose, report, bench, models, schema)}
for name, module in VERBS.items():
    app.command(name, help=module.HELP)(module.command)


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
    streams.prepare()
    words = sys.argv[1:] or ["--help"]
    try:
        code = _run(words)
        sys.stdout.flush()  # what can't be written must be known before the exit code is
    except DeepenError as error:
        code = _failed(error)
    except KeyboardInterrupt as stop:
        again = f"; `deepen train --out {shlex.quote(str(stop))} --resume` goes on from here"
        print(f"interrupted{again if isinstance(stop, Interrupted) else ''}", file=sys.stderr)
        code = 130
    except BrokenPipeError:
        streams.silence(sys.stdout)
        code = 0
    except OSError as error:
        code = _failed(_unwritten(error))
        streams.silence(sys.stdout)
    sys.exit(code)


def _failed(error: DeepenError) -> int:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    return 2


def _unwritten(error: OSError) -> SettingError:
    """Files say by themselves that a disk is full; what else has no room is stdout."""
    from deepen.core.files import FULL, explain

    if error.errno not in FULL:
        raise error
    return explain(error, Path(error.filename or "stdout"))


def _run(words: list[str]) -> int:
    """Calls the verb without typer's own handling of errors, which swallows Ctrl-C and closed pipes."""
    verb = _verb(words)
    if verb is not None and verb not in VERBS:
        raise SettingError(f"unknown command '{verb}'; {nearest(verb, VERBS)}")
    command = typer.main.get_command(app)
    try:
        with command.make_context("deepen", words) as context:
            command.invoke(context)
    except typer.Exit as stop:
        return stop.exit_code
    except _UsageError as error:
        raise _usage(error) from None
    return 0


def _verb(words: list[str]) -> str | None:
    return next((word for word in words if not word.startswith("-")), None)


def _usage(error: Any) -> SettingError:
    """A mistake in the words of the command, in one line with the nearest right name."""
    where = error.ctx.command_path if error.ctx else "deepen"
    if hasattr(error, "possibilities"):  # there is no such option
        known = [name for option in error.ctx.command.params for name in option.opts if name.startswith("--")]
        return SettingError(f"{where} has no option '{error.option_name}'; {nearest(error.option_name, known)}")
    said = plain_words(" ".join(error.format_message().split())).rstrip(".")
    return SettingError(f"{where}: {said[:1].lower()}{said[1:]}; {where} --help shows how")
