"""What strangers may try to do to the log: forge lines, add colours, flood it."""

import logging
import re
import socket
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from parallel_mcp.cli.logs import MAX_CHARS, PER_MINUTE, Discreet, RateLimit
from tests.support.commands import environment_of

pytestmark = pytest.mark.anyio

FORMAT = "%(levelname)s %(name)s: %(message)s"


def formatted(message: str, *args: object) -> str:
    record = logging.LogRecord("a", logging.WARNING, __file__, 1, message, args, None)
    return Discreet(FORMAT).format(record)


def test_a_line_holds_no_escapes_and_no_second_line_that_looks_like_one() -> None:
    line = formatted(
        "Invalid Host header: %s", "\x1b]8;;http://evil\x1b\\x\r\nERROR parallel_mcp: all is lost\x9b31m\u202e"
    )
    assert line == "WARNING a: Invalid Host header: ]8;;http://evil\\x\n    ERROR parallel_mcp: all is lost31m"


def test_a_line_is_cut() -> None:
    assert len(formatted("%s", "x" * 1_000_000)) < MAX_CHARS + 100


def test_a_flood_from_one_place_is_left_out_and_counted() -> None:
    now = 0.0
    limit = RateLimit(lambda: now)
    records = [logging.LogRecord("a", logging.WARNING, __file__, 1, f"stranger {n}", (), None) for n in range(100)]
    assert sum(limit.filter(record) for record in records) == PER_MINUTE
    elsewhere = logging.LogRecord("a", logging.WARNING, __file__, 2, "of our own", (), None)
    assert limit.filter(elsewhere)
    now = 61.0
    later = logging.LogRecord("a", logging.WARNING, __file__, 1, "stranger again", (), None)
    assert limit.filter(later)
    assert Discreet(FORMAT).format(later) == "WARNING a: stranger again [80 similar lines were left out]"


async def test_strangers_can_not_flood_a_real_servers_log(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "parallel_mcp", "http", "--sandbox", "--store", "memory:", "--port", str(port)]
    environment = environment_of(tmp_path)
    async with await anyio.open_process(command, env=environment, stdout=None, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        heard = b""
        with anyio.fail_after(60):
            while b"serving" not in heard:
                heard += await process.stderr.receive()
            for number in range(3 * PER_MINUTE):
                await _ask_badly(port, f"evil{number}.example/\x9b31m".encode("latin-1"))
            process.terminate()
            while True:
                try:
                    heard += await process.stderr.receive()
                except anyio.EndOfStream:
                    break
    said = heard.partition(b"serving")[2]
    assert len(re.findall(rb"evil\d+", said)) <= PER_MINUTE
    assert not re.search(rb"[\x1b\x9b]", said)


async def _ask_badly(port: int, host: bytes) -> None:
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(b"POST /mcp HTTP/1.1\r\nhost: " + host + b"\r\ncontent-length: 2\r\n\r\n{}")
        try:
            await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            pass
