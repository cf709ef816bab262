"""What the front answers itself is equal to the server's own answers."""

import json
import sys
from typing import Any

import anyio
import pytest

from parallel_mcp.settings import Settings, fields, stdio_flags
from parallel_mcp.stdio import record
from parallel_mcp.stdio.snapshot import FILE, HANDSHAKES, KEY, MODERN, Snapshot
from tests.support.pipes import Pipe

pytestmark = pytest.mark.anyio

RECORD = "the answers changed: run `python -m parallel_mcp.stdio.record` and look at the difference"


async def test_the_snapshot_is_what_the_server_answers_for_every_version_and_combination_of_settings() -> None:
    kept = await anyio.Path(FILE).read_text("utf-8")
    assert kept == record.text(await record.recorded()), RECORD


def test_the_snapshot_knows_every_version_that_the_server_does() -> None:
    from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

    assert (HANDSHAKES, MODERN) == (HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS)


OTHER_VALUES: dict[str, Any] = {
    "api_key": "key",
    "base_url": "https://example.org",
    "sandbox": True,
    "corpus": ("installed",),
    "store": "memory:",
    "log_level": "DEBUG",
    "host": "::1",
    "access_tokens": {"somebody": "token"},
    "allowed_hosts": ("example.org",),
    "allowed_origins": ("https://example.org",),
    "model_names": {"speed": "sonar"},
    "prices": {"speed": 0.25},
}


def _another(name: str) -> Any:
    default = fields()[name].get_default()
    if name in OTHER_VALUES:
        return OTHER_VALUES[name]
    return not default if isinstance(default, bool) else (default or 1) + 1


async def test_no_setting_outside_the_key_changes_a_byte() -> None:
    usual = await record.answers(Settings(store="memory:"))
    for name in fields().keys() - KEY.keys():
        more = {"sandbox": True} if name == "corpus" else {}
        assert await record.answers(Settings(**{"store": "memory:", **more, name: _another(name)})) == usual, name


@pytest.mark.parametrize(("protocol", "messages"), list(record.dialogues()), ids=(*HANDSHAKES, *MODERN))
async def test_a_front_answers_in_the_bytes_of_a_server_without_one(
    protocol: str, messages: list[dict[str, Any]]
) -> None:
    environment = {"PARALLEL_MCP_MAX_MODEL": " Lite ", "PARALLEL_MCP_STORE": "memory:"}
    front = await _raw(["--answer-model=lite"], messages, environment)
    assert front == await _raw(["--no-front", "--answer-model", "lite"], messages, environment)
    assert len(front) == len([message for message in messages if "id" in message])


async def _raw(arguments: list[str], messages: list[dict[str, Any]], environment: dict[str, str]) -> list[bytes]:
    """The lines with which a process responds. Each request is sent once the last is answered."""
    command = [sys.executable, "-m", "parallel_mcp", *arguments]
    async with await anyio.open_process(command, env=environment, stderr=None) as process:
        pipe = Pipe(process)
        lines = []
        for message in messages:
            await pipe.stdin.send(json.dumps(message).encode() + b"\n")
            if "id" in message:
                with anyio.fail_after(30):
                    lines.append(await pipe.lines.receive_until(b"\n", 100_000))
        await pipe.stdin.aclose()
        return lines


@pytest.mark.parametrize(
    ("arguments", "flags"),
    [
        ([], []),
        (["stdio"], []),
        (["--store", "stdio", "stdio", "--max-model=lite"], ["--store", "stdio", "--max-model=lite"]),
        (["--sandbox", "--no-stream"], ["--sandbox", "--no-stream"]),
        (["--store"], ["--store"]),
        (["--help"], None),
        (["--version"], None),
        (["--no-front"], None),
        (["--no-front", "stdio"], None),
        (["stdio", "stdio"], None),
        (["--sandbox=yes"], None),
        (["--port", "1"], None),
        (["--max-model", "lite", "research", "Why?"], None),
        (["http"], None),
    ],
)
def test_a_command_line_is_the_fronts_only_where_it_serves_stdio(arguments: list[str], flags: list[str] | None) -> None:
    assert Snapshot().flags(arguments) == flags


def test_the_front_knows_the_flags_of_the_command_line() -> None:
    from parallel_mcp.cli.serving import stdio

    options = [option for option in stdio.params if option.name is not None and option.expose_value]
    names = {name for option in options for name in (*option.opts, *option.secondary_opts)}
    assert stdio_flags().keys() == names
