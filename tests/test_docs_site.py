"""The site: all pages of docs/ are in the navigation, links lead somewhere, made pages say what is in the code.

mkdocs itself is not needed; `make docs` is as strict where it is installed.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def site() -> Any:
    spec = importlib.util.spec_from_file_location("docs_site", ROOT / "scripts" / "docs_site.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(site: Any) -> dict[str, str]:
    """Every page of the site as Markdown, by its path."""
    own = {path.relative_to(DOCS).as_posix(): path for path in DOCS.rglob("*.md")}
    return {name: site.linked(path.read_text(encoding="utf-8"), path, path) for name, path in own.items()} | site.made()


def named(nav: Any) -> Iterator[str]:
    for entry in nav if isinstance(nav, list) else nav.values():
        if isinstance(entry, str):
            yield entry
        else:
            yield from named(entry)


def anchors(text: str) -> set[str]:
    """What headings are called in links: letters, numbers and dashes, as both GitHub and mkdocs make them."""
    plain = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.*)$", plain, re.MULTILINE)
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", title).strip().lower()) for title in titles}


def test_every_page_is_in_the_navigation_once(site: Any, pages: dict[str, str]) -> None:
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    listed = list(named(site.navigation(config["nav"])))
    assert sorted(listed) == sorted(pages)


def test_links_lead_somewhere(pages: dict[str, str]) -> None:
    found = 0
    for name, text in pages.items():
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            path, _, anchor = target.partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            there = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
            assert there in pages or (DOCS / there).is_file(), f"{name}: {target}"
            if anchor and there in pages:
                assert anchor in anchors(pages[there]), f"{name}: {target}"
            found += 1
    assert found > 20


@pytest.mark.parametrize(
    ("page", "loads"),
    [
        ('<script src="https://x.org/a.js"></script>', True),
        ("<link rel=stylesheet href=//fonts.x.org/css>", True),
        ('<a href="https://x.org">x</a> <img src="report-400.png">', False),
    ],
)
def test_what_is_loaded_from_elsewhere_ends_the_build(site: Any, page: str, loads: bool) -> None:
    assert bool(site.foreign(page)) == loads
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert (config["theme"]["font"], config["strict"]) == (False, True)


def test_the_reference_is_that_of_the_code(site: Any) -> None:
    made = site.made()
    assert "| `--decide-by` |" in made["reference/commands.md"]
    assert "## deepen export" in made["reference/commands.md"]
    assert re.search(r"## rungs\.full\n.*?\| `learning_rate` \|", made["reference/settings.md"], re.DOTALL)
    assert '| `license` | string | `"unknown"` |' in made["reference/settings.md"]
    assert "## deepen.train\n" in made["reference/python.md"]
    assert "- `budget`: Time for the whole climb" in made["reference/python.md"]


def test_links_out_of_the_site_become_words(site: Any) -> None:
    page = DOCS / "tasks" / "pairs.md"
    text = "[a](../../LOG.md) [b](../how-to.md#x) [c](https://x.org/y) [d](#e) [f](../../README.md)"
    assert site.linked(text, page, page) == "a [b](../how-to.md#x) [c](https://x.org/y) [d](#e) [f](../index.md)"
