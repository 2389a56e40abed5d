"""Opens a run's report.html in a real browser, at the width of a desk's and of a telephone's screen: what is wrong?

A fault is a request to anything but the file itself, a console error, a page wider than the window, or text smaller
than 11 pixels. The screenshots show the diagnosis (the whole page where there is none).

    deepen diagnose RUN
    python benchmarks/page.py --data . --run RUN [--work /tmp/deepen-bench] [--pictures docs] [--again]
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import cells

NAME = "page-chromium"
WIDTHS = (1280, 400)
SMALLEST = 11.0
MOST_PIXELS = 1900
# Every visible text with the size that it really has on the screen, the scaling of a picture included.
SIZES = """() => {
  const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const parent = node.parentElement, text = node.textContent.trim();
    if (!text || ["STYLE", "SCRIPT", "title"].includes(parent.tagName)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    if (!range.getBoundingClientRect().width) continue;
    const grid = parent.getScreenCTM ? parent.getScreenCTM() : null;
    const scale = grid ? Math.hypot(grid.a, grid.b) : 1;
    found.push([parseFloat(getComputedStyle(parent).fontSize) * scale, text.slice(0, 60)]);
  }
  return found;
}"""


def look(browser: Any, page_file: Path, width: int, picture: Path) -> dict[str, Any]:
    """Opens the page with every fold open, takes a picture with them as they come, and lists the faults.

    Args:
        browser: A browser of playwright.
        page_file: The page.
        width: The window's width in pixels.
        picture: Where the screenshot goes.

    Returns:
        The faults and what was measured.
    """
    page = browser.new_page(viewport={"width": width, "height": 900})
    requests: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(page_file.absolute().as_uri(), wait_until="load")
    part = page.locator("#diagnosis")
    box = (part if part.count() else page.locator("body")).bounding_box()
    clip = {"x": 0, "y": box["y"], "width": width, "height": min(box["height"], MOST_PIXELS)}
    picture.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(picture), full_page=True, clip=clip)
    wide = [page.evaluate("document.scrollingElement.scrollWidth")]
    page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
    wide.append(page.evaluate("document.scrollingElement.scrollWidth"))
    sizes = page.evaluate(SIZES)
    page.close()
    foreign = [url for url in requests if not url.startswith(("file://", "data:"))]
    small = sorted({f"{size:.1f} px: {text}" for size, text in sizes if size < SMALLEST - 0.05})
    faults = [f"request: {url}" for url in foreign] + [f"console: {error}" for error in errors]
    faults += [f"{found} pixels wide" for found in wide if found > width]
    faults += [f"small text, {told}" for told in small]
    smallest = round(min((size for size, _ in sizes), default=0.0), 1)
    return {"width": width, "faults": faults, "smallest_text": smallest, "texts": len(sizes)}


def main() -> None:
    """Looks at both widths; one cell."""
    options = cells.parser(__doc__ or "")
    options.add_argument("--run", type=Path, required=True, help="a run that has been diagnosed")
    options.add_argument("--pictures", type=Path, help="where the screenshots go; else the work folder")
    given = options.parse_args()
    if not cells.wanted(NAME, given):
        return
    from playwright.sync_api import sync_playwright

    began = time.monotonic()
    folder = given.pictures or given.work / NAME
    with sync_playwright() as tool:
        unsafe = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = tool.chromium.launch(executable_path=shutil.which("chromium"), args=unsafe)
        version = browser.version
        seen = [look(browser, given.run / "report.html", wide, folder / f"report-{wide}.png") for wide in WIDTHS]
        browser.close()
    faults = [f"at {one['width']}: {fault}" for one in seen for fault in one["faults"]]
    cells.write(
        NAME,
        command="deepen diagnose RUN; python benchmarks/page.py --data . --run RUN",
        seed=0,
        value=len(faults),
        n=sum(one["texts"] for one in seen),
        unit="faults of the page in a browser; n counts texts on it, at both widths",
        faults=faults,
        smallest_text_pixels={str(one["width"]): one["smallest_text"] for one in seen},
        bytes=(given.run / "report.html").stat().st_size,
        browser=f"Chromium {version}",
        seconds=round(time.monotonic() - began, 1),
    )
    for fault in faults:
        print(fault)
    if faults:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
