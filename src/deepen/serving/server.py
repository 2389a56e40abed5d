"""`deepen serve`: puts runs behind HTTP, and stays until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepen.core.errors import DataError, SettingError
from deepen.core.places import path_of
from deepen.data.masking import check_digits
from deepen.serving.access import Door
from deepen.serving.app import make_app
from deepen.serving.canary import Canary
from deepen.serving.explaining import Explainer
from deepen.serving.first_export import export_runs
from deepen.serving.following import Following
from deepen.serving.front import Front
from deepen.serving.listening import Listening, Place, make_server
from deepen.serving.log import Log
from deepen.serving.messages import dumps
from deepen.serving.metrics import Metrics
from deepen.serving.model_process import Runs
from deepen.serving.pool import Pool
from deepen.serving.settings import Opening, ServeSettings

_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
_MOST_PROCESSES = 64
_LOOKED = 0.05  # seconds between two looks whether it is ready


@dataclass(frozen=True)
class Wanted:
    """What a person wants served.

    Attributes:
        runs: Folders, or FOLDER=NAME; else a run is called as its folder.
        registry: The URL of a registry.
        followed: Versions in it, as `NAME@production`, which is followed, or `NAME@3`.
        workers: Model processes; None is one a core.
        mask: Whether personal data is masked before a model or the log gets a text.
        cascade: As `deepen predict --cascade`.
    """

    runs: Sequence[str] = ()
    registry: str | None = None
    followed: Sequence[str] = ()
    workers: int | None = None
    mask: bool = False
    cascade: float | None = None

    def check(self) -> None:
        """Whether it is something.

        Raises:
            SettingError: If not.
        """
        if (self.registry is None) != (not self.followed):
            raise SettingError("--registry URL and --run NAME@production go together: where, and what is served")
        if not self.runs and not self.followed:
            raise SettingError("nothing to serve: name a run folder, or --registry URL --run NAME@production")
        if self.workers is not None and not 1 <= self.workers <= _MOST_PROCESSES:
            raise SettingError(f"workers {self.workers}: it must be between 1 and {_MOST_PROCESSES}, or auto")
        if self.mask:
            check_digits()


def serve(
    wanted: Wanted,
    place: Place,
    *,
    settings: ServeSettings | None = None,
    log: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Serves runs until SIGTERM or Ctrl-C; what is being answered then is answered.

    Args:
        wanted: What.
        place: Where, and for whom.
        settings: Limits.
        log: URL of the database that answers are kept in; None keeps none.
        say: Told where it listens, and what goes wrong.

    Raises:
        DataError: If there is no such run.
        ModelError: If a model is damaged, or does not answer as its run has stored.
        SettingError: If that can't be served, or not safely.
    """
    place.check()
    wanted.check()
    named = _named(wanted.runs)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    num_processes = wanted.workers or min(cores, _MOST_PROCESSES)
    listening = Listening(place)
    _no_core_dumps()
    metrics, settings = Metrics(), settings or ServeSettings()
    opening = Opening(max(1, cores // num_processes), wanted.mask, wanted.cascade, settings.export)
    following = None
    try:
        if settings.export and wanted.cascade is None:
            export_runs(named, say)
        if wanted.registry is not None:
            following = Following(wanted.registry, wanted.followed, metrics, say)
            for name in following.runs.folders.keys() & named.keys():
                raise SettingError(f"two runs would be served as '{name}': say RUN=NAME for the folder")
        runs = Runs(named) if following is None else Runs({**named, **following.runs.folders}, following.runs.versions)
        pool = Pool(runs, settings, metrics, num_processes=num_processes, opening=opening, say=say)
        door = Door(place.keys, local=place.is_local)
        differs = None if following is None else following.differs
        canary = Canary(pool, metrics, door.own, tls=place.certificate is not None, differs=differs)
        kept = None if log is None else Log(log, settings, metrics, say, mask=wanted.mask)
        asyncio.run(_serve(Front(pool, door, canary, metrics, Explainer(pool), kept), following, listening, say=say))
    finally:
        listening.socket.close()
        if following is not None:
            following.close()


async def _serve(
    front: Front, following: Following | None, listening: Listening, *, say: Callable[[str], None]
) -> None:
    server = make_server(make_app(front), listening.place, front.pool.settings)
    tasks: list[asyncio.Task[None]] = []
    say(f"  reading {', '.join(front.pool.runs.folders)} in {len(front.pool.lanes)} model process(es)")
    try:
        await front.pool.start()
        front.learn_runs()
        if front.log is not None:
            front.log.start()
        _stop_on_signals(server, front.canary)
        answering = asyncio.create_task(server.serve(sockets=[listening.socket]))
        front.canary.start(listening.own_address)
        while front.canary.wrong() and not answering.done():
            await asyncio.sleep(_LOOKED)
        if not answering.done():
            _announce(front, listening, say)
            if following is not None:
                seconds = front.pool.settings.registry_seconds
                tasks.append(asyncio.create_task(following.run(front.pool, front.learn_runs, seconds)))
        await answering
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        front.explainer.stop()
        await front.canary.stop()
        await front.pool.stop()
        if front.log is not None:
            await front.log.stop()


def _stop_on_signals(server: Any, canary: Canary) -> None:
    def stop() -> None:
        canary.draining = True
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


FORMS = {
    "deepen": "as it was trained",
    "onnx": "its export",
    "onnx-int8": "its export with 8-bit integers",
    "static": "its table of subword tokens",
}
"""What a run answers with, by the form that its model tells."""


def _announce(front: Front, listening: Listening, say: Callable[[str], None]) -> None:
    """Where it is, how it is asked, and what it does not do."""
    url, place = listening.url, listening.place
    for run, about in front.pool.abouts.items():
        known = about["known"]
        held = f"{len(known['rows'])} of the run's own predictions" if known["stored"] else "its first answers"
        say(f"  {run}: {about['task']}, rung {about['rung']}, {FORMS[about['form']]}; checked against {held}")
    if front.log is not None:
        texts = "texts too, masked" if front.pool.settings.log_texts else "no texts"
        say(f"  answers are logged ({texts}), by way of {front.log.folder}")
    if not place.is_local and place.certificate is None:
        say("  note: without TLS, keys and texts can be read on the way: --tls-certificate and --tls-key")
    run = next(iter(front.bodies))
    body = dumps(front.bodies[run].example(front.pool.abouts[run]["inputs"])).decode()
    key = " -H 'Authorization: Bearer KEY'" if place.keys is not None else ""
    own = " --cacert CERTIFICATE" if place.certificate is not None else ""
    say(f"  serving at {url}, what it answers is told at {url}/docs")
    say(f"  curl{own}{key} -H 'Content-Type: application/json' -d '{body}' {url}/v1/runs/{run}/predict")


def _named(runs: Sequence[str]) -> dict[str, str]:
    """Folders by the names under which they are served."""
    named: dict[str, str] = {}
    for word in runs:
        folder, name = (word, "") if Path(word).exists() or "=" not in word else word.rsplit("=", 1)
        path = path_of(folder, kind=DataError).resolve()
        name = name or path.name
        if not _NAME.fullmatch(name):
            raise SettingError(
                f"'{name[:60]}' is no name for a run that is served: say RUN=NAME, of letters and digits"
            )
        if name in named:
            raise SettingError(f"two runs would be served as '{name}': say RUN=NAME for one of them")
        named[name] = str(path)
    return named


def _no_core_dumps() -> None:
    """What is in memory stays there when a process dies. At 0, Linux would still pipe a dump; at 1 it does not."""
    try:
        import resource
    except ImportError:  # Windows writes none
        return
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
