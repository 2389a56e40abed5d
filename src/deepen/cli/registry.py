"""`deepen registry`: versions of runs where a team can reach them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deepen.cli import show
from deepen.core.errors import SettingError, nearest

if TYPE_CHECKING:
    from deepen.registry.place import Place
    from deepen.registry.versions import Version

NAME = "registry"
HELP = """Keep versions of runs in a folder or an object store: push, list, promote, rollback, pull.

\b
  deepen registry push runs/first --name mood --registry s3://bucket/models
  deepen registry list --registry s3://bucket/models
  deepen registry promote mood@3 --registry s3://bucket/models
  deepen registry rollback mood@production --registry s3://bucket/models
  deepen registry pull mood@production --out runs/mood --registry s3://bucket/models
"""
_ACTIONS = ("push", "list", "promote", "rollback", "pull")


def command(
    action: Annotated[str, typer.Argument(metavar="ACTION", help=", ".join(_ACTIONS))],
    what: Annotated[
        str | None, typer.Argument(metavar="WHAT", help="A run folder to push; else a name as in mood, mood@3.")
    ] = None,
    registry: Annotated[
        str | None, typer.Option(help="A folder, s3://bucket/folder, or what pyarrow or fsspec opens.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="push: the name it is a version of; else that of the folder.")
    ] = None,
    to: Annotated[
        str, typer.Option(help="promote: the word that the version stands behind from now on.")
    ] = "production",
    out: Annotated[Path | None, typer.Option(help="pull: the run folder to write.")] = None,
    gate: Annotated[
        Path | None, typer.Option(help='push: a JSON file with "passed" and "why"; what failed is not promoted.')
    ] = None,
    despite_gate: Annotated[bool, typer.Option("--despite-gate", help="promote: also what failed its gate.")] = False,
    by: Annotated[str | None, typer.Option(help="Who does it; else the name of the account.")] = None,
    note: Annotated[str, typer.Option(help="A sentence that is kept with it.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Does one thing with a registry."""
    from deepen.core.arguments import as_path
    from deepen.core.files import read_object
    from deepen.registry import promotions, versions
    from deepen.registry.place import open_place

    if action not in _ACTIONS:
        raise SettingError(f"deepen registry has no action '{action}'; {nearest(action, _ACTIONS)}")
    if registry is None:
        raise SettingError("--registry URL is missing: a folder, or s3://bucket/folder")
    if what is None and action != "list":
        raise SettingError(f"deepen registry {action}: name {'a run folder' if action == 'push' else 'a version'}")
    place, who, say = open_place(registry), by or _account(), show.lines_to(stderr=True)
    if action == "list":
        _list(place, what, as_json=as_json)
        return
    what = str(what)
    if action == "push":
        decided = read_object(gate) if gate is not None else None
        named = name if name is not None else Path(what).resolve().name.lower()
        made = versions.push(place, what, name=named, by=who, gate=decided, note=note, say=say)
        _done(made, f"{made.name}@{made.version}", as_json=as_json)
    elif action == "pull":
        if out is None:
            raise SettingError("deepen registry pull: --out FOLDER names the run folder to write")
        found = promotions.find(place, what)
        folder = versions.pull(place, found, as_path("--out", out))
        _done(found, str(folder), as_json=as_json, out=str(folder))
    elif action == "promote":
        found = promotions.find(place, what)
        change = promotions.promote(place, found, to=to, by=who, why=note, despite_gate=despite_gate)
        _done(found, f"{found.name}@{to} is {found.version}", as_json=as_json, stage=to, change=change.model_dump())
    else:
        run, _, stage = what.partition("@")
        change = promotions.rollback(place, run, to=stage or to, by=who, why=note)
        found = versions.version(place, run, change.version)
        said = f"{run}@{stage or to} is {change.version} again"
        _done(found, said, as_json=as_json, stage=stage or to, change=change.model_dump())


def _done(made: Version, said: str, *, as_json: bool, **more: Any) -> None:
    if as_json:
        show.print_json({**_record(made), **more})
    else:
        show.say(said)


def _record(made: Version) -> dict[str, Any]:
    """A version without the list of its files."""
    return {**made.model_dump(mode="json", exclude={"files"}), "bytes": made.bytes, "num_files": len(made.files)}


def _list(place: Place, name: str | None, *, as_json: bool) -> None:
    from deepen.registry.promotions import current, history, stages
    from deepen.registry.versions import names, versions

    runs: dict[str, dict[str, Any]] = {}
    for run in [name] if name is not None else names(place):
        found, behind = versions(place, run), stages(place, run)
        runs[run] = {
            "versions": [_record(one) for one in found],
            "stages": {
                stage: {
                    "version": current(place, run, stage),
                    "history": [change.model_dump() for change in history(place, run, stage)],
                }
                for stage in behind
            },
        }
    if as_json:
        show.print_json({"registry": place.url, "runs": runs})
        return
    rows = [(run, one, about["stages"]) for run, about in runs.items() for one in about["versions"]]
    if not rows:
        where = place.url if name is None else f"{place.url} under the name {name}"
        show.say(f"nothing in {where}: `deepen registry push RUN` puts a run there")
        return
    table = show.table("version", "stands for", "task", "rung", ">validation", ">test", "gate", ">size", "pushed", "by")
    for run, one, behind in rows:
        words = [_promoted(stage, about) for stage, about in behind.items() if about["version"] == one["version"]]
        gate = "" if one["gate"] is None else "passed" if one["gate"]["passed"] else "failed"
        scores = (show.short_score(some[0] if some else None) for some in (one["validation"], one["test"]))
        about = (
            one["task"],
            one["rung"],
            *scores,
            gate,
            show.size(one["bytes"]),
            one["pushed_at"][:16],
            one["pushed_by"],
        )
        table.add_row(f"{run}@{one['version']}", ", ".join(words), *about)
    show.console().print(table)


def _promoted(stage: str, about: dict[str, Any]) -> str:
    return f"{stage} ({about['history'][-1]['by']})"


def _account() -> str:
    from getpass import getuser

    try:
        return getuser()
    except (KeyError, OSError, ImportError):  # an account without a name
        return "unknown"
