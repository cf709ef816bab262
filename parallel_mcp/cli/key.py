"""`key`: the API key in a file that every command reads."""

import sys

import click

from parallel_mcp import settings as configuration
from parallel_mcp.cli.ending import Failed
from parallel_mcp.settings import SettingsError


@click.group(short_help="Keep the API key for every command")
def key() -> None:
    """Keep the Parallel API key in a file that every command reads and only you can."""


@key.command("set")
def set_key() -> None:
    """Ask for the key, or read it from stdin, and keep it."""
    given = click.prompt("Parallel API key", hide_input=True) if sys.stdin.isatty() else sys.stdin.read()
    try:
        path = configuration.keep_key(given)
    except SettingsError as error:
        raise Failed(str(error)) from None
    click.echo(f"Kept in {path}. PARALLEL_API_KEY, where it is set, comes first.")


@key.command("remove")
def remove_key() -> None:
    """Delete the key that was kept."""
    path = configuration.key_file()
    path.unlink(missing_ok=True)
    click.echo(f"{path} is gone.")
