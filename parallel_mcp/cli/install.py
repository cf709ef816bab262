"""`install`: adds this server to hosts."""

import os
from typing import TYPE_CHECKING, Any

import click

from parallel_mcp import settings as configuration
from parallel_mcp.cli.ending import Failed
from parallel_mcp.settings import SettingsError
from parallel_mcp.text import clean

if TYPE_CHECKING:
    from parallel_mcp.hosts.entries import Wish
    from parallel_mcp.hosts.places import Machine


@click.command(short_help="Add this server to a host")
@click.argument("host", required=False)
@click.option("--all", "every", is_flag=True, help="Every host found on this machine")
@click.option("--remove", is_flag=True, help="Remove this server from the host's configuration")
@click.option("--dry-run", is_flag=True, help="Show what would change, without changing it")
@click.option("--http", "url", metavar="URL", help="Connect to a server running at URL instead of starting one")
@click.option("--token-variable", metavar="NAME", help="With --http: the variable that holds the bearer token")
@click.option("--write-key", is_flag=True, help="Write the key or token itself into the host's configuration")
@click.option("--sandbox", "sandboxed", is_flag=True, help="Have the host start it with --sandbox")
def install(host: str | None, every: bool, remove: bool, dry_run: bool, **wanted: Any) -> None:
    """Add this server to HOST, with the host's own command if it has one, or in its configuration.

    Without HOST, list the known hosts and which of them are found on this machine.
    """
    from parallel_mcp.hosts import installing, places
    from parallel_mcp.hosts.table import HOSTS

    machine = places.this_machine(os.environ)
    if host is None and not every:
        for one in HOSTS:
            click.echo(f"{one.id:16}{one.name:16}{'found' if places.found(one, machine) else ''}".rstrip())
        return
    chosen = [one for one in HOSTS if (places.found(one, machine) if every else one.id == host)]
    if not chosen and not every:
        raise click.UsageError(f"HOST is one of {', '.join(one.id for one in HOSTS)}.")
    wish = None if remove else _wish(machine, **wanted)
    failed = False
    for one in chosen:
        try:
            click.echo(clean(installing.install(one, machine, wish, dry_run=dry_run)))
        except installing.InstallError as error:
            failed = True
            click.echo(clean(f"{one.name}: {error}"), err=True)
    if failed:
        raise SystemExit(1)
    if not chosen:
        click.echo(
            "No host was found on this machine. `parallel-mcp install` lists them; name one to configure it anyway."
        )


def _wish(machine: "Machine", **wanted: Any) -> "Wish":
    from parallel_mcp.hosts import installing

    try:
        settings, _ = configuration.read(os.environ, {}, configuration.key_file())
        secret = settings.api_key.get_secret_value() if settings.api_key else None
        return installing.wish(machine, secret, configuration.key_file(), **wanted)
    except (SettingsError, installing.InstallError) as error:
        raise Failed(str(error)) from None
