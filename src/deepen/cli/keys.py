"""`deepen keys`: who may ask a server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deepen.cli import show
from deepen.core.errors import SettingError, nearest

if TYPE_CHECKING:
    from deepen.serving.keys import Key, New

NAME = "keys"
HELP = """Make, list, revoke and rotate the keys by which `deepen serve --keys FILE` lets requests in.

A key is shown once, when it is made: the file holds its hash alone. A server that runs sees a change within a second.

\b
  deepen keys create --keys keys.json
  deepen keys create --keys keys.json --scope predict:reviews --expires 90d --rate 100/minute --quota 50000
  deepen keys list --keys keys.json --json
  deepen keys rotate 0123456789abcdef --keys keys.json --overlap 7d
  deepen keys revoke 0123456789abcdef --keys keys.json
"""
_WAYS = ("create", "list", "revoke", "rotate")
_FOR_CREATE = "scope expires rate quota"


def command(
    way: Annotated[str, typer.Argument(metavar="WAY", help="create, list, revoke or rotate.")],
    name: Annotated[str | None, typer.Argument(metavar="ID", help="To revoke or rotate: of which key.")] = None,
    keys: Annotated[str, typer.Option(help="The file of keys; create makes it.")] = "keys.json",
    scope: Annotated[
        list[str] | None, typer.Option(help="predict (any run), predict:NAME, metrics; may be repeated.")
    ] = None,
    expires: Annotated[str | None, typer.Option(help="After which time, as in 90d; else never.")] = None,
    rate: Annotated[str | None, typer.Option(help="Requests, as in 10/second or 100/minute.")] = None,
    quota: Annotated[int | None, typer.Option(help="Rows a day.")] = None,
    overlap: Annotated[str, typer.Option(help="How long the old key still opens after rotate.")] = "1d",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Changes or lists keys."""
    from deepen.core.settings import parse_duration
    from deepen.serving import keys as file

    path = Path(keys)
    if way not in _WAYS:
        raise SettingError(f"there is no `keys {way[:60]}`; {nearest(way, _WAYS)}")
    if (name is None) != (way in ("create", "list")):
        raise SettingError(f"keys {way}: name the key by its id" if name is None else f"keys {way} takes no id")
    given = [option for option, value in zip(_FOR_CREATE.split(), (scope, expires, rate, quota), strict=True) if value]
    if given and way != "create":
        raise SettingError(f"keys {way}: --{given[0]} is for create")
    if way == "create":
        ends = None if expires is None else timedelta(seconds=parse_duration(expires))
        _tell_new(file.create(path, scopes=scope or ["predict"], expires=ends, rate=rate, quota=quota), as_json)
    elif way == "rotate":
        _tell_new(file.rotate(path, str(name), overlap=timedelta(seconds=parse_duration(overlap))), as_json)
    elif way == "revoke":
        key = file.revoke(path, str(name))
        if as_json:
            show.print_json(_record(key))
        else:
            show.say(f"{key.id} opens nothing any more")
    else:
        _tell_all(file.read_keys(path), as_json)


def _tell_new(made: New, as_json: bool) -> None:
    if as_json:
        show.print_json({"id": made.key.id, "key": made.text, **_record(made.key)})
    else:
        show.say(f"{made.text}\n  keep it now: it is not shown again. Its id is {made.key.id}")


def _tell_all(keys: tuple[Key, ...], as_json: bool) -> None:
    if as_json:
        show.print_json({"keys": [_record(key) for key in keys]})
        return
    table = show.table("id", "scopes", "expires", ">rate", ">rows a day", "state")
    for key in keys:
        record = _record(key)
        about = (key.id, " ".join(key.scopes), record["expires"] or "never")
        table.add_row(*about, key.rate or "", "" if key.quota is None else f"{key.quota:,}", record["state"])
    show.console().print(table)


def _record(key: Key) -> dict[str, Any]:
    valid = key.is_valid(datetime.now(UTC))
    return {
        "id": key.id,
        "scopes": list(key.scopes),
        "expires": None if key.expires is None else key.expires.isoformat(),
        "rate": key.rate,
        "quota": key.quota,
        "state": "revoked" if key.revoked else "valid" if valid else "expired",
    }
