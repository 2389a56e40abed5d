"""What a task is: a value with functions. Rungs, ladder and loop know this shape and no task by name.

Shape legend: N examples, M units, C outputs of a unit, K sums of a score.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np

from deepen.core.errors import SettingError
from deepen.core.ladder import Shown
from deepen.core.settings import Settings
from deepen.core.types import Outputs, Score, Sequences, Targets
from deepen.data.columns import Need
from deepen.data.source import Source
from deepen.data.table import Part
from deepen.data.tokens import Encode
from deepen.models.head import Head
from deepen.problem.target import CLASS, Target

if TYPE_CHECKING:
    from deepen.models.network import Network


class Predictor(Protocol):
    """A trained model of any rung, as the ladder sees it."""

    @property
    def num_parameters(self) -> int:
        """How many numbers were learned."""

    def predict(self, part: Part) -> Outputs:
        """The logits of a part's units."""

    def calibrate(self, temperature: float, shift_C: np.ndarray | float = 0.0) -> None:
        """Divides every later logit and adds a shift; folded into the weights, so that it is saved with them."""

    def save(self, folder: Path) -> None:
        """Writes the model as safetensors and JSON into a new folder."""


@dataclass(frozen=True)
class Shallow:
    """A shallow model of a task: how it is fitted and how it is read again.

    `fit(part, targets, num_outputs, settings, seed)` returns a predictor; `load(folder)` the one that was saved.
    """

    fit: Callable[[Part, Targets, int, Any, int], Predictor]
    load: Callable[[Path], Predictor]


class Reader(Protocol):
    """A network that reads rows in a form, as the form itself sees it; `kept` holds arrays that go with the model."""

    labels: tuple[str, ...]
    kept: dict[str, np.ndarray]

    @property
    def network(self) -> Network | None:
        """None where it is a graph that was exported."""

    def encode(self, columns: dict[str, list[Any]]) -> Sequences:
        """Named inputs to token sequences."""

    def logits(self, part: Part, frozen: Any = None) -> Outputs:
        """The logits of a part's units; `frozen` holds what is known of its table below the trained layers."""

    @property
    def text_width(self) -> int:
        """How many numbers the vector of one of a row's two texts has."""

    def texts(self, part: Part, side: Literal[0, 1], frozen: Any = None) -> np.ndarray:
        """The vector of each row's first or second text; how well two texts fit is their product."""


@dataclass(frozen=True)
class Form:
    """How rows are encoded, and which head reads them.

    Attributes:
        encoder: Makes the function that turns rows into token sequences, for a tokenizer and a longest sequence.
        head: How hidden states become logits, unless a setting says otherwise.
        about: What it was made of, where that is not the task alone: it is saved with the model.
        called: How a message says what a rung reads in it.
        answer: A reader, rows and what is known of their table to outputs.
        keep: Writes what belongs to a reader besides its network into its folder.
        reopen: Reads that again.
    """

    encoder: Callable[[Any, int], Encode]
    head: Head
    about: Mapping[str, Any] = field(default_factory=dict)
    called: str = "rows in another form"
    answer: Callable[[Reader, Part, Any], Outputs] = lambda reader, part, frozen: reader.logits(part, frozen)
    keep: Callable[[Reader, Path], None] = lambda reader, folder: None
    reopen: Callable[[Reader, Path], None] = lambda reader, folder: None


@dataclass(frozen=True)
class Claim:
    """Why a table looks like one for a task, and how sure that is, in (0, 1]; the surest task gets it."""

    strength: float
    reason: str


class Decider(NamedTuple):
    """A score that can decide in place of the usual one: `statistics`, `value_of` and `shift` are as in `Task`."""

    statistics: Callable[[Outputs, Targets], np.ndarray]
    value_of: Callable[[np.ndarray], np.ndarray]
    shift: Callable[[Outputs, Targets], np.ndarray] | None


@dataclass(frozen=True)
class Decision:
    """One answer of a row that can be explained by itself.

    Attributes:
        row: Which row of the part.
        output: The answer.
        confidence: Its calibrated probability.
        unit: The unit whose logit won, counted from the row's first.
        logit: Which of its logits that is.
        start: Where the answer starts in the row's text; None if it is about the whole row.
        end: Where it ends.
    """

    row: int
    output: str
    confidence: float
    unit: int
    logit: int
    start: int | None = None
    end: int | None = None


Places = list[tuple[int, int]]


@dataclass(frozen=True)
class Explainable:
    """How the answers of a task are taken apart.

    Attributes:
        decisions: Outputs, rows and labels to the answers in them, in order.
        words: A part of one row to the places of the words in its text.
        owners: Tokenizer, longest sequence and a part of one row to the places of its words, and the word of each of
            the tokens that `encoder` makes of it, -1 for a special token.
        without: A part of one row and places of words to a part of as many rows, each with one of the words hidden and
            the units where they were.
    """

    decisions: Callable[[Outputs, Part, Sequence[str]], list[Decision]]
    words: Callable[[Part], Places]
    owners: Callable[[Any, int, Part], tuple[Places, np.ndarray]]
    without: Callable[[Part, Places], Part]


@dataclass(frozen=True)
class Writes:
    """How a model is asked for an answer that is text.

    Attributes:
        prompts: What a decoder reads, by the language of the rows, with {source} in it.
        prefixes: What an encoder-decoder reads, by its `model_type`; others read the source alone.
        turns: Whether a source is the turns of a conversation, of which the answer is the next.
        floor: What the rung `majority` says, in words.
    """

    prompts: Mapping[str, str]
    prefixes: Mapping[str, str] = field(default_factory=dict)
    turns: bool = False
    floor: str = ""


@dataclass(frozen=True)
class Task:
    """A task, described by what differs between tasks and nothing else.

    Attributes:
        name: As on the command line.
        needs: The columns it looks for; the one named `label` is the target.
        recognise: Whether a table whose columns are known looks like one for this task.
        form: How rows are encoded and which head reads them.
        labels: The label table of the training rows; raises DataError if the task can't be learned from them.
        check: Checks other rows against the label table; raises DataError.
        targets: Rows to label indices.
        losses: logits_MC, labels_M to losses_M, in nats.
        margins: logits_MC, labels_M to margins_M: the right answer's lead over the best wrong one, in probability.
        score_name: The score that decides.
        statistics: Outputs and targets to sums_NK, from which `value_of` computes the deciding score.
        value_of: sums_BK to values_B.
        scores: Outputs, targets, labels, seed to every score of the task.
        decode: Outputs, rows and labels to one dictionary an example: `output`, `probabilities`, `entities`.
        baseline: The rung `majority`.
        lexical: The rung `lexical`.
        explain: How its answers are taken apart; None where `deepen predict --explain` does not know how.
        settings: What was chosen about it, if anything can be.
        configured: Other settings of that class to the task as they want it.
        deep: A more expensive form of the rows for rungs that read it (`Rung.deep_form`), which then start from the
            pretrained encoder.
        shift: Calibrated outputs and targets of held-out rows to what is added to later logits, where a decision is one
            against a threshold and not against another logit.
        adapted: The task for a label table, where that decides what is to be learned: a label, or a score.
        target: What is right for a unit.
        head_size: How many logits a head of a network is made for.
        num_outputs: How many logits a unit of a part has.
        pieces: Rows as they are answered at once, so that their outputs fit into memory.
        fixed: Whether the label table holds all that is ever right.
        answered_in: The input whose words are the answers.
        prompts: The section of prompting/prompts.yaml about it, if a pretrained model can be asked for a row's one
            label.
        shown: How report and card show its rows and answers.
        unread: Names of columns that a person may think are read, and are not.
        deciders: Other scores that may decide (`ladder.decide_by`), by their names.
        writes: How a model is asked for an answer that is text; None where answers are units with logits.
        doubts: Outputs to sentences on what makes them doubtful, whoever made them.
    """

    name: str
    needs: tuple[Need, ...]
    recognise: Callable[[Source], Claim | None]
    form: Form
    labels: Callable[[Part, Any], tuple[str, ...]]
    check: Callable[[Part, tuple[str, ...]], None]
    targets: Callable[[Part, tuple[str, ...]], Targets]
    losses: Callable[[Any, Any], Any]
    margins: Callable[[Any, Any], Any]
    score_name: str
    statistics: Callable[[Outputs, Targets], np.ndarray]
    value_of: Callable[[np.ndarray], np.ndarray]
    scores: Callable[[Outputs, Targets, Sequence[str], int], list[Score]]
    decode: Callable[[Outputs, Part, Sequence[str]], list[dict[str, Any]]]
    baseline: Shallow
    lexical: Shallow
    explain: Explainable | None = None
    settings: Settings | None = None
    configured: Callable[[Any], Task] | None = None
    deep: Form | None = None
    shift: Callable[[Outputs, Targets], np.ndarray] | None = None
    adapted: Callable[[tuple[str, ...]], Task] | None = None
    target: Target = CLASS
    head_size: Callable[[tuple[str, ...]], int] = len
    num_outputs: Callable[[Part, tuple[str, ...]], int] = lambda part, labels: len(labels)
    pieces: Callable[[Part, tuple[str, ...]], list[Part]] = lambda part, labels: [part]
    fixed: bool = True
    answered_in: str | None = None
    prompts: str | None = None
    shown: Shown = field(default_factory=Shown)
    unread: tuple[str, ...] = ()
    deciders: Mapping[str, Decider] = field(default_factory=dict)
    writes: Writes | None = None
    doubts: Callable[[Any], list[str]] = lambda outputs: []

    def decided_by(self, name: str | None) -> Task:
        """The task with another score deciding between rungs and when a training ends.

        Args:
            name: The score; None leaves it as it is.

        Raises:
            SettingError: If that score can't decide here.
        """
        if name is None or name == self.score_name:
            return self
        if name not in self.deciders:
            known = [self.score_name, *self.deciders]
            raise SettingError(f"ladder.decide_by={name}: {self.name} is decided by {' or '.join(known)}")
        found = self.deciders[name]
        return replace(self, score_name=name, statistics=found.statistics, value_of=found.value_of, shift=found.shift)

    def calibrated(self, outputs: Outputs, targets: Targets) -> tuple[Outputs, float, np.ndarray | float]:
        """Outputs of held-out rows with the temperature and the shift by which they become probabilities."""
        temperature = self.target.temperature(outputs, targets)
        outputs = outputs.calibrated(temperature)
        if self.shift is None:
            return outputs, temperature, 0.0
        shift_C = self.shift(outputs, targets)
        return outputs.calibrated(1.0, shift_C), temperature, shift_C

    def for_labels(self, labels: tuple[str, ...]) -> Task:
        """The task as these labels need it."""
        return self.adapted(labels) if self.adapted is not None else self

    @property
    def one_label(self) -> bool:
        """Whether a row has one label of the table, and nothing else."""
        return self.target.is_class and not self.form.head.is_units

    @property
    def inputs(self) -> tuple[str, ...]:
        """The named inputs."""
        return tuple(need.name for need in self.needs if need.name != "label")

    def score(self, outputs: Outputs, targets: Targets) -> float:
        """The deciding score of these outputs, without an interval."""
        return float(self.value_of(self.statistics(outputs, targets).sum(0, keepdims=True))[0])
