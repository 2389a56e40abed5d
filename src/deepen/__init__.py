"""Deepen: labelled text and a pretrained model in, a model to ship out, and how deep its understanding goes.

`train` climbs the ladder, `load` gives its model, `check` looks at data first, `diagnose` asks how the model gets its
score, `report` writes the page. Importing deepen imports none of the heavy libraries; they come with the first call.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepen.api import check, diagnose, evaluate, export, load, report, train
    from deepen.core.errors import DataError, DeepenError, ModelError, SettingError
    from deepen.core.run import Run
    from deepen.core.types import Explanation, Finding, Prediction, Score
    from deepen.inference.model import Model

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Read when torch is: its threads then sleep while they wait for one another. Where another program wants a core too,
# threads that spin keep it from the one that they wait for (docs/decisions/0042).

__version__ = "0.1.0"
_HOMES = {
    "train": "deepen.api",
    "check": "deepen.api",
    "compress": "deepen.compression.compress",
    "diagnose": "deepen.api",
    "evaluate": "deepen.api",
    "export": "deepen.api",
    "load": "deepen.api",
    "compare": "deepen.inference.compare",
    "load_cascade": "deepen.inference.cascade",
    "load_together": "deepen.inference.adapters",
    "compose": "deepen.inference.adapters",
    "report": "deepen.api",
    "update": "deepen.continual.update",
    "watch": "deepen.watching.watch",
    "feedback": "deepen.watching.watch",
    "Run": "deepen.core.run",
    "Model": "deepen.inference.model",
    "Prediction": "deepen.core.types",
    "Score": "deepen.core.types",
    "Finding": "deepen.core.types",
    "Explanation": "deepen.core.types",
    "DeepenError": "deepen.core.errors",
    "SettingError": "deepen.core.errors",
    "DataError": "deepen.core.errors",
    "ModelError": "deepen.core.errors",
}
__all__ = [
    "DataError",
    "DeepenError",
    "Explanation",
    "Finding",
    "Model",
    "ModelError",
    "Prediction",
    "Run",
    "Score",
    "SettingError",
    "check",
    "compare",
    "compose",
    "compress",
    "diagnose",
    "evaluate",
    "export",
    "feedback",
    "load",
    "load_cascade",
    "load_together",
    "report",
    "train",
    "update",
    "watch",
]


def __getattr__(name: str) -> Any:
    """Imports a name's home when the name is first used."""
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module 'deepen' has no attribute '{name}'")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
