"""How responses are read, however large or hostile: python -m benchmarks.parsing [--recorded DIR] [--quick]

- The recorded runs: the least milliseconds to read and understand each, and as a multiple of `json.loads` of its body.
- Hostile streams of 10 MB and texts of 30 MB: seconds for a third and for all of it, and bytes of memory per character.
- The longest time for which the server blocks its event loop, compared with an ordinary answer. The endpoint is a
  separate process, so that only the server uses the loop.

Exits with 1 if a bound does not hold.
"""

import argparse
import http.server
import json
import multiprocessing
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ClassVar

import anyio
from mcp import Client

from parallel_mcp import chat
from parallel_mcp.errors import UpstreamError
from parallel_mcp.models import Answer, Model, Question
from parallel_mcp.server import build
from parallel_mcp.settings import Settings

RECORDED_MS = {"recorded_text": 5.0, "recorded_schema": 50.0}
MOST_BYTES_A_CHAR = 10.0
MOST_HOLD_MS = 100.0
MB = 1_000_000
ROUNDS = 30
PART = 64 * 1024

STREAMS = {
    "words of one letter": b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n',
    "whole messages": b'data: {"choices":[{"message":{"content":"a"}}]}\n\n',
    "broken JSON": b'data: {"choices":[{\n\n',
    "blank lines": b"\n",
    "empty data": b"data:\n",
    "data without an end": b"data: {\n",
    "a basis each": b'data: {"choices":[],"basis":[{"field":"a"}]}\n\n',
    "braces of no meaning": b'data: {"x":[{},{},{},{},{},{},{}]}\n\n',
}
TEXTS = {
    "quoted braces": 'He said "{it is so}" and {"a": 1} "quoted" { } ',
    "braces and quotes that never close": '{ "',
    "objects": '{"a": "b{c}"} ',
    "a list that never closes": '["a", {"b": "c"}, ',
    "backslashes": '\\{"',
}
BEGINS = ("", '{"answer": "', "[1] ")


def _stream(kind: str, size: int) -> bytes:
    begin = b'data: {"choices":[{"delta":{"content":"So."}}]}\n\n'
    return begin + STREAMS[kind] * (size // len(STREAMS[kind])) + b"\n\ndata: [DONE]\n\n"


def _text(kind: str, size: int, begin: str = "") -> str:
    return begin + (TEXTS[kind] * (size // len(TEXTS[kind]) + 1))[:size]


def _completed(kind: str, begin: str, size: int) -> bytes:
    return _completion(_text(kind, size, begin))


def _completion(content: str) -> bytes:
    return json.dumps({"choices": [{"message": {"content": content}}]}, ensure_ascii=False).encode()


def _event(content: str) -> bytes:
    chunk = json.dumps({"choices": [{"delta": {"content": content}}]}, ensure_ascii=False).encode()
    return b"data: " + chunk + b"\n\ndata: [DONE]\n\n"


def understood(body: bytes, question: Question) -> Answer:
    """A response read in parts and understood, as the client does it."""
    reading = chat.Reading()
    for start in range(0, len(body), PART):
        reading.feed(body[start : start + PART])
    return chat.answer(question, reading.reply(), answer_citations=True, cost_usd=None, seconds=0)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _bytes(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def recorded(folder: Path) -> bool:
    """Print the time for the recorded runs. Returns whether it is within bounds."""
    held = True
    for name, bound in RECORDED_MS.items():
        body = (folder / f"{name}.json").read_bytes()
        schema = folder / f"{name}.output_schema.json"
        output_schema = json.loads(schema.read_text("utf-8")) if schema.is_file() else None
        question = Question(text="x", model=Model.BASE, output_schema=output_schema)

        ours = [_seconds(partial(understood, body, question)) for _ in range(ROUNDS)]
        theirs = [_seconds(partial(json.loads, body)) for _ in range(ROUNDS)]
        ms = 1000 * min(ours)
        ratio = min(ours) / min(theirs)
        print(f"{name:36} {ms:8.1f} ms  (bound {bound:g} ms, {ratio:.1f} times json.loads of the body)")
        held = held and ms < bound
    return held


def hostile(streams_mb: int, texts_mb: int) -> bool:
    """Print time and memory by size. Returns whether both are within bounds."""
    held = True
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    questions = {
        "text": Question(text="x", model=Model.BASE),
        "web_answer": Question(text="x", model=Model.SPEED),
        "schema": Question(text="x", model=Model.BASE, output_schema=schema),
    }
    for kind in STREAMS:
        held &= _grown(kind, streams_mb, questions["text"], partial(_stream, kind))
    for kind in TEXTS:
        for begin in BEGINS:
            for name, question in questions.items():
                label = f"{kind}, {begin!r}, {name}"
                held &= _grown(label, texts_mb, question, partial(_completed, kind, begin))
    return held


def _grown(label: str, megabytes: int, question: Question, body_of: Callable[[int], bytes]) -> bool:
    """One kind at a third of the size and at full size."""

    def read(body: bytes) -> None:
        try:
            understood(body, question)
        except UpstreamError:
            """Refused, which is as good an end as any."""

    third, whole = body_of(megabytes * MB // 3), body_of(megabytes * MB)
    least = min(_seconds(lambda: read(third)) for _ in range(2))
    most = min(_seconds(lambda: read(whole)) for _ in range(2))
    memory = _bytes(lambda: read(whole)) / len(whole)
    print(
        f"{label:60} {least:6.2f} s {most:6.2f} s ({most / least:4.1f} times)  {memory:5.1f} B a character", flush=True
    )
    return memory < MOST_BYTES_A_CHAR and most < 6 * least + 0.1


class _Endpoint(http.server.BaseHTTPRequestHandler):
    """Answers with the body that the question names."""

    bodies: ClassVar[dict[str, bytes]] = {}

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        body = self.bodies[asked["messages"][-1]["content"]]
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def _body(form: str, kind: str, size: int) -> bytes:
    if form == "stream":
        return _stream(kind, size)
    return _event(_text(kind, size)) if form == "event" else _completion(_text(kind, size))


def _serve(port: Connection, names: dict[str, tuple[str, str, int]]) -> None:
    _Endpoint.bodies = {name: _body(*described) for name, described in names.items()}
    _Endpoint.bodies["ordinary"] = _completion("It is so.")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Endpoint) as server:
        port.send(server.server_port)
        server.serve_forever()


@contextmanager
def _endpoint(names: dict[str, tuple[str, str, int]]) -> Iterator[str]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, names), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.kill()
        process.join()


async def _longest_hold(work: Callable[[], Any]) -> float:
    """The worst delay of a one-millisecond sleep, in seconds."""
    longest = 0.0
    over = anyio.Event()

    async def watch() -> None:
        nonlocal longest
        while not over.is_set():
            began = time.perf_counter()
            await anyio.sleep(0.001)
            longest = max(longest, time.perf_counter() - began - 0.001)

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        await work()
        over.set()
    return longest


async def holds(streams_mb: int, texts_mb: int) -> bool:
    """Print the longest time that each kind blocks the loop. Returns whether all are within the bound."""
    names = {f"{kind}, {streams_mb} MB": ("stream", kind, streams_mb * MB) for kind in STREAMS}
    names |= {f"{kind}, {texts_mb} MB": ("text", kind, texts_mb * MB) for kind in TEXTS}
    names |= {f"{kind}, {texts_mb} MB in one event": ("event", kind, texts_mb * MB) for kind in TEXTS}
    held = True
    with _endpoint(names) as url:
        settings = Settings(api_key="k" * 20, base_url=url, store="memory:")
        async with Client(build(settings)) as client:
            for question in ("ordinary", *names):
                for tool in ("web_answer", "deep_research"):
                    longest = 1000 * await _longest_hold(partial(client.call_tool, tool, {"question": question}))
                    print(f"{question:58} {tool:13} {longest:6.1f} ms  (bound {MOST_HOLD_MS:g} ms)", flush=True)
                    held = held and longest < MOST_HOLD_MS
    return held


def main() -> int:
    """Run it. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recorded", type=Path, default=Path(__file__).parents[2] / "shared" / "wire")
    parser.add_argument("--quick", action="store_true", help="3 MB and 10 MB in place of 10 MB and 30 MB")
    parser.add_argument("--only", choices=("recorded", "hostile", "holds"))
    given = parser.parse_args()
    sizes = (3, 10) if given.quick else (10, 30)
    held = True
    if given.only in (None, "recorded"):
        if given.recorded.is_dir():
            held &= recorded(given.recorded)
        else:
            print(f"No recorded runs in {given.recorded}.")
    if given.only in (None, "hostile"):
        held &= hostile(*sizes)
    if given.only in (None, "holds"):
        held &= anyio.run(holds, *sizes)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
