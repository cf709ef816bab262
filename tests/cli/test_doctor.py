"""The doctor, as a process, with real problems."""

import json
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from parallel_mcp.doctor.live import Reply, differences
from parallel_mcp.stores.redis import client
from tests.support.commands import run
from tests.support.upstream import Received, Upstream, chunk, events

pytestmark = pytest.mark.anyio

KEY = "sk-planted-0123456789"
ROOT = Path(__file__).parents[2]


async def test_the_doctor_finds_an_endpoint_that_takes_the_key(upstream: Upstream, tmp_path: Path) -> None:
    from starlette.responses import JSONResponse

    async def refuse(received: object) -> ASGIApp:
        return JSONResponse({"detail": "model is missing"}, 422)

    upstream.reply = refuse
    env = {"PARALLEL_API_KEY": "sk-planted", "PARALLEL_BASE_URL": upstream.url}
    done = await anyio.to_thread.run_sync(lambda: run(tmp_path, "doctor", **env))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "accepts the key" in done.stdout
    assert "sk-planted" not in done.stdout + done.stderr


async def test_the_doctor_finds_a_wrong_key(upstream: Upstream, tmp_path: Path) -> None:
    from starlette.responses import JSONResponse

    async def refuse(received: object) -> ASGIApp:
        return JSONResponse({"error": {"message": "no such key: sk-planted"}}, 401)

    upstream.reply = refuse
    env = {"PARALLEL_API_KEY": "sk-planted", "PARALLEL_BASE_URL": upstream.url}
    done = await anyio.to_thread.run_sync(lambda: run(tmp_path, "doctor", **env))
    assert done.returncode == 1
    assert "Parallel refused the API key" in done.stdout
    assert "sk-planted" not in done.stdout + done.stderr


def test_the_doctor_says_what_to_do_without_key_network_and_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    env = {
        "PARALLEL_BASE_URL": "https://parallel.invalid",
        "PARALLEL_MCP_STORE": str(tmp_path / "file" / "db"),
        "SSL_CERT_FILE": str(tmp_path / "none"),
        "HTTPS_PROXY": "http://user:sk-planted@127.0.0.1:9",
    }
    done = run(tmp_path, "doctor", **env)
    assert done.returncode == 1
    lines = {line.split()[1]: line for line in done.stdout.partition("\n\n")[0].splitlines()}
    assert "set PARALLEL_API_KEY" in lines["key"]
    assert lines["proxy"].startswith("note")
    assert lines["certificates"].startswith("fail")
    assert lines["endpoint"].startswith("fail")
    assert lines["store"].startswith("fail")
    assert "sk-planted" not in done.stdout + done.stderr


def test_the_doctor_names_a_store_that_others_can_read(tmp_path: Path) -> None:
    store = tmp_path / "research.sqlite3"
    store.touch(0o644)
    done = run(tmp_path, "doctor", "--sandbox", PARALLEL_MCP_STORE=str(store))
    assert f"chmod 600 {store}" in done.stdout
    store.chmod(0o600)
    done = run(tmp_path, "doctor", "--sandbox", PARALLEL_MCP_STORE=str(store))
    assert "can be read and written" in done.stdout


def findings(done_stdout: str) -> dict[str, tuple[str, str]]:
    """The verdict and the text of each finding, by subject."""
    listed = json.loads(done_stdout)["findings"]
    return {one["what"]: (one["verdict"], one["words"]) for one in listed}


@pytest.mark.parametrize(
    ("environment", "what", "said"),
    [
        ({"PARALLEL_API_KEY": "${PARALLEL_API_KEY}"}, "key", "did not fill in"),
        ({"PARALLEL_MCP_MAX_MODEL": "huge"}, "settings", "write one of lite, base, core"),
        ({"PARALLEL_MCP_STORE": "$HOME/r.db"}, "settings", "PARALLEL_MCP_STORE"),
        ({"ALL_PROXY": "socks4://user:sk-planted@127.0.0.1:1"}, "proxy", "ALL_PROXY"),
        ({"SSL_CERT_FILE": "/nowhere.pem"}, "certificates", "does not exist"),
        ({"PARALLEL_MCP_STORE": "redis://:sk-planted@127.0.0.1:1"}, "store", "Redis at 127.0.0.1:1"),
    ],
)
def test_the_doctor_names_each_fault_and_no_secret(
    tmp_path: Path, environment: dict[str, str], what: str, said: str
) -> None:
    given = {"PARALLEL_API_KEY": KEY, "PARALLEL_BASE_URL": "https://parallel.invalid", **environment}
    done = run(tmp_path, "doctor", "--json", **given)
    assert done.returncode == 1
    verdict, words = findings(done.stdout)[what]
    assert verdict == "fail"
    assert said in words
    assert "sk-planted" not in done.stdout + done.stderr
    assert "billed" not in done.stdout + done.stderr


async def test_an_endpoint_that_never_answers_may_not_have_been_billed(tmp_path: Path) -> None:
    """Assert that nothing was sent."""
    from tests.support.upstream import Peer, raw_upstream

    async def reset(peer: Peer) -> None:
        await peer.reset()

    async with raw_upstream(reset) as upstream:
        env = {"PARALLEL_API_KEY": KEY, "PARALLEL_BASE_URL": upstream.url}
        done = await anyio.to_thread.run_sync(lambda: run(tmp_path, "doctor", "--json", **env))
    assert findings(done.stdout)["endpoint"][0] == "fail"
    assert "billed" not in done.stdout


def test_each_setting_is_shown_with_its_value_and_where_it_is_from(tmp_path: Path) -> None:
    env = {
        "PARALLEL_API_KEY": KEY,
        "PARALLEL_MCP_ACCESS_TOKENS": "ann:sk-planted-token",
        "PARALLEL_MCP_WAIT_SECONDS": '"20"',
        "PARALLEL_MCP_STORE": "redis://:sk-planted@127.0.0.1:1/0",
    }
    done = run(tmp_path, "doctor", "--sandbox", "--max-model", "lite", "--json", **env)
    shown = {one["variable"]: (one["from"], one["value"]) for one in json.loads(done.stdout)["settings"]}
    assert shown["PARALLEL_API_KEY"] == ("environment", "set")
    assert shown["PARALLEL_MCP_ACCESS_TOKENS"] == ("environment", "ann:***")
    assert shown["PARALLEL_MCP_WAIT_SECONDS"] == ("environment", "20")
    assert shown["PARALLEL_MCP_STORE"] == ("environment", "redis://***@127.0.0.1:1/0")
    assert shown["PARALLEL_MCP_MAX_MODEL"] == ("flag", "lite")
    assert shown["PARALLEL_MCP_PORT"][0] == "default"
    assert "sk-planted" not in done.stdout


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[str]:
    """A Redis that may evict keys, behind its own socket."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    socket = tmp_path / "redis.sock"
    options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(tmp_path)]
    full = ["--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru"]
    async with await anyio.open_process(["redis-server", *options, *full], stdout=None) as process:
        with anyio.fail_after(20):
            while not socket.exists():
                await anyio.sleep(0.05)
        yield f"unix://{socket}"
        process.kill()


async def test_a_redis_that_drops_what_was_paid_for_is_found(redis: str, tmp_path: Path) -> None:
    done = await anyio.to_thread.run_sync(
        lambda: run(tmp_path, "doctor", "--sandbox", "--json", PARALLEL_MCP_STORE=redis)
    )
    verdict, words = findings(done.stdout)["store"]
    assert verdict == "fail"
    assert "allkeys-lru" in words
    assert "appendonly" in words


@pytest.mark.parametrize("less", ["", " +info"])
async def test_the_documented_redis_user_is_enough(redis: str, tmp_path: Path, less: str) -> None:
    page = (ROOT / "docs/replicas.md").read_text("utf-8")
    [rights] = re.findall(r"`(\+evalsha [^`]*)`", page)
    assert "`+info`" in page
    async with client(redis) as admin:
        await admin.execute_command("ACL", "SETUSER", "runs", "on", ">pw", "~{parallel-mcp}*", *(rights + less).split())  # type: ignore[no-untyped-call]
    url = redis.replace("unix://", "unix://runs:pw@")
    done = await anyio.to_thread.run_sync(
        lambda: run(tmp_path, "doctor", "--sandbox", "--json", PARALLEL_MCP_STORE=url)
    )
    verdict, words = findings(done.stdout)["store"]
    assert "can be read and written" in words
    assert (verdict, "+info" in words) == (("fail", False) if less else ("note", True))


# One paid question, to check the shape of the reply


@pytest.mark.parametrize("stream", ["true", "false"])
async def test_a_reply_of_the_expected_shape_is_said_to_be_one(upstream: Upstream, tmp_path: Path, stream: str) -> None:
    env = {"PARALLEL_API_KEY": KEY, "PARALLEL_BASE_URL": upstream.url, "PARALLEL_MCP_STREAM": stream}
    done = await anyio.to_thread.run_sync(lambda: run(tmp_path, "doctor", "--live", "--yes", "--json", **env))
    assert findings(done.stdout)["live"][0] == "ok", done.stdout
    [asked] = [received for received in upstream.received if received.body]
    assert asked.body["model"] == "speed"


async def test_without_consent_nothing_is_asked(upstream: Upstream, tmp_path: Path) -> None:
    env = {"PARALLEL_API_KEY": KEY, "PARALLEL_BASE_URL": upstream.url}
    done = await anyio.to_thread.run_sync(lambda: run(tmp_path, "doctor", "--live", **env))
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert not upstream.received


async def test_what_differs_is_named_by_place_and_kind_without_a_value(upstream: Upstream, tmp_path: Path) -> None:
    async def strange(received: Received) -> Response:
        if not received.body:
            return JSONResponse({"detail": "model is missing"}, 422)
        return events(chunk("Paris", interaction_id=7, trace={"key": KEY}), "[DONE]")

    upstream.reply = strange
    env = {"PARALLEL_API_KEY": KEY, "PARALLEL_BASE_URL": upstream.url}
    done = await anyio.to_thread.run_sync(lambda: run(tmp_path, "doctor", "--live", "--yes", "--json", **env))
    verdict, words = findings(done.stdout)["live"]
    assert verdict == "note"
    assert "interaction_id is number, not null or string" in words
    assert "trace.key is new: string" in words
    assert KEY not in done.stdout
    assert "Paris" not in done.stdout
    assert "France" not in done.stdout


@pytest.mark.parametrize("name", ["recorded_text.json", "recorded_schema.json"])
def test_recorded_replies_have_the_expected_basis_and_ids(name: str) -> None:
    recorded = Path(__file__).parents[2] / ".." / "shared" / "wire" / name
    if not recorded.exists():
        pytest.skip("the recorded answers are not here")
    found = json.loads(recorded.read_text("utf-8"))
    reply = found.get("response", found)
    if "choices" not in reply:
        pytest.skip("it was recorded of another endpoint")
    assert differences(Reply(200, "application/json", (reply,)), stream=False) == []
