"""The command `deepen`: finds the verb, runs it, and turns errors into exit codes."""

from __future__ import annotations

import inspect
import os
import sys
from contextlib import suppress
from functools import wraps
from itertools import pairwise
from typing import Annotated, Any

import typer

from deepen.cli import (
    bench,
    cache,
    check,
    compare,
    compress,
    diagnose,
    evaluate,
    export,
    failing,
    feedback,
    keys,
    models,
    predict,
    registry,
    report,
    runs,
    schema,
    serve,
    show,
    streams,
    train,
    update,
    watch,
)
from deepen.core.errors import SettingError, nearest, one_line, plain_words
from deepen.core.language import asked, is_chinese, told

_UsageError: Any = typer.BadParameter.__mro__[1]  # its home moved between the versions of typer
_HELP = """Labelled text and a pretrained model in; a model to ship out, and how deep its understanding goes.

deepen train reviews.csv; deepen predict runs/reviews-classification-1 --text 'good stuff'"""

app = typer.Typer(
    name="deepen",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help=_HELP,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_MODULES = (train, evaluate, compare, predict, check, diagnose, export, compress, serve, watch, feedback)
_AND = (update, keys, report, registry, runs, cache, bench, models, schema)
VERBS = {module.NAME: module for module in (*_MODULES, *_AND)}


def _heard(command: Any) -> Any:
    """A command that takes -q, -v and --wide too."""
    quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print results and warnings alone.")]
    verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Print seconds since the start with each line.")]
    wide = Annotated[bool, typer.Option("--wide", help="Show every column of a table in a narrow terminal too.")]

    @wraps(command)
    def run(*, quiet: bool, verbose: bool, wide: bool, **given: Any) -> None:
        show.Manner.quiet, show.Manner.verbose, show.Manner.wide = quiet, verbose, wide
        command(**given)

    own = inspect.signature(command, eval_str=True)
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
        for name, kind in {"quiet": quiet, "verbose": verbose, "wide": wide}.items()
    ]
    parameters = [*own.parameters.values(), *more]
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del run.__wrapped__
    return run


for name, module in VERBS.items():
    # a short help of one's own is wrapped; the one that click makes of the first sentence ends in the middle
    app.command(name, help=module.HELP, short_help=module.HELP.partition("\n\n")[0])(_heard(module.command))


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
    if "_DEEPEN_COMPLETE" in os.environ:  # the shell asks what could come next
        app(prog_name="deepen")
    streams.prepare()
    words = sys.argv[1:] or ["--help"]
    with streams.for_a_record(_as_json(words)):
        code = _ended(words)
    sys.exit(code)


def _ended(words: list[str]) -> int:
    """Runs a command to its end, and says how it failed: with --json by the one object that it would have printed."""
    try:
        code = _run(words)
        streams.out().flush()  # what can't be written must be known before the exit code is
        return code
    except BrokenPipeError:
        streams.silence(streams.out())
        return 0
    except BaseException as error:
        ended = failing.ending(error, words)
    with suppress(OSError, ValueError):
        print(told(ended.line), end="\n" if ended.line else "", file=sys.stderr)
    try:
        if ended.code and streams.wants_record():
            show.print_json(ended.record)
        streams.out().flush()
    except (OSError, ValueError):  # nobody reads it, or there is no room for it
        streams.silence(streams.out())
    return ended.code


def _as_json(words: list[str]) -> bool:
    """Whether stdout is for one object; help and version are for people."""
    asked = words[: words.index("--")] if "--" in words else words
    return "--json" in asked and not {"-h", "--help", "--version"} & set(asked)


def _run(words: list[str]) -> int:
    """Calls the verb without typer's own handling of errors, which swallows Ctrl-C and closed pipes."""
    asked()  # a language that there is not is said before anything else
    verb = _verb(words)
    if verb is not None and verb not in VERBS:
        raise SettingError(f"unknown command '{one_line(verb, 60)}'; {nearest(verb, VERBS)}")
    command: Any = typer.main.get_command(app)
    try:
        if verb is not None:
            _check_values(command.commands[verb], words)
        if is_chinese():
            from deepen.cli import chinese_help

            chinese_help.prepare(command)
        with command.make_context("deepen", words) as context:
            command.invoke(context)
    except typer.Exit as stop:
        return stop.exit_code
    except _UsageError as error:
        raise _usage(error) from None
    return 0


def _check_values(command: Any, words: list[str]) -> None:
    """An option without its value would take the next option for it: `--out --json` trains a run of that name."""
    known = {name: option for option in command.params for name in option.opts if name.startswith("-")}
    for word, following in pairwise(words):
        if word == "--":
            return
        option = known.get(word)
        if option is not None and not option.is_flag and following in known:
            raise SettingError(f"deepen {command.name}: option '{word}' requires an argument, and {following} is none")


def _verb(words: list[str]) -> str | None:
    return next((word for word in words if not word.startswith("-")), None)


def _usage(error: Any) -> SettingError:
    """A mistake in the words of the command, in one line with the nearest right name."""
    where = error.ctx.command_path if error.ctx else "deepen"
    if hasattr(error, "possibilities"):  # there is no such option
        if setting := train.ELSEWHERE.get(error.option_name) if where.endswith(" train") else None:
            return SettingError(f"{where} has no option '{error.option_name}'; write {setting}")
        known = [name for option in error.ctx.command.params for name in option.opts if name.startswith("--")]
        named = one_line(error.option_name, 60)
        return SettingError(f"{where} has no option '{named}'; {nearest(named, [*known, '--help'])}")
    said = plain_words(one_line(error.format_message())).rstrip(".")
    return SettingError(f"{where}: {said[:1].lower()}{said[1:]}; {where} --help shows how")
