"""How many tokens a model reads of rows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from deepen.data.table import Part, Table
from deepen.data.tokens import TokenTable
from deepen.problem.task import Predictor

if TYPE_CHECKING:
    from deepen.models.tokenizer import Tokenizer


@runtime_checkable
class ReadsTokens(Protocol):
    """A predictor with a tokenizer: a network, whatever runs it."""

    tokenizer: Tokenizer

    def tokens(self, table: Table) -> TokenTable:
        """The tokens that it reads of a table, made once."""


def tokens_read(predictor: Predictor, part: Part) -> Iterator[tuple[int, bool]]:
    """How many tokens a model reads of each row, and whether it cuts something; 0 for a model that reads no tokens.

    Returns:
        One pair a row.
    """
    if not isinstance(predictor, ReadsTokens):
        return repeat((0, False), len(part))
    tokens = predictor.tokens(part.table)
    rows_N = part.rows_N
    return zip(
        np.asarray(tokens.lengths_N)[rows_N].tolist(), np.asarray(tokens.truncated_N)[rows_N].tolist(), strict=True
    )
