"""The front: what a host starts. It answers what needs no engine and relays the rest. Standard library only.

The engine is the server itself, a process in a separate session behind three pipes. It outlives the front while
research runs are in progress, so the front can exit at once when its input ends, on a signal, or with its parent.

```text
host -> main thread -> Writer -> engine     a request cancelled while it waits in the Writer is never sent
host <- engine's thread <- engine           whole lines, under one lock with the front's own answers
host <- Writer <- engine's stderr           dropped if nobody reads it
```
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
import time

from parallel_mcp.stdio import pipes
from parallel_mcp.stdio.child import Call, Child
from parallel_mcp.stdio.snapshot import Snapshot, asked_version, is_modern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn

COMMAND = "engine"
"""The hidden command that the front starts."""

READY = "parallel-mcp/ready"
"""The first notification from an engine; its params hold the engine's version. The host never sees it."""

PARENT_SECONDS = 1.0
"""How often to check for the parent if the system cannot report its end."""

FLUSH_SECONDS = 0.1
INTERNAL_ERROR = -32603

STARTLESS = "This server could not start, so nothing was sent and nothing is billed. {reason}"
ENDED = "This server's engine ended while it had this request. Send it again."
CALL_ENDED = (
    "This server's engine ended during this call. If its question had been sent to Parallel, it may have been billed. "
    "{again}"
)
AGAIN = {
    "deep_research": "Call deep_research again with the same question, or with its research_id: an answer that "
    "arrived is returned, and otherwise at most one more request is sent.",
    "web_answer": "Call web_answer again if you still want the answer.",
}
OUTDATED = (
    "parallel-mcp was updated to {version} while this host runs {old}: restart the host, or have it restart this "
    "server. Nothing was sent."
)


def served(arguments: Sequence[str]) -> bool:
    """Serve stdio until the process ends. Returns False at once if the command line asks for anything else."""
    snapshot = Snapshot()
    flags = snapshot.flags(arguments)
    if flags is None:
        return False
    snapshot.choose(os.environ, flags)
    if os.isatty(0):
        os.write(2, b"parallel-mcp: waiting for an MCP host on stdin; see --help for other commands.\n")
    interpreter = [sys.executable, *(f"-W{option}" for option in sys.warnoptions), "-I" if sys.flags.isolated else "-P"]
    Front(snapshot, [*interpreter, "-m", "parallel_mcp", COMMAND, "--front", snapshot.version, *flags]).run()


class Front:
    """Relays between the host, on descriptors 0, 1 and 2, and one engine at a time."""

    def __init__(self, snapshot: Snapshot, command: Sequence[str]) -> None:
        self._snapshot = snapshot
        self._command = command
        self._own_id = f"front-{os.urandom(8).hex()}"
        self._lock = threading.Lock()
        """Held while deciding which engine has a call, but never while writing."""
        self._stdout = threading.Lock()
        self._answers = pipes.Writer(1, self._stdout, broken=self._leave)
        self._stderr = pipes.Writer(2, threading.Lock())
        self._engine: Child | None = None
        self._hello: dict[str, Any] | None = None
        self._initialized = b""
        self._handshake: str | None = None
        self._modern = False
        self._outdated = ""

    def run(self) -> NoReturn:
        """Serve until the input ends."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._leave())
        threading.Thread(target=self._end_with_parent, daemon=True).start()
        self._started()
        for batch in pipes.lines(0):
            for line in batch:
                self._from_host(line if line.endswith(b"\n") else line + b"\n")
        self._answers.flush(FLUSH_SECONDS)
        self._leave()

    def _from_host(self, line: bytes) -> None:
        message = _object(line)
        method = message.get("method")
        number = message.get("id")
        if not isinstance(method, str) or ("id" in message and not _is_id(number)):
            # Left to the engine: a message that cannot be understood, or a response to one of its requests.
            self._pass_on(line, start="result" not in message and "error" not in message)
        elif "id" not in message:
            self._notification(line, method, message.get("params"))
        elif method == "initialize" and not self._modern:
            self._initialize(line, message)
        else:
            self._request(line, message)

    def _notification(self, line: bytes, method: str, params: Any) -> None:
        if method == "notifications/initialized":
            self._initialized = line
        elif method == "notifications/cancelled" and self._never_sent(params):
            return
        self._pass_on(line, start=False)

    def _never_sent(self, params: Any) -> bool:
        """Whether the cancelled request was still waiting to be written to the engine."""
        number = params.get("requestId") if isinstance(params, dict) else None
        with self._lock:
            engine = self._engine
            call = None
            if engine is not None and isinstance(number, int | str):
                call = engine.calls.pop((type(number), number), None)
        return call is not None and engine is not None and engine.input.take_back(call.line)

    def _initialize(self, line: bytes, message: dict[str, Any]) -> None:
        """Answer it, and pass it to the engine under the front's own id. An unknown one is passed on as it is."""
        answer = self._snapshot.answer(message, None)
        self._handshake = asked_version(message) if answer is not None else None
        hello = {**message, "id": self._own_id}
        if answer is None:
            self._request(line, message)
            self._hello = hello
            return
        self._hello = hello
        self._answers.put(answer)
        self._pass_on(_line(hello), start=False)

    def _request(self, line: bytes, message: dict[str, Any]) -> None:
        answer = self._answer(message)
        if answer is not None:
            self._answers.put(answer)
            return
        method, params = message["method"], message.get("params")
        tool = str(params.get("name", "")) if isinstance(params, dict) else ""
        modern = is_modern(params)
        self._modern = self._modern or (modern and method != "server/discover" and self._hello is None)
        call = Call(message["id"], method, tool, modern=modern, line=line)
        with self._lock:
            engine = self._started()
            if engine is not None:
                engine.calls[type(call.number), call.number] = call
                engine.input.put(line)
        if engine is None:
            self._answers.put(self._refusal(call, None))

    def _answer(self, message: dict[str, Any]) -> bytes | None:
        """The answer, if it can be given without the engine."""
        params = message.get("params", {})
        if is_modern(params):
            return self._snapshot.answer(message, None) if self._hello is None else None
        engine = self._engine
        if message["method"] == "ping" and self._hello is not None and (engine is None or not engine.ready):
            return _line({"jsonrpc": "2.0", "id": message["id"], "result": {}})
        return self._snapshot.answer(message, self._handshake) if message["method"] != "initialize" else None

    def _pass_on(self, line: bytes, *, start: bool) -> None:
        with self._lock:
            engine = self._started() if start else self._engine
            if engine is not None and not engine.gone:
                engine.input.put(line)

    def _started(self) -> Child | None:
        """The engine, or a new one to replace one that is gone; None if there cannot be one."""
        if self._outdated or (self._engine is not None and not self._engine.gone):
            return None if self._outdated else self._engine
        try:
            self._engine = Child(self._command, self._stderr, self._from_engine, self._ended)
        except OSError as error:
            self._stderr.put(f"parallel-mcp: the engine cannot be started: {error.strerror}\n".encode())
            return None
        if self._hello is not None:
            self._engine.input.put(_line(self._hello))
            self._engine.input.put(self._initialized)
        return self._engine

    def _from_engine(self, engine: Child, batch: list[bytes]) -> None:
        while batch and not engine.ready:
            self._welcome(engine, batch.pop(0))
        lines = [line for line in batch if line.endswith(b"\n") and not self._is_ours(engine, line)]
        try:
            with self._stdout:
                pipes.write(1, b"".join(lines))
        except OSError:
            self._leave()

    def _welcome(self, engine: Child, line: bytes) -> None:
        message = _object(line)
        if message.get("method") != READY:
            # Printed by something else while the interpreter was starting.
            self._stderr.put(line)
        elif message["params"]["version"] == self._snapshot.version:
            engine.ready = True
            engine.input.release()
        else:
            self._outdated = message["params"]["version"]
            engine.process.terminate()

    def _is_ours(self, engine: Child, line: bytes) -> bool:
        """Whether a line answers the front's own `initialize`. An answer to a request of the host ends its call."""
        number = _answered(line)
        if number == self._own_id:
            self._check(line)
            return True
        if number is not None:
            with self._lock:
                engine.calls.pop((type(number), number), None)
        return False

    def _check(self, line: bytes) -> None:
        expected = self._snapshot.answer(self._hello, None) if self._hello is not None else None
        if expected is not None and expected != line:
            self._stderr.put(b"parallel-mcp: this server has changed since it answered initialize: restart the host.\n")

    def _ended(self, engine: Child) -> None:
        """Answer the calls that the engine had. They are never resent automatically: they may have been billed."""
        with self._lock:
            engine.gone = True
            calls = list(engine.calls.values())
            engine.calls.clear()
        for call in calls:
            self._answers.put(self._refusal(call, engine))

    def _refusal(self, call: Call, engine: Child | None) -> bytes:
        """An error for a call. For a tool it is an error result, because those reach the model."""
        text = self._reason(call, engine)
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": call.number}
        if call.method != "tools/call":
            return _line({**answer, "error": {"code": INTERNAL_ERROR, "message": text}})
        result: dict[str, Any] = {"content": [{"type": "text", "text": text}], "isError": True}
        return _line({**answer, "result": {**result, "resultType": "complete"} if call.modern else result})

    def _reason(self, call: Call, engine: Child | None) -> str:
        if self._outdated:
            return OUTDATED.format(version=self._outdated, old=self._snapshot.version)
        if engine is None or not engine.ready:
            words = engine.last_words() if engine is not None else ""
            return STARTLESS.format(reason=words or "Its log may say why.")
        return CALL_ENDED.format(again=AGAIN.get(call.tool, "")) if call.method == "tools/call" else ENDED

    def _end_with_parent(self) -> None:
        """A launcher killed with -9 may leave its end of the pipe open in another process."""
        if sys.platform == "win32":
            return
        parent = os.getppid()
        try:
            ended = select.poll()
            ended.register(os.pidfd_open(parent), select.POLLIN)
            if os.getppid() == parent:
                ended.poll()
        except (AttributeError, OSError):
            while os.getppid() == parent:
                time.sleep(PARENT_SECONDS)
        self._leave()

    def _leave(self) -> NoReturn:
        """Exit now. The engine sees its input end."""
        if os.getpid() == 1:
            self._stay()
        os._exit(0)

    def _stay(self) -> None:
        """Wait for the engine, with no pipe open: a container, and so the engine, ends with its first process."""
        engine = self._engine
        nothing = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(nothing, fd)
        if engine is not None:
            engine.input.close()
            engine.process.wait()


def _object(line: bytes) -> dict[str, Any]:
    """The JSON object in a line, or an empty one if it has none."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def _is_id(number: object) -> bool:
    return isinstance(number, str) or type(number) is int


_RESPONSE = b'{"jsonrpc":"2.0","id":'


def _answered(line: bytes) -> int | str | None:
    """The id of a response; None for a request or a notification."""
    if line.startswith(b'{"jsonrpc":"2.0","method":'):
        return None
    if line.startswith(_RESPONSE):
        end = line.find(b',"result":')
        number = _id(line[len(_RESPONSE) : end if end > 0 else line.find(b',"error":')])
        if number is not None:
            return number
    message = _object(line)
    return message.get("id") if "method" not in message else None


def _id(text: bytes) -> int | str | None:
    try:
        number = json.loads(text)
    except ValueError:
        return None
    return number if _is_id(number) else None
