"""What is to be done about alarms: the settings that a person writes in YAML."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from deepen.core.errors import SettingError
from deepen.core.foreign import read_yaml
from deepen.core.settings import Settings, parse, parse_duration


class Mail(Settings):
    """A message by SMTP, without a password: a relay that takes mail from this machine."""

    to: tuple[str, ...] = Field(min_length=1)
    """Addresses."""
    sender: str = "deepen@localhost"
    """The address that it comes from."""
    host: str = "localhost"
    """The mail server."""
    port: int = Field(25, ge=1, le=65535)
    """Its port."""


class Rules(Settings):
    """How rows are watched, and who is told. One alarm is told once for each cause, and again only after a while."""

    window_rows: int = Field(500, ge=50)
    """Rows that are judged together. Small changes take large windows."""
    budget: float = Field(0.05, gt=0, lt=0.5)
    """How often a window may raise an alarm where nothing has changed, by all signals together."""
    least_harm: float = Field(0.5, ge=0, le=1)
    """The probability of harm from which on an alarm is told; all of them are in the answer of `deepen watch`."""
    repeat: str = "1d"
    """After which time an alarm that lasts is told again."""
    file: str | None = None
    """A file that each alert is appended to, one JSON object a line."""
    webhook: str | None = None
    """A URL that each alert is posted to, as JSON."""
    mail: Mail | None = None
    """Who gets a mail."""

    @property
    def repeat_seconds(self) -> float:
        """`repeat` in seconds."""
        return parse_duration(self.repeat)


def read_rules(path: Path | None) -> Rules:
    """Rules of a YAML file; None has what is usual.

    Raises:
        SettingError: If the file can't be read, or a rule is wrong.
    """
    if path is None:
        return Rules()
    try:
        values = read_yaml(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"rules {path}: can't be read: {error}") from None
    if not isinstance(values, dict):
        raise SettingError(f"rules {path}: it must be a mapping, as in `window_rows: 500`")
    rules = parse(Rules, values, where=f"rules {path}")
    rules.repeat_seconds  # noqa: B018 - a wrong one is told now
    if rules.webhook is not None and not rules.webhook.startswith(("http://", "https://")):
        raise SettingError(f"rules {path}: webhook '{rules.webhook}' must begin with https:// or http://")
    return rules
