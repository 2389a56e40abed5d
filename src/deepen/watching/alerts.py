"""Alarms told to people: once when they begin, rarely while they last, and once when they have ended."""

from __future__ import annotations

import json
import smtplib
import time
import urllib.request
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.error import URLError

from deepen.core.errors import one_line
from deepen.core.files import read_object, write_json
from deepen.watching.rules import Rules

_STATE = "alerts.json"
_SECONDS = 10.0


def alert(
    folder: Path,
    alarms: Sequence[dict[str, Any]],
    rules: Rules,
    say: Callable[[str], None],
    *,
    now: float | None = None,
) -> list[dict[str, Any]]:
    """Tells what is new about alarms.

    Args:
        folder: Where it is kept what was told: RUN/watch.
        alarms: Those that last, one for each cause.
        now: Seconds since 1970; None asks the clock.

    Returns:
        The alerts that were sent: `state` is open, again or resolved.
    """
    if not (rules.file or rules.webhook or rules.mail):
        return []  # who is named later is told of what lasts then
    now = time.time() if now is None else now
    path = folder / _STATE
    before = read_object(path).get("open", {}) if path.is_file() else {}
    told = {one["cause"]: one for one in alarms if one["harm"]["probability"] >= rules.least_harm}
    left, sent = {}, []
    for cause, alarm in told.items():
        since = before.get(cause, {}).get("since", now)
        last = before.get(cause, {}).get("told")
        waited = last is None or not 0 <= now - last < rules.repeat_seconds  # a clock may have jumped
        if waited:
            sent.append({"state": "open" if last is None else "again", "since": since, **alarm})
        left[cause] = {"since": since, "told": now if waited else last}
    sent += [{"state": "resolved", "cause": cause, **about} for cause, about in before.items() if cause not in told]
    # what could not be sent to anybody is tried again the next time
    if not sent or _send(sent, rules, str(folder.parent), say):
        write_json(path, {"open": left})
    return sent


def _send(sent: list[dict[str, Any]], rules: Rules, run: str, say: Callable[[str], None]) -> bool:
    """Whether somebody was told."""
    ways: dict[str, Callable[[], None]] = {}
    if rules.file is not None:
        ways[f"file {rules.file}"] = lambda: _append(Path(str(rules.file)), sent, run)
    if rules.webhook is not None:
        ways[f"webhook {rules.webhook}"] = lambda: _post(str(rules.webhook), sent, run)
    if rules.mail is not None:
        ways[f"mail to {', '.join(rules.mail.to)}"] = lambda: _mail(rules, sent, run)
    done = 0
    for name, way in ways.items():
        try:
            way()
            done += 1
        except (OSError, URLError, smtplib.SMTPException, ValueError) as error:
            say(f"  warning: {name}: the alert could not be sent: {one_line(str(error))}")
    return done > 0


def _append(path: Path, sent: list[dict[str, Any]], run: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps({"run": run, **one}, ensure_ascii=False) + "\n" for one in sent)


def _post(url: str, sent: list[dict[str, Any]], run: str) -> None:
    body = json.dumps({"run": run, "alerts": sent}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=_SECONDS).close()


def _mail(rules: Rules, sent: list[dict[str, Any]], run: str) -> None:
    assert rules.mail is not None  # noqa: S101 - the caller has asked
    message = EmailMessage()
    message["From"], message["To"] = rules.mail.sender, ", ".join(rules.mail.to)
    message["Subject"] = one_line(f"deepen watch {run}: " + ", ".join(f"{one['state']} {one['cause']}" for one in sent))
    message.set_content(json.dumps(sent, indent=2, ensure_ascii=False))
    with smtplib.SMTP(rules.mail.host, rules.mail.port, timeout=_SECONDS) as server:
        server.send_message(message)
