"""How often a key may ask: exact, since the front alone counts."""

from __future__ import annotations

import time

from limits import RateLimitItem, RateLimitItemPerDay, parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter, RateLimiter

from deepen.serving.keys import Key
from deepen.serving.problems import RefusedError


class Quotas:
    """Requests in a moving window, rows in days that begin with the first row. Counted from the server's start on."""

    def __init__(self) -> None:
        storage = MemoryStorage()
        self._rates, self._days = MovingWindowRateLimiter(storage), FixedWindowRateLimiter(storage)

    def request(self, key: Key) -> None:
        """Counts a request.

        Raises:
            RefusedError: 429, if it is one too many.
        """
        if key.rate is not None:
            self._take(self._rates, parse(key.rate), key, 1, f"this key may ask {key.rate}")

    def rows(self, key: Key, num_rows: int) -> None:
        """Counts rows; those of a request that is refused count nothing.

        Raises:
            RefusedError: 429, if they are too many.
        """
        if key.quota is not None:
            said = f"this key may send {key.quota:,} rows a day"
            self._take(self._days, RateLimitItemPerDay(key.quota), key, num_rows, said)

    def _take(self, limiter: RateLimiter, item: RateLimitItem, key: Key, cost: int, said: str) -> None:
        # asked first: a fixed window counts what it refuses
        if not limiter.test(item, key.family, cost=cost) or not limiter.hit(item, key.family, cost=cost):
            reset = limiter.get_window_stats(item, key.family).reset_time
            raise RefusedError(429, said, after=reset - time.time())
