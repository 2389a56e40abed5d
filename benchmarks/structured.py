"""Answers held to a form: how many of 1,000 are valid, and what it costs beside answers that are held to nothing.

    python benchmarks/structured.py --data DATA --models MODELS [--only choices]

MODELS has the folder smollm2 (SmolLM2-135M-Instruct), which answers as it was pretrained. Prompts are real rows:
questions of TREC (choices), captions of Multi30k (a regular expression, a JSON Schema). Validity is judged by `in`, by
`re` and by jsonschema. Plain answers are made of the same prompts, as long as held ones on average.
"""

from __future__ import annotations

import gzip
import json
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cells
import jsonschema

import deepen

ROWS = {"choices": 334, "regex": 333, "schema": 333}
PLAIN_ROWS = 64
CHOICES = ["abbreviation", "description", "entity", "human", "location", "number"]
REGEX = r"(a|one|two|three|four|many) [a-z]{2,12}"
SCHEMA = {
    "type": "object",
    "properties": {
        "people": {"type": "integer", "minimum": 0, "maximum": 20},
        "outdoors": {"type": "boolean"},
        "place": {"type": "string", "maxLength": 16},
    },
    "required": ["people", "outdoors", "place"],
    "additionalProperties": False,
}
FORMS: dict[str, dict[str, Any]] = {
    "choices": {"choices": CHOICES},
    "regex": {"regex": REGEX},
    "schema": {"json_schema": SCHEMA},
}
ASKED = {
    "choices": "What kind of thing does this question ask for: {row} Say one of " + ", ".join(CHOICES) + ".",
    "regex": "Who is in this picture? {row}",
    "schema": "Say in JSON how many people there are, whether it is outdoors, and the place: {row}",
}


def rows_of(kind: str, data: Path) -> list[str]:
    """Prompts made of real rows."""
    if kind == "choices":
        lines = (data / "trec" / "TREC.train").read_text(encoding="utf-8", errors="replace").splitlines()
        texts = [line.partition(" ")[2] for line in lines]
    else:
        with gzip.open(data / "multi30k" / "train.en.gz", "rt", encoding="utf-8") as file:
            texts = [next(file).strip() for _ in range(sum(ROWS.values()))]
        texts = texts[ROWS["regex"] :] if kind == "schema" else texts
    return [ASKED[kind].replace("{row}", text) for text in texts[: ROWS[kind]]]


def valid(kind: str, text: str | None) -> bool:
    """Whether an answer is what it must be, by the libraries that others judge by."""
    if text is None:
        return False
    if kind == "choices":
        return text in CHOICES
    if kind == "regex":
        return re.fullmatch(REGEX, text) is not None
    return bool(jsonschema.Draft202012Validator(SCHEMA).is_valid(json.loads(text)))


def timed(model: Any, prompts: list[str], **given: Any) -> tuple[float, list[Any]]:
    """Seconds, and the answers."""
    began = time.perf_counter()
    found = model.predict(prompts, **given)
    return time.perf_counter() - began, found


def measure(kind: str, model: Any, options: Any) -> None:
    """Writes the cells of a form."""
    prompts = rows_of(kind, options.data)
    first, _ = timed(model, prompts[:1], **FORMS[kind])  # the tokenizer is read, and the grammar made
    seconds, found = timed(model, prompts, **FORMS[kind])
    tokens = sum(one.num_generated or 0 for one in found)
    about = {"command": "python benchmarks/structured.py --data DATA --models MODELS", "seed": 0, "model": "smollm2"}
    right = sum(valid(kind, one.output) for one in found)
    more = {"seconds": round(seconds, 1), "tokens": tokens, "unanswered": sum(one.output is None for one in found)}
    cells.write(f"structured-{kind}-valid", value=right / len(found), n=len(found), unit="fraction", **more, **about)
    # in turns, so that another program on this machine slows both down
    length = max(1, round(tokens / len(found)))
    decoding = model.predictor.asking.decoding | {"min_new_tokens": length, "max_new_tokens": length}
    plain = replace(
        model, predictor=replace(model.predictor, asking=replace(model.predictor.asking, decoding=decoding))
    )
    spent, made = {"held": 0.0, "plain": 0.0}, {"held": 0, "plain": 0}
    for at in range(0, PLAIN_ROWS, 16):
        some = prompts[at : at + 16]
        for name, (one, given) in {"held": (model, FORMS[kind]), "plain": (plain, {})}.items():
            took, answers = timed(one, some, **given)
            spent[name] += took
            made[name] += sum(answer.num_generated or 0 for answer in answers)
    a_token = {name: 1000 * spent[name] / made[name] for name in spent}
    a_request = {name: round(1000 * spent[name] / PLAIN_ROWS, 2) for name in spent}
    cells.write(
        f"structured-{kind}-ms",
        value=round(a_token["held"] - a_token["plain"], 3),
        n=made["held"],
        unit="ms a token more than plain, warm",
        ms_a_token={name: round(value, 3) for name, value in a_token.items()},
        ms_a_request=a_request,
        first_ms=round(1000 * first, 1),
        batch=16,
        **about,
    )


def main() -> None:
    """Measures every form that is wanted."""
    made = cells.parser(__doc__ or "")
    made.add_argument("--models", type=Path, required=True, help="a folder with a folder for each model")
    options = made.parse_args()
    run = options.work / "structured"
    if not (run / "report.html").is_file():
        lines = (options.data / "trec" / "TREC.test").read_text(encoding="utf-8", errors="replace").splitlines()[:40]
        rows = [dict(zip(("completion", "prompt"), line.split(" ", 1), strict=True)) for line in lines]
        about: dict[str, Any] = {"rungs": "majority,frozen", "settings": ["data.validation_at_least=2"]}
        deepen.train(rows, task="instruction", model=options.models / "smollm2", out=run, overwrite=True, **about)
    model = deepen.load(run, rung="frozen")
    for kind in FORMS:
        if cells.wanted(f"structured-{kind}-ms", options):
            measure(kind, model, options)


if __name__ == "__main__":
    main()
