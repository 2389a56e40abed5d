"""A surface model answers without torch, scikit-learn or transformers: they take longer to import than it to answer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from tests.worlds import WORLDS

import deepen
from deepen.shallow.ngrams import WORD
from deepen.shallow.tfidf import fit_vectorizer

HEAVY = ("torch", "sklearn", "transformers", "accelerate", "peft", "datasets", "rich")
PROGRAM = f"""
import sys
from deepen.cli.main import main
sys.argv = ["deepen", "predict", sys.argv[1], "--text", "a lovely film"]
try:
    main()
except SystemExit as ended:
    assert not ended.code
found = [name for name in {HEAVY!r} if name in sys.modules]
assert not found, found
"""


def test_a_lexical_run_answers_without_what_is_heavy(tiny_model: Path, tmp_path: Path) -> None:
    run = deepen.train(WORLDS["classification"](120), out=tmp_path / "run", model=tiny_model, rungs="majority,lexical")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(run.folder)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(deepen.__file__).parents[1])},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "a lovely film" in done.stdout


TEXT = st.text(alphabet="abc aB.,-'!\t\n\u00a0éßİ中文。0", max_size=40)


@given(st.lists(TEXT, min_size=4, max_size=12), st.sampled_from(["word", "char"]), st.integers(1, 3), st.integers(0, 2))
def test_n_grams_are_those_of_scikit_learn(texts: list[str], kind: str, shortest: int, more: int) -> None:
    ngrams = (shortest, shortest + more)
    how = {"analyzer": "word", "token_pattern": WORD} if kind == "word" else {"analyzer": "char_wb"}
    theirs = TfidfVectorizer(ngram_range=ngrams, sublinear_tf=True, dtype=np.float32, **how)
    try:
        theirs.fit([*texts[:3], "a b c aa bb"])
    except ValueError:
        return
    ours, _ = fit_vectorizer(kind, ngrams, [*texts[:3], "a b c aa bb"], 1)  # type: ignore[arg-type]
    wanted, found = theirs.transform(texts), ours.transform(texts)
    np.testing.assert_array_equal(found.indptr, wanted.indptr)
    np.testing.assert_array_equal(found.indices, wanted.indices)
    np.testing.assert_array_equal(found.data, wanted.data)
