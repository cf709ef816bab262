"""`doctor`: what keeps this server from working."""

from typing import Any

import click

from parallel_mcp.cli.options import OwnOptionsFirst, setting_flags, settings_of
from parallel_mcp.settings import Settings
from parallel_mcp.text import clean


@click.command(cls=OwnOptionsFirst, short_help="Find what keeps this server from working")
@setting_flags(http=True)
def doctor(**flags: Any) -> None:
    """Check key, endpoint, proxy, certificates and store, and say what to do. Spends nothing."""
    import anyio

    settings = settings_of(flags)
    if anyio.run(_examined, settings):
        raise SystemExit(1)


async def _examined(settings: Settings) -> bool:
    from parallel_mcp import doctor as examination

    failed = False
    async for finding in examination.examine(settings):
        failed = failed or finding.verdict == "fail"
        click.echo(f"{finding.verdict:4}  {finding.what:12}  {clean(finding.words)}")
    return failed
