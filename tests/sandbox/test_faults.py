"""Each kind of fault, on a real socket."""

import json
from urllib.parse import urlsplit

import anyio
import httpx2
import pytest

from parallel_mcp.sandbox import Fault, SandboxOptions
from parallel_mcp.sandbox.faults import Draw
from parallel_mcp.sandbox.options import KINDS, STATUS_KINDS
from tests.support.sandboxes import QUESTION, Start

pytestmark = pytest.mark.anyio


def always(kind: str) -> SandboxOptions:
    return SandboxOptions(faults=(Fault(kind, 1.0),))


@pytest.mark.parametrize("kind", STATUS_KINDS)
async def test_status_fault_is_that_status_in_parallels_shape(start: Start, kind: str) -> None:
    async with start(always(kind)) as sandbox:
        refused = await sandbox.chat()
        assert refused.status_code == int(kind)
        assert refused.json()["error"]["ref_id"]


async def test_hang_answers_nothing_until_the_client_has_gone(start: Start) -> None:
    async with start(always("hang")) as sandbox:
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                group.start_soon(sandbox.chat)
                await sandbox.app.state.traffic.until(lambda traffic: traffic.active == 1)
                group.cancel_scope.cancel()
            await sandbox.app.state.traffic.until(lambda traffic: traffic.active == 0)
        assert sandbox.app.state.traffic.abandoned == 1


async def test_reset_is_a_reset_of_the_connection(start: Start) -> None:
    body = b"{}"
    head = (
        "POST /chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer k\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    async with start(always("reset")) as sandbox:
        there = urlsplit(sandbox.url)
        stream = await anyio.connect_tcp(there.hostname or "", there.port or 0)
        async with stream:
            await stream.send(head.encode() + body)
            with pytest.raises(anyio.BrokenResourceError) as caught, anyio.fail_after(10):
                await stream.receive()
        assert isinstance(caught.value.__cause__, ConnectionResetError)


@pytest.mark.parametrize("stream", [False, True])
async def test_cut_closes_the_connection_in_mid_body(start: Start, stream: bool) -> None:
    async with start(always("cut")) as sandbox:
        received = b""
        asked = {"model": "lite", "stream": stream, "messages": [{"role": "user", "content": QUESTION}]}
        with pytest.raises(httpx2.RemoteProtocolError):
            async with sandbox.client.stream("POST", "/chat/completions", json=asked) as answer:
                assert answer.status_code == 200
                async for piece in answer.aiter_bytes():
                    received += piece
        assert received
        assert b"[DONE]" not in received


async def test_bad_json_is_a_whole_message_that_does_not_parse(start: Start) -> None:
    async with start(always("bad-json")) as sandbox:
        answer = await sandbox.chat()
        assert answer.status_code == 200
        with pytest.raises(json.JSONDecodeError):
            answer.json()


async def test_bad_json_breaks_one_event_of_a_stream(start: Start) -> None:
    async with start(always("bad-json")) as sandbox:
        answer = await sandbox.chat(stream=True)
        second = answer.text.split("\n\n")[1].removeprefix("data: ")
        with pytest.raises(json.JSONDecodeError):
            json.loads(second)


async def test_html_is_an_error_page(start: Start) -> None:
    async with start(always("html")) as sandbox:
        answer = await sandbox.chat()
        assert answer.status_code == 502
        assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("stream", [False, True])
async def test_slow_gives_the_whole_answer_a_few_bytes_at_a_time(start: Start, stream: bool) -> None:
    async with start(SandboxOptions()) as sandbox:
        whole = (await sandbox.chat(stream=stream)).text
    async with start(always("slow")) as sandbox:
        pieces = []
        asked = {"model": "lite", "stream": stream}
        said = [{"role": "user", "content": QUESTION}]
        async with sandbox.client.stream("POST", "/chat/completions", json={**asked, "messages": said}) as answer:
            pieces = [piece async for piece in answer.aiter_raw()]
    assert len(pieces) > 10
    assert len(b"".join(pieces)) == len(whole.encode())


async def test_several_faults_are_drawn_for_each_request(start: Start) -> None:
    options = SandboxOptions(faults=(Fault("429", 0.4), Fault("503", 0.6)), seed=7)
    async with start(options) as sandbox:
        codes = [(await sandbox.chat()).status_code for _ in range(30)]
    async with start(options) as sandbox:
        again = [(await sandbox.chat()).status_code for _ in range(30)]
    assert set(codes) == {200, 429, 503}
    assert codes == again


def test_rate_of_a_fault_is_the_share_of_requests_that_it_befalls() -> None:
    draw = Draw((Fault("500", 0.25),), seed=1)
    assert 200 <= sum(draw.next() == "500" for _ in range(1000)) <= 300


@pytest.mark.parametrize("kind", KINDS)
def test_fault_is_read_from_kind_and_rate(kind: str) -> None:
    assert Fault.parse(f"{kind}@0.25") == Fault(kind, 0.25)
    assert Fault.parse(kind) == Fault(kind, 1.0)


@pytest.mark.parametrize("text", ["418@0.5", "", "@1", "429@often", "429@1.5", "429@-1", "429@nan"])
def test_fault_that_cannot_be_read_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"kinds are|from 0 to 1"):
        Fault.parse(text)
