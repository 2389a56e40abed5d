"""Labels that are something else than classes: scores, numbers in order, a numbering, several labels, a header."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from deepen.data.check.problem import Problem, place, rows, shown, targets
from deepen.data.needs import plain_name
from deepen.data.table import Part
from deepen.data.targets.printed import parse_printed
from deepen.data.targets.scores import has_decimal_comma

_FLOAT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
_WHOLE_FLOAT = re.compile(r"[+-]?\d+\.0+")
_WHOLE = re.compile(r"[+-]?\d{1,6}")
_FEWEST_STEPS, _MOST_STEPS, _SPREAD = 3, 11, 2  # one of some steps may be rare, as three stars of five
_FEWEST_COUNTED = 5
_COUNTED_SHARE = 0.9
_MARKS = ("|", ";", "；", "、", "><", ",", "，")
_LISTED = re.compile(r"\[.*\]")
_HEADER_ROWS = 2
_FEWEST_LISTS = 10
_HEADERS = frozenset("label labels category class target sentiment intent 标签 类别 分类".split())


def kinds(train: Part, counts: Mapping[str, int]) -> list[Problem]:
    """What the labels of the training rows look like, if they don't look like classes."""
    found = _scores(train, counts) or _numbering(train, counts) or _in_order(train, counts)
    return [*found, *_several(train, counts), *_header(train, counts)]


def one_each(train: Part) -> list[Problem]:
    """A warning where rows may have several labels and none has two as read; not of tags, answers or few rows."""
    columns = train.table.arrow.column_names
    if not train.table.has_target or "starts" in columns or "tokens" in columns or len(train) < _FEWEST_LISTS:
        return []
    lists = [value for value in targets(train) if isinstance(value, list) and value]
    if not lists or max(map(len, lists)) > 1:
        return []
    longest = max((value[0] for value in lists), key=len)
    message = f"no row has two labels as the cells are read; the longest is {shown(longest)}"
    remedy = "if that is several labels, say what parts them with data.label_separator"
    return [Problem("warning", "no_several", train.table.name, None, len(lists), message, remedy)]


def first_row(part: Part, label: str) -> int | None:
    """The line of the first row with a label."""
    return next((place(part, at) for at, value in enumerate(targets(part)) if value == label), None)


def _as_score(train: Part) -> str:
    """The setting that learns a number."""
    task = "matching" if "sentence1" in train.table.inputs else "classification"
    return f"--set tasks.{task}.target=score"


def _scores(train: Part, counts: Mapping[str, int]) -> list[Problem]:
    whole = [label for label in counts if _WHOLE_FLOAT.fullmatch(label)]
    broken = [label for label in counts if _FLOAT.fullmatch(label) and not _WHOLE_FLOAT.fullmatch(label)]
    numbers = [label for label in counts if _WHOLE.fullmatch(label)]
    name = train.table.name
    if len(broken) >= 2 and len(broken) + len(whole) + len(numbers) >= 0.9 * len(counts):
        middle = sorted(float(label) for label in broken)[len(broken) // 2]
        message = f"the labels are numbers with decimals, as {shown(broken[0])}: a score, not a class"
        remedy = f"{_as_score(train)} learns the score, --set data.label_cuts=[{middle:g}] cuts it into classes"
        count = sum(counts[label] for label in broken)
        return [Problem("warning", "labels_are_scores", name, first_row(train, broken[0]), count, message, remedy)]
    commas = [label for label in counts if "," in label]
    if len(commas) >= 2 and has_decimal_comma(counts):
        message = f"the labels are numbers with a comma, as {shown(commas[0])}: a score, or several labels, not a class"
        remedy = f"{_as_score(train)} learns the score"
        count = sum(counts[label] for label in commas)
        return [Problem("warning", "labels_are_scores", name, first_row(train, commas[0]), count, message, remedy)]
    if whole and len(counts) <= 2:
        message = f"whole labels are written as decimals, as {shown(whole[0])}: a table with gaps was saved as numbers"
        remedy = "--labels FILE names them ('0.0' and '0' are the same code there)"
        count = sum(counts[label] for label in whole)
        return [Problem("warning", "labels_cast", name, first_row(train, whole[0]), count, message, remedy)]
    return []


def _in_order(train: Part, counts: Mapping[str, int]) -> list[Problem]:
    """Whole numbers one after another: stars, grades, how alike two texts are; or codes of classes."""
    if not all(_WHOLE.fullmatch(label) or _WHOLE_FLOAT.fullmatch(label) for label in counts):
        return []
    numbers = sorted({int(float(label)) for label in counts})
    steps = len(numbers)
    fewest = _FEWEST_STEPS if numbers[0] >= 0 else _FEWEST_STEPS + 2  # -1, 0 and 1 are what people call three classes
    if not fewest <= steps <= numbers[-1] - numbers[0] + 1 <= min(_MOST_STEPS, _SPREAD * steps):
        return []
    message = (
        f"the labels are the whole numbers {numbers[0]} to {numbers[-1]} and are learned as classes without an order: "
        "right for codes, wrong for stars, grades or how alike two texts are"
    )
    remedy = f"{_as_score(train)} learns them as a score; nothing to do if they are codes"
    return [Problem("warning", "labels_in_order", train.table.name, None, len(train), message, remedy)]


def _numbering(train: Part, counts: Mapping[str, int]) -> list[Problem]:
    """Labels that count 1, 2, 3 and begin anew number the rows of something."""
    if len(counts) < _FEWEST_COUNTED or not all(map(_WHOLE.fullmatch, counts)):
        return []
    first = min(map(int, counts))
    before, counted, total, begun = first - 1, 0, 0, set()
    for value in targets(train):
        number = int(value) if value is not None else first
        counted += number in (before + 1, first)
        total += 1
        if number == first:
            begun.add(before)  # labels that take turns begin anew after the same one
        before = number
    if counted < _COUNTED_SHARE * total or len(begun) <= 2:
        return []
    message = f"the labels count {first}, {first + 1}, {first + 2} from row to row: a numbering, not a class"
    remedy = "--columns label=COLUMN names another column"
    return [Problem("warning", "labels_count", train.table.name, place(train, 0), total, message, remedy)]


def _several(train: Part, counts: Mapping[str, int]) -> list[Problem]:
    """Cells that hold several labels, or a list of one, taken for one."""
    if counts and all(_LISTED.fullmatch(label) and len(parse_printed(label) or ()) == 1 for label in counts):
        first = next(iter(counts))
        message = f"the labels are printed lists of one, brackets and all, as {shown(first)}"
        remedy = "--task multilabel reads them as lists"
        return [
            Problem("warning", "listed_label", train.table.name, first_row(train, first), len(train), message, remedy)
        ]
    objects = [label for label in counts if isinstance(parse_printed(label), dict)]
    if objects:
        message = f"a label is a printed object, braces and all, as {shown(objects[0])}"
        remedy = "write the label itself into the column"
        line, count = first_row(train, objects[0]), sum(counts[label] for label in objects)
        return [Problem("warning", "listed_label", train.table.name, line, count, message, remedy)]
    parted: dict[str, list[str]] = {}
    for label in counts:
        if _LISTED.fullmatch(label) and "," in label:
            parted[label] = [part.strip(" '\"") for part in label[1:-1].split(",")]
            continue
        mark = next((mark for mark in _MARKS if mark in label), None)
        if mark is not None:
            parted[label] = [part.strip(" <>") for part in label.split(mark)]
    parts = Counter(part for found in parted.values() for part in dict.fromkeys(found))
    parts.update(label for label in counts if label not in parted)
    again = [label for label, found in parted.items() if all(part and parts[part] > 1 for part in found)]
    if len(again) < 2 or len(parts) > len(counts):
        return []
    message = f"{shown(again[0])} is one label here, and its parts are in others too: several labels in one cell?"
    count = sum(counts[label] for label in again)
    remedy = "--task multilabel parts them"
    return [Problem("warning", "several_labels", train.table.name, first_row(train, again[0]), count, message, remedy)]


def _header(train: Part, counts: Mapping[str, int]) -> list[Problem]:
    """A row or two whose label is what columns of labels are called."""
    odd = [label for label in counts if counts[label] <= _HEADER_ROWS and plain_name(label) in _HEADERS]
    if not odd or len(counts) < 3:
        return []
    line = first_row(train, odd[0])
    message = f"{rows(counts[odd[0]])} with the label {shown(odd[0])}, as a column of labels is called: a header?"
    remedy = "delete the line" if line != 1 else "--set data.header=true reads it as a header"
    return [Problem("warning", "header_as_label", train.table.name, line, counts[odd[0]], message, remedy)]
