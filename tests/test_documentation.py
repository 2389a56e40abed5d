"""What the README shows can be typed: its Python parses and names what is there, its commands are known."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

import deepen
from deepen.cli.main import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "README.zh.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands(text: str) -> list[list[str]]:
    """The words of every line that calls deepen."""
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    words = [shlex.split(line, comments=True) for line in lines if re.match(r"\s*(\.venv/bin/)?deepen ", line)]
    return [line[1:] for line in words]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python(page: Path) -> None:
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "deepen":
                assert hasattr(deepen, node.attr), f"deepen.{node.attr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands(page: Path) -> None:
    parser = get_command(app)
    for words in [line for block in blocks(page, "(?:sh|bash|console)") for line in commands(block)]:
        verb = parser.commands.get(words[0])  # type: ignore[attr-defined]
        assert verb is not None, f"deepen {words[0]}"
        verb.make_context(words[0], [word for word in words[1:] if word != "..."])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make(page: Path) -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for block in blocks(page, "sh"):
        for target in re.findall(r"^make ([a-z-]+)", block, re.MULTILINE):
            assert target in known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_inside(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_help_shows_commands_that_parse() -> None:
    parser = get_command(app)
    for name, verb in parser.commands.items():  # type: ignore[attr-defined]
        examples = commands(verb.help or "")
        assert examples, f"deepen {name} --help has no example"
        for words in examples:
            cut = words[: words.index(">")] if ">" in words else words
            assert cut[0] == name
            verb.make_context(name, cut[1:])


def test_everything_at_the_front_door_is_there() -> None:
    assert sorted(deepen.__all__) == deepen.__all__
    for name in deepen.__all__:
        assert getattr(deepen, name).__doc__, name
