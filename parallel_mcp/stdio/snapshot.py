"""What the front answers without the engine, from `snapshot.json`, which `record.py` writes.

Standard library only, without `typing`, which alone costs 3 ms.
"""

from __future__ import annotations

import itertools
import json
import os

from parallel_mcp.environment import given

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from typing import Any


FILE = os.path.join(os.path.dirname(__file__), "snapshot.json")

KEY = {
    "max_model": ("", "lite", "base", "core"),
    "default_model": ("", "lite", "base", "core"),
    "answer_model": ("", "speed", "lite"),
}
"""The settings that change a byte of the answers, with their values; "" means not set."""

HANDSHAKES = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
MODERN = ("2026-07-28",)
LISTS = ("tools/list", "resources/list", "resources/templates/list", "prompts/list")

_ENVELOPE = "io.modelcontextprotocol/"
_VERSION, _CAPABILITIES, _CLIENT = (
    _ENVELOPE + name for name in ("protocolVersion", "clientCapabilities", "clientInfo")
)


class Snapshot:
    """The file's contents. `version` is that of the server that was recorded."""

    def __init__(self, file: str = FILE) -> None:
        with open(file, encoding="utf-8") as opened:
            content = json.load(opened)
        self.version: str = content["version"]
        self._flags: dict[str, bool] = content["flags"]
        self._answers: dict[str, int | dict[str, int]] = content["answers"]
        self._texts: list[str] = content["texts"]
        self._values = ""

    def flags(self, arguments: Sequence[str]) -> list[str] | None:
        """The flags of a command line that only serves stdio; None for any other."""
        flags: list[str] = []
        commands = 0
        rest = iter(arguments)
        for argument in rest:
            name, equals, _ = argument.partition("=")
            takes_value = self._flags.get(name)
            if argument == "stdio" and not commands:
                commands = 1
                continue
            if takes_value is None or (equals and not takes_value):
                return None
            flags.append(argument)
            if takes_value and not equals:
                flags.extend(itertools.islice(rest, 1))
        return flags

    def choose(self, environ: Mapping[str, str], flags: Sequence[str]) -> None:
        """Choose the answers for these settings. Values that are not in the key are left to the engine."""
        self._values = ",".join((_flag(flags, name) or given(environ, name)).lower() for name in KEY)

    def answer(self, message: Mapping[str, Any], handshake: str | None) -> bytes | None:
        """The line that answers a request, or None if the engine has to answer it.

        `handshake` is the version that `initialize` negotiated on this pipe.
        """
        number, method, params = message.get("id"), message["method"], message.get("params", {})
        if not (_is_plain_id(number) and message.keys() <= {"jsonrpc", "id", "method", "params"}):
            return None
        version = asked_version(message) or (handshake if _is_legacy(params) else None)
        index = self._answers.get(f"{method} {version}")
        if isinstance(index, dict):
            index = index.get(self._values)
        return None if index is None else f'{{"jsonrpc":"2.0","id":{json.dumps(number)},{self._texts[index]}\n'.encode()


def is_modern(params: Any) -> bool:
    """Whether a request has the envelope of the versions without a handshake."""
    meta = params.get("_meta") if isinstance(params, dict) else None
    return isinstance(meta, dict) and _VERSION in meta


def asked_version(message: Mapping[str, Any]) -> str | None:
    """The protocol version that a request of a known shape names; None for any other request."""
    params: Any = message.get("params")
    if message["method"] != "initialize":
        meta: Any = params["_meta"] if _has(params, {"_meta"}) else None
        if not _has(meta, {_VERSION, _CAPABILITIES}, {_CLIENT, "progressToken"}):
            return None
        known = _are_capabilities(meta[_CAPABILITIES]) and (_CLIENT not in meta or _is_client(meta[_CLIENT]))
        return meta[_VERSION] if known and meta[_VERSION] in MODERN else None
    if not _has(params, {"protocolVersion", "capabilities", "clientInfo"}, {"_meta"}):
        return None
    known = _are_capabilities(params["capabilities"]) and _is_client(params["clientInfo"]) and _is_plain_meta(params)
    return params["protocolVersion"] if known and params["protocolVersion"] in HANDSHAKES else None


def _flag(flags: Sequence[str], name: str) -> str | None:
    """The last value that a flag was given."""
    flag, value = "--" + name.replace("_", "-"), None
    for at, argument in enumerate(flags):
        if argument == flag:
            value = flags[at + 1] if at + 1 < len(flags) else ""
        elif argument.startswith(flag + "="):
            value = argument.partition("=")[2]
    return value


def _is_plain_id(number: object) -> bool:
    """Whether every JSON encoder writes this id in the same bytes."""
    return number.isascii() and number.isprintable() if isinstance(number, str) else type(number) is int


def _is_legacy(params: Any) -> bool:
    return _has(params, frozenset(), {"_meta"}) and _is_plain_meta(params)


def _is_plain_meta(params: Any) -> bool:
    meta = params.get("_meta", {})
    return _has(meta, frozenset(), {"progressToken"}) and isinstance(meta.get("progressToken", 0), int | str)


def _is_client(info: Any) -> bool:
    return isinstance(info, dict) and isinstance(info.get("name"), str) and isinstance(info.get("version"), str)


def _are_capabilities(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(capability, dict) for capability in value.values())


def _has(value: Any, wanted: AbstractSet[str], allowed: AbstractSet[str] = frozenset()) -> bool:
    return isinstance(value, dict) and wanted <= value.keys() <= wanted | allowed
