"""How long a call waits, by the host and by how its earlier calls went."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client as McpClient
from mcp import StdioServerParameters
from mcp.shared.exceptions import MCPError
from mcp_types import Implementation

from parallel_mcp.hosts.table import HOSTS, call_limit
from parallel_mcp.hosts.waits import UNKNOWN_SECONDS, Client, Waits, before
from parallel_mcp.server import build
from parallel_mcp.settings import Settings
from tests.support.upstream import Upstream

pytestmark = pytest.mark.anyio

SOMEBODY = Client("local", "somebody")


class Clock:
    """Seconds that pass when a test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def _give_up(waits: Waits, client: Client, after: float, clock: Clock, asked: str = "Why?") -> float:
    """A call that is cancelled after some seconds, or returns before. Returns how long it was meant to wait."""
    try:
        with waits.call(client, asked) as wait:
            if wait < after:
                clock.now += wait
                return wait
            clock.now += after
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        return wait


def test_what_is_set_is_what_is_waited_and_nothing_is_learned() -> None:
    clock = Clock()
    waits = Waits(45, clock)
    assert _give_up(waits, SOMEBODY, 5, clock) == 45
    assert waits.seconds(SOMEBODY) == waits.seconds(Client("local", "claude-code")) == 45


def test_an_unknown_client_gets_25_seconds_and_a_known_one_what_it_allows_less_some() -> None:
    waits = Waits()
    assert waits.seconds(SOMEBODY) == waits.seconds(Client("x", "")) == UNKNOWN_SECONDS == 25
    for host in HOSTS:
        for name in host.clients:
            limit = call_limit(name.rstrip("*"))
            assert limit is None or 0.7 * limit <= waits.seconds(Client("x", name.rstrip("*"))) <= limit - 1


# How long each client keeps a call open by default, in seconds, and its name for itself. Most clients built on the
# SDKs say `mcp`.
LIMITS = {
    "OpenAI Agents": ("mcp", 5),
    "Google ADK": ("mcp", 5),
    "Agno": ("mcp", 10),
    "LlamaIndex": ("mcp", 30),
    "Haystack": ("mcp", 30),
    "TypeScript SDK": ("some-app", 60),
    "VS Code": ("Visual Studio Code", 60),
    "Cursor": ("cursor-vscode", 60),
    "Codex": ("codex-mcp-client", 300),
    "Claude Code": ("claude-code", 300),
}


@pytest.mark.parametrize("host", LIMITS)
def test_at_most_one_call_of_a_host_is_lost_to_its_limit(host: str) -> None:
    name, limit = LIMITS[host]
    clock = Clock()
    waits = Waits(clock=clock)
    lost = [_give_up(waits, Client("local", name), limit, clock) >= limit for _ in range(5)]
    assert lost in ([False] * 5, [True] + [False] * 4)


@pytest.mark.parametrize("name", ["claude-code", "gemini-cli-mcp-client"])
def test_hosts_that_keep_calls_open_for_minutes_get_a_usual_answer_in_one_call(name: str) -> None:
    assert Waits().seconds(Client("local", name)) > 240


def test_asking_the_same_again_while_it_is_unanswered_teaches_the_limit_too() -> None:
    clock = Clock()
    waits = Waits(clock=clock)
    with waits.call(SOMEBODY, "Why?"):
        clock.now += 1
        with waits.call(SOMEBODY, "Why?") as wait:
            assert wait == 25  # two agents of one host that ask the same question at once
        with waits.call(SOMEBODY, "Who?"):
            clock.now += 9
        with waits.call(SOMEBODY, "Who?") as wait:
            assert wait == 25
    with waits.call(SOMEBODY, "Why?"):
        clock.now += 10
        with waits.call(SOMEBODY, "Why?") as wait:
            assert wait == before(10)


CLAUDE_CODE = Client("local", "claude-code")


def _ask_again(waits: Waits, client: Client, after: float, clock: Clock) -> None:
    """Two calls for one question; the first still waits when the second comes."""
    with waits.call(client, "Why?"):
        clock.now += after
        with waits.call(client, "Why?"):
            pass


def test_a_second_agent_that_joins_a_question_does_not_shorten_the_wait_of_a_known_host() -> None:
    clock = Clock()
    waits = Waits(clock=clock)
    for after in (5, 12, 60, 120):
        _ask_again(waits, CLAUDE_CODE, after, clock)
        assert waits.seconds(CLAUDE_CODE) == before(300)


def test_a_known_host_that_asks_again_after_the_same_time_twice_has_that_limit() -> None:
    clock = Clock()
    waits = Waits(clock=clock)
    _ask_again(waits, CLAUDE_CODE, 62, clock)
    _ask_again(waits, CLAUDE_CODE, 64, clock)
    assert waits.seconds(CLAUDE_CODE) == before(60)


@pytest.mark.parametrize("limit", [5, 10])
def test_the_time_that_a_model_takes_to_ask_again_is_not_part_of_the_limit(limit: float) -> None:
    clock = Clock()
    waits = Waits(clock=clock)
    _ask_again(waits, SOMEBODY, limit + 4, clock)
    assert waits.seconds(SOMEBODY) == before(limit)


@pytest.mark.parametrize("after", [0.5, 3, 7.4, 23])
def test_a_person_who_cancels_a_call_does_not_shorten_the_wait_of_a_known_host(after: float) -> None:
    clock = Clock()
    waits = Waits(clock=clock)
    _give_up(waits, CLAUDE_CODE, after, clock)
    assert waits.seconds(CLAUDE_CODE) == before(300)


def test_a_person_who_cancels_several_calls_at_once_does_not_either() -> None:
    clock = Clock()
    waits = Waits(clock=clock)
    with pytest.raises(KeyboardInterrupt), waits.call(CLAUDE_CODE, "Why?"), waits.call(CLAUDE_CODE, "Who?"):
        clock.now += 7.4
        raise KeyboardInterrupt
    assert waits.seconds(CLAUDE_CODE) == before(300)


def test_what_is_cancelled_sooner_than_any_host_would_teaches_nothing() -> None:
    clock = Clock()
    waits = Waits(clock=clock)
    clock.now += 60
    for _ in range(2):
        _give_up(waits, SOMEBODY, 3, clock)
        _give_up(waits, CLAUDE_CODE, 3, clock)
    assert (waits.seconds(SOMEBODY), waits.seconds(CLAUDE_CODE)) == (25, before(300))


def test_a_call_that_was_held_until_the_server_ran_teaches_a_limit_of_5_seconds() -> None:
    clock = Clock()
    waits = Waits(clock=clock)
    _give_up(waits, SOMEBODY, 3.5, clock)
    assert waits.seconds(SOMEBODY) == before(3.5) < 5


@pytest.mark.parametrize(("limit", "lost"), [(60, 1), (45, 1), (37, 2)])
def test_a_limit_that_the_user_set_for_a_known_host_is_learned(limit: float, lost: int) -> None:
    clock = Clock()
    waits = Waits(clock=clock)
    assert [_give_up(waits, CLAUDE_CODE, limit, clock) >= limit for _ in range(4)] == [i < lost for i in range(4)]


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_a_call_that_a_known_host_kept_open_for_longer_lengthens_the_wait_again(is_cancelled: bool) -> None:
    clock = Clock()
    waits = Waits(clock=clock)
    try:
        with waits.call(CLAUDE_CODE, "Who?"):
            _give_up(waits, CLAUDE_CODE, 10, clock)
            assert waits.seconds(CLAUDE_CODE) == before(10)
            clock.now += 90
            if is_cancelled:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert waits.seconds(CLAUDE_CODE) == before(100)


def test_calls_that_return_in_time_do_not_lengthen_the_wait() -> None:
    clock = Clock()
    waits = Waits(clock=clock)
    for _ in range(5):
        assert _give_up(waits, CLAUDE_CODE, 60, clock) in (before(300), before(60))
    assert waits.seconds(CLAUDE_CODE) == before(60)


def test_only_the_clients_that_taught_something_last_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parallel_mcp.hosts.waits.MOST_CLIENTS", 3)
    clock = Clock()
    waits = Waits(clock=clock)
    waits.keep_in(tmp_path / "research.waits")
    for name in "abcde":
        _give_up(waits, Client("local", name), 5, clock)
    assert [waits.seconds(Client("local", name)) for name in "abcde"] == [25, 25, *[before(5)] * 3]
    assert len(waits._learned) == 3
    assert len(json.loads((tmp_path / "research.waits").read_text())) == 3


def test_what_was_learned_more_than_a_day_ago_is_dropped(tmp_path: Path) -> None:
    file, clock = tmp_path / "research.waits", Clock()
    file.write_text('[["local", "old", 3, 1000]]')
    waits = Waits(clock=clock)
    waits.keep_in(file)
    _give_up(waits, SOMEBODY, 5, clock)
    assert list(waits._learned) == [SOMEBODY]


async def test_a_clients_name_is_kept_up_to_100_characters(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    clients: list[Client] = []

    class Recording(Waits):
        def seconds(self, client: Client) -> float:
            clients.append(client)
            return super().seconds(client)

    monkeypatch.setattr("parallel_mcp.server.Waits", Recording)
    server = build(Settings(api_key="k", base_url=upstream.url, store="memory:"))
    async with McpClient(server, client_info=Implementation(name="n" * 5000, version="1")) as client:
        await client.call_tool("deep_research", {"question": "Why?"})
    assert {one.name for one in clients} == {"n" * 100}


def test_what_one_client_teaches_is_not_held_against_another() -> None:
    clock = Clock()
    waits = Waits(clock=clock)
    _give_up(waits, SOMEBODY, 5, clock)
    assert waits.seconds(SOMEBODY) == before(5) < 5
    assert waits.seconds(Client("local", "other")) == waits.seconds(Client("other", "somebody")) == 25


def test_an_error_is_no_giving_up() -> None:
    waits = Waits()
    with pytest.raises(ValueError), waits.call(SOMEBODY, "Why?"):
        raise ValueError
    assert waits.seconds(SOMEBODY) == 25


def test_the_next_process_knows_and_forgets_after_a_day(tmp_path: Path) -> None:
    file, clock = tmp_path / "research.waits", Clock()
    waits = Waits(clock=clock)
    waits.keep_in(file)
    _give_up(waits, SOMEBODY, 5, clock)
    assert file.stat().st_mode & 0o077 == 0
    following = Waits()
    following.keep_in(file)
    assert following.seconds(SOMEBODY) == before(5)
    yesterday = re.sub(r"[\d.]+\]\]", "1000]]", file.read_text())
    file.write_text(yesterday)
    following.keep_in(file)
    assert following.seconds(SOMEBODY) == 25


@pytest.mark.parametrize("text", ["", "{", "[1]", '[["a"]]', '[["a", "b", "c", "d"]]'])
def test_a_file_that_cannot_be_read_is_no_file(tmp_path: Path, text: str) -> None:
    file = tmp_path / "research.waits"
    file.write_text(text)
    waits = Waits()
    waits.keep_in(file)
    assert waits.seconds(SOMEBODY) == 25


async def _lost_call(client: McpClient, seconds: float) -> None:
    with pytest.raises(MCPError):
        await client.call_tool("deep_research", {"question": "Why?"}, read_timeout_seconds=seconds)


async def _working(client: McpClient) -> float:
    """How long a call takes that returns while still working."""
    began = anyio.current_time()
    result = await client.call_tool("deep_research", {"question": "Why?"})
    assert (result.structured_content or {})["status"] == "working"
    return anyio.current_time() - began


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_that_cancelled_a_call_gets_the_next_one_back_in_time(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch, mode: Any
) -> None:
    monkeypatch.setattr("parallel_mcp.hosts.waits.SHORTEST_LIMIT", 1.0)
    upstream.hold()
    server = build(Settings(api_key="k", base_url=upstream.url, store="memory:"))
    info = Implementation(name="impatient", version="1")
    async with McpClient(server, mode=mode, client_info=info) as client:
        await _lost_call(client, 2.5)
        await client.list_tools()  # behind the cancellation
        with anyio.fail_after(UNKNOWN_SECONDS / 2):
            await _working(client)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_that_asks_the_same_while_it_is_unanswered_gets_that_call_back_in_time(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch, mode: Any
) -> None:
    """As clients do that time out without a word: they leave the first call as it is."""
    monkeypatch.setattr("parallel_mcp.hosts.waits.SHORTEST_LIMIT", 1e-6)
    upstream.hold()
    server = build(Settings(api_key="k", base_url=upstream.url, store="memory:"))
    async with McpClient(server, mode=mode) as client, anyio.create_task_group() as group:
        group.start_soon(client.call_tool, "deep_research", {"question": "Why?"})
        await upstream.requests(1)
        with anyio.fail_after(UNKNOWN_SECONDS / 2):
            await _working(client)
        group.cancel_scope.cancel()


async def test_a_host_that_starts_a_process_for_each_call_loses_one_at_most(upstream: Upstream, tmp_path: Path) -> None:
    upstream.hold()
    environment = {"PARALLEL_API_KEY": "k", "PARALLEL_BASE_URL": upstream.url, "PARALLEL_MCP_STORE": f"{tmp_path}/r.db"}
    parameters = StdioServerParameters(command=sys.executable, args=["-m", "parallel_mcp"], env=environment)
    async with McpClient(parameters) as client:
        await client.read_resource("research://")  # until the engine is there
        await _lost_call(client, 5)
    async with McpClient(parameters) as client:
        await client.read_resource("research://")
        with anyio.fail_after(UNKNOWN_SECONDS - 5):
            await _working(client)
    assert len(upstream.received) == 1
