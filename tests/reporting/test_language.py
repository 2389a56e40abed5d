"""The language of texts by their script, and no guess where many languages share it."""

import pytest

from deepen.reporting.language import language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("屏幕很亮,但是 iPhone 电池不行。", "zh"),
        ("この映画はとても良かったです", "ja"),
        ("화면이 밝고 좋아요", "ko"),
        ("the battery died after two days and nobody answers my mails", "en"),
        ("how do i locate my card", "en"),
        ("der Akku war nach zwei Tagen leer und niemand antwortet", None),
        ("la batterie est morte après deux jours", None),
        ("de batterij is leeg en de winkel was dicht", None),
        ("батарея умерла через два дня", None),
        ("12345 !!!", None),
        ("", None),
    ],
)
def test_language(text, language):
    assert language_of([text] * 3) == language
