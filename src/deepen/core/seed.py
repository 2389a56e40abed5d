"""Seeds: one number a person chooses, and a seed of its own for every use of chance."""

from __future__ import annotations

import hashlib


def derive(seed: int, *names: str | int) -> int:
    """A seed for one use such as `"full", epoch`, in [0, 2**31), so that adding a use never changes another.

    Example:
        >>> derive(0, "split") == derive(0, "split") != derive(0, "shuffle")
        True
    """
    text = ":".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
