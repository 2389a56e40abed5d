"""The model card: what the model is, how to load it, how good it is and where that stops being true.

Plain Markdown with the front matter that model hubs read; its sentences are in card.md.jinja. Start with `card`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from deepen.core.foreign import as_yaml
from deepen.core.ladder import Ladder
from deepen.reporting import commands, words
from deepen.reporting.findings import Shown, lay_out
from deepen.reporting.shown import shown

# what rungs of 0.1.0 are, whose rows don't say it
_NETWORKS = dict.fromkeys(("contrastive", "cloze", "frozen", "top_layers", "full"), "trained") | dict.fromkeys(
    ("zero_shot", "few_shot"), "untouched"
)
_SHARED = ("versions", "seed", "command", "git_commit")
_LABEL_CHARS = 60


def card(
    ladder: Ladder,
    recipe: Mapping[str, Any],
    environment: Mapping[str, Any],
    diagnosis: Mapping[str, Any] | None = None,
    *,
    language: str | None = None,
) -> str:
    """The README.md of a model folder, Markdown with YAML front matter; what the run does not know is left out.

    `language` is what the texts are in, by their script; the recipe may say another.
    """
    ladder = words.readable(ladder)
    where, scores = words.final_scores(ladder)
    row = ladder.chosen_row
    told = recipe.get("card") or {}
    language, terms = told.get("language") or language, told.get("license") or "unknown"
    context = {
        "front": _front_matter(ladder, language, terms),
        "language": language,
        "license": terms,
        "name": _text((ladder.data and ladder.data.name) or ladder.task or "model"),
        "ladder": ladder,
        "row": row,
        "network": _network(ladder),
        "labels": [_code(words.shorten(label, _LABEL_CHARS)) for label in ladder.labels],
        # Deepen 0.1.0 wrote neither this nor labels.json; deepen.json has them in every release.
        "labels_alone": "opens_with" in row.model_fields_set,
        "where": where,
        "best": words.main_score(ladder),
        "rung_score": next((rung.score["name"] for rung in ladder.rungs if rung.score), None),
        "overall": [item for item in scores if item.get("label") is None],
        "classes": words.class_rows(scores),
        "diagnosis": lay_out(diagnosis) if diagnosis and diagnosis.get("findings") else None,
        "recipe": _used(recipe, ladder),
        "refuses": _refuses(recipe),
        # versions and settings; not the machine's paths or the files' hashes, which belong to the run folder
        "environment": {key: environment[key] for key in _SHARED if environment.get(key) is not None},
    }
    tools = {
        "text": _text,
        "code": _code,
        "fenced": _fenced,
        "figures": _figures,
        "commands": commands,
        "shown": shown(ladder),
    }
    return words.rendered("card.md.jinja", {**context, **tools}).rstrip() + "\n"


def _used(recipe: Mapping[str, Any], ladder: Ladder) -> dict[str, Any]:
    """The settings that made the model: not those of other rungs, tasks and tunings, nor what is not set."""
    tuning = recipe.get("tuning") if _network(ladder) == "trained" else None
    only = {"rungs": ladder.chosen, "tasks": ladder.task, "tunings": tuning}
    off = {"self_training": not ladder.self_training, "none_of_these": not _refuses(recipe)}
    kept = {name: value for name, value in recipe.items() if not off.get(name)}
    for name in only.keys() & kept.keys():
        kept[name] = {part: value for part, value in (kept[name] or {}).items() if part == only[name]}
    return dict(_filled(kept))


def _refuses(recipe: Mapping[str, Any]) -> bool:
    """Whether rows that look like none of the labels get no answer."""
    return bool((recipe.get("none_of_these") or {}).get("refuse"))


def _filled(value: Any) -> Any:
    """A nested mapping without what is None or empty."""
    if not isinstance(value, Mapping):
        return value
    inner = {name: _filled(item) for name, item in value.items()}
    return {name: item for name, item in inner.items() if item not in (None, [], {})}


def _front_matter(ladder: Ladder, language: str | None, terms: str) -> str:
    kind = shown(ladder).pipeline
    opens = ladder.chosen_row.opens_with
    encoder = _network(ladder) is not None
    model = ladder.model or ""
    front: dict[str, Any] = {"language": language} if language else {}
    front["license"] = terms
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
    return f"---\n{as_yaml(front).rstrip()}\n---"


def _network(ladder: Ladder) -> str | None:
    """What of a pretrained network is in the model: `trained`, `untouched`, `static` or None."""
    return ladder.chosen_row.network or _NETWORKS.get(str(ladder.chosen))


def _figures(first: Shown) -> str:
    """Observed, control and effect of the finding that speaks for a question."""
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


def _fenced(content: Mapping[str, Any]) -> str:
    """A mapping as YAML in a fence that its own text can't close."""
    plain = json.loads(json.dumps(dict(content), default=str))
    text = as_yaml(plain).rstrip()
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    return f"{fence}yaml\n{text}\n{fence}"


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
