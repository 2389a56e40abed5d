"""The turns of a conversation as one text, a line for each with its role, and back."""

from __future__ import annotations

import re
from collections.abc import Iterable

ROLES = {
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "bot", "model"), "assistant"),
    "system": "system",
}
"""What a turn may be called, and what it is called here."""
_INSIDE = re.compile(r"\n+(?=(?:system|user|assistant): ?)")
_TURN = re.compile(r"^(system|user|assistant): ?", re.MULTILINE)


def joined_turns(turns: Iterable[tuple[str, str]]) -> str:
    r"""Turns as a text; a line inside one that begins like a turn is put behind the line before.

    Example:
        >>> joined_turns([("user", "is it open?"), ("assistant", "yes")])
        'user: is it open?\nassistant: yes'
    """
    return "\n".join(f"{role}: {_INSIDE.sub(' ', text.strip())}" for role, text in turns)


def turns_of(text: str) -> list[tuple[str, str]]:
    r"""The turns of a text; one without roles is what the user says.

    Example:
        >>> turns_of("is it open?"), turns_of("user: hi\nassistant: yes\nwho?")
        ([('user', 'is it open?')], [('user', 'hi'), ('assistant', 'yes\nwho?')])
    """
    pieces = _TURN.split(text)
    if len(pieces) == 1 or pieces[0].strip():
        return [("user", text)]
    return [(role, said.strip()) for role, said in zip(pieces[1::2], pieces[2::2], strict=True)]
