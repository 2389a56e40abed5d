"""A message quotes files and words; whatever stands in them, it can be printed and is short enough to be read."""

from __future__ import annotations

import pytest

from deepen.core.errors import DataError, SettingError
from deepen.core.settings import override
from deepen.preparation.recipe import make_recipe


@pytest.mark.parametrize("word", ["\x00", "\x1b[31m", "\u202e", "\ud800", "9" * 9000, "[" * 400])
@pytest.mark.parametrize("key", ["task", "tuning", "ladder.rungs", "seed", "data.label_cuts", "nope"])
def test_no_value_of_a_person_comes_back_raw(key: str, word: str) -> None:
    with pytest.raises(SettingError) as caught:
        make_recipe(override({}, [f"{key}={word}x"]))
    said = str(caught.value)
    assert not any(sign in said for sign in "\x00\x1b\u202e\ud800\n")
    assert len(said) <= 2000


def test_a_message_that_can_be_printed_stays_as_it_is() -> None:
    said = "评论.csv line 17: 'a  b\u3000c' is empty"
    error = DataError(said)
    assert (str(error), error.file, error.line) == (said, "评论.csv", 17)
