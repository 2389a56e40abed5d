"""The language in which a person is spoken to: English, or Chinese where the system or `DEEPEN_LANG` says so.

Messages are made in English, and everything that is stored or read by programs stays so: run folders, `--json`, the
texts of exceptions. `told` is called at the doors to a person alone, which docs/decisions/0033-chinese.md names.
"""

from __future__ import annotations

import os

from deepen.core.errors import SettingError

NAME = "DEEPEN_LANG"
_LANGUAGES = ("en", "zh")
_OF_THE_SYSTEM = ("LC_ALL", "LC_MESSAGES", "LANG")


def asked() -> str | None:
    """The language that `DEEPEN_LANG` asks for; None if it is not set.

    Raises:
        SettingError: If it is neither English nor Chinese.
    """
    setting = os.environ.get(NAME, "")
    language = setting.lower().replace("-", "_").partition("_")[0].partition(".")[0]
    if setting and language not in _LANGUAGES:
        raise SettingError(f"{NAME}={setting}: it must be en or zh")
    return language or None


def is_chinese() -> bool:
    """Whether a person is spoken to in Chinese. What `DEEPEN_LANG` can't mean counts for nothing here."""
    try:
        language = asked()
    except SettingError:
        language = None
    system = next((value for name in _OF_THE_SYSTEM if (value := os.environ.get(name))), "")
    return (language or system.lower()[:2]) == "zh"


def told(text: str) -> str:
    """A finished message as it is said to a person: as it is, or in Chinese."""
    if not is_chinese():
        return text
    from deepen.core.chinese import translated

    return translated(text)
