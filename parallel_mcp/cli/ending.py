"""How a command ends: what is printed of a failure, and the exit status."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click

from parallel_mcp.errors import ParallelError
from parallel_mcp.text import clean

T = TypeVar("T")


class Failed(click.ClickException):
    """An expected failure: its text on stderr, exit status 1."""

    def show(self, file: Any = None) -> None:
        """Print the text as it is."""
        click.echo(clean(self.message), err=True)


class Misused(Failed):
    """The command line or a setting is wrong: exit status 2, as for a flag that does not exist."""

    exit_code = 2


def run(work: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Run it. Expected failures, which task groups hand over in groups, become their text."""
    import anyio
    from mcp.shared.exceptions import MCPError

    try:
        return anyio.run(work, *args)
    except KeyboardInterrupt:
        raise Failed("Let go. What was sent may be billed; `parallel-mcp history` lists it.") from None
    except (ParallelError, MCPError, BaseExceptionGroup) as error:
        first: BaseException = error
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        if isinstance(first, ParallelError | MCPError):
            raise Failed(first.error.message if isinstance(first, MCPError) else str(first)) from None
        raise
