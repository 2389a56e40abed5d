"""The records that flow between the stages. Plain frozen data: no record knows how it was made or where it goes.

Example -> tokens -> batch -> Outputs -> Prediction -> Score -> Finding. `to_json` turns any of them into the form that
docs/reference/records.md promises to other programs.

Shape legend: N examples, M units, C outputs of a unit.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from deepen.core import html
from deepen.core.language import told


@dataclass(frozen=True, slots=True)
class Example:
    """One row of data: named inputs and a target. `id` is a hash of the content, so it survives reordering."""

    id: str
    inputs: dict[str, Any]
    target: Any = None
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a model computed for N examples, before decoding: C logits for each of M units.

    A unit is what gets one decision: the example itself in classification, a word in tagging. Unit j of example i is
    row `offsets_N1[i] + j` of `values_MC`. Logits are calibrated: softmax gives the probabilities a user sees.
    """

    values_MC: np.ndarray
    offsets_N1: np.ndarray

    def __len__(self) -> int:
        """The number of examples, N."""
        return len(self.offsets_N1) - 1

    @property
    def is_finite(self) -> bool:
        """Whether they are numbers, all of them."""
        return bool(np.isfinite(self.values_MC).all())

    @property
    def width(self) -> int:
        """C: how many logits a unit has."""
        return int(self.values_MC.shape[1])

    def calibrated(self, temperature: float, shift_C: np.ndarray | float = 0.0) -> Outputs:
        """The same with logits divided and shifted."""
        return Outputs((self.values_MC / temperature + shift_C).astype(np.float32), self.offsets_N1)

    def arrays(self) -> dict[str, np.ndarray]:
        """What is kept of them in a file."""
        return {"values": self.values_MC, "offsets": self.offsets_N1}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Reads them again; ValueError if they do not fit together."""
        found = cls(arrays["values"], arrays["offsets"])
        if len(found.values_MC) != found.offsets_N1[-1] or not found.is_finite:
            raise ValueError("it holds other numbers than were saved")
        return found


@dataclass(frozen=True, slots=True)
class Texts:
    """What a model wrote for N examples: the `Outputs` of a task whose answer is text.

    `sure_N` is the mean probability (geometric, over tokens) that the model gave what it wrote, NaN where it has none;
    `counts_N` the tokens that were generated, `stopped` why there are no more. `nats_N` is the log loss of the right
    answer and `scored_N` its tokens, both 0 where the right answer is not known or the model gives no probabilities.
    """

    texts: tuple[str, ...]
    sure_N: np.ndarray
    counts_N: np.ndarray
    stopped: tuple[str, ...]
    nats_N: np.ndarray
    scored_N: np.ndarray

    width = 0  # no logits

    def __len__(self) -> int:
        """The number of examples, N."""
        return len(self.texts)

    @property
    def is_finite(self) -> bool:
        """Whether its numbers are numbers."""
        return bool(np.isfinite(self.nats_N).all())

    def calibrated(self, temperature: float, shift_C: np.ndarray | float = 0.0) -> Texts:
        """The same: there are no logits."""
        return self

    def arrays(self) -> dict[str, np.ndarray]:
        """What is kept of them in a file."""
        words = {name: _as_bytes(getattr(self, name)) for name in ("texts", "stopped")}
        return words | {name: getattr(self, name) for name in ("sure_N", "counts_N", "nats_N", "scored_N")}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Reads them again; ValueError if they do not fit together."""
        texts, stopped = (tuple(json.loads(arrays[name].tobytes())) for name in ("texts", "stopped"))
        found = cls(texts, arrays["sure_N"], arrays["counts_N"], stopped, arrays["nats_N"], arrays["scored_N"])
        if {len(found.stopped), len(found.counts_N), len(found.nats_N)} != {len(found)} or not found.is_finite:
            raise ValueError("it holds other texts than were saved")
        return found


def _as_bytes(texts: tuple[str, ...]) -> np.ndarray:
    return np.frombuffer(json.dumps(texts).encode(), np.uint8)


def outputs_of(arrays: Mapping[str, np.ndarray]) -> Any:
    """`Outputs` or `Texts`, out of what `arrays` of either gave."""
    return (Texts if "texts" in arrays else Outputs).of_arrays(arrays)


@dataclass(frozen=True, slots=True)
class Prediction:
    """The only record of what a model said; evaluation, diagnosis, serving and monitoring read nothing else.

    `row` is the id that the source gives it, its file and its line. There is no output where `skipped` says why a row
    can't be answered, where `none_of_these` says that it looks like no label (None: not asked), and in a cascade where
    `answered_by`, the rung or layer, is None. `confidence` (as `sure_N`), `num_generated` and `stopped` are of `Texts`.
    """

    id: str
    output: Any
    rung: str
    inputs: dict[str, Any] | None = None
    target: Any = None
    probabilities: dict[str, float] | None = None
    entities: list[dict[str, Any]] | None = None
    num_tokens: int = 0
    truncated: bool = False
    seconds: float = 0.0
    row: dict[str, Any] | None = None
    skipped: str | None = None
    answered_by: str | None = None
    confidence: float | None = None
    num_generated: int | None = None
    stopped: str | None = None
    none_of_these: bool | None = None

    def __repr__(self) -> str:
        """The answer, how likely it is, and the beginning of what was read."""
        if self.skipped is not None:
            return f"Prediction(skipped={self.skipped!r})"
        said = f"Prediction({_short(self.output)!r}"
        if isinstance(self.output, str) and self.output in (self.probabilities or {}):
            said += f", {(self.probabilities or {})[self.output]:.3f}"
        given = " | ".join(map(str, (self.inputs or {}).values()))
        return f"{said}, {_short(given)!r}, rung={self.rung!r})"

    def _repr_html_(self) -> str:
        title = self.skipped or _short(" | ".join(map(str, (self.inputs or {}).values())), 300)
        rows = html.probabilities(self.probabilities or {}) or [[html.cell(self.output)]]
        return html.table(title, (), rows)


WRITTEN = ("confidence", "num_generated", "stopped")
"""What a prediction has besides where its answer is text."""


@dataclass(frozen=True, slots=True)
class Score:
    """A number with its name, denominator and 95 % interval; `label` tells per-label scores apart, never the name.

    `signature` says how another program computes the same, where a score has many ways to be computed.
    """

    name: str
    value: float
    n: int
    low: float | None = None
    high: float | None = None
    unit: str = "fraction"
    label: str | None = None
    higher_is_better: bool = True
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class Interval:
    """A difference with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Finding:
    """An answer of the diagnosis: an observed score beside its control, a verdict, the evidence and a remedy."""

    question: str
    verdict: str
    observed: Score | None
    control: Score | None
    effect: Interval | None
    p_value: float | None
    evidence: list[Any]
    examples: list[str]
    caveat: str
    remedy: str


@dataclass(frozen=True, slots=True)
class WordShare:
    """A word of a text and what it adds to the logit of an answer; below 0 it speaks against it."""

    start: int
    end: int
    text: str
    value: float


@dataclass(frozen=True, slots=True)
class RungAnswer:
    """What one rung says at the place of an answer, with its calibrated confidence; None where it has no answer."""

    rung: str
    output: str | None
    confidence: float | None
    same: bool


@dataclass(frozen=True, slots=True)
class Analogy:
    """A training row near an answer, as the deciding model sees it; `start` and `end` mark the word that is near."""

    id: str
    text: str
    label: str
    similarity: float
    agrees: bool
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class ExplainedAnswer:
    """One answer of a row and what speaks for it.

    `total` is what the values of `words` should add up to, and `error` by how much they miss it, in logits: the
    answer's less that of a text without words. Both are None where words are left out one by one.
    """

    output: str
    confidence: float
    start: int | None
    end: int | None
    depth: str | None
    rungs: list[RungAnswer]
    method: str
    words: list[WordShare]
    total: float | None
    error: float | None
    analogies: list[Analogy]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a row got its answers; `sure` is the confidence that `depth` asks for, `notes` say what could not be had."""

    id: str
    rung: str
    sure: float
    answers: list[ExplainedAnswer]
    notes: list[str]

    def _repr_html_(self) -> str:
        notes = (f"<p>{html.cell(told(note))}</p>" for note in self.notes)
        return "".join([*map(_explained, self.answers), *notes])


def _explained(answer: ExplainedAnswer) -> str:
    """Words coloured by what they add, the rungs with their answers, and the most similar training rows."""
    most = max((abs(word.value) for word in answer.words), default=0.0) or 1.0
    words = " ".join(html.tinted(word.text, word.value / most) for word in answer.words)
    rungs = [
        [html.cell(one.rung), html.cell(one.output), "" if one.confidence is None else html.bar(one.confidence)]
        for one in answer.rungs
    ]
    near = [
        [html.cell(one.label), html.cell(one.similarity), html.cell(_short(one.text, 200))] for one in answer.analogies
    ]
    sure = "" if answer.confidence is None else f" {answer.confidence:.3f}"
    depth = f", depth: {answer.depth}" if answer.depth else ""
    return (
        html.table(f"{answer.output}{sure}{depth}", (), [[words]])
        + html.table("rungs", ("rung", "says", "confidence"), rungs)
        + (html.table("most similar training rows", ("label", "similarity", "text"), near) if near else "")
    )


def _short(value: Any, most: int = 60) -> Any:
    return value if not isinstance(value, str) or len(value) <= most else value[: most - 3] + "..."


@dataclass(frozen=True, slots=True)
class LossSum:
    """A loss that can't be averaged wrongly: the total in nats travels with its count."""

    total: Any
    count: float


_OPTIONAL = {
    *("inputs", "target", "probabilities", "entities", "row", "skipped", "answered_by", "none_of_these"),
    *("confidence", "num_generated", "stopped", "signature"),
}


def to_json(record: Any) -> dict[str, Any]:
    """A record as the dictionary other programs rely on; absent parts of a Prediction or Score are left out."""
    if isinstance(record, Prediction) and record.skipped is not None:
        return {"row": record.row, "skipped": record.skipped}
    out: dict[str, Any] = {}
    for item in dataclasses.fields(record):
        value = getattr(record, item.name)
        if value is None and isinstance(record, Prediction | Score) and item.name in _OPTIONAL:
            continue
        out[item.name] = _plain(value)
    return out


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return to_json(value) if dataclasses.is_dataclass(value) else value


@dataclass(frozen=True, slots=True)
class Targets:
    """What is right for M units, as numbers: the index of a label (-100 is not scored), or a score (NaN is not).

    Where a unit has any number of labels, `labels_M` has a row of zeros and ones for it, a column a label. Offsets are
    as in `Outputs`. `weights_M` is how much each unit counts where a shallow model learns; None: all the same.
    """

    labels_M: np.ndarray
    offsets_N1: np.ndarray
    weights_M: np.ndarray | None = field(default=None, kw_only=True)

    @property
    def scored_M(self) -> np.ndarray:
        """Which units are scored."""
        if self.labels_M.ndim == 2:
            return np.ones(len(self.labels_M), bool)
        return ~np.isnan(self.labels_M) if self.labels_M.dtype.kind == "f" else self.labels_M >= 0

    def __len__(self) -> int:
        """The number of examples, N."""
        return len(self.offsets_N1) - 1


@dataclass(frozen=True, slots=True)
class TextTargets:
    """What is right for N examples whose answer is text: one or more references each, beside what they answer."""

    sources: tuple[str, ...]
    references: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        """The number of examples, N."""
        return len(self.sources)


@dataclass(frozen=True, slots=True)
class Sequences:
    """Token ids of a few examples, end to end, special tokens included.

    An example is one sequence, or several windows on a long text: `sequence_counts_B` says how many (None: one each),
    and `lengths_B` then has one entry a sequence.

    T is the number of tokens of all B examples. `segments_T` numbers the parts of a pair (None: all 0). `units_M` says
    where each unit's token stands among its example's tokens, `unit_counts_B` how many units each example has (None:
    the example is its only unit and has no token of its own). `truncated_B` marks what was cut.
    """

    ids_T: np.ndarray
    lengths_B: np.ndarray
    truncated_B: np.ndarray
    segments_T: np.ndarray | None = None
    units_M: np.ndarray | None = None
    unit_counts_B: np.ndarray | None = None
    sequence_counts_B: np.ndarray | None = None
