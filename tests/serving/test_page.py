"""The page at `/`: what it says in both languages; and in a real browser that it works and lacks nothing."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import write_csv
from tests.serving.conftest import QUICK, Server
from tests.worlds import WORLDS

import deepen
from deepen.core.chinese import ON_PAGES, catalogue
from deepen.serving.keys import create
from deepen.serving.pages import _filled

WIDTHS = (1280, 400)
AXE = os.environ.get("AXE_CORE", "")


def test_every_text_is_in_both_languages() -> None:
    known = {template: chinese for _, template, chinese in catalogue()}
    page = _filled("try.html", known, wants_keys=True)
    said = {"".join(groups) for groups in ON_PAGES.findall(page)}
    assert len(said) > 30
    assert said <= set(known), said - set(known)
    assert all(f'"{text}": "{known[text]}"' in page for text in said)
    assert "KEYS = true;" in page
    ids = re.findall(r'\bat\("([a-z]+)"\)', page)
    assert set(ids) <= set(re.findall(r'\bid="([a-z]+)"', page))


def test_the_page_loads_nothing_and_may_do_nothing_else(server: Server) -> None:
    with server.client("none") as client:
        page = client.get("/")
    assert page.status_code == 200
    assert not re.search(r"(src|href)=\"?(https?:)?//|@import|\burl\(", page.text)
    allowed = page.headers["content-security-policy"].split("; ")
    assert "default-src 'none'" in allowed
    assert not any("unsafe" in one or "*" in one for one in allowed)
    assert page.headers["referrer-policy"] == "no-referrer"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with playwright.sync_playwright() as tool:
        unsafe = ["--no-sandbox"] if os.geteuid() == 0 else []
        opened = tool.chromium.launch(executable_path=path, args=unsafe)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def explaining(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Server]:
    """A server that wants a key, and says why."""
    folder = tmp_path_factory.mktemp("page")
    rows = WORLDS["classification"](80)
    data = write_csv(folder / "rows.csv", rows)
    run = deepen.train(data, model=tiny_model, settings=QUICK, out=folder / "reviews", rungs=["lexical", "frozen"])
    made = create(folder / "keys.json", scopes=["predict"])
    words = [str(run.folder), "--port", "0", "--workers", "1", "--keys", str(folder / "keys.json")]
    with Server([*words, "--set", "request_seconds=120", "--set", "stuck_seconds=30"], made.text) as server:
        yield server


def body_of(text: str) -> dict[str, Any]:
    return {"rows": [{"text": text}], "explain": True}


@pytest.mark.services
def test_answers_come_with_their_reasons(explaining: Server) -> None:
    with explaining.client() as client:
        answer = client.post("/v1/runs/reviews/predict", json=body_of("a lovely film"))
        [one] = answer.json()["answers"]
        found = one["explanation"]
        assert found["answers"][0]["output"] == one["output"]
        assert [word["text"] for word in found["answers"][0]["words"]] == ["a", "lovely", "film"]
        assert {rung["rung"] for rung in found["answers"][0]["rungs"]} >= {"lexical", "frozen"}
        [blank] = client.post("/v1/runs/reviews/predict", json=body_of("  ")).json()["answers"]
        assert "skipped" in blank
        many = {"rows": [{"text": "a"}] * 11, "explain": True}
        assert client.post("/v1/runs/reviews/predict", json=many).status_code == 422


@pytest.mark.services
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
@pytest.mark.parametrize("width", WIDTHS)
def test_in_a_browser(width: int, language: str, scheme: str, browser: Any, explaining: Server, tmp_path: Path) -> None:
    size = {"width": width, "height": 900}
    context = browser.new_context(viewport=size, locale=language, color_scheme=scheme)
    page = context.new_page()
    requests, errors = list[str](), list[str]()
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(explaining.url + "/", wait_until="load")
    assert page.locator("html").get_attribute("lang") == language[:2]
    page.locator("#key").fill(explaining.key or "")
    page.locator("#open").click()
    page.locator("#field-text").fill("the film wasn't lovely 😀 today")
    page.locator("#why").check()
    page.locator("button.main").click()
    page.locator("mark").first.wait_for(timeout=60_000)
    assert page.locator("table").count() >= 2  # probabilities and most similar rows
    assert "😀 today" in page.locator("#answer p:has(mark)").inner_text()
    assert "wasn'\\''t" in page.locator("#curl").inner_text()
    assert (explaining.key or "-") not in page.content()
    faults = serious(page) if AXE else []
    wide = page.evaluate("document.scrollingElement.scrollWidth")
    page.screenshot(path=str(tmp_path / "page.png"), full_page=True)
    said = page.locator("main").inner_text()
    page.locator("#language").click()
    assert page.locator("main").inner_text() != said
    stored = page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]")
    context.close()
    assert stored == [0, 0, ""]
    assert wide <= width
    assert not errors
    assert all(url.startswith(("data:", explaining.url)) for url in requests)
    assert not faults
    if not AXE:
        pytest.skip("the rest is sound; accessibility needs AXE_CORE=.../axe-core/axe.min.js (npm install axe-core)")


def serious(page: Any) -> list[str]:
    """What axe-core finds that is serious or worse."""
    page.evaluate(Path(AXE).read_text())
    found = page.evaluate("axe.run()")["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in ("serious", "critical")]
