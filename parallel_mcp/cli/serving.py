"""`stdio`, `engine` and `http`: the MCP server."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from parallel_mcp.cli.ending import Misused, cannot_listen
from parallel_mcp.cli.options import NAME, OwnOptionsFirst, no_front, setting_flags, settings_of, usable_settings
from parallel_mcp.compat.imports import without_uvicorn
from parallel_mcp.settings import Settings, SettingsError


@click.command(cls=OwnOptionsFirst, short_help="Serve MCP over stdin and stdout; the default command")
@setting_flags(http=False)
@no_front
def stdio(**flags: Any) -> None:
    """Serve MCP over stdin and stdout. This is the default command."""
    serve_stdio(flags)


def serve_stdio(flags: dict[str, Any]) -> None:
    """Serve MCP in one process. A front starts the `engine` command instead."""
    import anyio

    with _staying(), without_uvicorn():
        from parallel_mcp.server import build
        from parallel_mcp.stdio.engine import serve

    settings, fault = _some_settings(flags)
    anyio.run(serve, build(settings, fault), settings.waits_file)


@click.command(hidden=True)
@click.option("--front", required=True, help="The front's version", expose_value=False)
@setting_flags(http=False)
def engine(**flags: Any) -> None:
    """The server behind a front, which it outlives while research runs are in progress. Not for use by hand."""
    import anyio

    with _staying(), without_uvicorn():
        from parallel_mcp.server import build
        from parallel_mcp.stdio.engine import serve_front
        from parallel_mcp.stdio.finishing import Finishing

    settings, fault = _some_settings(flags)
    file = settings.finishing_file
    finishing = Finishing(file, settings.timeouts) if file is not None else None
    anyio.run(serve_front, build(settings, fault), finishing, settings.waits_file)


@contextmanager
def _staying() -> Iterator[None]:
    """Exempt what is imported in this block from garbage collection, because it is never freed.

    That saves about 70 ms at the start, and as much in every full collection afterwards.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        # A call creates about 2,000 objects, hardly any of them in cycles.
        gc.set_threshold(10_000)
        gc.enable()


def _some_settings(flags: dict[str, Any]) -> tuple[Settings, str | None]:
    """The valid settings. Faults in the others are reported here and by every call."""
    found = usable_settings(flags)
    found.warn()
    settings, fault = found.settings, found.fault
    if fault is not None:
        click.echo(f"{NAME}: the settings are wrong, and every call will say so. {fault}", err=True)
    _say_if_sandbox(settings)
    return settings, fault


def _say_if_sandbox(settings: Settings) -> None:
    if not settings.sandbox:
        return
    from parallel_mcp import sandbox as sandboxes

    one, two = sandboxes.example_questions()
    click.echo(
        f'{NAME}: sandbox: answers come from documents on this machine, not from the web. Try "{one}" or "{two}"',
        err=True,
    )


@click.command(cls=OwnOptionsFirst)
@setting_flags(http=True)
def http(**flags: Any) -> None:
    """Serve MCP over Streamable HTTP, at /mcp."""
    with _staying():
        from parallel_mcp import http as web

    settings = settings_of(flags)

    def ready(url: str) -> None:
        click.echo(f"{NAME}: serving {url}", err=True)
        _say_if_sandbox(settings)

    try:
        web.run(settings, ready)
    except SettingsError as error:
        raise Misused(f"The settings are wrong. {error}") from None
    except OSError as error:
        raise cannot_listen(settings.host, settings.port, error) from None
