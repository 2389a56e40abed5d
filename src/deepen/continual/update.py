"""`deepen update`: a run from another with new rows, without forgotten ones, and the gate before it is promoted."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from deepen.continual.forgetting import Gate, as_record, beside, forgetting, gate
from deepen.continual.history import backward_transfer, scores_by_stage, stages_of, with_fresh, write_stages
from deepen.continual.kept import chosen_rows
from deepen.continual.method import Given, method_for, shelf, start_reader
from deepen.continual.rows import Updated, ids_to_forget, old_rows, updated, without_copy, write_rows
from deepen.core.arguments import as_path
from deepen.core.errors import DataError, DeepenError, SettingError
from deepen.core.files import cache_dir, read_jsonl, read_object, write_json
from deepen.core.log import telling
from deepen.core.run import Run, open_run
from deepen.core.types import to_json
from deepen.data.table import Part, Table
from deepen.data.targets.labels import label_table
from deepen.inference.given import as_rows
from deepen.inference.model import Model, load_model
from deepen.making import make_run
from deepen.models.device import on
from deepen.preparation.prepare import Prepared
from deepen.preparation.read import Sources
from deepen.preparation.recipe import Recipe
from deepen.preparation.reopen import recipe_of
from deepen.preparation.training_rows import read_added
from deepen.registry.place import open_place
from deepen.registry.promotions import promote as promoted
from deepen.registry.versions import push

RECORD = "update.json"


@dataclass(frozen=True)
class Update:
    """The record of `deepen update --json`.

    Attributes:
        method: A name on the shelf `continual/methods/`.
        old, new: Scores before and after on held-out rows, all together first, then slices; `new` may be empty.
        forgetting: Points (as a fraction) of the deciding score that the old rows lost, with its 95 % interval.
        gate: `passed` and `why`.
        forgotten: Rows, ids and labels that are gone, and what outside of the new run still holds them.
        promoted: The version that stands for production now; None if nothing was promoted.
        history: The run of the line that came first, then one an update: `run`, `method`, and its `scores` on the
            held-out rows of each stage (`start`, `update 1` ...).
        backward_transfer: What the stages before have gained since they were learned, on average; below 0 is forgotten.
        advice: What to do next; empty once it is promoted.
    """

    out: str
    method: str
    old: list[dict[str, Any]]
    new: list[dict[str, Any]]
    forgetting: dict[str, float]
    gate: Gate
    forgotten: dict[str, Any]
    promoted: str | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    backward_transfer: float | None = None
    advice: str = ""


def update(
    run: str | Path | Run,
    new: Any = None,
    *,
    method: str | None = None,
    forget: str | Path | Collection[str] | None = None,
    promote: bool = False,
    registry: str | None = None,
    max_drop: float = 0.5,
    keep: int = 20,
    out: str | Path | None = None,
    say: Callable[[str], None] | None = None,
) -> Update:
    """Makes a run from another one with more rows, or without some, and shows what it gains and what it forgets.

    Args:
        run: A finished run whose training rows are files that have not changed.
        new: Labelled rows like the training data; a fifth is held out. None only with `forget`.
        method: `exact` solves a head anew, for the rungs majority, lexical and frozen; `retrain` trains every rung of
            the run anew; `replay` goes on from the weights of a trained rung, with `keep` old rows of each label;
            `statistics` leaves them and solves a head from sums over all rows so far; None is the first of `exact`
            and `retrain` that suits.
        forget: Ids of rows that are taken out: a list, a file with a column `id`, or text with commas.
        promote: Push the run and promote it, if it passes the gate.
        registry: Where to.
        max_drop: Points of the deciding score that all old rows together may lose.
        keep: The most old rows of a label that the new run keeps, where its method does not need all.
        out: The run to write; None finds a name beside the old one.
        say: Called with lines for the user; None writes them to the logger `deepen`.

    Returns:
        What came of it, which is in `update.json` of the new run too.

    Raises:
        DataError: If the old rows have changed or are gone, or the new ones can't be read.
        SettingError: If an argument is wrong, or the run may not be promoted, which is written all the same.
    """
    began, tell = time.monotonic(), telling(say)
    if promote != (registry is not None):
        raise SettingError("--promote and --registry URL go together: where is it promoted?")
    if keep < 1:
        raise SettingError(f"--keep {keep}: it must be 1 row of each label or more")
    if not max_drop >= 0:
        raise SettingError(f"--max-drop {max_drop}: it must be points of 0 and more, as in 0.5")
    ids = ids_to_forget(forget)
    if new is None and not ids:
        raise SettingError("nothing to do: name a file of new rows, or --forget ids")
    source = open_run(run.folder if isinstance(run, Run) else as_path("run", run))
    recipe = recipe_of(source)
    way = method_for(method, source)
    if not shelf()[way].all_rows and (ids or new is None):
        raise SettingError("what trained weights or sums have seen is in them: --forget goes with --method retrain")
    place = _free(source.folder) if out is None else as_path("out", out)
    if place.exists() or place.is_symlink():
        raise SettingError(f"{place} exists already: give another --out")
    prepared = old_rows(source, recipe)
    fresh = _read(as_rows(new), prepared, recipe) if new is not None else None
    kept = None if shelf()[way].all_rows else _kept(source, prepared, recipe, way, keep)
    made = updated(prepared, fresh, ids, replayed=kept)
    _say(made, fresh, way, recipe, tell)
    before_it = str(_parent(source).get("method"))
    if before_it in shelf() and not shelf()[before_it].all_rows and before_it != way:
        said = f"the run was made by {before_it}, and keeps only some of the rows that it and those before it learned"
        tell(f"  note: {said}")
    left = _old_held_out(prepared, made, ids)
    _train(made, place, (prepared, recipe, way), source, began, tell)
    with on(recipe.device, lambda line: None):
        before, after = load_model(source.folder, say=tell), load_model(place)
        old = beside(before, after, left)
        gained = beside(before, after, made.fresh) if made.fresh is not None and len(made.fresh) else None
        history = _history((source, before), (Run(place), after), prepared, made, (way, ids))
    found = Update(
        out=str(place),
        method=way,
        old=as_record(old),
        new=as_record(gained) if gained is not None else [],
        forgetting=forgetting(old),
        gate=gate(old, gained, asked=new is not None, max_drop=max_drop),
        forgotten=made.forgotten | {"still_in": _still_in(source, ids)} if ids else made.forgotten,
        history=history,
        backward_transfer=backward_transfer(history),
    )
    found = replace(found, advice=_advice(found, source))
    return _leave(found, source, place, registry)


def _kept(source: Run, prepared: Prepared, recipe: Recipe, way: str, keep: int) -> Part:
    with on(recipe.device, lambda line: None):
        return chosen_rows(start_reader(load_model(source.folder), way), prepared.work.problem.train, keep)


def _free(folder: Path) -> Path:
    """A name that is free beside a run."""
    number = 2
    while (place := folder.with_name(f"{folder.name}-{number}")).exists():
        number += 1
    return place


def _read(new: Any, prepared: Prepared, recipe: Recipe) -> Table:
    rows = prepared.rows
    found = read_added(new, rows.task.needs, recipe.data, rows.columns, rows.names)
    if not len(found):
        raise DataError(f"{found.name}: it has no rows")
    return found


def _say(made: Updated, fresh: Table | None, way: str, recipe: Recipe, say: Callable[[str], None]) -> None:
    if fresh is not None and made.fresh is not None:
        rest = len(fresh) - made.num_learned - len(made.fresh)
        more = f", {rest:,} left out (forgotten, or held out before)" if rest else ""
        say(f"  new rows: {made.num_learned:,} to learn from, {len(made.fresh):,} held out{more}")
    if made.forgotten["unknown"]:
        say(f"  note: {len(made.forgotten['unknown']):,} ids to forget are of no row")
    if made.forgotten["labels"]:
        say(f"  labels without a training row are gone: {', '.join(made.forgotten['labels'])}")
    if shelf()[way].whole_climb:
        say("  every rung of the run is trained anew on all rows")
    if not shelf()[way].all_rows:
        old = len(made.parts["train"]) - made.num_learned
        if shelf()[way].finished:
            say(f"  {old:,} old rows stay; what was learned from the others is in sums")
        else:
            say(f"  {old:,} old rows are learned from again, beside the new ones")
    if recipe.ladder.refit or recipe.data.unlabelled is not None:
        say("  note: the old run was refitted, or learned from rows without labels; that is not done again")


def _train(
    made: Updated,
    place: Path,
    how: tuple[Prepared, Recipe, str],
    source: Run,
    began: float,
    say: Callable[[str], None],
) -> None:
    """Writes the rows and climbs; where that fails nothing is left."""
    prepared, recipe, way = how
    method = shelf()[way]
    rungs = recipe.ladder.rungs if method.whole_climb else (source.chosen,)
    changes: dict[str, Any] = {"rungs": rungs, "refit": False} | (method.settings or {})
    try:
        wanted = write_rows(made, place, prepared, recipe)
        wanted = wanted.model_copy(update={"ladder": recipe.ladder.model_copy(update=changes)})
        with tempfile.TemporaryDirectory(prefix="deepen-start-") as folder, on(recipe.device, lambda line: None):
            if method.start is not None:
                labels = label_table(str(row.target) for row in made.parts["train"])
                method.start(Given(load_model(source.folder), source, prepared, made, labels, place), Path(folder))
            start = {"finished" if method.finished else "start": Path(folder)} if method.start is not None else {}
            given: dict[str, Any] = {"resume": False, "overwrite": False, "listeners": (say, None), "began": began}
            make_run(wanted, Sources(**start), place, **given)
    except (DeepenError, OSError):
        shutil.rmtree(place, ignore_errors=True)
        raise


def _old_held_out(prepared: Prepared, made: Updated, ids: Collection[str]) -> Part:
    """The old test rows, or else the validation rows, that are left."""
    held, lost = prepared.rows.test or prepared.work.problem.validation, set(made.forgotten["labels"])
    rows = zip(held.values("id"), held.values("target") if lost else [None] * len(held), strict=True)
    left = [at for at, (name, label) in enumerate(rows) if without_copy(name) not in ids and label not in lost]
    if not left:
        raise DataError("no old held-out row is left to judge by: forget fewer rows")
    return held.take(np.array(left, np.int64))


def _still_in(source: Run, ids: Collection[str]) -> list[str]:
    """What still holds forgotten rows: the old run's model, predictions and curves, its data, the cache."""
    files = [path for path in sorted(source.folder.rglob("*.jsonl")) if path.parent.parent.name == "rungs"]
    held = [str(path) for path in files if any(without_copy(str(row.get("id"))) in ids for row in read_jsonl(path))]
    data = recipe_of(source).data
    named = [path for path in (data.path, data.validation, data.test) if path is not None]
    return [
        *named,
        str(source.folder / "model"),
        str(source.folder / "rungs"),
        *held,
        f"{cache_dir()} (analogies, states)",
    ]


def _history(
    old: tuple[Run, Model], new: tuple[Run, Model], prepared: Prepared, made: Updated, how: tuple[str, Collection[str]]
) -> list[dict[str, Any]]:
    """The line of runs up to the new one, which keeps what is held out of each stage."""
    stages = with_fresh(stages_of(old[0], prepared), made.fresh, how[1])
    write_stages(new[0], stages)
    said = {"run": str(old[0].folder), "method": None, "scores": scores_by_stage(old[1], stages, prepared, None)}
    now = {"run": str(new[0].folder), "method": how[0], "scores": scores_by_stage(new[1], stages, prepared, made.fresh)}
    return [*(_record(old[0]).get("history") or [said]), now]


def _advice(found: Update, source: Run) -> str:
    """What to do next, as far as rows tell."""
    if found.gate.passed:
        return "promote it: the gate is passed"
    seconds = sum(row.seconds or 0.0 for row in source.ladder.rungs)
    if found.method != "retrain":
        return f"train all rungs anew on all rows, some {seconds:,.0f} s as for {source.folder}: --method retrain"
    return f"keep {source.folder}, and look at the new rows: training on all rows does not pass either"


def _record(run: Run) -> dict[str, Any]:
    """What an update has kept of itself; nothing if the run is none."""
    path = run.folder / RECORD
    return read_object(path) if path.is_file() else {}


def _parent(run: Run) -> dict[str, Any]:
    """What a run was made of; nothing if it is no update."""
    return read_object(run.folder / "environment.json").get("parent") or {}


def _leave(found: Update, source: Run, place: Path, registry: str | None) -> Update:
    """Notes the parent and the record in the new run, and promotes it if that is asked for and allowed."""
    parent = _parent(source)
    name = str(parent.get("name") or source.folder.resolve().name.lower())
    environment = read_object(place / "environment.json")
    mark = source.ladder.mark
    environment["parent"] = {"name": name, "run": str(source.folder), "mark": mark, "method": found.method}
    write_json(place / "environment.json", environment)
    write_json(place / RECORD, to_json(found))
    if registry is None:
        return found
    if not found.gate.passed:
        raise SettingError(f"{place} is written and not promoted, since it did not pass its gate: {found.gate.why}")
    there = open_place(registry)
    decided = {"passed": True, "why": found.gate.why}
    version = push(there, place, name=name, by="deepen update", gate=decided, note=f"update of {source.folder}")
    promoted(there, version, by="deepen update", why=found.gate.why)
    return replace(found, promoted=f"{version.name}@{version.version}", advice="")
