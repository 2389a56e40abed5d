"""`deepen serve`: runs behind HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deepen.cli import show
from deepen.core.errors import SettingError

NAME = "serve"
HELP = """Serve runs over HTTP, to this machine alone unless --host says otherwise.

It answers what `deepen predict` answers, notices when it does not, and replaces a model process that dies or hangs.
An export in RUN/export is used if it is faster.

\b
  deepen serve runs/first
  deepen serve runs/first=reviews runs/tagger=names --port 9000 --workers 2
  deepen serve runs/first --log sqlite:///log.sqlite --mask
  deepen serve runs/first --cascade 0.99
  deepen serve --registry s3://bucket/models --run mood@production
  deepen serve runs/first --host 0.0.0.0 --keys keys.json --tls-certificate server.pem --tls-key server.key
"""


def command(
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="RUN", help="Run folders; RUN=NAME gives one another name.")
    ] = None,
    host: Annotated[str, typer.Option(help="An address of this machine; 0.0.0.0 is all of them.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes any that is free.")] = 8080,
    workers: Annotated[str, typer.Option(help="Model processes; auto is one a core.")] = "auto",
    keys: Annotated[Path | None, typer.Option(help="A file that `deepen keys create` makes; only keys in it.")] = None,
    no_keys: Annotated[bool, typer.Option("--no-keys", help="Anybody who reaches it may ask.")] = False,
    i_know: Annotated[bool, typer.Option("--i-know", help="With --no-keys, also from other machines.")] = False,
    certificate: Annotated[Path | None, typer.Option("--tls-certificate", help="For HTTPS: a file in PEM.")] = None,
    private_key: Annotated[Path | None, typer.Option("--tls-key", help="Its private key, a file in PEM.")] = None,
    log: Annotated[
        str | None, typer.Option(metavar="URL", help="Keep answers: sqlite:///log.sqlite or postgresql://host/db.")
    ] = None,
    mask: Annotated[bool, typer.Option("--mask", help="Replace personal data before all else.")] = False,
    cascade: Annotated[
        float | None, typer.Option(help="Cheaper rungs answer where this share stays the same, as in 0.99.")
    ] = None,
    registry: Annotated[str | None, typer.Option(metavar="URL", help="Where --run finds versions.")] = None,
    followed: Annotated[
        list[str] | None, typer.Option("--run", metavar="NAME@production", help="Serve it, and follow promotions.")
    ] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="As in stuck_seconds=10.")] = None,
) -> None:
    """Serves."""
    from deepen.core.settings import override, parse
    from deepen.serving.settings import ServeSettings

    chosen = parse(ServeSettings, override({}, settings or []), where="settings")
    if keys is not None and no_keys:
        raise SettingError("--keys and --no-keys are opposites: say one of them")
    if workers != "auto" and not workers.isdecimal():
        raise SettingError(f"workers '{workers[:60]}': it must be auto, or a number of processes")
    try:
        from deepen.serving.listening import Place
        from deepen.serving.server import Wanted, serve
    except ImportError:
        raise SettingError("to serve takes packages of its own: pip install 'deepen[serve]'") from None
    place = Place(host, port, keys, no_keys and i_know, certificate, private_key)
    say = show.lines_to(stderr=False)
    processes = None if workers == "auto" else int(workers)
    wanted = Wanted(runs or (), registry, followed or (), processes, mask, cascade)
    serve(wanted, place, settings=chosen, log=log, say=say)
