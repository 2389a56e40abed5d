"""Labels: one only, rare, out of balance, spelled in two ways, in one split only, or something else than classes.

They may be scores, numbers in order, a numbering, several labels in a cell, or a header.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from deepen.core.errors import DataError
from deepen.data.check.problem import Problem, Severity, Splits, place, rows, shown, targets
from deepen.data.check.texts import PLACEHOLDERS
from deepen.data.columns import plain_name
from deepen.data.source import NO, YES
from deepen.data.table import Part, bearable
from deepen.data.targets.labels import check_labels, label_table, target_counts
from deepen.data.targets.printed import parse_printed
from deepen.data.targets.scores import has_decimal_comma

_RARE = 5
# what people call a class that means "none of these"
_DASHES = frozenset(("-", "--", "---", "?", "??"))
_NONE = frozenset(("none", "na", "nil", "无", "空"))
_IMBALANCE = 10
_SEPARATORS = re.compile(r"(?<=[^\W_])[\s_\-]+(?=[^\W_])")
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
_ANOTHER = "--columns label=COLUMN names another column"
Counts = Mapping[str, int]


def find(splits: Splits) -> list[Problem]:
    """What is wrong with the labels of classes; `null` or `N/A` may be one, `none` is, `NaN` the reader refuses."""
    if not splits.has_labels:
        return [] if splits.texts else list(_one_each(splits.train))
    train = splits.train
    counts = target_counts(train)
    kinds = list(_scores(train, counts)) or list(_numbering(train, counts)) or list(_in_order(train, counts))
    found = [*_not_classes(splits, counts), *kinds, *_several(train, counts), *_header(train, counts)]
    found += _placeholders(train, counts)
    codes = {problem.code for problem in found}
    if len(counts) > 1 and not codes & {"labels_not_classes", "labels_are_scores"}:
        found += [*_rare(train, counts), *_imbalance(train, counts)]
    every = Counter(counts)
    for name, part in splits.parts.items():
        # a number that is new is no unknown label
        if "labels_are_scores" not in codes and name != "train" and part.table.has_target:
            theirs = target_counts(part)
            found += [*_unknown(name, part, theirs, counts), *_missing(name, part, theirs, counts)]
            every.update(theirs)
    return [*found, *_variants(splits, every)]


def _about(part: Part, counts: Counts, labels: Sequence[str], *, code: str, message: str, remedy: str) -> Problem:
    """A warning about some labels: where the first of them is, and how many rows have one."""
    line, count = _first_row(part, labels[0]), sum(counts[label] for label in labels)
    return Problem("warning", code, part.table.name, line, count, message, remedy)


def _first_row(part: Part, label: str) -> int | None:
    """The line of the first row with a label."""
    return next((place(part, at) for at, value in enumerate(targets(part)) if value == label), None)


def _not_classes(splits: Splits, counts: Counts) -> Iterator[Problem]:
    try:
        check_labels(splits.train, max_labels=splits.max_labels)
    except DataError as error:
        one = len(counts) < 2
        code = "one_label" if one else "labels_not_classes"
        remedy = _ANOTHER + ("" if one else ", --set data.label_cuts=[0] cuts a score into classes")
        yield Problem("error", code, splits.train.table.name, None, len(counts), str(error), remedy)


def _placeholders(train: Part, counts: Counts) -> Iterator[Problem]:
    marks = _DASHES if "+" not in counts else frozenset()  # -, 0 and + are classes
    odd = [label for label in counts if label.lower() in (PLACEHOLDERS - _NONE) | marks]
    if odd:
        num = rows(sum(counts[label] for label in odd))
        message = f"{num} with the label {shown(odd[0])}, which mostly marks a missing value: is it a class?"
        remedy = "label or delete the rows; nothing to do if it is"
        yield _about(train, counts, odd, code="placeholder_label", message=message, remedy=remedy)


def _rare(train: Part, counts: Counts) -> Iterator[Problem]:
    rare = sorted((label for label in counts if counts[label] < _RARE), key=lambda label: counts[label])
    if rare and len(train) >= _RARE * len(counts):
        message = (
            f"{len(rare):,} labels have fewer than {_RARE} training rows, as {shown(rare[0])} with {counts[rare[0]]}: "
            "they will not be learned, and their scores mean nothing"
        )
        remedy = (
            "collect rows for them, or join them to another label with --labels FILE (lines of label, tab, new name)"
        )
        line = _first_row(train, rare[0])
        yield Problem("warning", "rare_labels", train.table.name, line, len(rare), message, remedy)


def _imbalance(train: Part, counts: Counts) -> Iterator[Problem]:
    most, least = max(counts, key=lambda label: counts[label]), min(counts, key=lambda label: counts[label])
    if counts[most] >= _IMBALANCE * counts[least]:
        message = (
            f"{shown(most)} has {counts[most]:,} rows, {shown(least)} {counts[least]:,}: always saying the first is "
            f"right in {counts[most] / len(train):.0%}, so accuracy alone flatters"
        )
        remedy = (
            "--decide-by macro_f1 lets rare labels decide as much as common ones, --set ladder.class_weights=balanced "
            f"lets them count as much; rows of {shown(least)} help most"
        )
        yield Problem("warning", "imbalance", train.table.name, None, counts[least], message, remedy)


def _variants(splits: Splits, counts: Counts) -> Iterator[Problem]:
    spelled: dict[str, list[str]] = defaultdict(list)
    for label in label_table(counts):
        spelled[_sounds(label)].append(label)
    for labels in spelled.values():
        if len(labels) < 2:
            continue
        labels.sort(key=lambda label: -counts[label])
        odd = labels[1]
        having = [part for part in splits.parts.values() if part.table.has_target]
        places = ((part, line) for part in having if (line := _first_row(part, odd)) is not None)
        part, line = next(places, (splits.train, None))
        message = (
            f"{shown(odd)} ({rows(counts[odd])}) and {shown(labels[0])} ({rows(counts[labels[0]])}) are one label?"
        )
        remedy = f"--labels FILE with the line: {odd}<tab>{labels[0]}"
        others = sum(counts[label] for label in labels[1:])
        yield Problem("warning", "label_variants", part.table.name, line, others, message, remedy)


def _sounds(label: str) -> str:
    """What labels share that a person would read as one; a sign, as in -1 and C++, and what parts numbers stay."""
    seen = "".join(letter for letter in unicodedata.normalize("NFKC", label) if unicodedata.category(letter) != "Cf")
    plain = seen.casefold().strip()
    if plain in YES | NO:
        return "yes" if plain in YES else "no"
    return _SEPARATORS.sub(" ", plain) if any(map(str.isalpha, plain)) else plain


def _unknown(name: str, part: Part, theirs: Counts, ours: Counts) -> Iterator[Problem]:
    unknown = [label for label in theirs if label not in ours]
    if unknown:
        count = sum(theirs[label] for label in unknown)
        message = f"{rows(count)} of {name} with labels that the training rows don't have, as {shown(unknown[0])}"
        few = bearable(count + part.table.num_bad, len(part) + part.table.num_bad)
        remedy = "mend the labels, or add training rows with them" + ("; they are not scored" if few else "")
        severity: Severity = "warning" if few else "error"
        line = _first_row(part, unknown[0])
        yield Problem(severity, "unknown_label", part.table.name, line, count, message, remedy)


def _missing(name: str, part: Part, theirs: Counts, ours: Counts) -> Iterator[Problem]:
    missing = [label for label in ours if label not in theirs]
    if missing:
        num = f"{len(missing):,} of {len(ours):,} labels"
        message = f"{num} are not in {name}, as {shown(missing[0])}: it can't judge them"
        remedy = "leave --validation out so that rows of every label are held out" if name == "validation" else ""
        yield Problem("warning", "label_missing", part.table.name, None, len(missing), message, remedy)


# --- labels that are something else than classes ----------------------------------------------------------------------


def _one_each(train: Part) -> Iterator[Problem]:
    """A warning where rows may have several labels and none has two as read; not of tags, answers or few rows."""
    columns = train.table.arrow.column_names
    if not train.table.has_target or "starts" in columns or "tokens" in columns or len(train) < _FEWEST_LISTS:
        return
    lists = [value for value in targets(train) if isinstance(value, list) and value]
    if lists and max(map(len, lists)) < 2:
        longest = max((value[0] for value in lists), key=len)
        message = f"no row has two labels as the cells are read; the longest is {shown(longest)}"
        remedy = "if that is several labels, say what parts them with data.label_separator"
        yield Problem("warning", "no_several", train.table.name, None, len(lists), message, remedy)


def _as_score(train: Part) -> str:
    """The setting that learns a number."""
    task = "matching" if "sentence1" in train.table.inputs else "classification"
    return f"--set tasks.{task}.target=score learns"


def _scores(train: Part, counts: Counts) -> Iterator[Problem]:
    whole = [label for label in counts if _WHOLE_FLOAT.fullmatch(label)]
    broken = [label for label in counts if _FLOAT.fullmatch(label) and not _WHOLE_FLOAT.fullmatch(label)]
    numbers = [label for label in counts if _WHOLE.fullmatch(label)]
    commas = [label for label in counts if "," in label]
    if len(broken) >= 2 and len(broken) + len(whole) + len(numbers) >= 0.9 * len(counts):
        middle = sorted(float(label) for label in broken)[len(broken) // 2]
        message = f"the labels are numbers with decimals, as {shown(broken[0])}: a score, not a class"
        remedy = f"{_as_score(train)} the score, --set data.label_cuts=[{middle:g}] cuts it into classes"
        yield _about(train, counts, broken, code="labels_are_scores", message=message, remedy=remedy)
    elif len(commas) >= 2 and has_decimal_comma(counts):
        message = f"the labels are numbers with a comma, as {shown(commas[0])}: a score, or several labels, not a class"
        remedy = f"{_as_score(train)} the score"
        yield _about(train, counts, commas, code="labels_are_scores", message=message, remedy=remedy)
    elif whole and len(counts) <= 2:
        message = f"whole labels are written as decimals, as {shown(whole[0])}: a table with gaps was saved as numbers"
        remedy = "--labels FILE names them ('0.0' and '0' are the same code there)"
        yield _about(train, counts, whole, code="labels_cast", message=message, remedy=remedy)


def _in_order(train: Part, counts: Counts) -> Iterator[Problem]:
    """Whole numbers one after another: stars, grades, how alike two texts are; or codes of classes."""
    if not all(_WHOLE.fullmatch(label) or _WHOLE_FLOAT.fullmatch(label) for label in counts):
        return
    numbers = sorted({int(float(label)) for label in counts})
    steps = len(numbers)
    fewest = _FEWEST_STEPS if numbers[0] >= 0 else _FEWEST_STEPS + 2  # -1, 0 and 1 are what people call three classes
    if fewest <= steps <= numbers[-1] - numbers[0] + 1 <= min(_MOST_STEPS, _SPREAD * steps):
        message = (
            f"the labels are the whole numbers {numbers[0]} to {numbers[-1]} and are learned as classes without an "
            "order: right for codes, wrong for stars, grades or how alike two texts are"
        )
        remedy = f"{_as_score(train)} them as a score; nothing to do if they are codes"
        yield Problem("warning", "labels_in_order", train.table.name, None, len(train), message, remedy)


def _numbering(train: Part, counts: Counts) -> Iterator[Problem]:
    """Labels that count 1, 2, 3 and begin anew number the rows of something."""
    if len(counts) < _FEWEST_COUNTED or not all(map(_WHOLE.fullmatch, counts)):
        return
    first = min(map(int, counts))
    before, counted, begun = first - 1, 0, set()
    for value in targets(train):
        number = int(value) if value is not None else first
        counted += number in (before + 1, first)
        if number == first:
            begun.add(before)  # labels that take turns begin anew after the same one
        before = number
    if counted >= _COUNTED_SHARE * len(train) and len(begun) > 2:
        message = f"the labels count {first}, {first + 1}, {first + 2} from row to row: a numbering, not a class"
        yield Problem("warning", "labels_count", train.table.name, place(train, 0), len(train), message, _ANOTHER)


def _several(train: Part, counts: Counts) -> Iterator[Problem]:
    """Cells that hold several labels, or a list of one, taken for one."""
    if counts and all(_LISTED.fullmatch(label) and len(parse_printed(label) or ()) == 1 for label in counts):
        first = next(iter(counts))
        message = f"the labels are printed lists of one, brackets and all, as {shown(first)}"
        remedy = "--task multilabel reads them as lists"
        line = _first_row(train, first)
        yield Problem("warning", "listed_label", train.table.name, line, len(train), message, remedy)
        return
    objects = [label for label in counts if isinstance(parse_printed(label), dict)]
    if objects:
        message = f"a label is a printed object, braces and all, as {shown(objects[0])}"
        remedy = "write the label itself into the column"
        yield _about(train, counts, objects, code="listed_label", message=message, remedy=remedy)
        return
    parted: dict[str, list[str]] = {}
    for label in counts:
        mark = next((mark for mark in _MARKS if mark in label), None)
        if _LISTED.fullmatch(label) and "," in label:
            parted[label] = [part.strip(" '\"") for part in label[1:-1].split(",")]
        elif mark is not None:
            parted[label] = [part.strip(" <>") for part in label.split(mark)]
    parts = Counter(part for found in parted.values() for part in dict.fromkeys(found))
    parts.update(label for label in counts if label not in parted)
    again = [label for label, found in parted.items() if all(part and parts[part] > 1 for part in found)]
    if len(again) >= 2 and len(parts) <= len(counts):
        message = f"{shown(again[0])} is one label here, and its parts are in others too: several labels in one cell?"
        remedy = "--task multilabel parts them"
        yield _about(train, counts, again, code="several_labels", message=message, remedy=remedy)


def _header(train: Part, counts: Counts) -> Iterator[Problem]:
    """A row or two whose label is what columns of labels are called."""
    odd = [label for label in counts if counts[label] <= _HEADER_ROWS and plain_name(label) in _HEADERS]
    if odd and len(counts) > 2:
        line, num = _first_row(train, odd[0]), counts[odd[0]]
        message = f"{rows(num)} with the label {shown(odd[0])}, as a column of labels is called: a header?"
        remedy = "delete the line" if line != 1 else "--set data.header=true reads it as a header"
        yield Problem("warning", "header_as_label", train.table.name, line, num, message, remedy)
