"""`doctor`: finds what keeps this server from working, and shows each setting as a host would see it."""

import json
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from parallel_mcp import settings as configuration
from parallel_mcp.cli.ending import Misused, reported, run
from parallel_mcp.cli.flags import given_flags
from parallel_mcp.cli.options import OwnOptionsFirst, setting_flags, usable_settings
from parallel_mcp.settings import Settings
from parallel_mcp.text import clean

if TYPE_CHECKING:
    from parallel_mcp.doctor import Finding


@click.command(cls=OwnOptionsFirst, short_help="Find what keeps this server from working")
@click.option("--live", is_flag=True, help="Send one question to speed, after asking you, and check the reply's shape")
@click.option("--yes", is_flag=True, help="With --live: do not ask for confirmation")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a bug report; it contains no key")
@setting_flags(http=True)
def doctor(live: bool, yes: bool, as_json: bool, **flags: Any) -> None:
    """Check settings, key, proxy, certificates, endpoint and store, and say what to do.

    Costs nothing, except with --live. Exits with 1 if a check fails.
    """
    with reported(as_json=as_json):
        settings, fault, warnings = usable_settings(flags)
        if live:
            _consent(settings, fault, yes)
        findings = run(_examined, settings, fault, warnings, live)
        values = _values(settings, flags)
        if as_json:
            listed = [{"what": one.what, "verdict": one.verdict, "words": one.words} for one in findings]
            click.echo(clean(json.dumps({"findings": listed, "settings": values}, ensure_ascii=False, indent=2)))
        elif sys.stdout.isatty():
            _show(findings, values)
        else:
            _print(findings, values)
    if any(finding.verdict == "fail" for finding in findings):
        raise SystemExit(1)


async def _examined(settings: Settings, fault: str | None, warnings: list[str], live: bool) -> "list[Finding]":
    from parallel_mcp.doctor import examine, examine_live

    findings = [finding async for finding in examine(settings, fault, warnings, os.environ)]
    return [*findings, await examine_live(settings)] if live else findings


def _consent(settings: Settings, fault: str | None, yes: bool) -> None:
    from parallel_mcp.models import Model

    if fault is not None:
        raise Misused(f"The settings are wrong. {fault}")
    if settings.sandbox:
        raise Misused("--live asks Parallel: leave out --sandbox.")
    if settings.api_key is None:
        raise Misused("--live needs a key: see `parallel-mcp doctor`.")
    if yes:
        return
    if not sys.stdin.isatty():
        raise Misused("--live sends one paid question: add --yes.")
    price = settings.known_prices[Model.SPEED]
    cost = "at an unknown price" if price is None else f"for about ${price:.3f}"
    question = f"Send one question to {urlsplit(settings.base_url).netloc}, {cost}?"
    click.confirm(question, default=False, abort=True, err=True)


def _values(settings: Settings, flags: dict[str, Any]) -> list[dict[str, str]]:
    """Each setting as a host would see it: its value and where that comes from, without secrets."""
    given = given_flags(flags)
    listed = []
    for name in configuration.fields():
        variable = configuration.variable(name)
        if name == "api_key" and settings.key_is_kept:
            source = "kept key"
        elif name in given:
            source = "flag"
        elif os.environ.get(variable, "").strip():
            source = "environment"
        elif name in configuration.SECRETS and os.environ.get(f"{variable}_FILE"):
            source = "file"
        else:
            source = "default"
        listed.append({"variable": variable, "value": _shown(settings, name), "from": source})
    return listed


def _shown(settings: Settings, name: str) -> str:
    value = getattr(settings, name)
    if name == "api_key":
        return "set" if value is not None else "cannot be used" if settings.key_fault else "none"
    if name == "access_tokens":
        return ", ".join(f"{caller}:***" for caller in value) or "none"
    if name == "store":
        return _without_password(settings.store_url)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return ", ".join(f"{model}={said}" for model, said in value.items()) or "none"
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _without_password(url: str) -> str:
    scheme, mark, rest = url.partition("://")
    return f"{scheme}://***@{rest.rpartition('@')[2]}" if mark and "@" in rest else url


def _print(findings: "list[Finding]", values: list[dict[str, str]]) -> None:
    for finding in findings:
        click.echo(f"{finding.verdict:4}  {finding.what:12}  {clean(finding.words)}")
    click.echo()
    for value in values:
        click.echo(clean(f"{value['variable']:36}  {value['from']:11}  {value['value']}"))


def _show(findings: "list[Finding]", values: list[dict[str, str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    from parallel_mcp.cli import page

    seen = Table.grid(padding=(0, 2, 0, 0))
    for finding in findings:
        seen.add_row(page.verdict(finding.verdict), Text(finding.what, "bold"), Text(clean(finding.words)))
    settings = page.table("setting", "from", "value")
    for value in values:
        style = "dim" if value["from"] == "default" else ""
        settings.add_row(*(Text(clean(value[name]), style) for name in ("variable", "from", "value")))
    page.show(page.stacked([seen, settings]))
