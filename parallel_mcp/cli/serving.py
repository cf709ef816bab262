"""`stdio` and `http`: the MCP server."""

import sys
from typing import Any

import click

from parallel_mcp.cli.ending import Failed, Misused
from parallel_mcp.cli.options import NAME, setting_flags, settings_of, usable_settings
from parallel_mcp.settings import SettingsError


@click.command()
@setting_flags(http=False)
def stdio(**flags: Any) -> None:
    """Serve MCP over stdin and stdout (what happens without a command, too)."""
    serve_stdio(flags)


def serve_stdio(flags: dict[str, Any]) -> None:
    """The MCP server over pipes, until the host closes them."""
    import anyio

    from parallel_mcp.server import build
    from parallel_mcp.stdio import engine

    if sys.stdin.isatty():
        click.echo(f"{NAME}: waiting for an MCP host on stdin; see --help for what else there is.", err=True)
    settings, fault = usable_settings(flags)
    if fault is not None:
        click.echo(f"{NAME}: the settings are wrong, which every call will say. {fault}", err=True)
    anyio.run(engine.serve, build(settings, fault))


@click.command()
@setting_flags(http=True)
def http(**flags: Any) -> None:
    """Serve MCP over Streamable HTTP, at /mcp."""
    from parallel_mcp import http as web

    settings = settings_of(flags)
    try:
        web.run(settings, lambda url: click.echo(f"{NAME}: serving {url}", err=True))
    except SettingsError as error:
        raise Misused(f"The settings are wrong. {error}") from None
    except OSError as error:
        raise Failed(f"Cannot listen on {settings.host}, port {settings.port}: {error.strerror or error}") from None
