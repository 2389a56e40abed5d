"""Labels: one only, scores in place of classes, rare, out of balance, spelled in two ways, in one split only."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping

from deepen.core.errors import DataError
from deepen.data.check.kinds import first_row, kinds, one_each
from deepen.data.check.problem import Problem, Severity, Splits, rows, shown
from deepen.data.check.texts import PLACEHOLDERS
from deepen.data.source import NO, YES
from deepen.data.table import Part, bearable
from deepen.data.targets.labels import check_labels, label_table, target_counts

_RARE = 5
# what people call a class that means "none of these"
_DASHES = frozenset(("-", "--", "---", "?", "??"))
_NONE = frozenset(("none", "na", "nil", "无", "空"))
_IMBALANCE = 10
_SEPARATORS = re.compile(r"(?<=[^\W_])[\s_\-]+(?=[^\W_])")


def find(splits: Splits) -> list[Problem]:
    """What is wrong with the labels of classes; `null` or `N/A` may be one, `none` is, `NaN` the reader refuses."""
    if not splits.has_labels:
        return one_each(splits.train)
    train = splits.train
    counts = target_counts(train)
    found = [*_not_classes(splits, counts), *kinds(train, counts), *_placeholders(train, counts)]
    if len(counts) > 1 and not any(problem.code in ("labels_not_classes", "labels_are_scores") for problem in found):
        found += [*_rare(train, counts), *_imbalance(train, counts)]
    every = dict(counts)
    scores = any(problem.code == "labels_are_scores" for problem in found)  # a number that is new is no unknown label
    for name, part in splits.parts.items():
        if not scores and name != "train" and part.table.has_target:
            theirs = target_counts(part)
            found += [*_unknown(name, part, theirs, counts), *_missing(name, part, theirs, counts)]
            for label, count in theirs.items():
                every[label] = every.get(label, 0) + count
    return [*found, *_variants(splits, every)]


def _not_classes(splits: Splits, counts: Mapping[str, int]) -> list[Problem]:
    try:
        check_labels(splits.train, max_labels=splits.max_labels)
    except DataError as error:
        code = "one_label" if len(counts) < 2 else "labels_not_classes"
        remedy = "--columns label=COLUMN names another column, --set data.label_cuts=[0] cuts a score into classes"
        if len(counts) < 2:
            remedy = "--columns label=COLUMN names another column"
        return [Problem("error", code, splits.train.table.name, None, len(counts), str(error), remedy)]
    return []


def _placeholders(train: Part, counts: Mapping[str, int]) -> list[Problem]:
    marks = _DASHES if "+" not in counts else frozenset()  # -, 0 and + are classes
    odd = [label for label in counts if label.lower() in (PLACEHOLDERS - _NONE) | marks]
    if not odd:
        return []
    count, name = sum(counts[label] for label in odd), train.table.name
    message = f"{rows(count)} with the label {shown(odd[0])}, which mostly marks a missing value: is it a class?"
    remedy = "label or delete the rows; nothing to do if it is"
    return [Problem("warning", "placeholder_label", name, first_row(train, odd[0]), count, message, remedy)]


def _rare(train: Part, counts: Mapping[str, int]) -> list[Problem]:
    rare = sorted((label for label in counts if counts[label] < _RARE), key=lambda label: counts[label])
    if not rare or len(train) < _RARE * len(counts):
        return []
    message = (
        f"{len(rare):,} labels have fewer than {_RARE} training rows, as {shown(rare[0])} with {counts[rare[0]]}: "
        "they will not be learned, and their scores mean nothing"
    )
    remedy = "collect rows for them, or join them to another label with --labels FILE (lines of label, tab, new name)"
    return [Problem("warning", "rare_labels", train.table.name, first_row(train, rare[0]), len(rare), message, remedy)]


def _imbalance(train: Part, counts: Mapping[str, int]) -> list[Problem]:
    most, least = max(counts, key=lambda label: counts[label]), min(counts, key=lambda label: counts[label])
    if counts[most] < _IMBALANCE * counts[least]:
        return []
    message = (
        f"{shown(most)} has {counts[most]:,} rows, {shown(least)} {counts[least]:,}: always saying the first is right "
        f"in {counts[most] / len(train):.0%}, so accuracy alone flatters"
    )
    remedy = (
        "judge by balanced_accuracy and macro_f1, and the table by label (deepen evaluate RUN DATA); "
        f"rows of {shown(least)} help most"
    )
    return [Problem("warning", "imbalance", train.table.name, None, counts[least], message, remedy)]


def _variants(splits: Splits, counts: Mapping[str, int]) -> Iterator[Problem]:
    spelled: dict[str, list[str]] = defaultdict(list)
    for label in label_table(counts):
        spelled[_sounds(label)].append(label)
    for labels in spelled.values():
        if len(labels) < 2:
            continue
        labels.sort(key=lambda label: -counts[label])
        odd = labels[1]
        having = [part for part in splits.parts.values() if part.table.has_target]
        places = ((part, line) for part in having if (line := first_row(part, odd)) is not None)
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


def _unknown(name: str, part: Part, theirs: Mapping[str, int], ours: Mapping[str, int]) -> list[Problem]:
    unknown = [label for label in theirs if label not in ours]
    if not unknown:
        return []
    count = sum(theirs[label] for label in unknown)
    message = f"{rows(count)} of {name} with labels that the training rows don't have, as {shown(unknown[0])}"
    remedy = "mend the labels, or add training rows with them"
    few = bearable(count + part.table.num_bad, len(part) + part.table.num_bad)
    severity: Severity = "warning" if few else "error"
    remedy += "; they are not scored" if few else ""
    return [Problem(severity, "unknown_label", part.table.name, first_row(part, unknown[0]), count, message, remedy)]


def _missing(name: str, part: Part, theirs: Mapping[str, int], ours: Mapping[str, int]) -> list[Problem]:
    missing = [label for label in ours if label not in theirs]
    if not missing:
        return []
    message = f"{len(missing):,} of {len(ours):,} labels are not in {name}, as {shown(missing[0])}: it can't judge them"
    remedy = "leave --validation out so that rows of every label are held out" if name == "validation" else ""
    return [Problem("warning", "label_missing", part.table.name, None, len(missing), message, remedy)]
