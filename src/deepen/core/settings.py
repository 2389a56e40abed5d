"""The base of every settings class, and how words from a recipe or the command line become settings.

A settings class lives in the file of the function it sets; every field is documented with its unit and the reason for
its default. Settings do no work: nothing here opens a file.
"""

from __future__ import annotations

import json
import re
import reprlib
from collections.abc import Mapping
from functools import cache
from itertools import islice
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from deepen.core.errors import SettingError, nearest, one_line, plain_words
from deepen.core.foreign import read_yaml
from deepen.core.log import logger


class Settings(BaseModel):
    """What a person may choose. Frozen, and an unknown key is an error that names the nearest right one."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
    earlier: ClassVar[Mapping[str, str]] = {}
    """Names that settings had before, with today's: accepted with a warning until 0.3."""

    @classmethod
    def names_now(cls) -> dict[str, str]:
        """All earlier names of this class and of those it builds on, with today's."""
        return {before: now for base in cls.__mro__ for before, now in vars(base).get("earlier", {}).items()}

    @model_validator(mode="before")
    @classmethod
    def _by_todays_names(cls, given: Any) -> Any:
        names = cls.names_now()
        if not names or not isinstance(given, Mapping):
            return given
        for before in names.keys() & given.keys():
            if names[before] in given:
                raise ValueError(f"'{before}' is the earlier name of '{names[before]}': keep that alone")
            _warn_of(before, names[before])
        return {names.get(key, key): value for key, value in given.items()}


@cache
def _warn_of(before: str, now: str) -> None:
    """Once is enough: a recipe is read more than once."""
    logger.warning("warning: the setting '%s' is called '%s' now; the earlier name works until 0.3", before, now)


S = TypeVar("S", bound=BaseModel)


def parse(kind: type[S], values: Mapping[str, Any], *, where: str = "recipe") -> S:
    """Checks a nested mapping against a settings class; `where` is what to call the source in an error."""
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        raise SettingError(f"{where}: {_explain(kind, error)}") from None
    except UnicodeEncodeError:  # pydantic's core can't take it
        raise SettingError(f"{where}: a value holds half a character (a surrogate), which no text can") from None


def _explain(kind: type[BaseModel], error: ValidationError) -> str:
    first = error.errors()[0]
    path = [one_line(str(part), 80) for part in first["loc"][:20]]
    key = ".".join(path)
    if first["type"] == "extra_forbidden":
        return f"unknown key '{key}'; {nearest(path[-1], _fields_at(kind, path[:-1]))}"
    value = "" if isinstance(first["input"], Mapping) else f" is {shown(first['input'])}"
    return f"'{key}'{value}: {plain_words(first['msg'])}" if key else plain_words(first["msg"])


def shown(value: Any) -> str:
    """A value as a person would write it in a recipe, cut where it is long.

    Example:
        >>> shown((1, None)), shown("a")
        ('[1, null]', "'a'")
    """
    few = _few(value, [_MOST_SHOWN])
    text = f"'{few}'" if isinstance(few, str) else json.dumps(few, ensure_ascii=False, default=_other)
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…"


_MOST_SHOWN = 100


def _few(value: Any, left: list[int], depth: int = 6) -> Any:
    """The start of a value: as much of it as is shown at most, however much there is."""
    left[0] -= 1
    if isinstance(value, str):
        return one_line(value, _MOST_SHOWN + 1)
    if isinstance(value, int) and value.bit_length() > 8 * _MOST_SHOWN:
        return "a number of very many digits"
    if not isinstance(value, Mapping | list | tuple):
        return value
    if depth == 0 or left[0] <= 0:
        return "…"
    if isinstance(value, Mapping):
        some = islice(value.items(), max(0, left[0]))
        return {one_line(str(key), _MOST_SHOWN): _few(item, left, depth - 1) for key, item in some if left[0] > 0}
    return [_few(item, left, depth - 1) for item in islice(value, max(0, left[0])) if left[0] > 0]


def _other(value: Any) -> str:
    """What JSON has no form for."""
    try:
        return one_line(
            reprlib.repr(value) if isinstance(value, bytes | set | frozenset) else repr(value), 2 * _MOST_SHOWN
        )
    except Exception:  # a stranger's class
        return type(value).__name__


def _fields_at(kind: type[BaseModel], path: list[str]) -> list[str]:
    for part in path:
        found = kind.model_fields.get(part)
        inner = found.annotation if found else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        kind = inner
    return list(kind.model_fields)


def override(values: dict[str, Any], assignments: list[str]) -> dict[str, Any]:
    """Applies words such as `training.learning_rate=1e-4`, values as YAML, over a copy of a nested mapping.

    Example:
        >>> override({"a": {"b": 1}}, ["a.b=2", "c=[1, 2]"])
        {'a': {'b': 2}, 'c': [1, 2]}
    """
    out = {key: dict(value) if isinstance(value, Mapping) else value for key, value in values.items()}
    for word in assignments:
        path, sep, text = word.partition("=")
        if not sep or not path:
            raise SettingError(f"--set {shown(word)}: write it as dotted.key=value")
        try:
            value = _number(read_yaml(text) if len(text) <= _LONGEST_VALUE else text)
        except ValueError:  # no YAML, so it is meant as it stands
            value = text
        *parents, last = path.split(".")
        at: Any = out
        for parent in parents:
            inner = at.get(parent)
            if inner is not None and not isinstance(inner, Mapping):
                raise SettingError(f"--set {shown(word)}: '{one_line(parent, 60)}' holds a value, not a section")
            at[parent] = dict(inner or {})
            at = at[parent]
        at[last] = value
    return out


def _number(value: Any) -> Any:
    """YAML 1.1 reads `1e-4` as text; people mean the number."""
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d+(\.\d+)?[eE][+-]?\d+", value):
        return float(value)
    return value


_LONGEST_VALUE = 100_000
_UNITS = {"s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(text: str) -> float:
    """Seconds in `90s`, `5m`, `1.5h` or a plain number of seconds. Units are s, m, h, d.

    Example:
        >>> parse_duration("1.5h")
        5400.0
    """
    match = re.fullmatch(r"\s*(\d{1,15}(?:\.\d{1,15})?)\s*([a-zA-Z]{0,9})\s*", str(text)[:200])
    unit = (match.group(2) or "s").lower() if match else ""
    if not match or unit not in _UNITS:
        raise SettingError(f"duration {shown(text)}: write a number and s, m, h or d, as in 90s, 5m or 1.5h")
    seconds = float(match.group(1)) * _UNITS[unit]
    if seconds <= 0:
        raise SettingError(f"duration {shown(text)}: it must be above 0")
    return seconds
