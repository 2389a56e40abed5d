"""Which source columns make up the inputs and the target: as asked, by name, or by content, always with the reason."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from deepen.core.errors import DataError, nearest
from deepen.data.columns import LABEL_NAMES, TARGET, TEXT_NAMES, Columns, Need, plain_name
from deepen.data.marks import mark_columns
from deepen.data.places import by_place, by_training_names, labels_at, named_index, seen_values
from deepen.data.source import Source, as_text, clip
from deepen.data.targets.label_lists import are_flags, flag_columns

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
# `text_id`, `label_confidence`: about a text or a label, not one
_ABOUT = re.compile(r"(^|_)(id|idx|index|date|time|length|len|url|count|num|confidence|score)$")
_LABEL_CHARS = 80


def choose_columns(
    source: Source,
    needs: Sequence[Need],
    columns: Columns | Mapping[str, str] | None,
    *,
    need_target: bool,
    like: Columns | None = None,
) -> Columns:
    """Finds the columns a task needs, those of the training file (`like`) where they can be told.

    What was asked for comes first, then usual names (in any case), then content: a label has few values, a text is
    long.
    """
    like = columns if isinstance(columns, Columns) else like
    asked = {} if columns is None or isinstance(columns, Columns) else columns
    choice = _Choice(source, needs, need_target)
    for name, value in asked.items():
        choice.as_asked(name, value)
    if like is not None:
        choice.as_trained(like)
    choice.by_name()
    if TARGET not in asked:
        choice.by_flags()
    if like is not None:
        choice.by_place(like)
        choice.by_values(like)
    choice.by_content()
    needed = [need for need in needs if not need.optional and (need.name != TARGET or need_target)]
    for need in needed:
        if need.name not in choice.chosen:
            raise DataError(_missing(source, need, [other.name for other in needed]))
    return choice.columns(like.first_code if like is not None else None)


def column_indices(source: Source, parts: Sequence[str | int]) -> tuple[int, ...] | None:
    """The numbers of columns that are given by name or number; None if the source lacks one."""
    found = [at for part in parts if (at := _index(source, part)) is not None]
    return tuple(found) if len(found) == len(parts) else None


def _index(source: Source, part: str | int) -> int | None:
    if isinstance(part, str) and (found := named_index(source, part)) is not None:
        return found
    if isinstance(part, int) or part.isdecimal():
        number = int(part) if isinstance(part, int) or len(part) < 10 else source.width
        return number if 0 <= number < source.width else None
    return None


def _usual(need: Need) -> list[str]:
    own = [plain_name(name) for name in (need.name, *need.names)]
    # a task with two texts must not find both under the names of one
    more = {} if need.kind == "texts" else {TARGET: LABEL_NAMES, "text": TEXT_NAMES}
    return list(dict.fromkeys([*own, *more.get(need.name, ())]))


@dataclass(frozen=True)
class _Look:
    """What a column looks like in the sample."""

    index: int
    num: int
    distinct: int
    chars: float
    numeric: bool


@dataclass(frozen=True)
class _Choice:
    """The columns of a source that were chosen so far, and why; each way takes what those before it left open."""

    source: Source
    needs: Sequence[Need]
    need_target: bool
    chosen: dict[str, tuple[int, ...]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def _take(self, name: str, indices: Sequence[int], why: str, others: Sequence[int] = ()) -> None:
        """Chooses columns, for a reason; `others` could be meant too."""
        self.chosen[name] = tuple(indices)
        self.reasons[name] = f"{name} is {self._called(indices)}, {why}"
        if others:
            names = self.source.names
            them = ", ".join(self.source.called(i) for i in others[:3])
            one = clip(names[others[0]]) if names is not None else others[0]
            self.reasons[name] += f"; {them} could be it too: --columns {name}={one}"

    def _called(self, indices: Sequence[int]) -> str:
        word = "column" if len(indices) == 1 else "columns"
        return f"{word} {' + '.join(self.source.called(i) for i in indices)}"

    def _taken(self) -> set[int]:
        return {i for indices in self.chosen.values() for i in indices}

    def _has_target(self, *kinds: str) -> bool:
        return any(need.name == TARGET and (not kinds or need.kind in kinds) for need in self.needs)

    def as_asked(self, name: str, value: str) -> None:
        """The columns that a person named."""
        kinds = {need.name: need.kind for need in self.needs}
        if name not in kinds:
            raise DataError(f"--columns {name}={value}: the task has no '{name}'; {nearest(name, kinds)}")
        source, value = self.source, value.strip()
        parts = [value] if _index(source, value) is not None else [part.strip() for part in value.split("+")]
        found = column_indices(source, parts)
        if found is None and name == TARGET and not self.need_target:
            return
        if found is None:
            lacking = next(part for part in parts if _index(source, part) is None)
            near = nearest(lacking, map(clip, source.names)) if source.names is not None else ""
            near = near if near.startswith("did you mean") else f"the columns are {source.listed()}"
            raise DataError(f"{source.name} has no column '{clip(lacking)}' for {name}; {near}")
        if kinds[name] == "category" and len(found) > 1 and are_flags(self.source, found):
            raise DataError(
                f"{self.source.name}: {self._called(found)} hold 0 and 1, and the task reads one label a row; "
                "--task multilabel reads a column for each label"
            )
        self._take(name, found, "as asked for")

    def as_trained(self, like: Columns) -> None:
        """The columns that are called as in the training data."""
        called = self.source.names is not None or like.form is None or like.form.header is False
        found = by_training_names(self.source, self.needs, like, self.chosen, need_target=self.need_target)
        for name, indices in found.items():
            self._take(name, indices, "as in the training data" if called else "the only one")

    def by_name(self) -> None:
        """The columns with usual names."""
        plain = [plain_name(name) for name in (self.source.names or ())[: self.source.own_width]]
        for need in self.needs:
            if need.name in self.chosen:
                continue
            taken = self._taken()
            free = [(i, have) for i, have in enumerate(plain) if i not in taken]
            found = [i for name in _usual(need) for i, have in free if have == name]
            if not found:  # `airline_sentiment`, `review_text`
                long = [name for name in _usual(need) if len(name) > 3]
                made = [(i, have) for i, have in free if not _ABOUT.search(have)]
                found = [
                    i for name in long for i, have in made if have.startswith(f"{name}_") or have.endswith(f"_{name}")
                ]
            found = list(dict.fromkeys(found))
            if found:
                self._take(need.name, found[:1], "by its name", found[1:])

    def by_flags(self) -> None:
        """Several columns of 0 and 1 are the labels, where rows have several and no column holds lists of them."""
        if not self._has_target("labels"):
            return
        taken = {i for name, indices in self.chosen.items() for i in indices if name != TARGET}
        flags = tuple(at for at in flag_columns(self.source) if at not in taken)
        if len(flags) > 1 and (TARGET not in self.chosen or set(self.chosen[TARGET]) <= set(flags)):
            self._take(TARGET, flags, "by content: 0 or 1 for each label")
            blank = sum(not (as_text(cell) or "").strip() for at in flags for cell in self.source.cells(at))
            if blank:
                rows = len(self.source.sample)
                self.reasons[TARGET] += f"; {blank:,} cells of the first {rows:,} rows are blank and read as 0"

    def by_place(self, like: Columns) -> None:
        """The columns that stand where they stood in the training file."""
        found = by_place(self.source, self.needs, like, self.chosen, need_target=self.need_target)
        for name, indices in found.items():
            parts = like.target if name == TARGET else like.inputs[name]
            same = self.source.names is None and parts == indices
            why = "as in the training data" if same else "by its place, which is that in the training data"
            self._take(name, indices, why)

    def by_values(self, like: Columns) -> None:
        """The label is the column that holds what training saw there."""
        wanted = self._has_target() and (self.need_target or self.source.names is None)
        if TARGET in self.chosen or not wanted:
            return
        at = labels_at(self.source, like)
        if at is not None and (at,) not in self.chosen.values():
            self._take(TARGET, [at], "by content: labels of the training data")

    def by_content(self) -> None:
        """The longest texts are the texts, and few values that recur are labels."""
        open_needs = [need for need in self.needs if need.name not in self.chosen and not need.optional]
        if not open_needs:
            return
        looks = _looks(self.source)
        if self._has_target("texts"):
            self._texts_by_content(open_needs, looks)
            return
        texts = [need for need in open_needs if need.kind == "text" and need.name != TARGET]
        if texts:
            taken = self._taken()
            long = sorted(
                (look for look in looks if look.index not in taken and look.num), key=lambda look: -look.chars
            )
            if self.need_target and TARGET not in self.chosen and len(long) <= len(texts):
                long = []  # every column would become a text and none the label
            worded = [look for look in long if not look.numeric]
            first, rest = sorted(worded[: len(texts)], key=lambda look: look.index), worded[len(texts) :]
            for need, look in zip(texts, first, strict=True) if len(first) == len(texts) else ():
                why = f"by content: the longest texts, {look.chars:.0f} characters on average"
                others = [other.index for other in rest if other.chars > 20 and 2 * other.distinct > other.num]
                self._take(need.name, [look.index], why, others)
        # when predicting, a column that merely looks like labels is not taken for the truth
        if self.need_target and TARGET in {need.name for need in open_needs}:
            self._label_by_content(looks)

    def _texts_by_content(self, open_needs: Sequence[Need], looks: Sequence[_Look]) -> None:
        """Where the answer is text too: the longest columns whose values differ, source and answer in their order."""
        wanted = [need for need in open_needs if need.name != TARGET or self.need_target]
        taken = self._taken()
        free = [look for look in looks if look.index not in taken and not look.numeric and 2 * look.distinct > look.num]
        longest = sorted(free, key=lambda look: -look.chars)
        first, rest = sorted(longest[: len(wanted)], key=lambda look: look.index), longest[len(wanted) :]
        for need, look in zip(wanted, first, strict=True) if len(first) == len(wanted) else ():
            others = [other.index for other in rest if other.chars > 20]
            self._take(need.name, [look.index], f"by content: texts of {look.chars:.0f} characters on average", others)

    def _label_by_content(self, looks: Sequence[_Look]) -> None:
        taken = self._taken()
        free = [look for look in looks if look.index not in taken and look.num and look.chars <= _LABEL_CHARS]
        # a file sorted by label may show only one value in its first rows
        few = [look for look in free if look.distinct <= max(2, 0.5 * look.num)]
        few.sort(key=lambda look: (look.distinct < 2, look.distinct, look.chars))
        if not few and self.source.own_width == 2 and len(free) == 1:
            few = free
        if few:
            best = few[0]
            values = f"{best.distinct} different value{'s' if best.distinct != 1 else ''}"
            others = [look.index for look in few[1:] if look.distinct > 1]
            self._take(TARGET, [best.index], f"by content: {values} in the first {best.num:,} rows", others)

    def columns(self, first_code: int | None) -> Columns:
        """What was chosen."""
        source = self.source

        def parts(name: str) -> tuple[str | int, ...]:
            return tuple(source.names[i] if source.names is not None else i for i in self.chosen[name])

        inputs = {
            need.name: parts(need.name) for need in self.needs if need.name in self.chosen and need.name != TARGET
        }
        target = self.chosen.get(TARGET)
        values: tuple[str, ...] = ()
        if target and len(target) == 1 and self._has_target("category", "labels"):
            values = seen_values(source.cells(target[0]))
        named = parts(TARGET) if target is not None else None
        return Columns(inputs, named, self.reasons, first_code, source.form, None, values)


def _looks(source: Source) -> list[_Look]:
    found = []
    for index in sorted(set(range(source.own_width)) - mark_columns(source)):
        texts = [text for cell in source.cells(index) if (text := as_text(cell)) is not None and text.strip()]
        chars = sum(map(len, texts)) / len(texts) if texts else 0.0
        numeric = bool(texts) and all(_NUMBER.fullmatch(text.strip()) for text in texts)
        found.append(_Look(index, len(texts), len(set(texts)), chars, numeric))
    return found


def _missing(source: Source, need: Need, needed_names: Sequence[str]) -> str:
    hint = f"--columns {need.name}=NAME" if source.names is not None else f"--columns {need.name}=NUMBER"
    if source.own_width == 1:
        cause = "is there one text a line only, or another delimiter (--set data.delimiter=...)?"
        if source.form is not None and source.form.kind not in ("table", "lines"):
            cause = f"give each row all of them, as {{{', '.join(f'{name!r}: ...' for name in needed_names)}}}"
        elif re.search(r"\.ya?ml$", source.name.lower()):
            cause = "YAML is not read as data: write the rows as CSV or JSON Lines"
        elif re.match(r"\s*<(!doctype|html|table)\b", first := str((source.names or source.sample[0])[0]).lower()):
            cause = "it holds a web page, as some programs write for Excel: save it as .xlsx or CSV"
        elif "，" in first:
            cause = "do full-width commas part its cells? --set data.delimiter=， reads them"
        return f"{source.name} has a single column, but {' and '.join(needed_names)} are needed; {cause}"
    return f"{source.name}: no column looks like '{need.name}'; the columns are {source.listed()}: say which, {hint}"
