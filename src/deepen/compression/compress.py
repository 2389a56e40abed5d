"""`deepen compress`: ways put together, each judged beside the model as it was, and what is left as a run."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from deepen.compression.judge import Cost, Judge, Row
from deepen.compression.leave import leave_run
from deepen.compression.way import Given, Way, shelf
from deepen.core.arguments import as_path, as_text
from deepen.core.errors import DataError, SettingError, nearest
from deepen.core.run import Run, open_run
from deepen.core.seed import derive
from deepen.core.types import to_json
from deepen.data.table import Part
from deepen.inference.given import as_rows
from deepen.inference.model import Model, load_model
from deepen.inference.refusing import told_unkept
from deepen.models.device import using
from deepen.preparation.data_section import asked_columns
from deepen.preparation.prepare import Prepared
from deepen.preparation.reopen import recipe_of, reopened
from deepen.preparation.unlabelled import read_unlabelled

_CPU = torch.device("cpu")
_TARGET = re.compile(r"(\d+(?:\.\d+)?)x?")


@dataclass(frozen=True)
class Compressed:
    """The record of `deepen compress --json`: the model as it was, what was tried, and the run that was written."""

    run: str
    before: Cost
    ways: list[Row]
    kept: list[str]
    out: str


@dataclass(frozen=True)
class Wish:
    """What is wanted: ways by name, or how many times smaller or faster; neither is every way that promises nothing."""

    ways: tuple[str, ...]
    target: float | None
    max_drop: float
    agreement: float = 0.99

    @property
    def promises(self) -> bool:
        """Whether one of the ways does."""
        return any(shelf()[name].promises for name in self.ways)


def wish(
    ways: Sequence[str] | str | None, target: str | float | None, max_drop: float, *, agreement: float = 0.99
) -> Wish:
    """Checks what is wanted.

    Args:
        ways: A list, or names with commas between them.
        target: As in `4x`, or 4.
        max_drop: Points of the deciding score that may be lost.
        agreement: The share of answers that a way with a promise leaves as they are.
    """
    if isinstance(agreement, bool) or not isinstance(agreement, int | float) or not 0 < agreement < 1:
        raise SettingError(f"--agreement {agreement}: it must be a share above 0 and below 1, as in 0.99")
    if ways is not None and target is not None:
        raise SettingError("give either --target or --ways: a target is reached by the ways that it takes")
    if isinstance(max_drop, bool) or not isinstance(max_drop, int | float) or not 0 < max_drop <= 100:
        raise SettingError(f"--max-drop {max_drop}: it must be points above 0, as in 0.5")
    names = tuple(shelf())
    if ways is not None:
        given = [name.strip() for name in (ways.split(",") if isinstance(ways, str) else ways) if name.strip()]
        for name in given:
            if name not in names:
                raise SettingError(f"unknown way '{name}'; {nearest(name, names)}")
        if not given:
            raise SettingError(f"--ways: name at least one of {', '.join(names)}")
        names = tuple(name for name in names if name in given)
    else:
        names = tuple(name for name, way in shelf().items() if not way.asked)
    if target is None:
        return Wish(names, None, float(max_drop), float(agreement))
    found = _TARGET.fullmatch(str(target).strip())
    if found is None or not float(found[1]) > 1:
        raise SettingError(f"--target {target}: it must be above 1, as in 4x: so many times smaller or faster")
    return Wish(names, float(found[1]), float(max_drop))


def compress(
    run: str | Path | Run,
    data: Any = None,
    *,
    target: str | float | None = None,
    ways: Sequence[str] | str | None = None,
    max_drop: float = 0.5,
    agreement: float = 0.99,
    unlabelled: Any = None,
    out: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    say: Callable[[str], None] = lambda line: None,
    on_row: Callable[[Row], None] = lambda row: None,
) -> Compressed:
    """Makes a run's model smaller and faster, as far as labelled rows show that no more is lost than was agreed.

    Args:
        run: A finished run, or its folder.
        data: Labelled rows to judge on that the run has not learned from; None takes its test rows, or the validation
            rows if there are none.
        target: How many times smaller or faster, as in `4x`; the cheapest ways that reach it are taken.
        ways: Names of ways, a list or with commas; None takes every way but `exits`, or those that the target takes.
        max_drop: Points of the deciding score that may be lost.
        agreement: For `exits`, the share of answers that are those of the whole network: with 95 % confidence no more
            than 1 % are others.
        unlabelled: Rows without a label: half of them are learned from, half back how many answers change.
        out: The run that is written, which is not there yet; None finds a name.
        columns: Which columns of `data` are what, if not as in the training data.
        say: Called with lines for the user.
        on_row: Called with each line of the table.

    Returns:
        What was tried, what is kept, and where it is.

    Raises:
        DataError: If there is no such run, or its rows can't be had.
        ModelError: If its model has no network, or is an export.
        SettingError: If an argument is wrong, or the wish can't be met; nothing is written then.
    """
    wanted = wish(ways, target, max_drop, agreement=agreement)
    folder = run.folder if isinstance(run, Run) else as_path("run", run)
    opened = open_run(folder)
    place = _free(folder) if out is None else as_path("out", out)
    _check_out(place)
    with using(_CPU), TemporaryDirectory() as beside:
        work = _Work.open(opened, wanted, (data, columns, unlabelled), Path(beside), say)
        judge = Judge(work.whole, work.rows, work.more, max_drop=wanted.max_drop)
        tried: list[Row] = []

        def judged(names: tuple[str, ...]) -> Row:
            tried.append(judge("+".join(names), work.made(names)))
            on_row(tried[-1])
            return tried[-1]

        names = _reach(wanted, judged) if wanted.target is not None else _all(wanted, judged)
        found = Compressed(str(folder), judge.before, tried, list(names), str(place))
        leave_run(opened, work.made(names), work.prepared, work.rows, place, record=to_json(found))
    return found


def _all(wanted: Wish, judged: Callable[[tuple[str, ...]], Row]) -> tuple[str, ...]:
    """Ways one on the other, without those that do harm."""
    names: tuple[str, ...] = ()
    reasons = []
    for name in wanted.ways:
        row = judged((*names, name))
        if row.verdict == "harmful":
            reasons.append(f"{row.way} is harmful ({row.reason})")
        else:
            names = (*names, name)
    if not names:
        raise SettingError(f"nothing is left: {'; '.join(reasons)}; a larger --max-drop allows more")
    return names


def _reach(wanted: Wish, judged: Callable[[tuple[str, ...]], Row]) -> tuple[str, ...]:
    """The cheapest ways together that reach the target: the first that may be kept, else the first not shown."""
    ways, target = shelf(), wanted.target or 0.0
    perhaps: tuple[str, ...] | None = None
    best = 0.0
    harmful: list[str] = []
    for price in sorted({ways[name].price for name in wanted.ways}):
        names = tuple(name for name in wanted.ways if ways[name].price <= price and name not in harmful)
        row = judged(names)
        if row.verdict == "harmful":
            harmful += [name for name in names if ways[name].price == price]
            continue
        best = max(best, row.smaller, row.faster)
        if max(row.smaller, row.faster) >= target:
            if row.verdict == "kept":
                return names
            perhaps = perhaps or names
    if perhaps is None:
        allowed = f"with at most {wanted.max_drop:g} points lost"
        raise SettingError(f"--target {target:g}x can't be reached {allowed}: {best:.1f}x is the most that was")
    return perhaps


@dataclass(frozen=True)
class _Work:
    """A run on its way to a smaller one; `made` has what ways made already."""

    whole: Model
    prepared: Prepared | None
    missing: str
    rows: Part
    learning: tuple[Part, ...]
    more: Part | None
    backing: tuple[Part, ...]
    agreement: float
    seed: int
    beside: Path
    say: Callable[[str], None]

    @classmethod
    def open(
        cls,
        opened: Run,
        wanted: Wish,
        given: tuple[Any, Mapping[str, str] | None, Any],
        beside: Path,
        say: Callable[[str], None],
    ) -> _Work:
        """Reads the model and all rows; `given` are data, columns and unlabelled."""
        data, columns, unlabelled = given
        model = load_model(opened.folder, say=say)
        told_unkept(model.refusing, "a smaller model", say)
        recipe = recipe_of(opened)
        prepared, missing = reopened(opened, recipe)
        rows = _rows(opened, model, prepared, data, columns)
        learning = () if prepared is None else (prepared.work.problem.train,)
        backing = () if prepared is None or opened.ladder.none_held_out else (prepared.work.problem.validation,)
        if wanted.promises and any(part is rows for part in backing):
            say(
                "  note: the validation rows back the promise and judge it too, since there are no test rows; give DATA"
            )
        more = None
        if unlabelled is not None:
            if prepared is None:
                raise DataError(f"--unlabelled: {missing}")
            labelled = [prepared.work.problem.train, prepared.work.problem.validation, rows]
            source = as_rows(as_text(unlabelled))
            part, notes = read_unlabelled(source, model.task, recipe.data, prepared.rows.columns, labelled)
            for note in notes:
                say(f"  note: {note}")
            at = np.random.default_rng(derive(recipe.seed, "unlabelled")).permutation(len(part))
            learning, others = (*learning, part.take(np.sort(at[::2]))), at[1::2]
            say(f"  {len(part):,} unlabelled rows: half are learned from, half back how many answers change")
            if wanted.promises:
                say("  note: of the second half, every other row backs the promise")
                backing, others = (*backing, part.take(np.sort(others[::2]))), others[1::2]
            more = part.take(np.sort(others))
        how = (backing, wanted.agreement, derive(recipe.seed, "compress"), beside, say)
        return cls(model, prepared, missing, rows, learning, more, *how)

    def made(self, names: tuple[str, ...]) -> Model:
        """The model that ways make, one on the other."""
        if not names:
            return self.whole
        folder = self.beside / "+".join(names)
        if not folder.is_dir():
            way: Way = shelf()[names[-1]]
            if not self.learning and way.learns:
                raise DataError(f"--ways {names[-1]} reads training rows, and {self.missing}")
            how = (self.seed, self.say, self.backing, self.agreement)
            way.make(Given(self.made(names[:-1]), self.learning, self.rows, *how), folder)
        return load_model(folder)


def _rows(opened: Run, model: Model, prepared: Prepared | None, data: Any, columns: Mapping[str, str] | None) -> Part:
    if data is not None:
        asked = dict(asked_columns(columns) or {}) if columns is not None else None
        return model.read(as_rows(data), columns=asked, need_target=True)
    if prepared is None:
        raise DataError(f"{opened.folder}: it keeps no rows to judge on, so give DATA")
    if prepared.rows.test is not None:
        return prepared.rows.test
    if opened.ladder.none_held_out:
        raise DataError(f"{opened.folder} has learned from all its rows, which can't judge it: give DATA")
    return prepared.work.problem.validation


def _free(folder: Path) -> Path:
    """A name that is free beside a run."""
    name, number = f"{folder.name}-small", 1
    while (place := folder.with_name(name)).exists():
        number += 1
        name = f"{folder.name}-small-{number}"
    return place


def _check_out(out: Path) -> None:
    if out.exists() or out.is_symlink():
        raise SettingError(f"{out} exists already: give another --out")
