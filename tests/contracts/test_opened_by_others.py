"""A model folder is no trap: whoever opens it gets the run's logits under the labels' names, or no such names."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tests.worlds import WORLDS

import deepen

CLASSES = ("AutoModelForSequenceClassification", "AutoModelForTokenClassification")
SCORES = [{"text": "a film " + "good " * (number % 9), "label": f"{number % 9 / 3:.2f}"} for number in range(90)]
CASES = [
    *((task, "top_layers", None, "full") for task in WORLDS),
    *((task, "frozen", None, "full") for task in ("classification", "ranking", "tagging")),
    *(("matching", "full", pooling, "full") for pooling in (None, "cls")),
    *((task, "top_layers", "cls", "full") for task in ("classification", "multilabel", "scores")),
    *((task, "top_layers", None, "prefix") for task in ("classification", "tagging")),
    *((task, "frozen", None, "full") for task in ("scores",)),
    ("classification", "frozen", "cls", "full"),
    ("classification", "top_layers", "cls", "prefix"),
    ("classification", "top_layers", "cls", "lora"),
    ("classification", "contrastive", "cls", "full"),
]
ALWAYS = [
    *(("classification", *way) for way in (("frozen", None, "full"), ("top_layers", "cls", "full"))),
    *(("classification", "top_layers", *way) for way in ((None, "prefix"), ("cls", "lora"))),
    *(("tagging", rung, None, "full") for rung in ("frozen", "top_layers")),
    *((task, "top_layers", None, "full") for task in ("span_qa", "multilabel", "ranking")),
    *(("scores", "frozen", None, "full"), ("matching", "full", "cls", "full")),
]
"""Each way that a head is saved once; the others are such a way of another task."""


def trained(case: tuple[str, str, str | None, str], tiny_model: Path, out: Path) -> deepen.Run:
    task, rung, pooling, tuning = case
    rows = SCORES if task == "scores" else WORLDS[task](90)
    settings = [f"rungs.{rung}.num_epochs=1"] if rung in ("top_layers", "full") else []
    settings += [f"model.pooling={pooling}"] if pooling else []
    settings += ["tasks.classification.target=score"] if task == "scores" else []
    given = {"task": "classification" if task == "scores" else task, "tuning": tuning, "settings": settings}
    return deepen.train(rows, model=str(tiny_model), rungs=rung, out=out, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=() if case in ALWAYS else pytest.mark.services) for case in CASES],
    ids=lambda case: "-".join(map(str, case)),
)
def test_it_opens_with_the_runs_logits_or_without_its_names(case: Any, tiny_model: Path, tmp_path: Path) -> None:
    import transformers

    run = trained(case, tiny_model, tmp_path / "run")
    folder, model = run.folder / "model", deepen.load(run)
    labels = list(model.labels)
    config = json.loads((folder / "config.json").read_text())
    named = case[0] != "ranking"
    assert not named or json.loads((folder / "labels.json").read_text()) == labels
    [row] = [row for row in run.ladder["rungs"] if row["rung"] == run.chosen]
    card = (folder / "README.md").read_text()
    front = yaml.safe_load(card.split("---\n")[1])
    assert ("pipeline_tag" in front) == (row["opens_with"] is not None and case[0] not in ("span_qa",))
    for name in CLASSES:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found, about = getattr(transformers, name).from_pretrained(folder, output_loading_info=True)
        except RuntimeError:
            assert row["opens_with"] is None, "it is not opened at all"
            continue
        names = [found.config.id2label[at] for at in sorted(found.config.id2label)]
        if row["opens_with"] is None:
            assert not set(names) & set(labels), f"{name} opens a head that is not the run's, with the run's names"
        elif row["opens_with"] == name:
            assert names == labels
            assert not about["missing_keys"]
    assert ("id2label" in config) == (row["opens_with"] is not None)
    if row["opens_with"] == CLASSES[0]:
        check_texts(model, folder, case[0])


def check_texts(model: Any, folder: Path, task: str) -> None:
    """The pipeline of transformers gives the run's probabilities."""
    from transformers import pipeline

    texts: list[Any] = ["the good film", "a bad broken room today", "very tasty and quiet"]
    given = texts
    if task == "matching":
        texts = [{"sentence1": text, "sentence2": "the film looks good"} for text in texts]
        given = [{"text": pair["sentence1"], "text_pair": pair["sentence2"]} for pair in texts]
    said = model.predict(texts)
    found = pipeline("text-classification", str(folder), device="cpu", top_k=None)(given)
    for one, scores in zip(said, found, strict=True):
        told = {item["label"]: item["score"] for item in scores}
        wanted = {"score": one.output} if task == "scores" else one.probabilities
        assert told == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("target", ["label", "score"])
@pytest.mark.parametrize("pooling", [None, "cls"])
def test_what_the_card_says_works(target: str, pooling: str | None, tiny_model: Path, tmp_path: Path) -> None:
    """Its code, run as it stands, answers what Deepen answers."""
    case = ("classification" if target == "label" else "scores", "frozen", pooling, "full")
    run = trained(case, tiny_model, tmp_path / "it's a run")
    card = (run.folder / "model" / "README.md").read_text()
    code = next(part for part in card.split("```python\n") if "SentenceTransformer" in part).split("```")[0]
    said: list[Any] = []
    exec(code.replace("FOLDER", str(run.folder / "model")), {"print": said.append})  # noqa: S102 - our own card
    [prediction] = deepen.load(run).predict(["a text"])
    if target == "label":
        assert said == [[prediction.output]]
    else:
        assert float(np.ravel(said[0])[0]) == pytest.approx(prediction.output, abs=1e-4)
    [more] = [part.split("```")[0] for part in card.split("```python\n") if "import deepen" in part]
    exec(more, {"print": said.append})  # noqa: S102
    assert said[1][0].output == prediction.output
