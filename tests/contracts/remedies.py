"""Every remedy that a message of the source names: an option, a setting or a command that a person is told to use."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src" / "deepen"
_VERBS = "train|evaluate|compare|predict|check|diagnose|export|serve|keys|report|bench|models|schema"
_REMEDY = re.compile(rf"(?<!var\()--[a-z][a-z-]+|\bdeepen ({_VERBS})\b|pip install ")
_NO_ADVICE = re.compile(r"--[a-z-]+(=[*\d]+)?|deepen [a-z]+")
_OPTIONS = ("Option", "Argument")


def remedies() -> tuple[tuple[str, str], ...]:
    """The file and the text of each string that names a remedy; `{}` stands for what is filled in."""
    return _remedies(SOURCE)


@cache
def _remedies(source: Path) -> tuple[tuple[str, str], ...]:
    return tuple(_found(source))


def _found(source: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(source.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        passed = set(_passed_over(tree))
        for node in ast.walk(tree):
            text = None if id(node) in passed else _text(node)
            if text and _REMEDY.search(text) and not _NO_ADVICE.fullmatch(text):
                yield path.relative_to(source).as_posix(), text


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def _passed_over(tree: ast.AST) -> Iterator[int]:
    """Docstrings, the help of options, and the pieces of a string that is told as a whole."""
    for node in ast.walk(tree):
        inside: list[ast.AST] = []
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            inside = [node.value]
        elif isinstance(node, ast.JoinedStr):
            inside = [part for part in ast.walk(node) if part is not node]
        elif (isinstance(node, ast.Call) and ast.unparse(node.func).endswith(_OPTIONS)) or (
            isinstance(node, ast.Assign) and any(ast.unparse(target) == "HELP" for target in node.targets)
        ):
            inside = list(ast.walk(node))
        yield from map(id, inside)
