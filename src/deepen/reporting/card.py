"""The model card: what the model is, how to load it, how good it is and where that stops being true.

Plain Markdown with the front matter that model hubs read. Start with `card`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from deepen.core.ladder import Data, Ladder
from deepen.reporting import commands, words
from deepen.reporting.findings import Question, lay_out
from deepen.reporting.shown import shown

# what rungs of 0.1.0 are, whose rows don't say it
_NETWORKS = dict.fromkeys(("contrastive", "cloze", "frozen", "top_layers", "full"), "trained") | dict.fromkeys(
    ("zero_shot", "few_shot"), "untouched"
)
_MOST_CLASSES = 200
_LABEL_CHARS = 60


def card(
    ladder: Ladder,
    recipe: Mapping[str, Any],
    environment: Mapping[str, Any],
    diagnosis: Mapping[str, Any] | None = None,
) -> str:
    """The README.md of a model folder. It says only what the run knows; sections without content are left out.

    Args:
        ladder: The run's.
        recipe: The content of recipe.yaml.
        environment: The content of environment.json.
        diagnosis: The content of diagnosis.json; None if nobody has asked.

    Returns:
        Markdown with YAML front matter, ending in a line break.
    """
    ladder = words.readable(ladder)
    name = _text((ladder.data and ladder.data.name) or ladder.task or "model")
    parts = [
        _front_matter(ladder),
        f"# {name}: {_text(ladder.chosen)}",
        _unfinished(ladder),
        _what(ladder),
        _use(ladder),
        _ladder_table(ladder),
        _scores(ladder),
        _classes(ladder),
        _diagnosis(diagnosis),
        _data(ladder),
        _fenced("## Training settings", recipe),
        _limits(ladder),
        _fenced("## Made with", _environment(environment)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _unfinished(ladder: Ladder) -> str:
    if not ladder.unfinished:
        return ""
    again = _code(f"deepen train --out {commands.quoted(ladder.run or 'RUN')} --resume")
    return f"**The run is not finished**: deeper rungs may be missing, and no test rows are scored. {again} goes on."


def _front_matter(ladder: Ladder) -> str:
    kind = shown(ladder).pipeline
    opens = ladder.chosen_row.opens_with
    encoder = _network(ladder) is not None
    model = ladder.model or ""
    front: dict[str, Any] = {}
    if encoder and shown(ladder).encodes and ladder.chosen_row.read_by_others:
        front["library_name"] = "sentence-transformers"
    # A local folder is not a name on a hub, and hubs refuse a card that says so.
    if encoder and re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", model):
        front["base_model"] = model
    if kind and opens:  # hubs and `pipeline(...)` take it as a promise
        front["pipeline_tag"] = kind
    front["tags"] = ["deepen", str(ladder.chosen)] + ([kind] if kind else [])
    where, scores = words.final_scores(ladder)
    metrics = [
        {"type": item["name"], "name": words.title(item["name"]), "value": round(float(item["value"]), 6)}
        for item in scores
        if item.get("label") is None
    ]
    if metrics and kind:
        name = str((ladder.data and ladder.data.name) or "unnamed data")
        dataset = {"name": name, "type": re.sub(r"[^\w.-]+", "-", name).strip("-") or "data", "split": where}
        result = {"task": {"type": kind}, "dataset": dataset, "metrics": metrics}
        front["model-index"] = [{"name": f"{name}: {ladder.chosen}", "results": [result]}]
    return f"---\n{yaml.safe_dump(front, allow_unicode=True, sort_keys=False).rstrip()}\n---"


def _network(ladder: Ladder) -> str | None:
    """Whether a pretrained network is in the model, and has learned: `trained`, `untouched` or None."""
    return ladder.chosen_row.network or _NETWORKS.get(str(ladder.chosen))


def _pattern(ladder: Ladder) -> str:
    """The pattern with a gap that the model reads its texts in; empty where it reads them as they are."""
    return str((ladder.chosen_row.ran or {}).get("pattern") or "")


def _what(ladder: Ladder) -> str:
    labels = [_code(words.shorten(label, _LABEL_CHARS)) for label in ladder.labels]
    first = ", ".join(labels[:20]) + (f" and {len(labels) - 20} more" if len(labels) > 20 else "")
    lines = [f"A model for {ladder.task}" + (f" with {len(labels)} {shown(ladder).noun}: {first}." if labels else ".")]
    if _network(ladder) is not None:
        how = ", as it was pretrained, at" if _network(ladder) == "untouched" else " with a head, trained up to"
        lines.append(f"It is {_code(ladder.model)}{how} the rung `{ladder.chosen}`.")
    else:
        lines.append(f"It is the rung `{ladder.chosen}`: no pretrained language model is in it.")
    if ladder.refitted:
        lines.append("It was chosen by the validation rows and then trained once more, on them too.")
    where, _ = words.final_scores(ladder)
    best = words.main_score(ladder)
    if best:
        lines.append(
            f"On {words.count(best['n'])} {where} examples its {words.title(best['name'])} is {words.score(best)}; "
            "the interval is 95 %."
        )
    return "\n".join(lines)


def _use(ladder: Ladder) -> str:
    out = ["## How to use it"]
    if _network(ladder) is not None and not ladder.chosen_row.read_by_others:
        pattern = _pattern(ladder)
        if pattern:
            out.append(f"It reads a text as {_code(pattern)} and says which label's word fits the gap.")
        out.append("The folder holds JSON and safetensors only; only Deepen puts its parts together.")
    elif _network(ladder) is not None and shown(ladder).code == "texts":
        out.append(_text_code(ladder))
    elif _network(ladder) is not None and shown(ladder).code == "words":
        out.append(
            "Without Deepen (`FOLDER` is this folder):\n\n```python\n"
            "from transformers import AutoModelForTokenClassification, AutoTokenizer\n\n"
            'model = AutoModelForTokenClassification.from_pretrained("FOLDER")\n'
            'tokenizer = AutoTokenizer.from_pretrained("FOLDER")\n```'
        )
    elif _network(ladder) is None:
        out.append("The folder holds JSON and safetensors only; Deepen reads it.")
    with_us = " ".join(commands.predict(ladder).splitlines())
    out.append(f"With Deepen:\n\n```\n{with_us}\n```\n\n```python\n{commands.code(ladder)}\n```")
    return "\n\n".join(out)


def _text_code(ladder: Ladder) -> str:
    """How sentence-transformers answers a text."""
    start = "Without Deepen (`FOLDER` is this folder):\n\n```python\n"
    load = "from sentence_transformers import SentenceTransformer\n\n"
    if ladder.labels == ("score",):
        return f'{start}{load}print(SentenceTransformer("FOLDER").encode(["a text"])[:, 0])\n```'
    # Deepen 0.1.0 wrote neither this nor labels.json; deepen.json has them in every release.
    told = "opens_with" in ladder.chosen_row.model_fields_set
    names = '"FOLDER/labels.json"' if told else '"FOLDER/deepen.json"'
    inner = "" if told else '["labels"]'
    return (
        f"{start}import json\n\n{load}"
        'logits = SentenceTransformer("FOLDER").encode(["a text"])\n'
        f'labels = json.load(open({names}, encoding="utf-8")){inner}\n'
        "print([labels[i] for i in logits.argmax(axis=1)])\n```\n\n"
        "Softmax of the logits gives the probabilities."
    )


def _ladder_table(ladder: Ladder) -> str:
    rows = ladder.rungs
    name = next((row.score["name"] for row in rows if row.score), None)
    if name is None:
        return ""
    head = ["rung", "status", f"{words.title(name)} on validation (95 % interval)", "gain in points", "time"]
    head += ["time per 1,000 predictions", "trained parameters"]
    body = [
        [
            f"**{_text(row.rung)}**" if row.rung == ladder.chosen else _text(row.rung),
            _text(row.status),
            words.score(row.score),
            words.gain(row.gain, name=name),
            words.seconds(row.seconds),
            words.seconds(row.seconds_per_1000_predictions),
            words.count(row.num_trained_parameters),
        ]
        for row in rows
    ]
    out = ["## The ladder", _table(head, body)]
    out.append("The gain is over the best rung below, on the same validation examples. The chosen rung is in bold.")
    before = ladder.before
    if before:
        out.append(f"Before tuning, by the nearest class centroid of the untouched encoder: {words.score(before)}.")
    cheapest = ladder.cheapest_not_worse
    if cheapest and cheapest != ladder.chosen:
        out.append(f"The cheapest rung that is not significantly worse than the chosen one is {_code(cheapest)}.")
    if ladder.chosen_reason:
        out.append(_text(ladder.chosen_reason))
    if ladder.stop_reason:
        out.append(f"Why the climb went no further: {_text(ladder.stop_reason)}.")
    return "\n\n".join(out)


def _scores(ladder: Ladder) -> str:
    where, scores = words.final_scores(ladder)
    body = [
        [
            _text(words.title(item["name"])),
            words.number(item["value"], name=item["name"]),
            words.interval(item),
            words.count(item["n"]),
        ]
        for item in scores
        if item.get("label") is None
    ]
    return f"## Scores on {where}\n\n" + _table(["score", "value", "95 % interval", "examples"], body) if body else ""


def _classes(ladder: Ladder) -> str:
    where, scores = words.final_scores(ladder)
    rows = words.class_rows(scores)
    if not rows:
        return ""
    names = ("precision", "recall", "f1")
    body = [[_text(row["label"]), words.count(row["n"]), *(words.score(row[name]) for name in names)] for row in rows]
    rest = len(body) - _MOST_CLASSES
    more = f"\n\n{rest} more classes with higher F1 are in `ladder.json` of the run." if rest > 0 else ""
    table = _table(["label", "examples", *names], body[:_MOST_CLASSES])
    return f"## Each class on {where}, hardest first\n\n{table}{more}"


def _diagnosis(record: Mapping[str, Any] | None) -> str:
    """A line for each question; where and how it may mislead is too long for a card."""
    if not record or not record.get("findings"):
        return ""
    found = lay_out(record)
    where = _text(re.split(r"[/\\]", found.where)[-1])  # a card shows no paths of the machine
    lines = [f"`deepen diagnose` tried it on {words.count(found.n)} examples ({where}); intervals are 95 %.", ""]
    lines += [
        f"- **{_verdicts(question)}**: {_text(question.title)}{_figures(question)}" for question in found.questions
    ]
    lines += [
        "",
        "A verdict holds for these examples beside these controls. The run's `report.html` has the evidence, and",
    ]
    return "\n".join(["## How it gets its score", "", *lines, "how each answer may mislead."])


def _verdicts(question: Question) -> str:
    return ", ".join(
        verdict.replace("_", " ") + (f" × {number}" if number > 1 else "") for verdict, number in question.verdicts
    )


def _figures(question: Question) -> str:
    """Observed, control and effect of the finding that speaks for a question."""
    first = question.first
    told = [
        f"{name} {words.title(score['name'])} {words.score(score)}"
        for name, score in (("observed", first.observed), ("control", first.control))
        if score
    ]
    if first.effect:
        name = str((first.observed or first.control or {}).get("name", ""))
        told.append(f"effect {words.gain(first.effect, name=name)} points")
    called = f" ({_text(first.name)})" if first.name else ""
    return f" {', '.join(told)}{called}." if told else f"{called}"


def _data(ladder: Ladder) -> str:
    data = ladder.data or Data()
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    counts = [f"- {part}: {words.count(number)} examples" for part, number in parts.items() if number]
    columns = [f"- column {_code(key)}: {_text(why)}" for key, why in (data.columns or {}).items()]
    notes = [f"- Warning: {_text(warning)}" for warning in data.warnings or []]
    notes += [f"- {_text(note)}" for note in data.notes or []]
    return "## Data\n\n" + "\n".join(counts + columns + notes) if counts or columns or notes else ""


def _limits(ladder: Ladder) -> str:
    where, _ = words.final_scores(ladder)
    lines = [
        f"- All scores were measured on {where} examples of this data set only. Texts of another source, time, "
        "language or style may do worse, and nothing here says by how much.",
        "- An interval covers the chance of which examples were drawn. It does not cover another seed of the training, "
        "wrong labels or a change of the texts.",
        "- Scores of groups of people, and harm by wrong answers, were not measured.",
    ]
    if where == "validation":
        lines.insert(
            1,
            "- There was no test set. The rung was chosen on the examples it is scored on, so its score is a little "
            "too high.",
        )
    temperature = ladder.chosen_row.temperature
    if temperature is not None:
        lines.append(
            f"- Probabilities were calibrated by one temperature ({temperature:.3g}), fitted on validation. They can "
            "be off on other data, and for single classes."
        )
    return "## Limits\n\n" + "\n".join(lines)


def _environment(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Versions and settings; not the machine's paths or the files' hashes, which belong to the run folder."""
    return {
        key: environment[key]
        for key in ("versions", "seed", "command", "git_commit")
        if environment.get(key) is not None
    }


def _fenced(heading: str, content: Mapping[str, Any]) -> str:
    """A mapping as YAML in a fence that its own text can't close."""
    if not content:
        return ""
    plain = json.loads(json.dumps(dict(content), default=str))
    text = yaml.safe_dump(plain, allow_unicode=True, sort_keys=False).rstrip()
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    return f"{heading}\n\n{fence}yaml\n{text}\n{fence}"


def _table(head: list[str], body: list[list[str]]) -> str:
    rows = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _code(text: Any) -> str:
    """Literal text; nothing in it is read as HTML."""
    return "`" + (words.shorten(text, 300).replace("`", "'") or " ") + "`"


def _text(text: Any) -> str:
    """A person's data as it reads: none of it is markup, a link or HTML, wherever in a line it stands."""
    plain = words.shorten(text, 300)
    plain = re.sub(r"[\\`*\[\]|~$@]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", plain)
    plain = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    plain = re.sub(r"(?i)(?<=:)//|(?<=www)\.", r"\\\g<0>", plain)  # hubs make links of bare addresses
    return re.sub(r"^(\d*)([#+=.):-])", r"\1\\\2", plain)
