"""What the head forgets or learns later is the same as if it had been so from the first."""

from __future__ import annotations

import numpy as np

from deepen.diagnosis.questions.surface_cues.ridge import solve_ridge


def test_forgetting_and_learning_again_is_exact() -> None:
    rng = np.random.default_rng(0)
    features_NF, labels_N = rng.normal(size=(80, 6)), rng.integers(3, size=80)
    whole = solve_ridge(features_NF, labels_N, 3)
    less = whole.changed(features_NF[:9], labels_N[:9], -1.0)
    row_F = rng.normal(size=6)
    direct = less.scores(row_F[None], 1)[0]
    np.testing.assert_allclose(whole.score_without(row_F, features_NF[:9], labels_N[:9], 1), direct, rtol=1e-8)
    again = less.changed(features_NF[:9], labels_N[:9], 1.0)
    np.testing.assert_allclose(again.scores(features_NF, 2), whole.scores(features_NF, 2), rtol=1e-8)
    assert abs(float(whole.scores(row_F[None], 1)[0]) - direct) > 1e-4


def test_it_tells_labels_apart() -> None:
    rng = np.random.default_rng(1)
    labels_N = rng.integers(3, size=300)
    features_NF = rng.normal(size=(300, 5)) + 3 * np.eye(3, 5)[labels_N]
    head = solve_ridge(features_NF, labels_N, 3)
    scores_NC = np.stack([head.scores(features_NF, label) for label in range(3)], axis=1)
    assert (scores_NC.argmax(1) == labels_N).mean() > 0.9
