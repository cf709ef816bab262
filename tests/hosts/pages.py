"""Writes the tables of hosts in README.md and docs/hosts.md from the one table: `python -m tests.hosts.pages`."""

import base64
import json
from pathlib import Path
from urllib.parse import quote

from parallel_mcp.hosts.entries import HOST_TIMEOUT_SECONDS, INPUT, NAME, Wish, entry, forwards
from parallel_mcp.hosts.table import HOSTS, Host

ROOT = Path(__file__).parents[2]
HERE = "http://127.0.0.1:8765/mcp"


def link(host: Host) -> str:
    """The link that connects a host to a server on this machine."""
    assert host.link
    made = json.dumps(entry(host, Wish([], HERE, variable=None)), separators=(",", ":"))
    return host.link.format(name=NAME, base64=base64.b64encode(made.encode()).decode(), quoted=quote(made, safe=""))


def readme() -> str:
    """A line per host."""
    lines = ["| host | command | or a link, while `parallel-mcp http` is running |", "|---|---|---|"]
    for host in HOSTS:
        button = f"[add to {host.name}]({link(host)})" if host.link else ""
        lines.append(f"| {host.name} | `parallel-mcp install {host.id}` | {button} |")
    return "\n".join(lines)


def limits() -> str:
    """What each host calls itself, how long it waits, and what makes it wait longer."""
    lines = ["| host | name in `clientInfo` | gives up after | timeout that `install` sets |", "|---|---|---|---|"]
    for host in HOSTS:
        names = ", ".join(f"`{name}`" for name in host.clients)
        limit = f"{host.call_limit:.0f} s" if host.call_limit else "unknown"
        told = f"`{host.timeout.key}: {HOST_TIMEOUT_SECONDS * host.timeout.units}`" if host.timeout else "none"
        lines.append(f"| [{host.name}]({host.page}) | {names} | {limit} | {told} |")
    return "\n".join(lines)


def files() -> str:
    """Where each host keeps its servers, under which key, and how it gets the API key."""
    lines = ["| host | file: Mac, Linux, Windows | key | command | the API key |", "|---|---|---|---|---|"]
    for host in HOSTS:
        places = [" or ".join(f"`{place}`" for place in system) for system in host.places]
        shown = places[0] if len(set(places)) == 1 else "<br>".join(places)
        keys = ".".join(host.servers)
        lines.append(f"| {host.name} | {shown} | `{keys}` | {host.command or ''} | {_key(host)} |")
    return "\n".join(lines)


def _key(host: Host) -> str:
    form = host.entry
    if form.inputs:
        return f"asks for it, `${{input:{INPUT['id']}}}`"
    if form.names:
        return f"by name, `{form.names}`"
    return f"`{form.variable.format('PARALLEL_API_KEY')}`" if forwards(host) else "`parallel-mcp key set`"


PAGES = {
    "README.md": {"hosts": readme},
    "docs/hosts.md": {"limits": limits, "files": files},
}


def filled(text: str, tables: dict[str, str]) -> str:
    """The page with the tables between their marks."""
    for name, table in tables.items():
        before, start, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        assert start and end, name
        text = f"{before}{start}\n{table}\n\n{end}{after}"
    return text


def page(name: str) -> tuple[str, str]:
    """A page as it is, and as it should be."""
    text = (ROOT / name).read_text("utf-8")
    return text, filled(text, {mark: made() for mark, made in PAGES[name].items()})


if __name__ == "__main__":
    for name in PAGES:
        _, wanted = page(name)
        (ROOT / name).write_text(wanted, "utf-8")
