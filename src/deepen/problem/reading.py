"""What a model reads of rows: their tokens, where the units are that get a decision, and how much it cuts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from deepen.data.table import Part, Table
from deepen.data.tokens import TokenTable, tokenise
from deepen.models.head import Head
from deepen.problem.task import Form, Predictor, Task

if TYPE_CHECKING:
    from deepen.models.tokenizer import Tokenizer


@runtime_checkable
class ReadsTokens(Protocol):
    """A predictor with a tokenizer: a network, whatever runs it."""

    tokenizer: Tokenizer

    def tokens(self, table: Table) -> TokenTable:
        """The tokens that it reads of a table, made once."""


def tokens_read(predictor: Predictor, part: Part) -> Iterator[tuple[int, bool]]:
    """How many tokens a model reads of each row, and whether it cuts something; 0 for a model that reads no tokens."""
    if not isinstance(predictor, ReadsTokens):
        return repeat((0, False), len(part))
    tokens = predictor.tokens(part.table)
    rows_N = part.rows_N
    return zip(
        np.asarray(tokens.lengths_N)[rows_N].tolist(), np.asarray(tokens.truncated_N)[rows_N].tolist(), strict=True
    )


def form_tokens(task: Task, form: Form, table: Table, tokenizer: Tokenizer, max_tokens: int) -> TokenTable:
    """The tokens of a table in a form of a task, made once."""
    second = ("deep", *form.about.items()) if form.encoder is not task.form.encoder else ()
    chosen = task.settings.model_dump(exclude_defaults=True) if task.settings is not None else {}
    key = (tokenizer.fingerprint, max_tokens, task.name, *second, *([chosen] if chosen else []))
    return tokenise(table, form.encoder(tokenizer, max_tokens), key=key)


def decision_offsets(tokens: TokenTable, head: Head) -> np.ndarray:
    """Where the units of each row start that get a decision.

    Returns:
        Offsets of length N + 1.
    """
    if head.is_units and tokens.unit_offsets_N1 is not None:
        return tokens.unit_offsets_N1
    return np.arange(len(tokens.offsets_N1))
