"""`key`: the API key in a file that every command reads."""

import sys

import click

from parallel_mcp import settings as configuration
from parallel_mcp.cli.ending import Failed
from parallel_mcp.settings import SettingsError


@click.group(short_help="Keep the API key for every command")
def key() -> None:
    """Keep the Parallel API key in a file that every command reads, and that only you can read."""


@key.command("set")
def set_key() -> None:
    """Ask for the key, or read it from stdin, and save it."""
    given = click.prompt("Parallel API key", hide_input=True) if sys.stdin.isatty() else sys.stdin.read()
    try:
        path = configuration.keep_key(given)
    except SettingsError as error:
        raise Failed(str(error)) from None
    click.echo(f"Saved in {path}. PARALLEL_API_KEY takes precedence if it is set.")


@key.command("remove")
def remove_key() -> None:
    """Delete the saved key."""
    path = configuration.key_file()
    path.unlink(missing_ok=True)
    click.echo(f"Deleted {path}.")
