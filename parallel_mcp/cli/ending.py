"""How a command fails: what it prints, and its exit status. `docs/command-line.md` lists them."""

import errno
import json
import re
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from parallel_mcp.cli import INTERRUPTED
from parallel_mcp.cli.flags import command
from parallel_mcp.errors import ParallelError
from parallel_mcp.text import clean

T = TypeVar("T")


class Failed(click.ClickException):
    """An expected failure: text on stderr, or JSON on stdout if requested; exit status 1.

    `kind` is its stable name; `facts` are further members of the JSON.
    """

    kind = "failed"

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.facts = facts
        self.as_json = False

    def show(self, file: Any = None) -> None:
        """Print the text, or the JSON."""
        if self.as_json:
            error = {"kind": self.kind, "message": self.message, **self.facts}
            click.echo(clean(json.dumps({"error": error}, ensure_ascii=False, indent=2)))
        else:
            click.echo(clean(self.message), err=True)


def cannot_listen(host: str, port: int, error: OSError) -> Failed:
    """The failure to listen at an address."""
    if error.errno == errno.EADDRINUSE:
        return Failed(f"Cannot listen on {host}, port {port}: another program uses it. Choose another with --port.")
    return Failed(f"Cannot listen on {host}, port {port}: {error.strerror or error}")


class Misused(Failed):
    """The command line or a setting is wrong: exit status 2, as for an unknown flag."""

    kind = "settings"
    exit_code = 2


class Interrupted(Failed):
    """Ctrl-C."""

    kind = "interrupted"
    exit_code = INTERRUPTED


@dataclass(slots=True)
class Pending:
    """The question in progress, for the message about how to resume it."""

    research_id: str | None = None
    sent: bool = False
    finished: bool = False

    def interrupted(self) -> Interrupted:
        """What to say after Ctrl-C."""
        if self.research_id is None:
            billed = "The question had been sent and may be billed." if self.sent else "Nothing was sent."
            return Interrupted(f"Stopped. {billed}", may_be_billed=self.sent)
        name = f"Stopped waiting for research run {self.research_id}."
        if self.finished:
            words = f"{name} It has been answered:\n  {command(f'history show {self.research_id}')}"
        else:
            billed = " Its request had been sent and may be billed." if self.sent else ""
            words = f"{name}{billed} To resume it:\n  {command(f'research --id {self.research_id}')}"
        return Interrupted(words, research_id=self.research_id, may_be_billed=self.sent and not self.finished)


@contextmanager
def reported(pending: Pending | None = None, *, as_json: bool = False) -> Iterator[None]:
    """Turn expected errors into a `Failed`, in the words of the command line."""
    try:
        yield
    except (KeyboardInterrupt, click.Abort):
        # A second Ctrl-C must not suppress the message about the first.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _end((pending or Pending()).interrupted(), as_json)
    except (Failed, ParallelError, BaseExceptionGroup) as error:
        first: BaseException = error
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        if isinstance(first, Failed):
            _end(first, as_json or first.as_json)
        if not isinstance(first, ParallelError):
            raise
        told = Failed(in_flags(str(first)), may_be_billed=first.may_be_billed, **_of_run(pending))
        told.kind = first.kind
        _end(told, as_json)


def _end(failed: Failed, as_json: bool) -> None:
    failed.as_json = as_json
    raise failed from None


def _of_run(pending: Pending | None) -> dict[str, str]:
    return {"research_id": pending.research_id} if pending is not None and pending.research_id else {}


def run(work: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Run it on an event loop. Raises KeyboardInterrupt on Ctrl-C.

    Ctrl-C cancels a scope, and so every wait inside it. asyncio's own handler cancels the task once, which is lost if
    the current wait cannot be cancelled, such as the store's.
    """
    import asyncio

    import anyio

    results: list[T] = []

    async def interruptible() -> None:
        loop = asyncio.get_running_loop()
        with anyio.CancelScope() as scope:
            before = signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(scope.cancel))
            try:
                results.append(await work(*args))
            finally:
                signal.signal(signal.SIGINT, before)

    anyio.run(interruptible)
    if not results:
        raise KeyboardInterrupt
    return results[0]


# Errors are written for models and for those who run a server; these are the words for the command line.
_FLAGS = (
    (r"\bresearch_id=", "--id "),
    (r"\bresearch_id\b", "--id"),
    (r"\bfollow_up_to=", "--follow-up-to "),
    (r"\bfollow_up_to\b", "--follow-up-to"),
    (r"\boutput_schema\b", "--output-schema"),
    (r"Pass fresh=true with the question to ask again", "--fresh asks again"),
    (r"\bfresh=true\b", "--fresh"),
    (r"\bmodel='?(\w+)'?", r"--model \1"),
    (r"\bCall deep_research with the question\b", "Run `parallel-mcp research` with the question"),
    (r"\bcall deep_research with the question\b", "run `parallel-mcp research` with the question"),
    (r"\bdeep_research\b", "`parallel-mcp research`"),
    (r"\bweb_answer\b", "`parallel-mcp answer`"),
    (
        r" in this server's environment, and restart it; or start it with --sandbox to try it with",
        "; or add --sandbox for",
    ),
    (
        r"as PARALLEL_API_KEY where this server runs, or in the request header if callers bring their own",
        "with `parallel-mcp key set` or as PARALLEL_API_KEY",
    ),
    (r" where this server runs\b", ""),
    (r" Then restart this server\.", ""),
    (r"\bcall(ing)? again\b", r"ask\1 again"),
    (r"\bCall(ing)? again\b", r"Ask\1 again"),
)


def in_flags(words: str) -> str:
    """A text of the tools, with flags and commands in place of arguments and tools."""
    for pattern, flag in _FLAGS:
        words = re.sub(pattern, flag, words)
    return words
