"""Logs on stderr, in which no key and no question stands."""

import logging
import sys
import traceback
from typing import Any


def set_up(level: str) -> None:
    """Logs to stderr. Other people's loggers stay at WARNING: below it some repeat headers, bodies and questions."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Discreet("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("parallel_mcp").setLevel(level)
    # A retry is said as progress and counted; a bare "stamina.retry_scheduled" tells nobody anything.
    logging.getLogger("stamina").setLevel(logging.ERROR)
    # Quotes what it cannot read of a caller's baggage.
    logging.getLogger("opentelemetry.baggage").setLevel(logging.ERROR)
    sys.excepthook = _crashed


class Discreet(logging.Formatter):
    """Writes where an exception was raised and of what type, and not its words, which may quote a key or a question."""

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


def _crashed(_: type[BaseException], error: BaseException, __: Any) -> None:
    """What the interpreter does with an error that nobody foresaw, but for the error's words."""
    logging.getLogger(__name__).critical("This failed in a way that nobody foresaw", exc_info=error)
