"""The base of every settings class, and how words from a recipe or the command line become settings.

A settings class lives in the file of the function it sets; every field is documented with its unit and the reason for
its default. Settings do no work: nothing here opens a file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from deepen.core.errors import SettingError, nearest, plain_words


class Settings(BaseModel):
    """What a person may choose. Frozen, and an unknown key is an error that names the nearest right one."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


S = TypeVar("S", bound=BaseModel)


def parse(kind: type[S], values: Mapping[str, Any], *, where: str = "recipe") -> S:
    """Checks a nested mapping against a settings class.

    Args:
        kind: The settings class.
        values: Field names to values, nested as the class is.
        where: What to call the source in an error, e.g. the recipe's path.

    Returns:
        The settings.

    Raises:
        SettingError: For an unknown key (with the nearest right name) or a value of the wrong kind.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        raise SettingError(f"{where}: {_explain(kind, error)}") from None


def _explain(kind: type[BaseModel], error: ValidationError) -> str:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    key = ".".join(path)
    if first["type"] == "extra_forbidden":
        return f"unknown key '{key}'; {nearest(path[-1], _fields_at(kind, path[:-1]))}"
    value = "" if isinstance(first["input"], Mapping) else f" is {shown(first['input'])}"
    return f"'{key}'{value}: {plain_words(first['msg'])}" if key else plain_words(first["msg"])


def shown(value: Any) -> str:
    """A value as a person would write it in a recipe, cut where it is long.

    Args:
        value: Any value.

    Returns:
        The text.

    Example:
        >>> shown((1, None)), shown("a")
        ('[1, null]', "'a'")
    """
    text = f"'{value}'" if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 100 else f"{text[:99]}…"


def _fields_at(kind: type[BaseModel], path: list[str]) -> list[str]:
    for part in path:
        found = kind.model_fields.get(part)
        inner = found.annotation if found else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        kind = inner
    return list(kind.model_fields)


def override(values: dict[str, Any], assignments: list[str]) -> dict[str, Any]:
    """Applies `dotted.key=value` words over a nested mapping; values are read as YAML.

    Args:
        values: The mapping to start from; it is not changed.
        assignments: Words such as `training.learning_rate=1e-4`.

    Returns:
        A new mapping.

    Raises:
        SettingError: If a word has no `=`, or its path runs through a value that is not a mapping.

    Example:
        >>> override({"a": {"b": 1}}, ["a.b=2", "c=[1, 2]"])
        {'a': {'b': 2}, 'c': [1, 2]}
    """
    out = {key: dict(value) if isinstance(value, Mapping) else value for key, value in values.items()}
    for word in assignments:
        path, sep, text = word.partition("=")
        if not sep or not path:
            raise SettingError(f"--set {word!r}: write it as dotted.key=value")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            value = text
        value = _number(value)
        *parents, last = path.split(".")
        at: Any = out
        for parent in parents:
            inner = at.get(parent)
            if inner is not None and not isinstance(inner, Mapping):
                raise SettingError(f"--set {word!r}: '{parent}' holds a value, not a section")
            at[parent] = dict(inner or {})
            at = at[parent]
        at[last] = value
    return out


def _number(value: Any) -> Any:
    """YAML 1.1 reads `1e-4` as text; people mean the number."""
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d+(\.\d+)?[eE][+-]?\d+", value):
        return float(value)
    return value


_UNITS = {"s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(text: str) -> float:
    """Seconds in `90s`, `5m`, `1.5h` or a plain number of seconds.

    Args:
        text: The duration as a person writes it.

    Returns:
        Seconds, above 0.

    Raises:
        SettingError: If it is not a number with one of the units s, m, h, d, or is not above 0.

    Example:
        >>> parse_duration("1.5h")
        5400.0
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", str(text))
    unit = (match.group(2) or "s").lower() if match else ""
    if not match or unit not in _UNITS:
        raise SettingError(f"duration {text!r}: write a number and s, m or h, as in 90s, 5m or 1.5h")
    seconds = float(match.group(1)) * _UNITS[unit]
    if seconds <= 0:
        raise SettingError(f"duration {text!r}: it must be above 0")
    return seconds
