"""How long batches take: so much each, and so much a token, as lately measured."""

from __future__ import annotations

import math

_FORGOTTEN = 0.02  # share of what was measured before, at each new batch of many tokens
_MANY = 1_000  # tokens: smaller batches say little about the slope, and what larger ones said is kept beside them
_LEAST = 1e-7  # seconds a token


class Pace:
    """A line through the batches that were measured, by least squares, older ones counting less.

    Example:
        >>> pace = Pace(seconds_a_token=0.001)
        >>> for tokens in (10, 100, 1000) * 30:
        ...     pace.learn(tokens, 0.02 + 0.0001 * tokens)
        >>> round(pace.seconds(5000), 2), pace.tokens_within(0.12)
        (0.52, 1000)
    """

    def __init__(self, *, seconds_a_token: float = 1e-3) -> None:
        self.start, self.slope = 0.0, seconds_a_token
        self._sums = [0.0] * 5

    def learn(self, tokens: int, seconds: float) -> None:
        """Takes in a batch."""
        kept = 1 - _FORGOTTEN * min(1.0, tokens / _MANY)
        new = (1.0, tokens, seconds, tokens * tokens, tokens * seconds)
        self._sums = [kept * old + value for old, value in zip(self._sums, new, strict=True)]
        n, x, y, xx, xy = self._sums
        spread = n * xx - x * x
        slope = (n * xy - x * y) / spread if spread > 1e-6 * n * xx else 0.0
        start = (y - slope * x) / n
        if slope < _LEAST or start < 0:  # they were all about as long, or the line says nothing: through the origin
            start, slope = 0.0, max(_LEAST, xy / xx)
        self.start, self.slope = start, slope

    def seconds(self, tokens: int) -> float:
        """Seconds of a batch of so many tokens."""
        return self.start + self.slope * tokens

    def tokens_within(self, seconds: float) -> int:
        """Tokens of a batch that takes so long; 1 at least."""
        return max(1, math.floor((seconds - self.start) / self.slope + 1e-6))
