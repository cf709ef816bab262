"""The question: the argument and piped input."""

import os
import select
import stat
import sys

import click

from parallel_mcp.cli.ending import Misused

NOTICE_SECONDS = 2.0

MAX_CHARS = 20_000
"""The longest question that the tools accept."""


def question_of(argument: str | None) -> str | None:
    """The question. `-` or nothing means stdin; otherwise piped text is added as context. None if there is neither."""
    piped = _piped(wanted=argument in (None, "-"))
    question = "" if argument in (None, "-") else _typed(argument or "").strip()
    if argument == "-" and not piped:
        raise Misused("Nothing was piped in: give a QUESTION, or pipe one to `-`.")
    whole = f"{question}\n\nContext:\n{piped}" if question and piped else question or piped
    if len(whole) > MAX_CHARS:
        raise Misused(
            f"With the piped input, the question is {len(whole):,} characters long; the limit is {MAX_CHARS:,}."
        )
    return whole or None


def _piped(*, wanted: bool) -> str:
    """The text on stdin. If a question was given, only a pipe or a file is read, because those end."""
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
    """Say that stdin is being read: a pipe left open by mistake would look like a hanging command."""
    try:
        ready, _, _ = select.select([sys.stdin], [], [], NOTICE_SECONDS)
    except OSError:  # Windows, where only sockets can be waited for
        return
    if not ready:
        click.echo("Reading context from stdin; add </dev/null to ask without any.", err=True)


def _typed(value: str) -> str:
    """The typed text. In the "C" locale, Python does not decode it as the UTF-8 that it is."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return os.fsencode(value).decode("utf-8", "replace")
    return value
