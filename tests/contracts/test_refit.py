"""--refit: the chosen rung learns from the validation rows too, after they have decided, with what won."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.contracts import golden
from tests.contracts.conftest import Deepen
from tests.worlds import WORLDS

from deepen import api
from deepen.core.run import Run
from deepen.ladder.refit import joined
from deepen.preparation.catalog import shelf

FEW = [f"rungs.{rung}.num_epochs=3" for rung in ("cloze", "top_layers", "full")]
FEW += ["data.validation_at_least=20", "data.check=false"]


OF_EACH_KIND = ("majority", "lexical", "frozen", "full")
"""`top_layers` learns as `full` does, from a deeper cut."""
ALWAYS = {("tagging", "full"), ("span_qa", "frozen"), ("ranking", "full"), ("multilabel", "lexical")}


def weights(run: Run) -> dict[str, bytes]:
    return {str(path.relative_to(run.folder)): path.read_bytes() for path in run.folder.glob("model/**/*.safetensors")}


@pytest.mark.parametrize(
    ("task", "rung", "apart"),
    [
        *(("classification", rung, False) for rung in golden.RUNGS if rung != "top_layers"),  # interrupted below
        *(
            pytest.param(task, rung, False, marks=() if (task, rung) in ALWAYS else pytest.mark.services)
            for task in WORLDS
            if task != "classification"
            for rung in OF_EACH_KIND
        ),
        *(("classification", rung, False) for rung in ("zero_shot", "contrastive", "cloze")),
        *(("classification", "frozen", True), ("tagging", "top_layers", True)),  # validation from a source of its own
    ],
)
def test_every_rung(
    task: str, rung: str, apart: bool, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if (task, rung) == ("tagging", "lexical"):
        pytest.importorskip("pycrfsuite")
    rows = WORLDS[task](91)
    given: dict[str, Any] = {"data": rows[:70], "validation": rows[70:]} if apart else {"data": rows}
    model = request.getfixturevalue("tiny_masked" if rung == "cloze" else "tiny_model")
    given |= {"model": str(model), "rungs": rung, "settings": FEW}
    plain = api.train(**given, test=rows[:10], out=tmp_path / "plain")
    seen = []
    climb = shelf()[rung].climb

    def spy(work: Any, settings: Any, below: Any) -> Any:
        seen.append((len(work.problem.train), settings))
        return climb(work, settings, below)

    monkeypatch.setitem(shelf(), rung, replace(shelf()[rung], climb=spy))
    run = api.train(**given, test=rows[:10], out=tmp_path / "run", refit=True)
    (few, _), (all_of_them, settings) = seen
    assert few < all_of_them == len(rows)
    won = run.ladder["rungs"][0]["won"] | {"batch_tokens": getattr(settings, "batch_tokens", None)}
    asked = settings.model_dump(mode="json") | {"batch_tokens": getattr(settings, "batch_tokens", None)}
    assert {name: asked[name] for name in won} == won
    assert run.ladder["refitted"]
    assert run.ladder["rungs"][0]["refitted"]
    assert run.ladder["rungs"][0]["score"] == plain.ladder["rungs"][0]["score"], "that of the model that was judged"
    assert run.ladder["temperature"] == plain.ladder["temperature"]
    learned = run.ladder["rungs"][0]["num_trained_parameters"] > 0  # BM25 and cosines learn nothing
    assert (weights(run) != weights(plain)) == learned
    assert len(api.load(run).predict(rows[:3])) == 3


def test_as_many_steps_as_won(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = WORLDS["classification"](400)
    steps = []
    from deepen.finetuning import finetune

    fit = finetune.fit

    def spy(*given: Any) -> Any:
        now = fit(*given)
        steps.append((now.step, now.num_steps, now.best_step))
        return now

    monkeypatch.setattr(finetune, "fit", spy)
    api.train(rows, model=str(tiny_model), rungs="frozen,full", settings=FEW, refit=True, out=tmp_path, worth=0)
    assert len(steps) == 2, "full was chosen, and trained again"
    (_, planned, won), (made, planned_again, _) = steps
    assert abs(planned - planned_again) <= 4, "batches are cut by tokens, so a visit may have one more or less"
    assert made == min(won, planned_again)


def test_repeated_and_interrupted(
    two_class_csv: Path, tiny_model: Path, deepen: Deepen, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--model", tiny_model, "--rungs", "top_layers", "--set", "rungs.top_layers.num_epochs=1", "--refit"]
    assert deepen("train", two_class_csv, *words, "--out", "run").code == 0
    assert deepen("train", "--recipe", "run/recipe.yaml", "--out", "again").code == 0
    assert weights(Run(Path("run"))) == weights(Run(Path("again"))), "a recipe repeats it"

    module = shelf()["top_layers"]
    climb, calls = module.climb, []

    def stop(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return climb(*given)

    monkeypatch.setitem(shelf(), "top_layers", replace(module, climb=stop))
    assert deepen("train", two_class_csv, *words, "--out", "third").code == 130
    assert json.loads(Path("third/ladder.json").read_text())["under_way"] == "refit"
    assert deepen("train", two_class_csv, *words, "--out", "third", "--resume").code == 0
    assert weights(Run(Path("run"))) == weights(Run(Path("third"))), "an interruption changes nothing"


def test_rows_are_joined(two_class_csv: Path, deepen: Deepen) -> None:
    from deepen.data.load import DataSettings, load_table
    from deepen.tasks.classification import NEEDS

    one, _ = load_table(two_class_csv, NEEDS, DataSettings())
    two, _ = load_table(two_class_csv.parent / "test.csv", NEEDS, DataSettings())
    first, second = one.all_rows().take(one.all_rows().rows_N[5:9]), two.all_rows().take(two.all_rows().rows_N[:3])
    both = joined(first, second)
    assert [*both.values("text")] == [*first.values("text"), *second.values("text")]
    assert [*both.values("target")] == [*first.values("target"), *second.values("target")]
    assert both.table.fingerprint not in (one.fingerprint, two.fingerprint)
    half = joined(one.all_rows().take(one.all_rows().rows_N[1::2]), one.all_rows().take(one.all_rows().rows_N[::2]))
    assert half.table is one
    assert half.rows_N.tolist() == list(range(len(one)))
