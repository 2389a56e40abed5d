"""The ladder of a run: one row a rung, the chosen one, the scores. The climb writes it, all others read it.

ladder.json is a dump of `Ladder` and nothing else. What a file of another release has besides is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NotRequired, Self, TypedDict

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from deepen.core.errors import DataError, SettingError
from deepen.core.files import plain, read_object
from deepen.core.settings import parse


class ScoreRecord(TypedDict):
    """A score as JSON has it, in every record (docs/reference/records.md): a fraction, or what its unit says."""

    name: str
    value: float
    n: int
    low: NotRequired[float | None]
    high: NotRequired[float | None]
    unit: NotRequired[str]
    label: NotRequired[str | None]
    higher_is_better: NotRequired[bool]
    signature: NotRequired[str]


class GainRecord(TypedDict):
    """A difference of two scores with its 95 % interval, as JSON has it."""

    value: float
    low: float
    high: float


class _Gain(BaseModel, strict=True):
    value: float
    low: float
    high: float


class _Score(BaseModel, strict=True):
    name: str
    value: float
    n: int
    low: float | None = None
    high: float | None = None
    label: str | None = None


def _like(kind: type[BaseModel]) -> AfterValidator:
    """Checks a JSON object against a schema and leaves it as it is (before Python 3.12 pydantic takes no TypedDict)."""

    def check(value: Any) -> Any:
        kind.model_validate(value)
        return value

    return AfterValidator(check)


class Record(BaseModel):
    """A part of ladder.json. Frozen; it is written in the order in which its fields were given, unknown ones last."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow")

    @model_validator(mode="wrap")
    @classmethod
    def _in_order(cls, given: Any, check: Callable[[Any], Self]) -> Self:
        made = check(given)
        if isinstance(given, Mapping):
            names = {field.alias or name: name for name, field in cls.model_fields.items()}
            values = dict(made.__dict__)
            made.__dict__.clear()
            made.__dict__.update({names[key]: values[names[key]] for key in given if key in names} | values)
        return made

    def __getitem__(self, key: str) -> Any:
        """A value as the file has it: scripts of 0.1 read `run.ladder["rungs"]`. Deepen itself reads attributes."""
        return self.dump()[key]

    def get(self, key: str, default: Any = None) -> Any:
        """As `[key]`, with something else for what the file has not."""
        return self.dump().get(key, default)

    def but(self, changes: Mapping[str, Any]) -> Self:
        """The same with some fields changed."""
        if unknown := changes.keys() - type(self).model_fields.keys():
            raise TypeError(f"{type(self).__name__} has no field {unknown}")
        return self.model_copy(update=changes)

    def dump(self) -> dict[str, Any]:
        """What the file has of it: the fields that were given."""
        try:
            return self.model_dump(mode="json", exclude_unset=True, by_alias=True, fallback=plain)
        except ValueError as error:  # pydantic's own, which hides what a function of ours raised
            if "KeyboardInterrupt" in str(error):  # Ctrl-C in the middle of it is no fault of the record
                raise KeyboardInterrupt from None
            raise


class RowState(StrEnum):
    """What became of a rung: `stopped` has a model, as `done` has, but its training was cut short."""

    DONE = "done"
    STOPPED = "stopped"
    SKIPPED = "skipped"
    FAILED = "failed"


class Stage(StrEnum):
    """What a climb does with a rung, as ladder.json says it before a name; a first training is the name alone."""

    FIRST = ""
    AGAIN = "self-training "
    TEACHER = "refit the teacher"
    REFIT = "refit"


@dataclass(frozen=True)
class UnderWay:
    """Where an unfinished climb stands: the stage, and the rung where more than one may be in it."""

    stage: Stage
    rung: str = ""

    def __str__(self) -> str:
        return f"{self.stage}{self.rung}"


def _under_way(value: Any) -> Any:
    """What ladder.json says of where the climb stands, as `UnderWay`."""
    if not isinstance(value, str):
        return value
    if value in (Stage.TEACHER, Stage.REFIT):
        return UnderWay(Stage(value))
    stage = Stage.AGAIN if value.startswith(Stage.AGAIN) else Stage.FIRST
    return UnderWay(stage, value.removeprefix(stage))


_Loose = Field(strict=False)  # JSON has no tuples and no enums
if TYPE_CHECKING:
    _AScore = ScoreRecord
    _AGain = GainRecord
else:
    _AScore = Annotated[dict[str, Any], _like(_Score)]
    _AGain = Annotated[dict[str, Any], _like(_Gain)]
_Scores = Annotated[tuple[_AScore, ...], _Loose]
_Strings = Annotated[tuple[str, ...], _Loose]


class SelfTrained(Record):
    """What came of a rung's second training, on rows that a teacher labelled (`rows` of them were sure enough)."""

    threshold: float | None = None
    rows: int | None = None
    kept: bool = False
    gain: _AGain | None = None
    ran: dict[str, Any] | None = None
    temperature: float | None = None
    seconds: float | None = None


class LadderRow(Record):
    """A rung: what became of it, its score on the validation rows and its price, the gain over the best rung below."""

    rung: str
    status: Annotated[RowState, _Loose]
    reason: str = ""
    score: _AScore | None = None
    num_trained_parameters: int | None = None
    seconds_per_1000_predictions: float | None = None
    temperature: float | None = None
    validation: _Scores = ()
    read_by_others: bool = True
    opens_with: str | None = None
    won: dict[str, Any] | None = None
    network: str | None = None
    gain: _AGain | None = None
    ran: dict[str, Any] | None = None
    seconds: float | None = None
    forecast_seconds: float | None = None
    peak_memory_bytes: int | None = None
    self_trained: SelfTrained | None = None
    refitted: bool = False
    test: _Scores = ()
    """Only in runs of earlier releases."""

    @property
    def climbed(self) -> bool:
        """Whether it has a model."""
        return self.status in (RowState.DONE, RowState.STOPPED)

    @property
    def kept(self) -> bool:
        """Whether its model is that of its second training."""
        return self.self_trained is not None and self.self_trained.kept

    def because(self, sentence: str) -> LadderRow:
        """The row with a sentence added to its reason."""
        return self.but({"reason": f"{self.reason}; {sentence}" if self.reason else sentence})


class Data(Record):
    """The rows of a run: how many each part has, why each column is what it is, what was noticed.

    With `folds`, the validation rows are training rows too, and answered by models that have not learned from the row.
    """

    train: int | None = None
    validation: int | None = None
    test: int | None = None
    unlabelled: int | None = None
    folds: int | None = None
    name: str | None = None
    notes: Annotated[tuple[str, ...] | None, _Loose] = None
    warnings: Annotated[tuple[str, ...] | None, _Loose] = None
    columns: dict[str, Any] | None = None


class SelfTraining(Record):
    """The teacher of a climb with unlabelled rows: which rung, calibrated how, and how sure it must be."""

    teacher: str
    rows: int | None = None
    threshold: float | None = None
    temperature: float | None = None
    won: dict[str, Any] | None = None
    done: bool = False
    reason: str = ""


class Shown(Record):
    """How report and card show the rows and answers of a task.

    `example` is a row as it is typed, or its inputs if it has several; `pipeline` what hubs call the task; `noun` what
    the label table holds; `code` whether the card shows how other tools read `texts` or `words`; `encodes` whether
    sentence-transformers gives the logits; `confused` what of an answer may be taken for another: its `labels`, the
    kinds of its `tags`, whether there is one (`answered`), or nothing; `answer` what an answer is.
    """

    example: str | dict[str, str] = "a text"
    pipeline: str | None = None
    noun: str = "labels"
    code: Literal["texts", "words", ""] = ""
    encodes: bool = True
    confused: Literal["labels", "tags", "answered", ""] = "labels"
    answer: Literal["label", "many", "tags", "span", "document", "text"] = "label"


class Ladder(Record):
    """A climb, finished or not; `temperature` and `shift` (added to logits) calibrate the chosen rung."""

    version: int = Field(default=1, alias="schema")
    mark: str | None = None
    run: str | None = None
    task: str
    shown: Shown | None = None
    model: str | None = None
    tuning: str | None = None
    chosen: str | None = None
    cheapest_not_worse: str | None = None
    seconds: float = 0
    before: _AScore | None = None
    stop_reason: str = ""
    rungs: Annotated[tuple[LadderRow, ...], _Loose]
    test: _Scores = ()
    labels: _Strings = ()
    data: Data | None = None
    complete: bool | None = None
    under_way: Annotated[UnderWay | None, BeforeValidator(_under_way), PlainSerializer(lambda at: at and str(at))] = (
        None
    )
    under_way_seconds: float | None = None
    temperature: float | None = None
    shift: Any = None
    self_training: SelfTraining | None = None
    chosen_reason: str = ""
    refitted: bool = False
    refuses: bool = False
    """Whether the chosen rung tells rows of none of its labels, by what lies in `bounds`."""

    @property
    def unfinished(self) -> bool:
        """Whether there is more to climb; a file that does not tell is of a finished run."""
        return self.complete is False

    @property
    def none_held_out(self) -> bool:
        """Whether the chosen model has learned from the validation rows: refitted, or chosen by cross-validation."""
        return self.refitted or bool(self.data and self.data.folds)

    @property
    def chosen_row(self) -> LadderRow:
        """The row of the chosen rung; an empty one if no rung is finished."""
        return next((row for row in self.rungs if row.rung == self.chosen), LadderRow(rung="", status=RowState.SKIPPED))

    def row(self, rung: str) -> LadderRow:
        """The row of a rung that is there."""
        return next(row for row in self.rungs if row.rung == rung)

    def with_row(self, row: LadderRow) -> Ladder:
        """The ladder with a row in the place of its rung's, or on top."""
        there = any(old.rung == row.rung for old in self.rungs)
        rungs = tuple(row if old.rung == row.rung else old for old in self.rungs)
        return self.but({"rungs": rungs if there else (*self.rungs, row)})

    def dump(self) -> dict[str, Any]:
        """What ladder.json has of it; what is over is not in it any more."""
        over = {"under_way", "under_way_seconds"}
        return {key: value for key, value in super().dump().items() if value is not None or key not in over}


def read_ladder(path: Path) -> Ladder:
    """Reads ladder.json."""
    try:
        return parse(Ladder, read_object(path), where=f"{path} is damaged")
    except SettingError as error:
        raise DataError(str(error)) from None
