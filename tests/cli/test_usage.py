"""A mistake in the words of a command is told in one line, with the nearest right name."""

from __future__ import annotations

import re

import pytest
from tests.cli.conftest import Start
from tests.contracts.conftest import call

CASES = {
    "train --colums text=a": r"deepen train has no option '--colums'; did you mean '--columns'\?",
    "train -x": r"deepen train has no option '-x'; choose from: --add, --budget, --class-weights, --columns, .*--worth",
    "trian x.csv": r"unknown command 'trian'; did you mean 'train'\?",
    "studio runs/x": r"unknown command 'studio'; choose from: bench, cache, check, .*train.*",
    "--versoin": r"deepen has no option '--versoin'; did you mean '--version'\?",
    "predict": r"deepen predict: missing argument 'RUN'; deepen predict --help shows how",
    "evaluate runs/x": r"deepen evaluate: missing argument 'DATA'; .*",
    "check": r"deepen check: missing argument 'DATA'; .*",
    "train": r"no data: name a file, a folder or a hub data set; deepen train --help shows how",
    "train x.csv --seed one": r"deepen train: invalid value for '--seed': it must be a whole number; .*",
    "train x.csv --seed": r"deepen.*: option '--seed' requires an argument; .*",
    "bench --mean-tokens 1": r"deepen bench: invalid value for '--mean-tokens': it must be at least 2; .*",
    "models one two": r"deepen models takes one model, and there are 2 words",
}


@pytest.mark.parametrize("words", CASES)
def test_usage_errors(words: str) -> None:
    answer = call(*words.split())
    assert (answer.code, answer.out) == (2, "")
    assert re.fullmatch(f"SettingError: {CASES[words]}\n", answer.err), answer.err


def test_a_process_says_no_more(start: Start) -> None:
    """Nothing is added by what it imports on its way."""
    [words, said] = next(iter(CASES.items()))
    process = start(*words.split())
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out) == (2, "")
    assert re.fullmatch(f"SettingError: {said}\n", err), err


def test_no_words_at_all_get_help(start: Start) -> None:
    process = start()
    out, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (0, "")
    assert "train" in out
