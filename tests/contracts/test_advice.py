"""What the page, the card and a diagnosis tell a person to do works as it is copied, in a folder with blanks too."""

from __future__ import annotations

import html
import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.contracts.conftest import Deepen
from tests.worlds import WORLDS, some

import deepen as front_door

RUN = Path("my runs") / "it's $HOME"


def run(deepen: Deepen, command: str, file: Path) -> None:
    """A command as a shell takes it, with a file where a person is to name one."""
    first, *given = shlex.split(command)
    assert first == "deepen"
    answer = deepen(*(str(file) if word in ("FILE", "DATA") else word for word in given))
    assert answer.code == 0, (command, answer.err)


def commands_of(page: Path) -> list[str]:
    """What the page has in its boxes to copy."""
    text = page.read_text(encoding="utf-8")
    return [html.unescape(found) for found in re.findall(r"<pre[^>]*>(.*?)</pre>", text, re.DOTALL)]


@pytest.mark.parametrize("task", some(WORLDS, "classification", "tagging", "ranking"))
def test_the_page_and_the_card(task: str, deepen: Deepen, tiny_model: Path, tmp_path: Path) -> None:
    rows = [json.dumps(row) for row in WORLDS[task](100)]
    data, more = tmp_path / "rows of mine.jsonl", tmp_path / "more.jsonl"
    data.write_text("\n".join(rows))
    more.write_text("\n".join(rows[:20]))
    trained = deepen("train", data, "--model", tiny_model, "--rungs", "lexical,frozen", "--out", RUN, "--task", task)
    assert trained.code == 0, trained.err
    [said] = re.findall(r"^run: .*?  \((.*)\)$", trained.out, re.MULTILINE)
    found = commands_of(RUN / "report.html")
    assert [command.split()[1] for command in found][-4:] == ["predict", "evaluate", "diagnose", "train"]
    card = (RUN / "model" / "README.md").read_text(encoding="utf-8")
    typed = [line for line in card.splitlines() if line.startswith("deepen ")]
    assert len(typed) == 1
    for command in dict.fromkeys([said, *found, *typed]):
        if not (task == "tagging" and command.startswith("deepen diagnose")):  # half a minute
            run(deepen, command, more)
    [code] = [part.split("```")[0] for part in card.split("```python\n") if "import deepen" in part]
    answers: list[Any] = []
    exec(code, {"print": answers.append})  # noqa: S102 - our own card
    assert len(answers[0]) == 1


def test_rows_from_python_can_be_repeated_by_nobody(deepen: Deepen, tiny_model: Path, tmp_path: Path) -> None:
    rows = WORLDS["classification"](100)
    front_door.train(rows, model=str(tiny_model), rungs="majority,lexical", out=RUN)
    (tmp_path / "more.jsonl").write_text("\n".join(json.dumps(row) for row in rows[:30]))
    found = commands_of(RUN / "report.html")
    assert "train" not in [command.split()[1] for command in found]
    for command in found:
        run(deepen, command, tmp_path / "more.jsonl")


def test_a_run_that_was_moved_is_named_where_it_is(deepen: Deepen, two_class_csv: Path, tiny_model: Path) -> None:
    assert deepen("train", two_class_csv, "--model", tiny_model, "--rungs", "lexical", "--out", "first").code == 0
    shutil.move("first", "second place")
    assert deepen("report", "second place").code == 0
    assert deepen("diagnose", "second place", "--questions", "depth").code == 0
    text = Path("second place/model/README.md").read_text(encoding="utf-8")
    for command in [*commands_of(Path("second place/report.html")), *re.findall(r"^deepen .*", text, re.MULTILINE)]:
        assert "first" not in command
        assert "second place" in shlex.split(command)[2] or "second place" in shlex.split(command)[3]


def test_every_remedy_of_a_diagnosis(deepen: Deepen, two_class_csv: Path, tiny_model: Path) -> None:
    """Of a model that leans on a planted cue, with rows to drop, to add, to hide and to try again."""
    words = ["--model", tiny_model, "--rungs", "majority,lexical,frozen", "--out", RUN]
    assert deepen("train", two_class_csv, "--test", two_class_csv.parent / "test.csv", *words).code == 0
    answer = deepen("diagnose", RUN, two_class_csv, "--json")
    assert answer.code == 0, answer.err
    again = deepen("diagnose", RUN, "--json")
    remedies = {finding["remedy"] for found in (answer, again) for finding in found.json["findings"]}
    remedies.discard("")
    assert len(remedies) > 1
    for remedy in sorted(remedies):
        run(deepen, remedy, two_class_csv)
        run(deepen, remedy, two_class_csv)  # and once more, as a person may


def test_more_depth_is_climbed_where_it_is_advised(deepen: Deepen, two_class_csv: Path, tiny_model: Path) -> None:
    """A run's recipe names the rungs that ran: climbed again with --thorough alone, it would end where it did."""
    words = ["--model", tiny_model, "--rungs", "majority,frozen", "--out", RUN]
    assert deepen("train", two_class_csv, *words).code == 0
    quick = ["--set", "rungs.top_layers.num_epochs=1", "--set", "rungs.full.num_epochs=1", "--json"]
    given = ["train", "--recipe", RUN / "recipe.yaml", "--set", "ladder.rungs=null", "--thorough"]
    assert [row["rung"] for row in deepen(*given, *quick).json["rungs"]][-1] == "full"
