"""What an expectation of expectations.py is made of: real rows in small files, and calls in a folder of its own."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from calls import Call, Version
from trial import Trial

Seen = dict[str, bool]
EXPECTATIONS: dict[int, tuple[str, Callable[[Stranger], Seen]]] = {}


def expect(number: int, title: str) -> Callable[[Callable[[Stranger], Seen]], Callable[[Stranger], Seen]]:
    """Puts a function on the list of expectations; it gives what must be seen, each with whether it was."""

    def put(tried: Callable[[Stranger], Seen]) -> Callable[[Stranger], Seen]:
        if number in EXPECTATIONS:
            raise ValueError(f"two expectations are called {number}")
        EXPECTATIONS[number] = (title, tried)
        return tried

    return put


class Stranger(Trial):
    """A trial whose files hold the first rows of open data sets."""

    def __init__(self, version: Version, data: Path, folder: Path, tiny: Path) -> None:
        super().__init__(version, data, folder, tiny)
        self.data = data

    def films(self, count: int, *, skip: int = 0) -> list[tuple[str, str]]:
        """Sentences of sst2 with `good` or `bad`."""
        lines = (self.data / "sst2/train.tsv").read_text(encoding="utf-8").splitlines()[skip : skip + count]
        return [(text, "good" if label == "1" else "bad") for text, label in (line.split("\t") for line in lines)]

    def hotels(self, count: int) -> list[tuple[str, str]]:
        """Chinese reviews with 好 or 差, as many of each."""
        with (self.data / "chnsenticorp_htl/ChnSentiCorp_htl_all.csv").open(encoding="utf-8", newline="") as file:
            rows = [(row["review"], "好" if row["label"] == "1" else "差") for row in csv.DictReader(file)]
        return [row for pair in zip(rows[: count // 2], rows[-count // 2 :], strict=True) for row in pair]

    def table(self, name: str, rows: list[tuple[Any, ...]], *header: str) -> str:
        """A CSV of some rows."""
        with (self.folder / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *rows] if header else rows)
        return name

    def read(self, name: str) -> list[dict[str, str]]:
        """The rows of a CSV."""
        with (self.folder / name).open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    def run_of(self, count: int = 120, *, rungs: str = "majority,lexical", words: tuple[str, ...] = ()) -> Call:
        """A run `a` on films, the tiny network being its model."""
        films = self.table("films.csv", self.films(count), "review", "mood")
        return self.train(films, "--model", str(self.tiny), *words, rungs=rungs)

    def text(self, name: str) -> str:
        """A file in the folder; empty if it isn't there."""
        path = self.folder / name
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def facts(self, program: str) -> dict[str, Any]:
        """What a program prints as one JSON object in its last line."""
        call = self.python("import json\nfacts = {}\n" + program + "\nprint(json.dumps(facts))")
        lines = call.out.strip().splitlines()
        found: dict[str, Any] = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
        return found

    def printed(self, call: Call, run: str = "a") -> list[str]:
        """The words of the command that a training prints as the next step, without `deepen`."""
        import shlex

        line = next(line for line in call.out.splitlines() if "deepen predict" in line)
        return shlex.split(line[line.index("deepen predict") :].rsplit(")", 1)[0])[1:]
