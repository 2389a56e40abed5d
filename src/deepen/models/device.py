"""The device that networks are put on: chosen once, where a command begins, and known by nothing else.

`load_encoder` puts a network there, a head goes where its encoder is, and whoever has a batch takes it to where the
network is. What comes out is numpy on the CPU.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from deepen.core.errors import SettingError

if TYPE_CHECKING:
    import torch

AUTO = "auto"
_CHOSEN: ContextVar[torch.device | None] = ContextVar("device", default=None)


def devices() -> list[torch.device]:
    """Every device of this machine, the fastest kind first; the CPU is always there."""
    import torch

    cards = [torch.device("cuda", at) for at in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    metal = [torch.device("mps")] if torch.backends.mps.is_available() else []
    return [*cards, *metal, torch.device("cpu")]


def pick_device(setting: object) -> torch.device:
    """The device that a setting names.

    Args:
        setting: `auto`, which is the first of `devices`, or `cpu`, `cuda`, `cuda:N`, `mps`.

    Raises:
        SettingError: If it is no device, or this machine does not have it.
    """
    there = devices()
    if setting == AUTO:
        return there[0]
    if not isinstance(setting, str) or not re.fullmatch(r"cpu|cuda|cuda:\d{1,3}|mps", setting):
        raise SettingError(f"device '{setting}': it must be auto, cpu, cuda, cuda:N or mps")
    for device in there:
        if setting in (str(device), device.type):
            return device
    raise SettingError(f"device '{setting}' is not there: this machine has {', '.join(map(str, there))}, or say auto")


@contextmanager
def using(device: torch.device | None) -> Iterator[torch.device | None]:
    """Networks that are read meanwhile are put on this device; None is the CPU.

    Yields:
        The same.
    """
    token = _CHOSEN.set(device)
    try:
        yield device
    finally:
        _CHOSEN.reset(token)


@contextmanager
def on(setting: str | None, say: Callable[[str], None] | None) -> Iterator[torch.device]:
    """Picks a device and says which; networks that are read meanwhile are put on it.

    Args:
        setting: As in `pick_device`; None is `auto`.

    Yields:
        The device.

    Raises:
        SettingError: If it is no device, or this machine does not have it.
    """
    device = pick_device(AUTO if setting is None else setting)
    with using(device):
        if say is not None:
            say(f"  device: {describe(device)}")
        yield device


def chosen_device() -> torch.device:
    """Where networks are put that are read now: the CPU, unless `using` says otherwise."""
    import torch

    return _CHOSEN.get() or torch.device("cpu")


def device_in_use() -> torch.device | None:
    """The same, with None for a CPU that nobody chose: this loads no torch."""
    return _CHOSEN.get()


def wait_for(device: torch.device) -> None:
    """Waits until a device has done what it was asked for, so that a clock can be read.

    Args:
        device: The device; a CPU is never behind.
    """
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def describe(device: torch.device) -> str:
    """A device as a person knows it, such as `cuda:0 (NVIDIA L4)`."""
    import torch

    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)
