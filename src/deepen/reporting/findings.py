"""What the diagnosis found, read from diagnosis.json and laid out by question for the page and the model card.

Any finding is shown without knowing its question; what is drawn for one question alone is in `strips.PICTURES`. Start
with `read_diagnosis`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from deepen.core.errors import DataError, SettingError
from deepen.core.files import read_object
from deepen.core.settings import parse
from deepen.reporting import strips, words
from deepen.reporting.evidence import Evidence, Examples, by_kind, find_examples, look_up, tell_apart

VERDICTS = ("shallow", "unclear", "deep", "not_applicable")
"""From the one that a reader must see to the one that says nothing."""
_MOST_FINDINGS = 40


class _Record(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)


class _Score(_Record):
    name: str
    value: float
    n: int
    low: float | None = None
    high: float | None = None


class _Effect(_Record):
    value: float
    low: float
    high: float


class _Finding(_Record):
    question: str
    verdict: Literal["shallow", "unclear", "deep", "not_applicable"]
    observed: _Score | None = None
    control: _Score | None = None
    effect: _Effect | None = None
    p_value: float | None = None
    evidence: list[Any] = []
    examples: list[str] = []
    caveat: str = ""
    remedy: str = ""


class _Diagnosis(_Record):
    """What is read of diagnosis.json; there may be more in it."""

    where: str
    n: int
    titles: dict[str, str] = {}
    findings: list[_Finding]


@dataclass(frozen=True, slots=True)
class Shown:
    """One finding, ready to be read; `name` tells it from the others of its question, `p_value` is empty if unknown."""

    name: str
    verdict: str
    observed: words.Record | None
    control: words.Record | None
    effect: words.Record | None
    p_value: str
    strip: strips.Strip
    picture: strips.Picture
    evidence: Evidence
    examples: Examples
    caveat: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question with what was found; `first` is the finding that speaks for it where there is room for one only."""

    name: str
    title: str
    first: Shown
    verdicts: list[tuple[str, int]]
    shown: list[Shown]
    num_left_out: int


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The diagnosis of a run: on which examples, and by question in the order of the page."""

    where: str
    n: int
    questions: list[Question]


def read_diagnosis(run: Path, chosen: Any) -> Diagnosis | None:
    """Reads RUN/diagnosis.json and what the chosen rung predicted for its examples; None if there is none."""
    path = run / "diagnosis.json"
    if not path.exists():
        return None
    record = read_object(path)
    try:
        read = parse(_Diagnosis, record, where="it is no diagnosis")
        ids = {name for finding in read.findings for name in finding.examples}
        known = find_examples(run / "rungs" / str(chosen), ids)
        return _by_question(read, known)
    except (SettingError, RecursionError) as error:
        why = words.shorten(error, 200)
        raise DataError(f"{path} is damaged: {why}; `deepen diagnose` writes it again") from None


def lay_out(record: Mapping[str, Any]) -> Diagnosis:
    """A diagnosis by question, without the texts of its examples."""
    return _by_question(parse(_Diagnosis, record, where="it is no diagnosis"), {})


def _by_question(read: _Diagnosis, known: Mapping[str, words.Record]) -> Diagnosis:
    titles = read.titles  # in the order of the page; a diagnosis of 0.1 has none, and its questions go by their names
    groups: dict[str, list[_Finding]] = {}
    for finding in read.findings:
        groups.setdefault(finding.question, []).append(finding)
    order = [*(name for name in titles if name in groups), *(name for name in groups if name not in titles)]
    questions = [_question(name, titles.get(name, ""), groups[name], known) for name in order]
    return Diagnosis(words.shorten(read.where, 120), read.n, questions)


def _question(name: str, title: str, findings: Sequence[_Finding], known: Mapping[str, words.Record]) -> Question:
    names = tell_apart([finding.evidence for finding in findings])
    # Of many findings those that accuse, and among these the strongest, come first into the little room there is.
    ranks = [(VERDICTS.index(one.verdict), -abs(one.effect.value) if one.effect else 0.0) for one in findings]
    order = sorted(range(len(findings)), key=ranks.__getitem__)[:_MOST_FINDINGS]
    shown = [_shown(findings[at], names[at], known) for at in sorted(order)]
    counts = [(verdict, sum(finding.verdict == verdict for finding in findings)) for verdict in VERDICTS]
    plain = words.shorten(name.replace("_", " "), 80)
    return Question(
        name=plain,
        title=words.shorten(title, 200) or plain,
        first=shown[sorted(order).index(order[0])],
        verdicts=[(verdict, number) for verdict, number in counts if number],
        shown=shown,
        num_left_out=len(findings) - len(shown),
    )


def _shown(finding: _Finding, name: str, known: Mapping[str, words.Record]) -> Shown:
    observed, control, effect = (
        part.model_dump() if part else None for part in (finding.observed, finding.control, finding.effect)
    )
    draw = strips.PICTURES.get(finding.question)
    picture = draw(finding.evidence) if draw else strips.Picture()
    return Shown(
        name=name,
        verdict=finding.verdict,
        observed=observed,
        control=control,
        effect=effect,
        p_value=words.p_value(finding.p_value),
        strip=strips.strip(observed, control, effect),
        picture=picture,
        evidence=by_kind(finding.evidence, drawn=picture.kinds),
        examples=look_up(finding.examples, known),
        caveat=words.shorten(finding.caveat, 2000),
        remedy=words.shorten(finding.remedy, 2000),
    )
