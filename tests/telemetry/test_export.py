"""Exporting: only if the standard variables ask for it, to a real collector, and without delaying anything."""

import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from parallel_mcp.telemetry import Wanted, wanted
from tests.support.processes import process
from tests.support.services import eventually
from tests.support.upstream import Upstream, serving

pytestmark = pytest.mark.anyio

QUESTION = "Which quokka wrote the sonnet?"
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
OTLP = ("otlp_proto_http",)


@dataclass
class Collector:
    """A collector of OTLP over HTTP. Decodes what it receives."""

    url: str = ""
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    spans: dict[str, Any] = field(default_factory=dict)
    metrics: set[str] = field(default_factory=set)
    services: set[str] = field(default_factory=set)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        body = await request.body()
        self.paths.append(scope["path"])
        self.headers.append(dict(request.headers))
        if scope["path"] == "/v1/traces":
            for traced in ExportTraceServiceRequest.FromString(body).resource_spans:
                self._resource(traced.resource)
                self.spans |= {span.name: span for scoped in traced.scope_spans for span in scoped.spans}
        else:
            for measured in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self._resource(measured.resource)
                self.metrics |= {metric.name for scoped in measured.scope_metrics for metric in scoped.metrics}
        await Response(b"", media_type="application/x-protobuf")(scope, receive, send)

    def _resource(self, resource: Any) -> None:
        self.services |= {item.value.string_value for item in resource.attributes if item.key == "service.name"}


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    collector = Collector()
    async with serving(collector) as url:
        collector.url = url
        yield collector


def _environment(upstream: Upstream, **more: str) -> dict[str, str]:
    return {"PARALLEL_API_KEY": "k", "PARALLEL_BASE_URL": upstream.url, "PARALLEL_MCP_STORE": "memory:", **more}


async def _ran(*arguments: str, **environment: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a complete run."""
    command = [sys.executable, "-W", "error", "-m", "parallel_mcp", *arguments]
    with anyio.fail_after(60):
        done = await anyio.run_process(command, env=environment, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


async def _told(running: anyio.abc.Process, *messages: dict[str, Any]) -> None:
    assert running.stdin is not None
    for message in messages:
        await running.stdin.send(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")


async def _until_answered(running: anyio.abc.Process, number: int) -> list[bytes]:
    assert running.stdout is not None
    heard = b""
    with anyio.fail_after(30):
        while True:
            heard += await running.stdout.receive()
            lines = heard.splitlines()
            if heard.endswith(b"\n") and any(json.loads(line).get("id") == number for line in lines):
                return lines


async def _asked_over_stdio(running: anyio.abc.Process) -> list[bytes]:
    call = {"name": "web_answer", "arguments": {"question": QUESTION}}
    await _told(running, {"id": 1, "method": "initialize", "params": HELLO})
    await _told(running, {"method": "notifications/initialized"})
    await _told(running, {"id": 2, "method": "tools/call", "params": call})
    return await _until_answered(running, 2)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Wanted()),
        ({"OTEL_SERVICE_NAME": "mine"}, Wanted(service="mine")),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, Wanted(OTLP, OTLP)),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c"}, Wanted(OTLP, ())),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c"}, Wanted((), OTLP)),
        ({"OTEL_TRACES_EXPORTER": "console"}, Wanted(("console",), ())),
        ({"OTEL_TRACES_EXPORTER": "otlp, console"}, Wanted((*OTLP, "console"), ())),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_METRICS_EXPORTER": "none"}, Wanted(OTLP, ())),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "True"}, Wanted()),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, Wanted(("otlp_proto_grpc",), ())),
    ],
)
async def test_nothing_is_exported_unless_the_standard_variables_say_so(
    environment: dict[str, str], expected: Wanted
) -> None:
    assert wanted(environment) == expected


async def test_the_sdk_is_not_even_imported_by_default(upstream: Upstream) -> None:
    script = (
        "import sys\n"
        "from parallel_mcp.cli import main\n"
        "sys.argv[1:] = ['answer', 'Why?']\n"
        "try:\n    main()\n"
        "finally:\n    sys.exit('opentelemetry.sdk' in sys.modules)"
    )
    with anyio.fail_after(60):
        done = await anyio.run_process([sys.executable, "-c", script], env=_environment(upstream), check=False)
    assert done.returncode == 0, done.stderr


async def test_a_command_exports_its_trace_and_figures_before_it_ends(upstream: Upstream) -> None:
    async with collecting() as collector:
        environment = _environment(
            upstream,
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20collector-token",
        )
        status, said, _ = await _ran("answer", QUESTION, **environment)
    assert (status, "quokka" in said) == (0, True)
    assert set(collector.paths) == {"/v1/traces", "/v1/metrics"}
    assert "chat speed" in collector.spans
    assert "gen_ai.client.operation.duration" in collector.metrics
    assert collector.services == {"parallel-mcp"}
    assert {headers["authorization"] for headers in collector.headers} == {"Bearer collector-token"}
    assert "quokka" not in str(collector.spans)


async def test_the_stdio_server_exports_before_it_ends_itself(upstream: Upstream) -> None:
    async with collecting() as collector:
        environment = _environment(upstream, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_SERVICE_NAME="mine")
        async with process(**environment) as running:
            await _asked_over_stdio(running)
            assert running.stdin is not None
            await running.stdin.aclose()
            with anyio.fail_after(10):
                assert await running.wait() == 0
        # The front has ended; its engine ends a moment later.
        await eventually(lambda: "chat speed" in collector.spans)
    assert collector.services == {"mine"}


async def test_a_collector_that_never_answers_keeps_no_process_from_ending(upstream: Upstream) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        environment = _environment(upstream, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
        async with process(**environment) as running:
            await _asked_over_stdio(running)
            assert running.stdin is not None
            await running.stdin.aclose()
            # Five times the second within which the process has to exit. The exporter alone would wait for ten.
            with anyio.fail_after(5):
                assert await running.wait() == 0


async def test_the_console_exporter_leaves_stdout_to_the_protocol(upstream: Upstream) -> None:
    async with process(**_environment(upstream, OTEL_TRACES_EXPORTER="console")) as running:
        lines = await _asked_over_stdio(running)
        assert running.stdin is not None
        assert running.stdout is not None
        assert running.stderr is not None
        said = b""
        with anyio.fail_after(20):
            # Before the end of input, since the front then exits at once and closes stderr.
            while b'"name": "chat speed"' not in said:
                said += await running.stderr.receive()
            await running.stdin.aclose()
            rest = b"".join([part async for part in running.stdout])
    for line in [*lines, *rest.splitlines()]:
        assert json.loads(line)["jsonrpc"] == "2.0"


async def test_telemetry_that_is_asked_for_and_not_installed_is_a_clear_warning(upstream: Upstream) -> None:
    script = (
        "import sys\n"
        "sys.modules['opentelemetry.sdk'] = None\n"  # as if it were not installed
        "from parallel_mcp.cli import main\n"
        "main(['answer', 'Why?'])"
    )
    environment = _environment(upstream, OTEL_TRACES_EXPORTER="otlp")
    with anyio.fail_after(60):
        done = await anyio.run_process([sys.executable, "-c", script], env=environment, check=False)
    assert done.returncode == 0
    assert b"An answer to: Why?" in done.stdout
    assert b"parallel-mcp[otel]" in done.stderr
    assert b"Traceback" not in done.stderr


async def test_an_exporter_that_is_not_there_is_a_clear_warning(upstream: Upstream) -> None:
    status, said, warned = await _ran("answer", "Why?", **_environment(upstream, OTEL_TRACES_EXPORTER="zipkin"))
    assert (status, "An answer to: Why?" in said) == (0, True)
    assert "OTEL_TRACES_EXPORTER" in warned
    assert "Traceback" not in warned
