"""Whether an alarm means harm, how accuracy is estimated without labels, what 50 labels tell, and how new intents show.

    python benchmarks/watch_harm.py --data DATA --models MODELS      # cells watch-harm, -accuracy, -labels, -new-intent

Failures are planted in rows that the run never saw. What judges them has never learned from their kind: a kind of the
product is left out in turn, and comes in other strengths and shares; five kinds are known here only. trec, sst2 and
half of the new intents served to develop with (`dev-` before the cell's name), the others are reported.
"""

from __future__ import annotations

import pickle
import time
from dataclasses import dataclass, replace
from pathlib import Path

import cells
import numpy as np
import watched

DEV = ("trec", "sst2")
ROWS, TEST_ROWS, SEED = 500, 500, 1
STRENGTHS, SHARES, RECALL = (0.25, 0.7), (0.2, 0.5, 0.8), 0.69
CASES, TRAFFIC, NEW = 1000, 2000, 60
COMMAND = "python benchmarks/watch_harm.py --data DATA --models MODELS --rungs RUNGS"


def others() -> dict:
    """Kinds of failures that the product does not know."""
    from deepen.data.corruptions import Corruption
    from deepen.data.words import join_words, split_words

    def by_word(change):
        def changed(text, strength, rng):
            words = [text[start:end] for start, end in split_words(text)]
            return join_words(change(words, strength, rng))[0].strip() or text

        return changed

    def shuffle(words, strength, rng):
        at = np.flatnonzero(rng.random(len(words)) < strength)
        moved = list(words)
        for to, start in zip(at, rng.permutation(at), strict=True):
            moved[to] = words[start]
        return moved

    def drop(words, strength, rng):
        return [word for word in words if rng.random() >= 0.8 * strength]

    def read_badly(text, strength, rng):
        alike = str.maketrans("oeilsatbg", "0cl15a+6q")
        return "".join(
            (one.translate(alike) if one.isascii() else chr(ord(one) + 1)) if rng.random() < 0.7 * strength else one
            for one in text
        )

    def doubled(text, strength, rng):
        start = int(rng.integers(len(text)))
        return f"{text[start:]} {text}" if rng.random() < strength else text

    def template(text, strength, rng):
        return (
            f"Ticket 4711, status: open, no reply needed. {text} Sent from my phone"
            if rng.random() < strength
            else text
        )

    ways = {"shuffled": by_word(shuffle), "dropped": by_word(drop), "ocr": read_badly}
    ways |= {"doubled": doubled, "template": template}
    return {name: Corruption(name, change) for name, change in ways.items()}


@dataclass(frozen=True)
class World:
    """All that is computed once for a set: held-out rows, failures planted in them, and test rows with theirs."""

    reference: object
    failures: tuple
    own: object
    damaged: dict


def world_of(name: str, options) -> World:
    """Trains the run and lets it read all rows, or finds that in the work folder."""
    from deepen.watching.kept import failures, reference_of
    from deepen.watching.planted import spoilt
    from deepen.watching.reading import open_watched

    kept = options.work / f"world-{name}-{options.rungs}.pickle"
    if kept.is_file():
        return pickle.loads(kept.read_bytes())  # noqa: S301 - written here
    run, pool = watched.harm_sets(options)[name]()
    opened = open_watched(run, print)
    reference = reference_of(opened)
    path = watched.write(options.work / f"harm-{name}" / "test.csv", pool[:TEST_ROWS])
    part = opened.model.read(path, use="answer", need_target=True)
    places = {label: at for at, label in enumerate(opened.model.labels)}
    own = replace(opened.answered(part), targets_N=np.array([places[str(one)] for one in part.values("target")]))
    damaged = spoilt(opened, part, own, strengths=STRENGTHS) | spoilt(
        opened, part, own, corruptions=others(), strengths=(0.4, 1)
    )
    made = World(reference, failures(opened, reference), own, damaged)
    kept.write_bytes(pickle.dumps(made))
    return made


@dataclass(frozen=True)
class Case:
    """A window that was judged."""

    set: str
    kind: str
    loss: float
    accuracy: float
    harm: float
    said: tuple[float, float, float]


def judges(world: World):
    """What estimates rows of a kind, and has learned nothing from that kind."""
    from deepen.watching.evidence import Evidence
    from deepen.watching.harm import Estimator, calibrate
    from deepen.watching.kept import seen_from

    evidence, own, damaged, planted = seen_from(*world.failures, ROWS, with_texts=True)
    made, from_all = {}, Evidence(world.reference, with_texts=True)

    def judge(kind: str):
        left_out = kind if kind in {one.kind for one in planted} - {"none"} else ""
        if left_out not in made:
            others = {name: rows for name, rows in damaged.items() if name != left_out}
            harm = calibrate(evidence, own, others, [one for one in planted if one.kind != left_out])
            made[left_out] = Estimator(harm, from_all)
        return made[left_out]

    return judge


def cases(name: str, options) -> list[Case]:
    """All windows of a set, judged."""
    from deepen.watching.planted import windows

    world = world_of(name, options)
    judge, found = judges(world), []
    seen = judge("").seen
    own, damaged = seen(world.own), {kind: [seen(rows) for rows in many] for kind, many in world.damaged.items()}
    for one in windows(own, damaged, ROWS, each=2, shares=SHARES):
        estimator = judge(one.kind)
        said = estimator.estimate(one.rows)
        accuracy = float(one.rows.right_N.mean())
        found.append(Case(name, one.kind, estimator.accuracy - accuracy, accuracy, said.harm[0], said.accuracy))
    return found


def halved(found: list[Case], rng: np.random.Generator) -> list[Case]:
    """As many windows with harm as without."""
    parts = [[one for one in found if (one.loss >= 0.05) is harmed] for harmed in (True, False)]
    num = min(map(len, parts))
    return [part[at] for part in parts for at in rng.choice(len(part), num, replace=False)]


def precision(found: list[Case]) -> float:
    """At the recall that is asked for."""
    score_W, harmed_W = np.array([one.harm for one in found]), np.array([one.loss >= 0.05 for one in found])
    cut = np.quantile(score_W[harmed_W], 1 - RECALL, method="lower")
    return float(harmed_W[score_W >= cut].mean())


def harm_and_accuracy(prefix: str, found: list[Case], began: float) -> None:
    """The cells of harm and of estimated accuracy."""
    rng = np.random.default_rng(SEED)
    names = sorted({one.set for one in found})
    even = [one for name in names for one in halved([one for one in found if one.set == name], rng)]
    harmed_W, said_W = np.array([one.loss >= 0.05 for one in even]), np.array([one.harm >= 0.5 for one in even])
    kinds = {kind: [one for one in found if one.kind == kind] for kind in sorted({one.kind for one in found})}
    cells.write(
        f"{prefix}watch-harm",
        command=COMMAND,
        seed=SEED,
        value=precision(even),
        n=len(even),
        unit=f"precision at recall {RECALL}",
        must=0.75,
        base_rate=float(harmed_W.mean()),
        sets={name: precision([one for one in even if one.set == name]) for name in names},
        as_said={"precision": float(harmed_W[said_W].mean()), "recall": float(said_W[harmed_W].mean())},
        kinds={
            kind: {
                "windows": len(many),
                "harmed": sum(one.loss >= 0.05 for one in many),
                "said": sum(one.harm >= 0.5 for one in many),
                "both": sum(one.loss >= 0.05 and one.harm >= 0.5 for one in many),
            }
            for kind, many in kinds.items()
        },
        seconds=round(time.monotonic() - began, 1),
    )
    shifted = [one for one in found if one.kind != "none"]
    drawn = [shifted[at] for at in rng.choice(len(shifted), 40, replace=False)]

    def quality(many: list[Case]) -> dict[str, float]:
        return {
            "n": len(many),
            "mean_absolute_error": 100 * float(np.mean([abs(one.said[0] - one.accuracy) for one in many])),
            "covered": float(np.mean([one.said[1] <= one.accuracy <= one.said[2] for one in many])),
            "width": 100 * float(np.mean([one.said[2] - one.said[1] for one in many])),
        }

    cells.write(
        f"{prefix}watch-accuracy",
        command=COMMAND,
        seed=SEED,
        value=quality(drawn)["mean_absolute_error"],
        n=40,
        unit="points of accuracy, mean absolute error",
        must={"mean_absolute_error": 4, "covered": 0.9},
        **{key: value for key, value in quality(drawn).items() if key in ("covered", "width")},
        all_windows=quality(shifted),
        sets={name: quality([one for one in shifted if one.set == name]) for name in names},
        seconds=round(time.monotonic() - began, 1),
    )


def labelled(prefix: str, names: list[str], options) -> None:
    """The cell of 50 labels: windows that are 15 points less accurate than the held-out rows, and unchanged ones."""
    from deepen.watching.labelling import to_label, verdict
    from deepen.watching.rows import joined

    began, rng, told = time.monotonic(), np.random.default_rng(SEED), []
    for name in names:
        world = world_of(name, options)
        before, own = world.reference.right_N.mean(), world.own
        now = own.right_N.mean()
        spoilt = [rows for many in world.damaged.values() for rows in many if rows.right_N.mean() < before - 0.15]
        failing = [((now - before + 0.15) / (now - rows.right_N.mean()), rows) for rows in spoilt]
        for number in range(CASES // len(names)):
            harmed = number % 2 == 0
            share, rows = failing[number // 2 % len(failing)] if harmed else (0.0, own)
            bad = rng.random(ROWS) < share
            at = rng.choice(len(own), ROWS)
            window = joined([own.take(at[~bad]), rows.take(at[bad])])
            wrong = ~window.right_N[to_label(window)]
            said = verdict(int(wrong.sum()), len(wrong), float(before))
            told.append((name, harmed, said.harm, said.error[1] <= 1 - window.right_N.mean() <= said.error[2]))
    harmed_W, said_W, within_W = np.array([one[1:] for one in told]).T
    right_W = harmed_W == said_W
    cells.write(
        f"{prefix}watch-labels",
        command=COMMAND,
        seed=SEED,
        value=float(right_W.mean()),
        n=len(told),
        unit="share of verdicts that are right",
        must=0.9,
        found=float(said_W[harmed_W].mean()),
        sets={name: float(right_W[[one[0] == name for one in told]].mean()) for name in names},
        held_out_accuracy={name: float(world_of(name, options).reference.right_N.mean()) for name in names},
        false_alarms=float(said_W[~harmed_W].mean()),
        true_error_between_the_bounds=float(within_W.mean()),
        seconds=round(time.monotonic() - began, 1),
    )


def new_intents(prefix: str, options) -> None:
    """The cell of new intents: each is 3 % of traffic that is else known."""
    from deepen.watching.budget import Watcher
    from deepen.watching.kept import reference_of
    from deepen.watching.reading import open_watched
    from deepen.watching.shown import telling_rows

    began = time.monotonic()
    run, pool, new = watched.new_intents(options)
    opened = open_watched(run, print)
    reference = reference_of(opened)
    half = len(new) // 2
    names = list(new)[:half] if prefix.startswith("dev-") else list(new)[half:]
    rows = [*pool[: TRAFFIC - NEW], *(row for name in names for row in new[name][:NEW])]
    answered = opened.file(watched.write(options.work / "intents" / f"{prefix}traffic.csv", rows), None)
    watcher = Watcher(reference, TRAFFIC)
    seen, rng = watcher.view(answered), np.random.default_rng(SEED)
    found, labels = {}, np.array([label for _, label in rows])
    intent = dict(zip(answered.ids, labels, strict=True))
    for name in names:
        at = rng.permutation(np.r_[: TRAFFIC - NEW, np.flatnonzero(labels == name)])
        shown = telling_rows(reference, answered.take(at))
        found[name] = {
            "p_value": watcher.judge(seen, at).p_value,
            "of_20_shown": sum(intent[one] == name for one in shown),
        }
    values = list(found.values())
    cells.write(
        f"{prefix}watch-new-intent",
        command=COMMAND,
        seed=SEED,
        value=float(np.mean([one["p_value"] <= 0.05 for one in values])),
        n=len(names),
        unit="share of new intents with an alarm by a window of 2,000 rows",
        must={"rows": 2000, "of_20_shown": 10},
        half_shown=float(np.mean([one["of_20_shown"] >= 10 for one in values])),
        intents=found,
        seconds=round(time.monotonic() - began, 1),
    )


if __name__ == "__main__":
    made = cells.parser(__doc__)
    made.add_argument("--models", type=Path, required=True, help="the folder with the pretrained models")
    made.add_argument("--rungs", default="lexical,frozen", help="of the runs that are watched")
    made.add_argument("--sets", help="only these, with commas")
    chosen = made.parse_args()
    deepest = chosen.rungs.split(",")[-1]
    for start, own in ((f"dev-{deepest}-", True), (f"{deepest}-", False)):
        names = [one for one in watched.harm_sets(chosen) if (one in DEV) is own]
        names = [one for one in names if chosen.sets is None or one in chosen.sets.split(",")]
        if names and cells.wanted(f"{start}watch-harm", chosen):
            began = time.monotonic()
            harm_and_accuracy(start, [one for name in names for one in cases(name, chosen)], began)
        if names and cells.wanted(f"{start}watch-labels", chosen):
            labelled(start, names, chosen)
        if cells.wanted(f"{start}watch-new-intent", chosen):
            new_intents(start, chosen)
