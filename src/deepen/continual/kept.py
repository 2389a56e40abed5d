"""The few old rows of each label that an update keeps, where it does not learn from all.

Shape legend: N rows, F features of a row.
"""

from __future__ import annotations

import numpy as np

from deepen.data.table import Part
from deepen.finetuning.predictor import EncoderPredictor


def chosen_rows(reader: EncoderPredictor, train: Part, per_label: int) -> Part:
    """At most so many rows of each label, whose mean feature is near that of all its rows.

    Source:
        Herding: Welling 2009, Herding dynamical weights to learn; for this purpose Rebuffi et al. 2017, iCaRL.
    """
    features_NF, labels_N = reader.features(train), np.array(list(train.values("target")))
    places = [np.flatnonzero(labels_N == label) for label in sorted({*labels_N})]
    kept = [rows[_herded(features_NF[rows], per_label)] for rows in places]
    return train.take(np.sort(np.concatenate(kept)))


def _herded(features_NF: np.ndarray, count: int) -> np.ndarray:
    """Places, one after the other the one that brings the mean of those taken nearest to the mean of all."""
    mean_F, sum_F = features_NF.mean(0), np.zeros(features_NF.shape[1], np.float32)
    taken: list[int] = []
    for number in range(1, min(count, len(features_NF)) + 1):
        away_N = np.linalg.norm(mean_F - (sum_F + features_NF) / number, axis=1)
        away_N[taken] = np.inf
        taken.append(int(away_N.argmin()))
        sum_F += features_NF[taken[-1]]
    return np.array(taken, np.int64)
