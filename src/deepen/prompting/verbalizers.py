"""What labels mean, in words: as the user says, as usual labels are explained in described.yaml, or by their names."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any

import yaml

from deepen.core.errors import SettingError, nearest
from deepen.problem.problem import Problem


def described(problem: Problem, told: Mapping[str, tuple[str, ...]] | None = None) -> list[tuple[str, ...]]:
    """One or more texts for each label.

    Args:
        told: Label to texts that stand in for those.

    Returns:
        For each label what is told of it, else the description of a usual label in the texts' language, else its name.

    Raises:
        SettingError: If `told` names something that is no label.
    """
    usual = usual_words(problem.language)["descriptions"]
    return [
        some or tuple(usual.get(name.lower(), (name.replace("_", " "),)))
        for name, some in zip(problem.labels, told_of(problem, told), strict=True)
    ]


def told_of(problem: Problem, told: Mapping[str, tuple[str, ...]] | None = None) -> list[tuple[str, ...]]:
    """What the user says of each label; those of which nothing is said have none.

    Args:
        told: Label to texts that stand in for those.

    Raises:
        SettingError: If `told` names something that is no label.
    """
    found: dict[str, tuple[str, ...]] = {n: (text,) for n, text in problem.descriptions.items() if n in problem.labels}
    found |= told or {}
    for name in found:
        if name not in problem.labels:
            raise SettingError(f"rungs.zero_shot.descriptions: '{name}' is no label; {nearest(name, problem.labels)}")
    return [found.get(name, ()) for name in problem.labels]


def usual_words(language: str) -> dict[str, Any]:
    """The templates, and the descriptions of usual labels, in a language: `en` or `zh`."""
    known = yaml.safe_load(resources.files("deepen.prompting").joinpath("verbalizers.yaml").read_text("utf-8"))
    return dict(known[language])
