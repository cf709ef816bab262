"""Logs on stderr. They contain no key or question, and untrusted input can neither forge nor flood them."""

import logging
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from parallel_mcp.text import clean

MAX_CHARS = 4_000
"""The longest line; it may quote untrusted input."""

PER_MINUTE = 20
"""How many lines one place in the code may log per minute."""

_MINUTE = 60.0


def set_up(level: str) -> None:
    """Log to stderr. Other libraries' loggers stay at WARNING: below it, some log headers, bodies and questions."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Discreet("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(RateLimit())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("parallel_mcp").setLevel(level)
    # Retries are reported as progress and counted; a bare "stamina.retry_scheduled" says nothing useful.
    logging.getLogger("stamina").setLevel(logging.ERROR)
    # It quotes the parts of a caller's baggage that it cannot read.
    logging.getLogger("opentelemetry.baggage").setLevel(logging.ERROR)
    sys.excepthook = _crashed


class Discreet(logging.Formatter):
    """Logs where an exception was raised and its type, but not its message, which may quote a key or a question."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """A line without control characters. Further lines are indented, so that none can pass for another record."""
        said = clean(record.message, MAX_CHARS).replace("\n", "\n    ")
        left_out = getattr(record, "left_out", 0)
        record.message = f"{said} [{left_out} similar lines were left out]" if left_out else said
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        """The frames and types of an exception and its causes, innermost first."""
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
    """Drops lines that one place in the code logs too often; its next line says how many were dropped."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._written: dict[tuple[str, int], _Written] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log the record."""
        now = self._clock()
        # By place rather than message, which may be untrusted and different each time.
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
