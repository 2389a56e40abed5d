"""The recipe: everything a person may choose for a climb, as one YAML file that is checked before anything runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, create_model, field_validator

from deepen.core.errors import SettingError, nearest
from deepen.core.files import write_text
from deepen.core.foreign import as_yaml
from deepen.core.recipe_file import SCHEMA
from deepen.core.settings import Settings, parse, parse_duration
from deepen.preparation.catalog import shelf, tasks, tunings
from deepen.preparation.data_section import DataSection
from deepen.preparation.none_of_these import NoneOfThese
from deepen.problem.base import ModelSettings
from deepen.reporting.language import CardSettings


class LadderSettings(Settings):
    """How high to climb."""

    rungs: tuple[str, ...] | None = None
    """Climb just these; None climbs until more depth stops paying."""
    worth: float = Field(default=0.5, ge=0, allow_inf_nan=False)
    """Points (hundredths of the score) that a trained rung must gain for the climb to go on above it."""
    decide_by: str | None = None
    """The score that decides between rungs and when a training ends, as macro_f1 where some labels are rare; None is
    the usual one of the task."""
    class_weights: Literal["balanced"] | None = None
    """`balanced` lets rows of rare labels count as much as those of common ones, for tasks of one label a row;
    probabilities are then too high for the rare ones."""
    recall: float | None = Field(default=None, gt=0, le=1)
    """Of two labels: cut the decision where so much of the rows of `positive` is found, with the best precision."""
    precision: float | None = Field(default=None, gt=0, le=1)
    """Of two labels: cut it where such a share of the answers `positive` is right, with the best recall."""
    positive: str | None = None
    """The label that `recall` or `precision` is about. Chosen on the validation rows and kept in the model, whose
    probabilities are then those of the decision: above 0.5 is `positive`."""
    fitted: float = Field(default=0.98, gt=0, le=1)
    """A solved head with this score on its own training rows leaves deeper rungs too little to learn, so the climb
    ends; 1 never ends it (docs/decisions/0008)."""
    thorough: bool = False
    """Climb to the top whatever the gains."""
    budget: str | None = None
    """Time for the whole climb, as in 90s, 5m or 1.5h; rungs that can't fit are skipped. None is no limit."""

    refit: bool = False
    """Train the chosen rung once more, on the validation rows too, before the test rows are scored. More rows to learn
    from, but nothing is left to judge that model by unless there are test rows."""

    @field_validator("rungs", mode="before", json_schema_input_type=tuple[str, ...] | str | None)
    @classmethod
    def _as_names(cls, value: Any) -> Any:
        return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value

    @field_validator("rungs")
    @classmethod
    def _known(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        _check_rungs(value)
        if value is not None and not value:
            raise ValueError("name at least one rung")
        return tuple(sorted(set(value), key=lambda name: shelf()[name].order)) if value else None

    @field_validator("budget", mode="before", json_schema_input_type=str | float | None)
    @classmethod
    def _as_seconds(cls, value: Any) -> Any:
        return f"{value}s" if isinstance(value, int | float) and not isinstance(value, bool) else value

    @field_validator("budget")
    @classmethod
    def _duration(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                parse_duration(value)
            except SettingError as error:
                raise ValueError(str(error)) from None
        return value


class SelfTraining(Settings):
    """How rungs learn from unlabelled rows, where `data.unlabelled` names some (docs/decisions/0022)."""

    thresholds: tuple[float, ...] = (0.7, 0.8, 0.9, 0.95)
    """Least probabilities that a label must have for its row to be learned from; the validation rows' loss chooses."""
    rungs: tuple[str, ...] | None = None
    """Rungs that learn again; None takes every one that was climbed and can. A recipe names those that did."""
    steps: dict[str, int] = Field(default_factory=dict)
    """Rungs that end after so many steps of the second training: how a recipe repeats one that was cut short."""

    @field_validator("thresholds")
    @classmethod
    def _probabilities(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not value or not all(0 <= one < 1 for one in value):
            raise ValueError("name at least one probability, from 0 up to but without 1")
        return tuple(sorted(set(value)))

    @field_validator("rungs")
    @classmethod
    def _known(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        _check_rungs(value)
        return value


def _check_rungs(names: tuple[str, ...] | None) -> None:
    for name in names or ():
        if name not in shelf():
            raise ValueError(f"unknown rung '{name}'; {nearest(name, shelf())}")


# what others call a task: what it is called here
_SCORES = (
    "a score is learned by a task of texts or of pairs: --task classification --set tasks.classification.target=score, "
    "or --task matching --set tasks.matching.target=score"
)
_CALLED = {
    **dict.fromkeys(("regression", "text_regression", "sts", "similarity"), _SCORES),
    **dict.fromkeys(("ner", "pos", "token_classification", "sequence_labeling"), "did you mean 'tagging'?"),
    **dict.fromkeys(("nli", "pairs", "paraphrase", "sentence_pair"), "did you mean 'matching'?"),
    **dict.fromkeys(("sentiment", "text_classification", "textcat", "intent"), "did you mean 'classification'?"),
    **dict.fromkeys(("multi_label", "multilabel_classification"), "did you mean 'multilabel'?"),
    **dict.fromkeys(("qa", "question_answering", "squad"), "did you mean 'span_qa'?"),
    **dict.fromkeys(("retrieval", "search", "triplets"), "did you mean 'ranking'?"),
}


class _Recipe(Settings):
    """A climb, as a person writes it; `rungs` has the settings of each rung by name."""

    data: DataSection = DataSection()
    """Where the rows are and how they are read."""
    task: str | None = None
    """What to learn; None infers it from the columns and says so."""
    model: ModelSettings = ModelSettings()
    """Which pretrained model, and how texts go into it."""
    tuning: str = "full"
    """Which numbers of the trained layers may change."""
    ladder: LadderSettings = LadderSettings()
    """How high to climb."""
    self_training: SelfTraining = SelfTraining()
    """How rungs learn from unlabelled rows."""
    none_of_these: NoneOfThese = NoneOfThese()
    """Whether rows that belong to none of the labels get no answer."""
    rungs: Any = None
    """The settings of each rung."""
    tasks: Any = None
    """The settings of each task that has any."""
    tunings: Any = None
    """The settings of each tuning."""
    card: CardSettings = CardSettings()
    """What the model card says of language and licence."""
    device: str = "auto"
    """Where networks run: `cpu`, `cuda`, `cuda:N` or `mps`; `auto` is a CUDA card, else `mps`, else the CPU. A finished
    run names the one that it took."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "float32"
    """In what the linear layers of `top_layers` and `full` multiply while they learn; `auto` measures for some seconds
    whether bfloat16, or float16 on older cards, is 1.1 times as quick. A finished run names what it took. Answers are
    always computed in float32."""
    seed: int = Field(default=0, ge=0)
    """The one number that all chance comes from."""

    @field_validator("task")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None and value not in tasks():
            said = _CALLED.get(value.lower().replace("-", "_"), nearest(value, tasks()))
            raise ValueError(f"unknown task '{value}'; {said}")
        return value

    @field_validator("tuning")
    @classmethod
    def _on_the_shelf(cls, value: str) -> str:
        if value not in tunings():
            raise ValueError(f"unknown tuning '{value}'; {nearest(value, tunings())}")
        return value


def _section(settings: type[Settings], about: str) -> Any:
    """A feature's settings as a field, which says what the feature is by the first line of its file."""
    return settings, Field(default=settings(), description=(about or "").partition("\n")[0])  # -OO leaves it out


@cache
def recipe_type() -> type[_Recipe]:
    """The recipe's class; the sections `rungs`, `tasks` and `tunings` have a field for each file with settings."""
    fields = {name: _section(rung.settings, rung.about) for name, rung in shelf().items()}
    section = create_model("RungsSection", __base__=Settings, __doc__="The settings of each rung.", **fields)
    chosen: dict[str, Any] = {
        name: (type(task.settings), task.settings) for name, task in tasks().items() if task.settings is not None
    }
    about = create_model("TasksSection", __base__=Settings, __doc__="The settings of each task.", **chosen)
    ways = {name: _section(way.settings, way.about) for name, way in tunings().items()}
    how = create_model("TuningsSection", __base__=Settings, __doc__="The settings of each tuning.", **ways)
    both: dict[str, Any] = {"rungs": (section, section()), "tasks": (about, about()), "tunings": (how, how())}
    return create_model("Recipe", __base__=_Recipe, __doc__=_Recipe.__doc__, **both)


Recipe = _Recipe


def make_recipe(values: Mapping[str, Any], *, where: str = "recipe") -> Recipe:
    """Checks a nested mapping as a recipe.

    Returns:
        The recipe, with every default filled in.

    Raises:
        SettingError: For an unknown key, rung or task, or a value that can't be.
    """
    given = {name: value for name, value in values.items() if value is not None}  # `data:` with nothing below it
    return parse(recipe_type(), _without_gone(given, where), where=where)


_GONE = {"easy_share": 1.0, "easy_from": None, "hard_rows": 1}
"""Settings of 0.1.0 whose ideas did not pay, with what switched them off (docs/decisions/0028)."""


def _without_gone(values: dict[str, Any], where: str) -> dict[str, Any]:
    """A recipe of 0.1.0 without the settings that are gone.

    Raises:
        SettingError: If one of them is switched on.
    """
    rungs = values.get("rungs")
    if not isinstance(rungs, dict):
        return values
    kept: dict[str, Any] = {}
    for rung, settings in rungs.items():
        kept[rung] = settings
        if isinstance(settings, dict):
            kept[rung] = {name: value for name, value in settings.items() if name not in _GONE}
            on = [name for name, off in _GONE.items() if off is not None and settings.get(name, off) != off]
            if on:
                raise SettingError(f"{where}: 'rungs.{rung}.{on[0]}' is gone, since it did not pay: leave it out")
    return {**values, "rungs": kept}


def recipe_schema() -> str:
    """The JSON Schema of a recipe: every setting with its default and why, for editors that complete and check."""
    return _schema(recipe_type())


@cache
def _schema(recipe: type[_Recipe]) -> str:
    return json.dumps(recipe.model_json_schema(), ensure_ascii=False, indent=1) + "\n"


def write_recipe(path: Path, recipe: Recipe) -> None:
    """Writes a recipe with every setting, as YAML that `read_recipe` takes, and its schema beside it."""
    values = recipe.model_dump(mode="json")
    text = as_yaml(values, flow=None, width=120)
    write_text(path, f"# yaml-language-server: $schema={SCHEMA}\n{text}")
    write_text(path.with_name(SCHEMA), recipe_schema())  # last: a run goes on without it
