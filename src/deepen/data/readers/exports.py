"""What annotation tools write, as rows: Label Studio, Prodigy, doccano, spaCy, Dataturks and SQuAD.

`export_of` looks at the first values of a file and says which tool wrote them; its `rows` turns each value into rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

from deepen.data.columns import LABEL_NAMES, plain_name

Object = Mapping[str, Any]
Rows = Callable[[Any], Iterable[Any]]
_SPAN_TYPES = ("labels", "hypertextlabels", "paragraphlabels")
_ANSWERS = frozenset(("accept", "reject", "ignore"))


@dataclass(frozen=True)
class Export:
    """Who wrote the values, and how one becomes rows."""

    tool: str
    rows: Rows


def export_of(values: Sequence[Any]) -> Export | None:
    """The tool that wrote the values of a file. None if each value is a row as it is.

    Example:
        >>> tool = export_of([["Mara flew", {"entities": [[0, 4, "PER"]]}]])
        >>> tool.tool, list(tool.rows(["Mara flew", {"entities": [[0, 4, "PER"]]}]))
        ('spaCy', [{'text': 'Mara flew', 'entities': [[0, 4, 'PER']]}])
    """
    objects = [value for value in values if isinstance(value, dict)]
    if not objects:
        return Export("spaCy", _pair_rows) if any(map(is_pair, values)) else None
    for tool, looks, make in (*_TOOLS, ("Label Studio", _is_task, None)):
        if any(map(looks, objects)):
            rows = make or partial(_task_rows, names=_from_names(objects))
            return Export(tool, partial(_rows_of_objects, rows))
    return None


def _rows_of_objects(rows: Rows, value: Any) -> Iterable[Any]:
    return rows(value) if isinstance(value, dict) else (value,)


def is_pair(value: Any) -> bool:
    """A text and what is said of it: `[text, {"entities": [...]}]`."""
    if not isinstance(value, list) or len(value) != 2 or not isinstance(value[1], dict):
        return False
    return isinstance(value[0], str) and bool({"entities", "cats"} & value[1].keys())


def _pair_rows(value: Any) -> Iterable[Any]:
    if isinstance(value, list) and len(value) == 2 and isinstance(value[1], dict):
        return _cats_rows({"text": value[0], **value[1]})
    return (value,)


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _without(value: Object, key: str) -> dict[str, Any]:
    return {name: cell for name, cell in value.items() if name != key}


def _squad_questions(article: Object) -> list[dict[str, Any]]:
    """The questions of one entry of a SQuAD file, a row each; nothing of others."""
    rows = []
    for paragraph in _objects(article.get("paragraphs")):
        for one in _objects(paragraph.get("qas")):
            row = {"id": one.get("id"), "title": article.get("title"), "context": paragraph.get("context")}
            answers = [] if one.get("is_impossible") else one.get("answers")
            rows.append(row | {"question": one.get("question"), "answers": answers})
    return rows


def _has_cats(value: Object) -> bool:
    cats = value.get("cats")
    return isinstance(cats, dict) and bool(cats) and all(isinstance(v, int | float) for v in cats.values())


def _cats_rows(value: Object) -> Iterable[Any]:
    """The categories that are on, as a list of labels."""
    if not _has_cats(value) or "label" in value:
        return (value,)
    return ({**_without(value, "cats"), "label": [name for name, on in value["cats"].items() if on >= 0.5]},)


def _token_sentences(value: Object) -> list[dict[str, Any]]:
    """spaCy's training format of version 2: paragraphs of sentences of tokens."""
    sentences = [one for paragraph in _objects(value.get("paragraphs")) for one in _objects(paragraph.get("sentences"))]
    rows = [tokens for one in sentences if (tokens := _objects(one.get("tokens")))]
    return [
        {"tokens": [token["orth"] for token in tokens], "ner_tags": [token["ner"] for token in tokens]}
        for tokens in rows
        if all("orth" in token and "ner" in token for token in tokens)
    ]


def _is_prodigy(value: Object) -> bool:
    spans = isinstance(value.get("text"), str) and bool(_objects(value.get("tokens")))
    return spans or (str(value.get("answer")) in _ANSWERS and bool({"spans", "accept", "_task_hash"} & value.keys()))


def _prodigy_rows(value: Object) -> Iterable[Any]:
    """The spans count characters of the text, and its tokens are mappings that only say where words are."""
    row = dict(value)
    if isinstance(row.get("text"), str) and _objects(row.get("tokens")):
        del row["tokens"]
        row.setdefault("spans", [])
    if isinstance(row.get("accept"), list):
        row.setdefault("label", row["accept"])
    return (row,)


def _is_old_doccano(value: Object) -> bool:
    found = _objects(value.get("annotations"))
    return bool(found) and all("label" in item and "result" not in item for item in found) and "label" not in value


def _old_doccano_rows(value: Object) -> Iterable[Any]:
    """Labels by their number: of the whole text, or of a run of characters."""
    if not isinstance(value.get("annotations"), list):
        return (value,)
    items = [{**item, "label": _name(item.get("label"))} for item in _objects(value["annotations"])]
    if any({"start_offset", "start"} & item.keys() for item in items):
        return ({**_without(value, "annotations"), "entities": items},)
    return ({**_without(value, "annotations"), "label": [item["label"] for item in items]},)


def _name(label: Any) -> Any:
    return str(label) if isinstance(label, int) and label.bit_length() < 64 else label


def _is_dataturks(value: Object) -> bool:
    found = value.get("annotation")
    if isinstance(found, dict):
        return isinstance(found.get("labels"), list)
    return any("points" in item and "label" in item for item in _objects(found))


def _dataturks_rows(value: Object) -> Iterable[Any]:
    """Spans whose end is the last character, or the labels of the whole text."""
    if "annotation" not in value:
        return (value,)
    found, rest = value["annotation"], _without(value, "annotation")
    if isinstance(found, dict):
        return ({**rest, "label": found.get("labels")},)
    spans = []
    for item in _objects(found):
        labels = item["label"] if isinstance(item.get("label"), list) else [item.get("label")]
        for label, point in product(labels, _objects(item.get("points"))):
            end = point.get("end")
            last = end + 1 if isinstance(end, int) else end
            spans.append({"start": point.get("start"), "end": last, "label": label})
    return ({**rest, "entities": spans},)


def _is_choice(cell: Any) -> bool:
    return isinstance(cell, dict) and cell.keys() == {"choices"}


def _choice_rows(value: Object) -> Iterable[Any]:
    """Label Studio's small export has several choices as `{"choices": [...]}`."""
    return ({key: cell["choices"] if _is_choice(cell) else cell for key, cell in value.items()},)


def _is_task(value: Object) -> bool:
    return isinstance(value.get("data"), dict) and any(
        isinstance(value.get(key), list) for key in ("annotations", "completions")
    )


def _results(value: Object) -> list[dict[str, Any]] | None:
    """What one person said of a task of Label Studio; None if nobody did. Of several, the one that is marked true."""
    done = _objects(value.get("annotations", value.get("completions")))
    done = [item for item in done if not item.get("was_cancelled") and isinstance(item.get("result"), list)]
    if not done:
        return None
    best = next((item for item in done if item.get("ground_truth")), done[0])
    return [item for item in _objects(best["result"]) if isinstance(item.get("value"), dict) and "from_name" in item]


def _from_names(tasks: Sequence[Object]) -> dict[str, tuple[str, bool]]:
    """The name of each control to that of its column, and whether it marks spans."""
    found: dict[str, bool] = {}
    taken = {key for task in tasks if isinstance(task.get("data"), dict) for key in task["data"]}
    for task in tasks:
        for item in _results(task) or ():
            found.setdefault(str(item["from_name"]), str(item.get("type")) in _SPAN_TYPES)
    names = {name: f"{name}_label" if name in taken else name for name in found}
    if len(names) == 1 and plain_name(next(iter(names.values()))) not in LABEL_NAMES:
        names = dict.fromkeys(names, "label")
    return {name: (names[name], spans) for name, spans in found.items()}


def _task_rows(value: Object, *, names: Mapping[str, tuple[str, bool]]) -> Iterable[Any]:
    if not isinstance(value.get("data"), dict):
        return (value,)
    row: dict[str, Any] = {"id": value.get("id"), **value["data"]}
    results = _results(value)
    if results is None:
        return (row,)
    row |= {column: [] for column, spans in names.values() if spans}
    for item in results:
        column, spans = names.get(str(item["from_name"]), (str(item["from_name"]), False))
        said = item["value"].get(str(item.get("type")))
        if spans:
            places = item["value"].get("globalOffsets")
            places = places if isinstance(places, dict) else item["value"]
            row[column].append({"start": places.get("start"), "end": places.get("end"), "label": said})
        elif item.get("type") == "taxonomy" and isinstance(said, list):
            row[column] = ["/".join(map(str, path)) if isinstance(path, list) else path for path in said]
        elif said is not None:
            row[column] = said
    return (row,)


_TOOLS: tuple[tuple[str, Callable[[Object], object], Rows], ...] = (
    ("SQuAD", _squad_questions, lambda value: _squad_questions(value) or (value,)),
    ("spaCy", _token_sentences, lambda value: _token_sentences(value) or (value,)),
    ("spaCy", _has_cats, _cats_rows),
    ("Prodigy", _is_prodigy, _prodigy_rows),
    ("Dataturks", _is_dataturks, _dataturks_rows),
    ("Label Studio", lambda value: any(map(_is_choice, value.values())), _choice_rows),
    ("doccano", _is_old_doccano, _old_doccano_rows),
)
"""Told by the first value that looks so, in this order."""
