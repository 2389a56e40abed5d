"""The boundary to other libraries' parsers: whatever they raise for a stranger's file becomes one error of ours.

What a library raises can't be listed: it changes with its version, and one in Rust may raise what is no `Exception`.
So all of it is caught, but only around the call of the parser, never around our own work.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from deepen.core.errors import DeepenError, ModelError, one_line

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same values, ten times faster
_MOST_NODES = 100_000
_DEEPEST = 50
_OURS = (DeepenError, KeyboardInterrupt, SystemExit, GeneratorExit)


@contextmanager
def blaming(file: Path | str, said: str = "can't be read", *, kind: type[DeepenError] = ModelError) -> Iterator[None]:
    """Turns whatever is raised inside it into an error: the file, what is `said` of it, and the cause."""
    try:
        yield
    except _OURS:
        raise
    except BaseException as error:  # a panic of a library in Rust is no Exception
        raise kind(f"{file}: {said}: {cause(error)}", file=str(file)) from error


@contextmanager
def silenced() -> Iterator[None]:
    """Sends stderr nowhere, also what is printed there past Python; for a moment, as all threads share it."""
    kept = None
    with suppress(OSError):
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
    try:
        yield
    finally:
        if kept is not None:
            os.dup2(kept, 2)
            os.close(kept)


def cause(error: BaseException) -> str:
    """What another library says, in one short line. What kind of error it is if it has no words."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, MemoryError):
        return "it does not fit into memory"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, KeyError):
        return f"{one_line(repr(error.args[0]) if error.args else '', 80)} is missing"
    try:
        text = str(error)
    except Exception:
        text = ""
    return one_line(text) or type(error).__name__


def whole_number(value: Any, *, least: int, most: float = math.inf) -> bool:
    """Whether a value out of a file is a whole number within bounds; true and false are none."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and least <= value <= most and (isinstance(value, int) or value.is_integer())


def read_yaml(text: str) -> Any:
    """Reads YAML of anybody; an error if it is none, nested too deeply, or grows when its aliases are followed."""
    try:
        _check_depth(text)
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            if root is None:
                return None
            _check_size(root)
            return loader.construct_document(root)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark: Any = error.problem_mark
        at = f"line {mark.line + 1}: " if mark is not None else ""
        raise ValueError(f"{at}{one_line(error.problem or str(error), 160)}") from None
    except (RecursionError, yaml.YAMLError) as error:
        raise ValueError(cause(error)) from None
    except ValueError as error:
        long = "digits" in str(error)
        raise ValueError("a number in it has too many digits" if long else one_line(str(error), 160)) from None
    except Exception:  # whatever a value does to the function of its tag
        raise ValueError("a value in it is not what its tag says") from None


def as_yaml(values: Mapping[str, Any], *, flow: bool | None = False, width: int = 80) -> str:
    """A mapping as YAML, in its order, by the writer in C where there is one: it is four times as fast.

    Args:
        flow: Whether lists and mappings stand on one line; None lets those that hold only scalars.
        width: Where lines are broken.
    """
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    how: dict[str, Any] = {"allow_unicode": True, "sort_keys": False, "default_flow_style": flow, "width": width}
    return str(yaml.dump(values, Dumper=dumper, **how))


def _check_depth(text: str) -> None:
    """Stops before the parser, which calls itself, is lost in brackets."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise ValueError(f"line {_line(event)}: it is nested more than {_DEEPEST} deep")


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _check_size(root: yaml.Node) -> None:
    """An alias costs a few letters and stands for as much as it names, which may be full of aliases too."""
    sizes: dict[int, float] = {}

    def size(node: yaml.Node) -> float:
        if id(node) not in sizes:
            sizes[id(node)] = math.inf  # what holds itself has no end
            inner = node.value if isinstance(node.value, list) else []
            parts = [part for item in inner for part in (item if isinstance(item, tuple) else (item,))]
            own = 1 if isinstance(node.value, list) else 1 + len(node.value) // 100
            sizes[id(node)] = own + sum(map(size, parts))
        return sizes[id(node)]

    if size(root) > _MOST_NODES:
        raise ValueError(f"it holds more than {_MOST_NODES:,} values when its aliases are followed")
