"""The entry of this server in a host's configuration."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from parallel_mcp.hosts.documents import ABSENT, Keys
from parallel_mcp.hosts.table import Host

NAME = "parallel"
KEY = "PARALLEL_API_KEY"
WAIT = "PARALLEL_MCP_WAIT_SECONDS"

# Research of the largest model takes up to five minutes; a host that can be told to wait is told to wait for it.
HOST_TIMEOUT_SECONDS = 360
WAIT_SECONDS = 330

INPUT = {
    "type": "promptString",
    "id": "parallel-api-key",
    "description": "Parallel API key",
    "password": True,
}


class Wish(NamedTuple):
    """What a host should be told."""

    command: list[str]
    """The program and its arguments; empty where `url` is meant."""
    url: str | None = None
    secret: str | None = None
    """The key's value, to be written; without it the host's own way to name a variable is used, if it has one."""
    variable: str | None = KEY
    """The variable that holds the key, or, over HTTP, the bearer token; None where nothing is handed on."""


class NotTaken(Exception):
    """The host cannot be told this; the text says what can be done."""


def entry(host: Host, wish: Wish) -> dict[str, Any]:
    """The entry, as the host writes it."""
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
    """How this host fills in a variable, or asks for a secret, inside a value."""
    if host.entry.inputs:
        return f"${{input:{INPUT['id']}}}"
    return host.entry.variable.format(variable) or None


def _remote(host: Host, wish: Wish) -> dict[str, Any]:
    form = host.entry
    if form.http is None:
        raise NotTaken(
            f"{host.name} takes no URL in its configuration: add {wish.url} under its settings for connectors, "
            "or install without --http."
        )
    made: dict[str, Any] = dict(form.http) | {form.url: wish.url}
    if wish.variable is None:
        return made
    if form.bearer and wish.secret is None:
        return made | {form.bearer: wish.variable}
    token = wish.secret or _named(host, wish.variable)
    if token is None:
        raise NotTaken(f"{host.name} cannot fill in a variable: give --write-key, and the token is written.")
    return made | {form.headers: {"Authorization": f"Bearer {token}"}}


def secrets(host: Host, *entries: Any) -> frozenset[str]:
    """The keys and tokens that entries hold themselves, where they name no variable in their place."""
    kept = ((host.entry.env, KEY), (host.entry.headers, "Authorization"))
    found: set[str] = set()
    for one in entries:
        for holder, name in kept:
            values = one.get(holder) if isinstance(one, Mapping) else None
            if isinstance(values, Mapping):
                found.add(str(values.get(name, "")).removeprefix("Bearer "))
    return frozenset(value for value in found if value and not value.startswith(("$", "{")))


def forwards(host: Host) -> bool:
    """Whether the host hands a key on, or asks for it, without its being written down."""
    return bool(host.entry.inputs or host.entry.variable or host.entry.names)


def changes(host: Host, wish: Wish | None, document: Mapping[str, Any]) -> list[tuple[Keys, Any]]:
    """What to put where in the host's configuration, or, without a wish, what to take out."""
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
    """The question for the key, among the other questions of the file."""
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
    """Whether an opencode configuration is of the second format, which keeps servers one level deeper."""
    first = document.get(host.servers[0])
    return host.id == "opencode" and isinstance(first, Mapping) and isinstance(first.get("servers"), Mapping)
