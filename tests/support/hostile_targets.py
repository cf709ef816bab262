"""Real processes to send hostile input to, and checks of what they write back.

`HOSTILE_CASES` is the total number of cases: 10,000 by default, and 100,000 before a release.
"""

import http.client
import json
import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

CASES = int(os.environ.get("HOSTILE_CASES", "10000"))
PATIENCE = 30.0
MOST_GROWTH = 0.10
MODERN, LEGACY = "2026-07-28", "2025-11-25"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "hostile", "version": "1"},
}
HELLO = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "hostile", "version": "1"}}
NEVER_LOGGED = ("unexpected", "Task exception", "never retrieved", "RuntimeWarning", "ResourceWarning")


HUGE = "<a number of five thousand digits>"


def encoded(message: Any) -> bytes:
    """JSON as some clients write it, with NaN, lone surrogates, and numbers that Python cannot print."""
    return json.dumps(message).replace(f'"{HUGE}"', "9" * 5000).encode()


# Checking responses


def conforming(message: Any) -> dict[str, Any]:
    """The message, asserted to be a JSON-RPC 2.0 notification or response that is fit for a model to see."""
    assert isinstance(message, dict), message
    assert message["jsonrpc"] == "2.0", message
    if "method" in message:
        assert "id" not in message, message
        return message
    assert "id" in message, message
    assert ("result" in message) != ("error" in message), message
    if "error" in message:
        assert type(message["error"]["code"]) is int, message
        assert isinstance(message["error"]["message"], str), message
    else:
        assert isinstance(message["result"], dict), message
    for text in _texts(message):
        assert not text.startswith("Error executing tool"), text
        assert "pydantic" not in text.lower(), text
        assert "Traceback" not in text, text
    return message


def _texts(message: Mapping[str, Any]) -> Iterator[str]:
    if "error" in message:
        yield message["error"]["message"]
        yield json.dumps(message["error"].get("data"))
        return
    for block in message["result"].get("content", ()):
        if isinstance(block, dict) and "text" in block:
            yield block["text"]


# The processes


class Victim:
    """One of our processes, and the memory it has used so far."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process = process
        self.log = log

    def memory(self) -> int:
        """Resident memory in KiB, of a front and its engine together."""
        return sum(_resident(number) for number in (self.process.pid, *_children(self.process.pid)))

    def check(self) -> None:
        """Assert that it is alive and logged nothing unexpected."""
        assert self.process.poll() is None, self.log.read_text("utf-8", "replace")[-3000:]
        said = self.log.read_text("utf-8", "replace")
        for words in NEVER_LOGGED:
            assert words not in said, said[max(said.index(words) - 3000, 0) :][:6000]


@contextmanager
def started(
    folder: Path, upstream: str, *command: str, program: Sequence[str] = ("-m", "parallel_mcp"), **pipes: Any
) -> Iterator["subprocess.Popen[bytes]"]:
    """`parallel-mcp` with this command, as a process that logs to a folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PARALLEL_")}
    environment |= {
        "PARALLEL_API_KEY": "k",
        "PARALLEL_BASE_URL": upstream,
        "PARALLEL_MCP_REQUESTS_PER_MINUTE": "1000000",
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *program, *command], stderr=log, env=environment, cwd=folder, **pipes
        )
        try:
            yield process
        finally:
            process.kill()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    _closed(stream)
            process.wait()


def _closed(stream: Any) -> None:
    try:
        stream.close()
    except OSError:
        pass  # what could not be written to a process that is gone


def _resident(number: int) -> int:
    status = Path(f"/proc/{number}/status").read_text("utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def _children(number: int) -> list[int]:
    lists = Path(f"/proc/{number}/task").glob("*/children")
    return [int(child) for found in lists for child in found.read_text("utf-8").split()]


class Pipes(Victim):
    """A server over stdio, in one of the eras."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path, era: str) -> None:
        super().__init__(process, log)
        self.era = era
        self._numbers = count()
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        if era == LEGACY:
            self.ask("initialize", HELLO)
            self.write(encoded({"jsonrpc": "2.0", "method": "notifications/initialized"}))
        # The first request that reaches the engine decides the era of the connection.
        self.settle()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(b"")

    def write(self, line: bytes) -> None:
        """Send a line, whatever is in it."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def send(self, method: str, params: Mapping[str, Any]) -> str:
        """Send a request. Returns its number."""
        number = f"ours-{next(self._numbers)}"
        whole = {**params, "_meta": META} if self.era == MODERN else dict(params)
        self.write(encoded({"jsonrpc": "2.0", "id": number, "method": method, "params": whole}))
        return number

    def read(self) -> dict[str, Any]:
        """The next message, checked."""
        line = self._lines.get(timeout=PATIENCE)
        assert line, self.log.read_text("utf-8", "replace")[-3000:]
        return conforming(json.loads(line))

    def ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The response to a request. Everything received before it is checked, too."""
        number = self.send(method, params)
        while (message := self.read()).get("id") != number:
            pass
        return message

    def collect(self, numbers: set[str]) -> None:
        """Wait for the responses to requests. An unreadable request is answered without its number."""
        waiting = set(numbers)
        unread = 0
        while len(waiting) > unread:
            message = self.read()
            waiting.discard(message.get("id", ""))
            unread += "error" in message and message["id"] is None

    def settle(self) -> None:
        """Make the server read everything written so far. The front answers the lists itself."""
        self.ask("resources/read", {"uri": "research://"})

    def join(self) -> None:
        """Wait for the reader, once the process has exited."""
        self._reader.join(PATIENCE)


@contextmanager
def pipes(folder: Path, upstream: str, era: str) -> Iterator[Pipes]:
    """A server over stdio."""
    arguments = ("stdio", "--store", str(folder / "research.sqlite3"))
    victim: Pipes | None = None
    with started(folder, upstream, *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        victim = Pipes(process, folder / "log", era)
        try:
            yield victim
        finally:
            process.kill()
            victim.join()


class Port(Victim):
    """A server that listens on a loopback port."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path, port: int) -> None:
        super().__init__(process, log)
        self.port = port
        self._own = threading.local()
        self._connections: list[http.client.HTTPConnection] = []

    def request(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str, bytes]:
        """Status, content type and body; the connection is used again, as clients do.

        Of a stream that nobody ends only the head is taken.
        """
        for _ in range(2):
            fresh = getattr(self._own, "connection", None) is None
            connection = self._connection()
            try:
                connection.request(method, path, body, dict(headers))
                response = connection.getresponse()
            except (OSError, http.client.HTTPException):
                self.hang_up()
                if fresh:
                    raise
                continue  # closed while it was idle
            kind = response.headers.get("content-type", "")
            if method == "GET" and kind.startswith("text/event-stream"):
                self.hang_up()
                response.close()
                return response.status, kind, b""
            return response.status, kind, response.read()
        raise AssertionError("unreachable")

    def raw(self, data: bytes) -> bytes:
        """The first bytes of its reply to bytes that may not be HTTP. Empty if it just closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                return connection.recv(65536)
            except ConnectionError:
                return b""

    def _connection(self) -> http.client.HTTPConnection:
        """This thread's own."""
        if getattr(self._own, "connection", None) is None:
            self._own.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            self._connections.append(self._own.connection)
        return self._own.connection  # type: ignore[no-any-return]

    def hang_up(self) -> None:
        """Close this thread's connection."""
        self._connection().close()
        self._own.connection = None

    def close(self) -> None:
        """Close every thread's connection."""
        for connection in self._connections:
            connection.close()


@contextmanager
def port(folder: Path, upstream: str, *command: str, program: Sequence[str] = ("-m", "parallel_mcp")) -> Iterator[Port]:
    """A command that listens, ready once it does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = int(probe.getsockname()[1])
    with started(folder, upstream, *command, "--port", str(number), program=program) as process:
        victim = Port(process, folder / "log", number)
        try:
            for _ in range(int(PATIENCE / 0.05)):
                victim.check()
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", number)) == 0:
                        break
                threading.Event().wait(0.05)
            yield victim
        finally:
            victim.close()


class Tally:
    """Counts the cases that a process under test has had, and notes its memory after the first half."""

    def __init__(self, victim: Victim, share: float) -> None:
        self.cases = max(int(CASES * share), 20)
        self._victim = victim
        self.seen = 0
        self._half = 0

    def count(self) -> None:
        """Count a case."""
        self.seen += 1
        if self.seen == self.cases // 2:
            self._half = self._victim.memory()

    def check(self) -> None:
        """Assert that all cases ran, that the process is healthy, and that its memory has settled."""
        self._victim.check()
        assert self.seen >= self.cases, f"{self.seen} cases of {self.cases}"
        end = self._victim.memory()
        assert end <= self._half * (1 + MOST_GROWTH), f"{self._half} KiB after half the cases, {end} after all"
