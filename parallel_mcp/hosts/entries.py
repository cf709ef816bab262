"""The entry for this server in a host's configuration."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from parallel_mcp.hosts.documents import ABSENT, Keys
from parallel_mcp.hosts.table import Host

NAME = "parallel"
KEY = "PARALLEL_API_KEY"
WAIT = "PARALLEL_MCP_WAIT_SECONDS"

# The largest model takes up to five minutes; hosts with a configurable timeout are set to wait that long.
HOST_TIMEOUT_SECONDS = 360
WAIT_SECONDS = 330

INPUT = {
    "type": "promptString",
    "id": "parallel-api-key",
    "description": "Parallel API key",
    "password": True,
}


class Wish(NamedTuple):
    """What to configure in a host."""

    command: list[str]
    """The program and its arguments; empty if `url` is given."""
    url: str | None = None
    secret: str | None = None
    """The key's value, to be written; without it, the host's own way to refer to a variable is used, if it has one."""
    variable: str | None = KEY
    """The variable that holds the key or, over HTTP, the bearer token; None if nothing is passed on."""


class NotTaken(Exception):
    """The host's configuration cannot express this; the text says what to do instead."""


def entry(host: Host, wish: Wish) -> dict[str, Any]:
    """The entry in the host's own format."""
    made = _remote(host, wish) if wish.url else _program(host, wish)
    if host.timeout:
        made[host.timeout.key] = HOST_TIMEOUT_SECONDS * host.timeout.units
    return made


def _program(host: Host, wish: Wish) -> dict[str, Any]:
    form = host.entry
    made: dict[str, Any] = dict(form.stdio)
    command, *args = wish.command
    if form.args:
        made |= {form.command: command, form.args: args}
    else:
        made[form.command] = [command, *args]
    env = _key(host, wish)
    if host.timeout:
        env[WAIT] = str(WAIT_SECONDS)
    if env:
        made[form.env] = env
    if form.names and wish.variable and wish.secret is None:
        made[form.names] = [wish.variable]
    return made


def _key(host: Host, wish: Wish) -> dict[str, str]:
    if wish.variable is None:
        return {}
    if wish.secret is not None:
        return {wish.variable: wish.secret}
    named = _named(host, wish.variable)
    return {wish.variable: named} if named else {}


def _named(host: Host, variable: str) -> str | None:
    """How a value in this host's configuration refers to a variable, or to a secret that the host asks for."""
    if host.entry.inputs:
        return f"${{input:{INPUT['id']}}}"
    return host.entry.variable.format(variable) or None


def _remote(host: Host, wish: Wish) -> dict[str, Any]:
    form = host.entry
    if form.http is None:
        raise NotTaken(
            f"{host.name} accepts no URL in its configuration: add {wish.url} in its connector settings, "
            "or install without --http."
        )
    made: dict[str, Any] = dict(form.http) | {form.url: wish.url}
    if wish.variable is None:
        return made
    if form.bearer and wish.secret is None:
        return made | {form.bearer: wish.variable}
    token = wish.secret or _named(host, wish.variable)
    if token is None:
        raise NotTaken(f"{host.name} cannot fill in a variable: add --write-key to write the token itself.")
    return made | {form.headers: {"Authorization": f"Bearer {token}"}}


def secrets(host: Host, *entries: Any) -> frozenset[str]:
    """The keys and tokens written in the entries themselves, rather than as references to variables."""
    kept = ((host.entry.env, KEY), (host.entry.headers, "Authorization"))
    found: set[str] = set()
    for one in entries:
        for holder, name in kept:
            values = one.get(holder) if isinstance(one, Mapping) else None
            if isinstance(values, Mapping):
                found.add(str(values.get(name, "")).removeprefix("Bearer "))
    return frozenset(value for value in found if value and not value.startswith(("$", "{")))


def forwards(host: Host) -> bool:
    """Whether the host can pass a key on, or ask for it, without storing it in its configuration."""
    return bool(host.entry.inputs or host.entry.variable or host.entry.names)


def changes(host: Host, wish: Wish | None, document: Mapping[str, Any]) -> list[tuple[Keys, Any]]:
    """The changes to make in the host's configuration. Without a wish, they remove this server."""
    nested = _nested(host, document)
    keys = (*host.servers, "servers", NAME) if nested else (*host.servers, NAME)
    if wish is None:
        return [(keys, ABSENT), *_input(host, document, ABSENT)]
    made = entry(host, wish)
    if nested and host.timeout:
        made.pop("enabled")
        made[host.timeout.key] = {"request": made[host.timeout.key]}
    asks = wish.variable is not None and wish.secret is None
    return [(keys, made), *_input(host, document, INPUT if asks else ABSENT)]


def _input(host: Host, document: Mapping[str, Any], wanted: Any) -> list[tuple[Keys, Any]]:
    """The change to the file's `inputs`, by which the host asks for the key."""
    others = document.get("inputs", [])
    if not host.entry.inputs or (not others and wanted is ABSENT):
        return []
    if not others:
        return [(("inputs",), [wanted])]
    own = [index for index, one in enumerate(others) if one.get("id") == INPUT["id"]]
    if wanted is ABSENT and own and len(others) == 1:
        return [(("inputs",), ABSENT)]
    return [(("inputs", own[0] if own else len(others)), wanted)]


def _nested(host: Host, document: Mapping[str, Any]) -> bool:
    """Whether this is an opencode configuration in the second format, which nests servers one level deeper."""
    first = document.get(host.servers[0])
    return host.id == "opencode" and isinstance(first, Mapping) and isinstance(first.get("servers"), Mapping)
