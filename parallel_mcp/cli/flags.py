"""The settings' flags that were given, and a command that repeats those that it depends on."""

import shlex
from typing import Any

import click

from parallel_mcp import settings as configuration

# Runs are found again only where they are kept, and under the origin that was asked.
_PLACE = ("base_url", "sandbox", "store")


def given_flags(flags: dict[str, Any]) -> dict[str, Any]:
    """The settings' flags that were given, to a command and before it, to those that it belongs to."""
    known = configuration.fields()
    given = {name: value for name, value in flags.items() if value is not None}
    above = click.get_current_context().parent
    while above is not None:
        given = {name: value for name, value in above.params.items() if name in known and value is not None} | given
        above = above.parent
    return given


def command(words: str) -> str:
    """`parallel-mcp` with these words, as it has to be typed to find what this command works with."""
    given = given_flags(click.get_current_context().params)
    return " ".join(["parallel-mcp", words, *(_typed(name, given[name]) for name in _PLACE if name in given)])


def flag_of(name: str) -> str:
    """The flag of a setting."""
    return "--" + name.replace("_", "-")


def _typed(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return flag_of(name if value else f"no_{name}")
    return f"{flag_of(name)} {shlex.quote(str(value))}"
