"""`deepen cache`: what is kept between runs, how large it is, and how to be rid of it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from deepen.cli import show

NAME = "cache"
HELP = """Show what is kept between runs, or remove it; all of it can be made again.

It lies in $DEEPEN_CACHE, else in ~/.cache/deepen, and is kept within $DEEPEN_CACHE_GB gigabytes, else ten: when a
training begins, what was not used for longest is removed first.

\b
  deepen cache
  deepen cache --clear
  deepen cache --json
"""


def command(
    clear: Annotated[bool, typer.Option("--clear", help="Remove all of it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Shows or clears the cache."""
    from deepen.core.cache import CAP, KINDS, cap_bytes, entries, remove
    from deepen.core.files import cache_dir
    from deepen.core.language import told

    there, cap = entries(), cap_bytes()
    if clear:
        for entry in there:
            remove(entry)
    kinds: dict[str, dict[str, Any]] = {
        kind: {
            "about": about,
            "entries": sum(entry.kind == kind for entry in there),
            "bytes": sum(entry.num_bytes for entry in there if entry.kind == kind),
        }
        for kind, about in KINDS.items()
    }
    num_bytes = sum(entry.num_bytes for entry in there)
    if as_json:
        show.print_json(
            {"folder": str(cache_dir()), "bytes": num_bytes, "cap_bytes": cap, "kinds": kinds, "cleared": clear}
        )
        return
    for kind, found in kinds.items():
        if found["entries"]:
            about = told(str(found["about"]))
            show.line(f"{kind:<10}{found['entries']:>6,}{show.size(found['bytes']):>10}  {about}")
    said = "removed from" if clear else f"of at most {show.size(cap)} ({CAP}) in"
    line = f"{show.size(num_bytes)} {said} {cache_dir()}" + ("" if clear or not there else "  (deepen cache --clear)")
    show.say(line)
