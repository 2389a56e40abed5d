"""Answers as a pandas DataFrame, or as an array of probabilities.

Shape legend: N rows, C labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from deepen.core.errors import SettingError
from deepen.core.types import Prediction
from deepen.inference.given import index_of


def as_frame(predictions: Sequence[Prediction], labels: Sequence[str], data: Any) -> Any:
    """One row for each row of the data, under its index where it has one.

    Args:
        labels: The labels that have a column `p_<label>` each, where answers have probabilities.
        data: What was answered; `output` can be put beside a DataFrame's columns by its index.

    Returns:
        A DataFrame with `output`, the probabilities, and `skipped` if a row has no answer.
    """
    import pandas as pd

    columns: dict[str, Any] = {"output": [prediction.output for prediction in predictions]}
    if any(prediction.probabilities for prediction in predictions):
        columns |= {
            f"p_{label}": [(prediction.probabilities or {}).get(label, np.nan) for prediction in predictions]
            for label in labels
        }
    if any(prediction.entities is not None for prediction in predictions):
        columns["entities"] = [prediction.entities for prediction in predictions]
    if any(prediction.skipped for prediction in predictions):
        columns["skipped"] = [prediction.skipped for prediction in predictions]
    return pd.DataFrame(columns, index=index_of(data))


def probabilities(predictions: Sequence[Prediction], labels: Sequence[str]) -> np.ndarray:
    """The probabilities of every label, `(N, C)`; a row without an answer is NaN.

    Raises:
        SettingError: If the answers have none: scores, spans, tags and ranked documents.
    """
    out_NC = np.full((len(predictions), len(labels)), np.nan)
    for row_C, prediction in zip(out_NC, predictions, strict=True):
        if prediction.skipped is not None:
            continue
        if prediction.probabilities is None or not set(labels) >= prediction.probabilities.keys():
            raise SettingError("these answers are no choice among labels, so there are no probabilities of labels")
        row_C[:] = [prediction.probabilities.get(label, np.nan) for label in labels]
    return out_NC
