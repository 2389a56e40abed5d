"""Failures planted in the run's held-out rows: windows that go wrong in a known way, with what is right.

Kinds that damage texts are in `data/corruptions/`. The others choose rows, or take a label away: another mix of labels,
one topic that takes over, and a class that the model does not know.

Shape legend: N rows, C labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from deepen.core.seed import derive
from deepen.data.altered import altered
from deepen.data.corruptions import Corruption, shelf
from deepen.data.table import Part
from deepen.watching.reading import Watched
from deepen.watching.rows import Rows, joined
from deepen.watching.signals import squeezed

STRENGTHS = (0.4, 1.0)
SHARES = (0.1, 0.3, 0.6, 1.0)
_TOPICS = 6


@dataclass(frozen=True)
class Planted:
    """A window with a planted failure."""

    kind: str
    rows: Rows


def spoilt(
    watched: Watched,
    part: Part,
    own: Rows,
    *,
    corruptions: Mapping[str, Corruption] | None = None,
    strengths: Sequence[float] = STRENGTHS,
) -> dict[str, list[Rows]]:
    """What the run says of held-out rows whose texts were damaged, by kind, one entry a strength.

    Args:
        part: Held-out rows as inputs.
        own: The same rows undamaged, with targets.
        corruptions: By name; all of the shelf unless said.
    """
    found: dict[str, list[Rows]] = {}
    for kind, corruption in (corruptions or shelf()).items():
        for strength in strengths:
            rng = np.random.default_rng(derive(0, "planted", kind, str(strength)))
            names = part.table.texts
            changed = {
                name: [corruption.change(str(text), strength, rng) for text in part.values(name)] for name in names
            }
            said = watched.answered(altered(part, changed))
            found.setdefault(kind, []).append(replace(said, targets_N=own.targets_N))
    return found


def windows(
    own: Rows, damaged: dict[str, list[Rows]], window_rows: int, *, each: int = 4, shares: Sequence[float] = SHARES
) -> Iterator[Planted]:
    """Windows of every kind, and clean ones under the kind `none`.

    Args:
        own: Held-out rows with targets.
        damaged: The same rows, as `spoilt` gives them.
        each: How many windows of a kind, a strength and a share of failing rows.
        shares: Of rows that fail.
    """
    rng = np.random.default_rng(derive(0, "windows"))
    places_NF = None if own.states_NF is None else squeezed(own.states_NF, 16)(own.states_NF)

    def drawn(rows: Rows, num: int, weights_N: np.ndarray | None = None) -> Rows:
        return rows.take(rng.choice(len(rows), num, p=weights_N))

    for _ in range(4 * each):
        yield Planted("none", drawn(own, window_rows))
    for share in shares:
        bad = max(1, round(share * window_rows))
        for _ in range(each):
            for kind, strengths in damaged.items():
                for rows in strengths:
                    yield Planted(kind, _mixed(drawn(own, window_rows - bad), drawn(rows, bad)))
            yield Planted("label_shift", drawn(own, window_rows, _tilted(own, share, rng)))
            if places_NF is not None:
                topic = drawn(own, bad, _one_topic(places_NF, rng))
                yield Planted("topic", _mixed(drawn(own, window_rows - bad), topic))
            if own.probabilities_NC.shape[1] > 3:
                yield Planted("new_class", _with_new_class(own, share, window_rows, rng))


def _mixed(one: Rows, other: Rows) -> Rows:
    return joined([part for part in (one, other) if len(part)])


def _tilted(own: Rows, share: float, rng: np.random.Generator) -> np.ndarray:
    """Weights under which some labels come much more often than others."""
    num_labels = own.probabilities_NC.shape[1]
    weight_C = (1 - share) + share * rng.dirichlet(np.full(num_labels, 0.3)) * num_labels
    weights_N = weight_C[np.maximum(own.targets_N if own.targets_N is not None else own.answers_N, 0)]
    return np.asarray(weights_N / weights_N.sum())


def _one_topic(places_NF: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Weights of the rows around one of them, as the model sees rows."""
    far_N = np.linalg.norm(places_NF - places_NF[rng.integers(len(places_NF))], axis=1)
    near_N = far_N <= np.quantile(far_N, 1 / _TOPICS)
    return np.asarray(near_N / near_N.sum())


def _with_new_class(own: Rows, share: float, num: int, rng: np.random.Generator) -> Rows:
    """Rows of a label that is struck from the answers, among the others: the model does not know their class."""
    targets_N = np.asarray(own.targets_N)
    label = int(rng.choice(targets_N))
    new = np.flatnonzero(targets_N == label)
    old = np.flatnonzero(targets_N != label)
    bad = max(1, round(share * num))
    rows = own.take(np.concatenate([rng.choice(old, num - bad), rng.choice(new, bad)]))

    def without(probabilities_NC: np.ndarray) -> np.ndarray:
        left_NC = probabilities_NC.copy()
        left_NC[..., label] = 0
        return np.asarray(left_NC / np.maximum(left_NC.sum(-1, keepdims=True), 1e-9))

    cheaper = None if rows.cheaper_RNC is None else without(rows.cheaper_RNC)
    return replace(rows, probabilities_NC=without(rows.probabilities_NC), cheaper_RNC=cheaper)
