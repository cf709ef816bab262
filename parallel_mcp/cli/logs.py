"""Logs on stderr, in which no key and no question stands, and which strangers can neither forge nor flood."""

import logging
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from parallel_mcp.text import clean

MAX_CHARS = 4_000
"""The longest line; what a stranger sends may be quoted in it."""

PER_MINUTE = 20
"""How many lines one place in the code may write in a minute."""

_MINUTE = 60.0


def set_up(level: str) -> None:
    """Logs to stderr. Other people's loggers stay at WARNING: below it some repeat headers, bodies and questions."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Discreet("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(RateLimit())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("parallel_mcp").setLevel(level)
    # A retry is said as progress and counted; a bare "stamina.retry_scheduled" tells nobody anything.
    logging.getLogger("stamina").setLevel(logging.ERROR)
    # Quotes what it cannot read of a caller's baggage.
    logging.getLogger("opentelemetry.baggage").setLevel(logging.ERROR)
    sys.excepthook = _crashed


class Discreet(logging.Formatter):
    """Writes where an exception was raised and of what type, and not its words, which may quote a key or a question."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """A line without control characters; further lines are indented, so that none of them looks like another's."""
        said = clean(record.message, MAX_CHARS).replace("\n", "\n    ")
        left_out = getattr(record, "left_out", 0)
        record.message = f"{said} [{left_out} more like it were left out]" if left_out else said
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        """The frames and types of an exception and of what it came from, innermost cause first."""
        parts: list[str] = []
        seen: set[int] = set()
        error: BaseException | None = ei[1]
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            parts.append("".join(traceback.format_tb(error.__traceback__)) + type(error).__name__)
            grouped = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else None
            error = grouped or error.__cause__ or error.__context__
        return "\n\n".join(reversed(parts))


@dataclass(slots=True)
class _Written:
    since: float
    lines: int = 0
    left_out: int = 0


class RateLimit(logging.Filter):
    """Leaves out what one place in the code writes too often, and says how much that was with its next line."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._written: dict[tuple[str, int], _Written] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is written."""
        now = self._clock()
        # By the place and not the words: those may be a stranger's, and different each time.
        written = self._written.setdefault((record.pathname, record.lineno), _Written(now))
        if now - written.since >= _MINUTE:
            written.since, written.lines = now, 0
        if written.lines >= PER_MINUTE:
            written.left_out += 1
            return False
        written.lines += 1
        record.left_out, written.left_out = written.left_out, 0
        return True


def _crashed(_: type[BaseException], error: BaseException, __: Any) -> None:
    """Log an unexpected error as the interpreter would, but without its message."""
    logging.getLogger(__name__).critical("This failed unexpectedly", exc_info=error)
