"""How many labels are wrong, told by answers that stay wrong however sure the model is.

A model that has not seen a row's label disagrees with it for two reasons: the row is hard, or its label is wrong. Hard
rows die out where the model is sure; wrong labels do not. So the share of disagreement that is left among the surest
answers is the share of wrong labels, if wrong labels fall on rows at random. Start with `noise_floor`.

Shape legend: M units, K bins of confidence, G shares that are tried, D draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepen.core.types import Interval

_SHARES = np.concatenate([np.arange(0, 0.05, 0.005), np.arange(0.05, 0.2, 0.01), np.arange(0.2, 0.501, 0.05)])
_NUM_BINS = 40
_NUM_DRAWS = 20
_STEPS = 30
_ENOUGH = 1e-2  # nats; the interval is where 1.9 of them are lost
_MOST_SURE = 1e-6
_CHI2_95 = 3.841


@dataclass(frozen=True)
class NoiseFloor:
    """The share of wrong labels, with the interval of shares that the answers don't speak against.

    `control` is what the same method finds in labels drawn so that none is wrong, with the middle 95 % of the draws:
    above 0, since a share can't fall below it. `p_value` is how likely right labels would look as wrong.
    """

    share: Interval
    control: Interval
    p_value: float


def noise_floor(confidence_M: np.ndarray, agrees_M: np.ndarray, num_labels: int, *, seed: int) -> NoiseFloor:
    """Estimates the share of wrong labels.

    The chance that the answer is right is taken to be a logistic function of the log-odds of the model's confidence; a
    wrong label is any other label with equal chance. The model need not be calibrated, but must not have learned from
    the label that it is compared with. It misleads where wrong labels are not spread at random: a label that is wrong
    by rule in one place of the data is learned and then agreed with, and one that is wrong only where rows are hard
    looks like hardness. Where the model is never sure, the interval is wide. The share has its interval by profile
    likelihood; `confidence_M` is in (0, 1].

    Source:
        A floor as the lapse rate in Wichmann and Hill 2001, https://doi.org/10.3758/BF03194544; random wrong labels as
        in Natarajan et al. 2013, https://papers.nips.cc/paper/5073-learning-with-noisy-labels.
    """
    from scipy.stats import chi2

    sure_M = np.clip(np.asarray(confidence_M, float), _MOST_SURE, 1 - _MOST_SURE)
    odds_M = np.log(sure_M / (1 - sure_M))
    agrees_M = np.asarray(agrees_M, bool)
    bins = np.array_split(np.argsort(odds_M, kind="stable"), min(_NUM_BINS, len(odds_M)))
    odds_K = np.array([odds_M[rows].mean() for rows in bins])
    counts_K = np.array([len(rows) for rows in bins], float)
    agrees_K = np.array([agrees_M[rows].sum() for rows in bins], float)
    start_DG2 = np.broadcast_to(np.array([0.0, 1.0]), (1, len(_SHARES), 2))
    logs_DG, fits_DG2 = _profile(odds_K, counts_K, agrees_K[None], num_labels, start_DG2)
    best = int(logs_DG[0].argmax())
    lost_G = 2 * (logs_DG[0, best] - logs_DG[0])
    share_low = np.interp(_CHI2_95, lost_G[: best + 1][::-1], _SHARES[: best + 1][::-1])
    share_high = np.interp(_CHI2_95, lost_G[best:], _SHARES[best:])
    met_K = _chances(odds_K, fits_DG2[:, :1], num_labels, _SHARES[:1])[1][0, 0]
    drawn_DK = np.random.default_rng(seed).binomial(counts_K.astype(int), met_K, (_NUM_DRAWS, len(counts_K)))
    drawn_DG, _ = _profile(odds_K, counts_K, drawn_DK, num_labels, np.repeat(fits_DG2, _NUM_DRAWS, axis=0))
    found_D = _SHARES[drawn_DG.argmax(1)]
    low, high = np.quantile(found_D, [0.025, 0.975])
    gain = logs_DG[0, best] - logs_DG[0, 0]
    # the p-value of a likelihood ratio whose null value lies at the border: half of a chi-square (Chernoff 1954)
    p_value = float(0.5 * chi2.sf(2 * gain, 1)) if gain > 0 else 1.0
    return NoiseFloor(
        Interval(float(_SHARES[best]), float(share_low), float(share_high)),
        Interval(float(found_D.mean()), float(low), float(high)),
        p_value,
    )


def _chances(
    odds_K: np.ndarray, fits_DG2: np.ndarray, num_labels: int, shares_G: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each bin the chance that the answer is right, and that it agrees with the label (both wrong alike)."""
    raised_DGK = fits_DG2[..., :1] + fits_DG2[..., 1:] * odds_K
    right_DGK = 1 / (1 + np.exp(-np.clip(raised_DGK, -30, 30)))
    shares_G1 = shares_G[:, None]
    met_DGK = (1 - shares_G1) * right_DGK + shares_G1 * (1 - right_DGK) / (num_labels - 1)
    return right_DGK, np.clip(met_DGK, 1e-12, 1 - 1e-12)


def _profile(
    odds_K: np.ndarray, counts_K: np.ndarray, agrees_DK: np.ndarray, num_labels: int, fits_DG2: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each draw and share the log-likelihood of the best logistic function, and the function; Fisher scoring."""
    agrees_D1K = agrees_DK[:, None]
    slope_G1 = (1 - _SHARES - _SHARES / (num_labels - 1))[:, None]

    def state(fits_DG2: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        right_DGK, met_DGK = _chances(odds_K, fits_DG2, num_labels, _SHARES)
        logs_DGK = agrees_D1K * np.log(met_DGK) + (counts_K - agrees_D1K) * np.log(1 - met_DGK)
        return logs_DGK.sum(-1), right_DGK, met_DGK

    now = state(fits_DG2)
    for _ in range(_STEPS):
        logs_DG, right_DGK, met_DGK = now
        steep_DGK = slope_G1 * right_DGK * (1 - right_DGK)
        scaled_DGK = steep_DGK / (met_DGK * (1 - met_DGK))
        step_DG2 = _solved(counts_K * steep_DGK * scaled_DGK, (agrees_D1K - counts_K * met_DGK) * scaled_DGK, odds_K)
        for _ in range(6):  # shorter steps where a whole one leads down
            now = state(fits_DG2 + step_DG2)
            worse_DG = now[0] < logs_DG
            if not worse_DG.any():
                break
            step_DG2 = np.where(worse_DG[..., None], step_DG2 / 4, step_DG2)
        else:
            step_DG2 = np.where(worse_DG[..., None], 0, step_DG2)
            now = state(fits_DG2 + step_DG2)
        fits_DG2 = fits_DG2 + step_DG2
        if float((now[0] - logs_DG).max()) < _ENOUGH:
            break
    return now[0], fits_DG2


def _solved(weight_DGK: np.ndarray, pull_DGK: np.ndarray, odds_K: np.ndarray) -> np.ndarray:
    """Newton's step: the 2 x 2 information matrix, a trifle added so that it can be inverted, against the gradient."""
    first, second = pull_DGK.sum(-1), pull_DGK @ odds_K
    a, b, c = weight_DGK.sum(-1) + 1e-3, weight_DGK @ odds_K, weight_DGK @ odds_K**2 + 1e-3
    step_DG2 = np.stack([c * first - b * second, a * second - b * first], -1) / (a * c - b * b)[..., None]
    return np.asarray(np.clip(step_DG2, -5, 5))
