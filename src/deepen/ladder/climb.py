"""The climb: one rung after the other, each judged on the same validation rows, until more depth stops paying.

After every rung a usable model is in the run folder, and an interrupted climb goes on from there.
"""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from deepen.core.errors import DeepenError
from deepen.core.files import write_jsonl
from deepen.core.ladder import Data, Ladder, LadderRow, RowState, Stage, UnderWay
from deepen.core.run import FOLDS, Run
from deepen.core.seed import derive
from deepen.core.settings import parse_duration
from deepen.data.columns import TARGET
from deepen.data.table import Part
from deepen.ladder import folds, record
from deepen.ladder.closing import doubts, say_worth
from deepen.ladder.decide import (
    Standing,
    best_of,
    cheapest_not_worse,
    fits,
    gain_over,
    reason_to_choose,
    reason_to_go_on,
    reason_to_rest,
    reason_to_stop,
)
from deepen.ladder.judge import (
    OUTPUTS,
    Climbing,
    Events,
    begin_stage,
    chosen,
    fold_folder,
    judge,
    standing_of,
    start_of,
    warn,
    write_model,
)
from deepen.ladder.refit import joined, refit
from deepen.ladder.self_train import LABELS, adopt, self_train, taught_again
from deepen.preparation.catalog import shelf
from deepen.preparation.manifest import read_about
from deepen.preparation.place import remove_rung
from deepen.preparation.prepare import Prepared
from deepen.preparation.recipe import Recipe, write_recipe
from deepen.preparation.resume import check_rows
from deepen.preparation.told import LEFT_OUT, write_left_out
from deepen.problem.climbed import Climbed
from deepen.problem.threshold import told
from deepen.problem.work import Work


def climb(recipe: Recipe, prepared: Prepared, run: Run, events: Events, *, began: float) -> None:
    """Climbs and leaves a complete run folder.

    Args:
        recipe: How high, and each rung's settings.
        run: The run folder; rungs that are done in it are not climbed again.
        began: When the command began (`time.monotonic`); the budget counts from there.
    """
    budget = parse_duration(recipe.ladder.budget) if recipe.ladder.budget else None
    work = prepared.work.until(began + budget if budget else None)
    write_left_out(run.folder / LEFT_OUT, prepared.rows.told.tables)
    state = Climbing(recipe, work, prepared, run, events, _begin(run, prepared), [], began)
    adopt(state)
    _restore(state)
    spent = state.ladder.seconds
    try:
        _climb_all(state, spent)
    except BaseException:
        with suppress(DeepenError):  # what is on disk is whole; what is in memory may be half done
            run.write_ladder(run.ladder.but(_time_spent(state, spent)))
        raise
    state.write({"complete": True})  # last: what comes before it is not done again


def _climb_all(state: Climbing, spent: float) -> None:
    """Every rung, what follows from them, and the scores of the test rows."""
    recipe, work = state.recipe, state.work
    forced = recipe.ladder.rungs
    writes = work.problem.task.writes is not None
    there = {name: rung for name, rung in shelf().items() if rung.writes or not writes}
    wanted = [name for name, rung in there.items() if (name in forced if forced else rung.suits(work))]
    for position, name in enumerate(wanted):
        if any(row.rung == name for row in state.ladder.rungs):
            continue
        if work.base.scratch and not there[name].scratch:
            _skip(state, name, f"it takes pretrained weights, and {work.base.model.name} begins with random ones", None)
        elif state.ladder.stop_reason:
            _skip(state, name, state.ladder.stop_reason, None)
        else:
            _climb_one(state, name, wanted[position + 1 :], deliberate=bool(forced))
        state.write(_time_spent(state, spent))
    self_train(state)
    _finish(state)
    state.write(_time_spent(state, spent))
    write_recipe(state.run.folder / "recipe.yaml", _what_ran(recipe, state.ladder))
    told = tuple(map(record.as_record, state.events.closing()))
    state.note({"test": (*state.ladder.test, *told), "refuses": recipe.none_of_these.refuse})
    state.events.published(state.run)


def _time_spent(state: Climbing, spent: float) -> dict[str, float]:
    """The seconds of the climb with those before it was interrupted, and those of the rung that is under way."""
    now, found = time.monotonic(), {}
    if state.rung_began is not None:
        found["under_way_seconds"] = round(now - state.rung_began, 3)
    return found | {"seconds": round(spent + now - state.began, 3)}


def _count_lost(run: Run, ladder: Ladder) -> Ladder:
    """Adds the time between the last word of a climb that was killed, which is its last checkpoint, and its ladder."""
    last = [path.stat().st_mtime for path in run.folder.glob("**/rungs/*/checkpoint/state.json")]
    lost = max([0.0, *last]) - (run.folder / "ladder.json").stat().st_mtime
    if lost <= 0:
        return ladder
    under_way = (ladder.under_way_seconds or 0.0) + lost
    return ladder.but({"seconds": round(ladder.seconds + lost, 3), "under_way_seconds": round(under_way, 3)})


def _begin(run: Run, prepared: Prepared) -> Ladder:
    work = prepared.work
    parts = {"train": work.problem.train, "validation": work.problem.validation, "test": prepared.rows.test}
    parts |= {"unlabelled": prepared.rows.unlabelled} if prepared.rows.unlabelled else {}
    if (run.folder / "ladder.json").is_file():
        check_rows(run, prepared.mark)
        ladder = _count_lost(run, run.ladder)
    else:
        ladder = Ladder(
            schema=1,
            mark=prepared.mark,
            run=str(run.folder),
            task=work.problem.task.name,
            shown=work.problem.task.shown,
            model=work.base.model.name,
            tuning=work.base.tuning.name,
            chosen=None,
            cheapest_not_worse=None,
            seconds=0.0,
            before=None,
            stop_reason="",
            rungs=(),
            test=(),
            labels=work.problem.labels,
            data=Data(
                **{name: len(part) if part is not None else 0 for name, part in parts.items()},
                **({"folds": int(prepared.rows.fold_N.max()) + 1} if prepared.rows.fold_N is not None else {}),
                name="/".join(Path(work.problem.train.table.name).parts[-2:]),
                notes=tuple(prepared.rows.told.notes),
                warnings=tuple(prepared.rows.told.warnings),
                columns=prepared.rows.columns.reasons,
            ),
            complete=False,
        )
    run.write_ladder(ladder)
    return ladder


def _restore(state: Climbing) -> None:
    """Rungs that an interrupted climb left: their outputs are read and give the standings again, to the bit."""
    for row in state.ladder.rungs:
        if row.climbed:
            rung, folder = shelf()[row.rung], state.run.rung(row.rung)
            read_about(folder / "model")  # what is built upon must be whole
            if (folder / OUTPUTS).is_file():
                outputs = record.read_outputs(folder / OUTPUTS, len(state.work.problem.validation))
            else:  # interrupted while the finished climb was tidied up
                predictor = rung.load(folder / "model", state.work.problem.task, state.work.problem.labels)
                outputs = predictor.predict(state.work.problem.validation)
            state.standings.append(standing_of(state, row.rung, outputs))


def _climb_one(state: Climbing, name: str, above: list[str], *, deliberate: bool) -> None:
    """Climbs a rung, or skips it, and notes why the climb ends with it, if it does."""
    rung, work = shelf()[name], state.work
    settings = getattr(state.recipe.rungs, name)
    under_way = UnderWay(Stage.FIRST, name)
    known = rung.always or state.ladder.under_way == under_way
    forecast = None if known else folds.forecast(state, name, settings)
    left = None if work.context.deadline is None else work.context.deadline - time.monotonic()
    if not rung.always and not fits(forecast, seconds_left=left):
        reason = f"forecast {forecast or 0:.0f} s, but {max(left or 0, 0):.0f} s of the budget are left"
        _skip(state, name, reason, forecast)
        return
    if forecast is not None:
        work.context.say(f"  {name}: forecast {forecast:.0f} s")
        state.write({"under_way": under_way})
    state.rung_began = time.monotonic() - (state.ladder.under_way_seconds or 0.0)
    state.note({"under_way_seconds": None})
    encoders = [standing for standing in state.standings if standing.encoder]
    try:
        start = start_of(state, name)
        below = state.run.rung(start.name) / "model" if start else None
        if state.cross_validated:
            asked = deliberate or state.recipe.ladder.thorough
            lends = rung.warm_starts and not all(shelf()[higher].always for higher in above)
            climbed = folds.climb_folds(state, name, settings, start=start, encoders=encoders, asked=asked, lends=lends)
        else:
            climbed = rung.climbed(work.above(start.score if start else None), settings, below)
        if isinstance(climbed, str):
            _give_up(state, name, climbed, forecast, above[0] if above else None)
            return
        if not (rung.always or climbed.validation.is_finite):
            raise FloatingPointError("the training diverged: its outputs are no numbers")
    except (MemoryError, RuntimeError, ArithmeticError) as error:
        if rung.always or not state.standings:
            raise  # there is no model to fall back on
        if not (deliberate or state.recipe.ladder.thorough or rung.few_shot):
            state.note({"stop_reason": f"{name} failed"})
        _fail(state, name, error, forecast, time.monotonic() - state.rung_began)
        return
    row = judge(state, name, climbed)
    took, forecast = round(time.monotonic() - state.rung_began, 3), forecast and round(forecast, 1)
    state.put(row.but({"seconds": took, "forecast_seconds": forecast, "peak_memory_bytes": record.peak_memory_bytes()}))
    _rest(state)
    if not (deliberate or state.recipe.ladder.thorough):
        state.note({"stop_reason": _reason_to_stop(state, climbed, encoders, above[0] if above else None)})
    state.write()  # the row and what follows from it at once, or a resumed climb goes on above
    if state.ladder.chosen == name:
        state.events.published(state.run)
    state.events.row(state.ladder.row(name))


def _reason_to_stop(state: Climbing, climbed: Climbed, encoders: list[Standing], next_rung: str | None) -> str:
    enough = state.recipe.ladder.fitted
    if rest := reason_to_rest(climbed.fitted, rung=state.standings[-1].name, enough=enough, next_rung=next_rung):
        return rest
    rung = shelf()[state.standings[-1].name]
    if not encoders or rung.always or rung.few_shot:  # what is made for few rows says nothing of what depth pays
        return ""
    below = best_of(encoders)
    seed = derive(state.recipe.seed, "gain")
    gain = gain_over(state.standings[-1], below, state.work.problem.task.value_of, seed=seed).interval
    found = reason_to_stop(gain, over=below.name, worth=state.recipe.ladder.worth, next_rung=next_rung)
    form = state.work.problem.task.deep
    if not found or next_rung is None or form is None or shelf()[next_rung].deep_form == rung.deep_form:
        return found
    why = reason_to_go_on(gain, over=below.name, next_rung=next_rung, reads=form.called)
    state.put(state.ladder.rungs[-1].because(why))
    return ""


def _give_up(state: Climbing, name: str, why: str, forecast: float | None, next_rung: str | None) -> None:
    """Notes a rung that was given up before its last fold, and that the climb ends there, as where little is gained."""
    took = time.monotonic() - (state.rung_began or time.monotonic())
    _rest(state)
    remove_rung(state.run.rung(name))
    form = state.work.problem.task.deep
    other_form = form is not None and next_rung is not None and shelf()[next_rung].deep_form != shelf()[name].deep_form
    if not (shelf()[name].few_shot or other_form):
        state.note({"stop_reason": why})
    _skip(state, name, why, forecast, seconds=took)


def _rest(state: Climbing) -> None:
    """Between two rungs: none is under way."""
    state.rung_began, state.of_folds = None, ()
    state.note({"under_way": None, "under_way_seconds": None})


def _fail(state: Climbing, name: str, error: Exception, forecast: float | None, seconds: float) -> None:
    """Notes that a rung could not be climbed, for want of memory for example; what was climbed below it stands."""
    _rest(state)
    remove_rung(state.run.rung(name))
    said = " ".join(str(error).split())[:200]
    _skip(state, name, f"{type(error).__name__}{': ' if said else ''}{said}", forecast, RowState.FAILED, seconds)


def _skip(
    state: Climbing,
    name: str,
    reason: str,
    forecast: float | None,
    status: RowState = RowState.SKIPPED,
    seconds: float = 0.0,
) -> None:
    row = LadderRow(
        rung=name,
        status=status,
        reason=reason,
        score=None,
        gain=None,
        seconds=round(seconds, 3),
        forecast_seconds=forecast and round(forecast, 1),
        num_trained_parameters=0,
        peak_memory_bytes=0,
        seconds_per_1000_predictions=None,
    )
    state.put(row)
    state.events.row(row)


def _finish(state: Climbing) -> None:
    """Names the chosen rung and the cheapest that is not worse, and scores the test rows once."""
    work = state.work
    if not state.ladder.refitted:  # if so, validation rows were learned from and decide nothing any more
        seed = derive(state.recipe.seed, "gain")
        best = chosen(state)
        why = reason_to_choose(best, best_of(state.standings).name, num_held_out=len(work.problem.validation))
        cheapest = cheapest_not_worse(state.standings, work.problem.task.value_of, seed=seed)
        state.note({"chosen": best, "chosen_reason": why, "cheapest_not_worse": cheapest})
        writes = work.problem.task.writes
        if writes is not None:
            say_worth(state, writes.floor, seed)
        one_label = any(need.name == TARGET and need.kind == "category" for need in work.problem.task.needs)
        if state.prepared.rows.wish is not None:
            work.context.say(f"  {told(state.prepared.rows.wish, state.ladder.chosen_row.validation)}")
        for sentence in doubts(state.ladder, one_label=one_label, writes=writes is not None):
            if sentence not in ((state.ladder.data and state.ladder.data.warnings) or ()):
                warn(state, sentence)
        if state.cross_validated:
            _on_all_rows(state, best)
        elif state.recipe.ladder.refit:
            _refit(state, best)
    best = str(state.ladder.chosen)
    folder = state.run.rung(best)
    predictor = shelf()[best].load(folder / "model", work.problem.task, work.problem.labels)
    test = state.prepared.rows.test
    if test is not None:
        began = time.monotonic()
        outputs = predictor.predict(test)
        per_row = (time.monotonic() - began) / max(1, len(test))
        targets = work.problem.targets(test)
        scores = work.problem.task.scores(outputs, targets, work.problem.labels, derive(state.recipe.seed, "test"))
        state.note({"test": tuple(map(record.as_record, scores))})
        rows = record.predictions(
            work.problem.task,
            test,
            outputs,
            labels=work.problem.labels,
            rung=best,
            seconds=per_row,
            predictor=predictor,
        )
        write_jsonl(folder / "predictions-test.jsonl", rows)
    record.write_slices(state.run.folder, work, state.prepared, state.recipe.data)
    (state.run.folder / LABELS).unlink(missing_ok=True)
    for row in state.ladder.rungs:
        shutil.rmtree(state.run.rung(row.rung) / "checkpoint", ignore_errors=True)
        if not state.cross_validated:
            (state.run.rung(row.rung) / OUTPUTS).unlink(missing_ok=True)
    first = fold_folder(state, 0)  # stays: a diagnosis asks models about rows that they have not learned from
    for path in (*state.run.folder.glob(f"{FOLDS}/*"), *first.glob("rungs/*/checkpoint")):
        if path != first:
            shutil.rmtree(path, ignore_errors=True)


def _refit(state: Climbing, name: str) -> None:
    """Puts the chosen rung's model, trained on the validation rows too, in place of the one that they judged."""
    learned = taught_again(state, state.ladder.row(name))
    _replace(state, name, learned, joined(learned.problem.train, state.work.problem.validation))
    state.put(state.ladder.row(name).but({"refitted": True}))
    state.write({"under_way": None, "refitted": True})


def _on_all_rows(state: Climbing, name: str) -> None:
    """Trains the chosen rung on all rows, unless its folds were so cheap that it was at once."""
    if not shelf()[name].always:
        _replace(state, name, folds.fold_works(state)[0], state.work.problem.train)
        state.write({"under_way": None})


def _replace(state: Climbing, name: str, learned: Work, whole: Part) -> None:
    """Puts a model that has learned from all rows in place of a rung's, which had won when it learned from fewer."""
    row, settings = state.ladder.row(name), getattr(state.recipe.rungs, name)
    begin_stage(state, UnderWay(Stage.REFIT), name)
    state.work.context.say(f"  {name}: once more, on {len(whole):,} rows")
    start = start_of(state, name)
    below = state.run.rung(start.name) / "model" if start else None
    learned = replace(learned, context=state.work.context)
    predictor = refit(learned, whole, shelf()[name], settings, row.won or {}, below=below).predictor
    predictor.calibrate(state.ladder.temperature or 1.0, np.array(state.ladder.shift or 0.0))
    write_model(state, name, predictor, state.run.rung(name))
    state.run.publish(name)


def _what_ran(recipe: Recipe, ladder: Ladder) -> Recipe:
    """The recipe that repeats this climb: the rungs that ran, with the steps they made, and no clock."""
    values = recipe.model_dump()
    values["task"] = ladder.task
    values["ladder"] |= {"rungs": tuple(row.rung for row in ladder.rungs if row.climbed), "budget": None}
    tried = {row.rung: row.self_trained.ran for row in ladder.rungs if row.self_trained}
    again = {name: ran for name, ran in tried.items() if ran is not None}
    if ladder.self_training:
        steps = {name: ran["max_steps"] for name, ran in again.items() if "max_steps" in ran}
        values["self_training"] |= {"rungs": tuple(again), "steps": steps}
    for row in ladder.rungs:
        values["rungs"][row.rung] |= row.ran or {}
    return type(recipe).model_validate(values)
