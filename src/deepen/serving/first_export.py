"""The first start of a run with a network exports it, so that later ones answer at once, and without torch."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path

from deepen.core.errors import DeepenError
from deepen.serving.messages import hear, tell

EXPORT = "export"
"""Where in a run folder an export of its chosen rung lies: `deepen export RUN RUN/export`."""
_NEEDED = ("onnx", "onnxscript", "onnxruntime")


def export_runs(runs: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Exports what has a network and no export yet, in a process of its own; what can't be exported is said.

    Args:
        runs: Folders by name.
        say: Told of each before it begins.
    """
    if not all(map(find_spec, _NEEDED)):
        return
    for name, folder in runs.items():
        model = Path(folder) / "model"
        if (Path(folder) / EXPORT).exists() or not any(model.rglob("config.json")):
            continue
        say(
            f"  exporting {name}, once: the next start takes {Path(folder) / EXPORT} (--set export=false leaves it out)"
        )
        if why := _exported(folder):
            say(f"  note: {name} has no export and answers as it was trained: {why}")


def _exported(folder: str) -> str:
    """Why it could not be exported; empty if it was."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_export, args=(theirs, folder), daemon=True)
    process.start()
    theirs.close()
    why = "its process ended"
    with suppress(EOFError):
        why = hear(ours)[0]["why"]
    process.join()
    return str(why)


def _export(connection: Connection, folder: str) -> None:
    from deepen.exporting.export import export

    try:
        export(Path(folder), Path(folder) / EXPORT, form="onnx", say=lambda line: None)
    except DeepenError as error:
        tell(connection, {"why": str(error)})
    else:
        tell(connection, {"why": ""})
