"""What is asked: the argument, and what is piped in."""

import os
import select
import stat
import sys

import click

from parallel_mcp.cli.ending import Misused

NOTICE_SECONDS = 2.0

MAX_CHARS = 20_000
"""What the tools take as one question."""


def question_of(argument: str | None) -> str | None:
    """The question: `-` or nothing means stdin; beside a question piped text is its context. None without either."""
    piped = _piped(wanted=argument in (None, "-"))
    question = "" if argument in (None, "-") else _typed(argument or "").strip()
    if argument == "-" and not piped:
        raise Misused("Nothing was piped in: give a QUESTION, or pipe it to `-`.")
    whole = f"{question}\n\nContext:\n{piped}" if question and piped else question or piped
    if len(whole) > MAX_CHARS:
        raise Misused(
            f"The question is {len(whole):,} characters long with what was piped in; {MAX_CHARS:,} can be asked."
        )
    return whole or None


def _piped(*, wanted: bool) -> str:
    """What stands on stdin; beside a question only a pipe or a file is read, which come to an end by themselves."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError, AttributeError):
        return ""
    if sys.stdin.isatty():
        return ""
    if not wanted:
        if not (stat.S_ISFIFO(mode) or stat.S_ISREG(mode)):
            return ""
        _say_if_it_is_waited_for()
    return sys.stdin.buffer.read().decode("utf-8", "replace").removeprefix("\ufeff").strip()


def _say_if_it_is_waited_for() -> None:
    """A pipe that was left open by mistake would look like a command that hangs."""
    try:
        ready, _, _ = select.select([sys.stdin], [], [], NOTICE_SECONDS)
    except OSError:  # Windows, where only sockets can be waited for
        return
    if not ready:
        click.echo("Reading context from stdin; add </dev/null to ask without.", err=True)


def _typed(value: str) -> str:
    """What was typed. Where the locale is "C", Python does not take it for the UTF-8 that it is."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return os.fsencode(value).decode("utf-8", "replace")
    return value
