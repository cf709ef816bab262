"""Progress on stderr while a question is in flight: one display and one clock for all of it."""

import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import click

from parallel_mcp.text import clean

if TYPE_CHECKING:
    from rich.text import Text

REDRAW_SECONDS = 0.125
LINE_SECONDS = 10.0
"""How often a line is written if stderr is not a terminal."""


@asynccontextmanager
async def shown(opening: str, seconds: float = 0.0) -> AsyncIterator[Callable[[str], None]]:
    """Show the newest words and the time until the block ends. Yields a function that takes the words.

    `seconds` is how long the run has been in progress already.
    """
    display = (_Terminal if sys.stderr.isatty() else _Lines)(opening, seconds)
    async with anyio.create_task_group() as group:
        group.start_soon(display.run)
        try:
            yield display.tell
        finally:
            group.cancel_scope.cancel()
            display.close()


class _Display:
    def __init__(self, opening: str, seconds: float) -> None:
        self._began = time.monotonic() - seconds
        self._words = opening

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def tell(self, words: str) -> None:
        """Take the newest words."""
        self._words = clean(" ".join(words.split())) or self._words


class _Lines(_Display):
    """A line at once, and then at intervals."""

    async def run(self) -> None:
        """Write until it is cancelled."""
        while True:
            click.echo(f"{self._seconds:5.0f} s  {self._words[-200:]}", err=True)
            await anyio.sleep(LINE_SECONDS)

    def close(self) -> None:
        """There is nothing to clear."""


class _Terminal(_Display):
    """One line that is redrawn, and cleared at the end."""

    def __init__(self, opening: str, seconds: float) -> None:
        super().__init__(opening, seconds)
        from rich.console import Console
        from rich.live import Live

        self._live = Live(console=Console(stderr=True), transient=True, auto_refresh=False)

    async def run(self) -> None:
        """Draw until it is cancelled."""
        from rich.spinner import Spinner

        self._live.start()
        spinner = Spinner("dots")
        while True:
            spinner.text = self._line()
            self._live.update(spinner, refresh=True)
            await anyio.sleep(REDRAW_SECONDS)

    def _line(self) -> "Text":
        """The clock and the end of the words, because the newest are the ones to read."""
        from rich.cells import cell_len
        from rich.text import Text

        clock = f"{self._seconds:4.0f} s  "
        room = max(self._live.console.width - cell_len(clock) - 4, 10)
        words = self._words
        if cell_len(words) > room:
            while cell_len(words) > room - 1:
                words = words[max(1, len(words) - room) :] if len(words) > 2 * room else words[1:]
            words = "…" + words
        return Text.assemble((clock, "dim"), words)

    def close(self) -> None:
        """Clear the line."""
        self._live.stop()
