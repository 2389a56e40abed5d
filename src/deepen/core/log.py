"""What is said on the way goes to the logger `deepen`: notes as INFO, warnings as WARNING.

As with other libraries of this kind, lines are shown on stderr from the first call on, unless the program has set up
logging itself: `logging.getLogger("deepen").setLevel("WARNING")` keeps the notes away.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

from deepen.core.cells import lines_printable
from deepen.core.language import told

logger = logging.getLogger("deepen")
_WARNING = "warning:"


class _ToStderr(logging.Handler):
    """Writes to what sys.stderr is at the time: a notebook puts something else there."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(lines_printable(told(self.format(record))) + "\n")


def telling(say: Callable[[str], None] | None) -> Callable[[str], None]:
    """What is called with lines for the user: what was given, else the logger."""
    if say is not None:
        return say
    if not logger.handlers and not logging.getLogger().handlers:
        logger.addHandler(_ToStderr())
    if logger.level == logging.NOTSET and not logging.getLogger().handlers:
        logger.setLevel(logging.INFO)
    return log_line


def is_warning(line: str) -> bool:
    """Whether a line is a warning rather than a note or a step."""
    return line.lstrip().startswith(_WARNING)


def log_line(line: str) -> None:
    """A line for the user as a log record."""
    logger.log(logging.WARNING if is_warning(line) else logging.INFO, "%s", line)
