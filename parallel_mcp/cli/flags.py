"""The flags of settings that were given, and commands that repeat those they depend on."""

import shlex
from typing import Any

import click

from parallel_mcp import settings as configuration

# A run is found only in the store that has it, and under its origin.
_PLACE = ("base_url", "sandbox", "store")


def given_flags(flags: dict[str, Any]) -> dict[str, Any]:
    """The flags of settings that were given, to the command or to a group above it."""
    known = configuration.fields()
    given = {name: value for name, value in flags.items() if value is not None}
    above = click.get_current_context().parent
    while above is not None:
        given = {name: value for name, value in above.params.items() if name in known and value is not None} | given
        above = above.parent
    return given


def command(words: str) -> str:
    """`parallel-mcp` with these words, and the flags needed to find the same runs."""
    given = given_flags(click.get_current_context().params)
    return " ".join(["parallel-mcp", words, *(_typed(name, given[name]) for name in _PLACE if name in given)])


def flag_of(name: str) -> str:
    """The flag of a setting."""
    return "--" + name.replace("_", "-")


def _typed(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return flag_of(name if value else f"no_{name}")
    return f"{flag_of(name)} {shlex.quote(str(value))}"
