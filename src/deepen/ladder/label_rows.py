"""Of a few rows a label, what the label is called is one more: `card_arrival` says what its rows are about.

It joins the training rows after the split, as the rows of `--add` do, so the rows that decide and the rows that are
scored stay as they are. LOG.md has what it gains.
"""

from __future__ import annotations

import re

from deepen.data.load import load_table
from deepen.data.settings import DataSettings
from deepen.data.table import Table
from deepen.training.described import described
from deepen.training.work import Work

_MOST_ROWS = 8  # a label, those that are held out among them; at ten it gained nothing
_NO_LETTERS = re.compile(r"[\W\d_]+")


def label_rows(work: Work, data: DataSettings) -> Table | None:
    """Rows that say what each label is: its descriptions, or else its name.

    Args:
        work: The climb, with the labels, and the descriptions of those that something is said of.
        data: How its rows were read.

    Returns:
        The rows; None where a row is more than a text with one label, a label has more than a few rows, a label is no
        word, words are hidden, or the model is a decoder, to which rows are shown as examples.
    """
    targets = work.train_targets
    one_each = work.task.name == "classification" and not (targets.are_scores or targets.are_many)
    held = len(work.validation) if work.validation.table is work.train.table else 0
    few = len(work.train) + held <= _MOST_ROWS * len(work.labels)
    if not one_each or not few or work.model.decodes or data.hide:
        return None
    said = described(work)
    words = [_NO_LETTERS.sub("", texts[0]).lower() for texts in said]
    if len({*words}) < len(words) or any(word.isascii() and len(word) < 3 for word in words):
        return None
    rows = [{"text": text, "label": name} for name, texts in zip(work.labels, said, strict=True) for text in texts]
    settings = DataSettings(normalise=data.normalise)
    return load_table(rows, work.task.needs, settings, columns={"text": "text", "label": "label"})[0]
