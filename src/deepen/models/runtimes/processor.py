"""What the processor of this machine can do with integers."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")


@cache
def adds_integers_right() -> bool:
    """Whether products of 8-bit integers are added up without overflow.

    x86 without VNNI adds two of them in 16 bits, and what does not fit is cut: weights of 7 bits fit always. Where a
    machine does not say what it can do, it is not relied on.

    Source:
        ONNX Runtime's documentation of quantization, "When and why do I need to use reduce-range?".
    """
    if platform.machine().lower() in ("arm64", "aarch64"):
        return True
    try:
        text = _CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return has_vnni(text)


def has_vnni(cpuinfo: str) -> bool:
    """Whether a Linux machine's /proc/cpuinfo names one of the instructions."""
    flags = next((line for line in cpuinfo.splitlines() if line.startswith("flags")), "").split()
    return any(flag in ("avx512_vnni", "avx_vnni", "avx512vnni", "avxvnni") for flag in flags)
