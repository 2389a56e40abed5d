"""From which number on a network counts the positions of a text. Nothing here loads torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

AFTER_PADDING = (
    *("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "roberta-prelayernorm", "mpnet"),
    *("longformer", "data2vec-text", "ibert", "xmod", "luke"),
)
"""Architectures whose first position is the one after the padding's number."""


def first_position(config: Mapping[str, Any]) -> int:
    """The position of a text's first token."""
    padding = config.get("pad_token_id", 1)
    return int(1 if padding is None else padding) + 1 if config.get("model_type") in AFTER_PADDING else 0
