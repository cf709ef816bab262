"""`answer` and `research` on the command line: questions, and where the output goes."""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import anyio
import pytest
from starlette.responses import JSONResponse, Response

from parallel_mcp.cli.ending import in_flags
from parallel_mcp.cli.sandbox import BIG
from parallel_mcp.sandbox import example_questions
from tests.support.commands import environment_of, run
from tests.support.upstream import Received, Upstream

pytestmark = pytest.mark.anyio

QUESTION = example_questions()[1]
KEY = {"PARALLEL_API_KEY": "k-0123456789"}


async def of(
    upstream: Upstream, tmp_path: Path, *args: str, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {**KEY, "PARALLEL_BASE_URL": upstream.url}
    return await anyio.to_thread.run_sync(lambda: run(tmp_path, *args, stdin=stdin, **environment))


# Questions


@pytest.mark.parametrize("args", [["answer", "-"], ["answer"], ["research", "-"]])
async def test_piped_text_is_the_question(upstream: Upstream, tmp_path: Path, args: list[str]) -> None:
    done = await of(upstream, tmp_path, *args, stdin="\ufeffWhy is the sky blue?\n")
    assert done.returncode == 0, done.stderr
    assert [received.question for received in upstream.received] == ["Why is the sky blue?"]


async def test_beside_a_question_piped_text_is_its_context(upstream: Upstream, tmp_path: Path) -> None:
    done = await of(upstream, tmp_path, "research", "What follows?", stdin="All men are mortal.\nSocrates is a man.\n")
    assert done.returncode == 0, done.stderr
    assert upstream.received[0].question == "What follows?\n\nContext:\nAll men are mortal.\nSocrates is a man."


@pytest.mark.parametrize(
    ("args", "stdin"), [(["answer"], None), (["answer", "-"], ""), (["answer", "Q"], "x" * 20_001)]
)
def test_what_cannot_be_asked_is_said_before_anything_is_sent(
    tmp_path: Path, args: list[str], stdin: str | None
) -> None:
    done = run(tmp_path, *args, stdin=stdin, **KEY)
    assert done.returncode == 2
    assert "QUESTION" in done.stderr or "20,000" in done.stderr


# Output


def test_a_file_is_checked_before_anything_is_sent(tmp_path: Path) -> None:
    done = run(tmp_path, "answer", "-o", str(tmp_path / "none" / "a.md"), "Why?", **KEY)
    assert done.returncode == 2
    assert "does not exist" in done.stderr


@pytest.mark.parametrize(("name", "begins"), [("a.txt", "An answer"), ("a.md", "# Why"), ("a.json", "{")])
async def test_an_answer_is_written_to_a_file(upstream: Upstream, tmp_path: Path, name: str, begins: str) -> None:
    done = await of(upstream, tmp_path, "answer", "-o", str(tmp_path / name), "Why is the sky blue?")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert (tmp_path / name).read_text("utf-8").startswith(begins)


async def test_output_is_never_cut_to_what_a_host_may_show(upstream: Upstream, tmp_path: Path) -> None:
    long = "word " * 30_000

    async def reply(_: Received) -> Response:
        return JSONResponse({"choices": [{"message": {"content": long}}]})

    upstream.reply = reply
    for extra in ([], ["--json"]):
        done = await of(upstream, tmp_path, "research", "--fresh", *extra, "Why?")
        assert long.strip() in done.stdout


# Failures


@pytest.mark.parametrize(
    ("args", "env", "kind", "status"),
    [
        (["answer", "Why?"], {}, "no_key", 1),
        (["answer", "Why?"], {"PARALLEL_MCP_MAX_MODEL": "huge"}, "settings", 2),
        (["research", "--model", "core", "Why?"], {**KEY, "PARALLEL_MCP_MAX_MODEL": "lite"}, "model_not_allowed", 1),
        (["research", "--id", "0123456789abcdef"], KEY, "unknown_research", 1),
        (["history", "show", "0123456789abcdef"], {}, "unknown_research", 1),
        (["history"], {"PARALLEL_MCP_STORE": "/proc/none/r.db"}, "store_failed", 1),
        (["research", "--modle", "core", "Why?"], {}, "settings", 2),
        (["answer", "--output-schema", "{", "Why?"], {}, "settings", 2),
        (["history", "show"], {}, "settings", 2),
    ],
)
def test_a_failure_is_json_where_json_was_asked_for(
    tmp_path: Path, args: list[str], env: dict[str, str], kind: str, status: int
) -> None:
    done = run(tmp_path, *args, "--json", **env)
    assert done.returncode == status
    error = json.loads(done.stdout)["error"]
    assert error["kind"] == kind
    plain = run(tmp_path, *args, **env)
    assert plain.returncode == status
    assert plain.stdout == ""
    assert plain.stderr.strip().endswith(error["message"])
    assert not [name for name in ("research_id=", "deep_research", "web_answer", "model=") if name in plain.stderr]


def test_a_wrong_setting_is_named_as_it_was_given(tmp_path: Path) -> None:
    assert "--reuse-seconds: write a number" in run(tmp_path, "answer", "--reuse-seconds", "x", "Why?").stderr
    assert "PARALLEL_MCP_REUSE_SECONDS: " in run(tmp_path, "answer", "Why?", PARALLEL_MCP_REUSE_SECONDS="x").stderr


def test_messages_speak_in_flags() -> None:
    said = (
        "Call again with research_id='x', fresh=true or model=base, or follow_up_to and output_schema of deep_research"
    )
    assert in_flags(said) == (
        "Ask again with --id 'x', --fresh or --model base, or --follow-up-to and --output-schema of "
        "`parallel-mcp research`"
    )


# Ctrl-C


async def interrupted(
    upstream: Upstream, tmp_path: Path, ready: Callable[[Upstream], bool], *args: str
) -> tuple[int | None, str]:
    """Ask, press Ctrl-C as soon as it is ready, and return the exit status and stderr."""
    environment = {**environment_of(tmp_path), **KEY, "PARALLEL_BASE_URL": upstream.url}
    command = [sys.executable, "-W", "error", "-m", "parallel_mcp", *args]
    gate = upstream.hold()
    async with await anyio.open_process(command, env=environment, stdin=subprocess.DEVNULL) as process:
        await upstream.until(ready, 30)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        heard = b""
        with anyio.fail_after(30):
            async for part in process.stderr:
                heard += part
            await process.wait()
    gate.set()
    return process.returncode, heard.decode()


async def test_ctrl_c_prints_the_id_and_how_to_go_on(upstream: Upstream, tmp_path: Path) -> None:
    sent: Callable[[Upstream], bool] = lambda upstream: bool(upstream.received)  # noqa: E731
    elsewhere = ["--store", str(tmp_path / "my runs.sqlite3")]
    status, said = await interrupted(upstream, tmp_path, sent, "research", *elsewhere, "Why?")
    assert status == 130
    assert "Traceback" not in said
    [line] = [line for line in said.splitlines() if "parallel-mcp research --id" in line]
    assert "may be billed" in said
    done = await of(upstream, tmp_path, *shlex.split(line)[1:])
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("An answer to: Why?")


async def test_ctrl_c_of_an_answer_says_what_may_be_billed(upstream: Upstream, tmp_path: Path) -> None:
    sent: Callable[[Upstream], bool] = lambda upstream: bool(upstream.received)  # noqa: E731
    status, said = await interrupted(upstream, tmp_path, sent, "answer", "Why?")
    assert status == 130
    assert said.strip().endswith("The question had been sent and may be billed.")
    assert "Traceback" not in said


@pytest.mark.parametrize("milliseconds", (40, 80, 120, 200, 400, 800))
async def test_ctrl_c_at_any_moment_leaves_no_traceback_of_ours(tmp_path: Path, milliseconds: int) -> None:
    """The moments are spread over the start, wherever they fall. Python's own start precedes them."""
    command = [sys.executable, "-m", "parallel_mcp", "research", "--sandbox", QUESTION]
    async with await anyio.open_process(command, env=environment_of(tmp_path), stdin=subprocess.DEVNULL) as process:
        await anyio.sleep(milliseconds / 1000)
        try:
            process.send_signal(signal.SIGINT)
        except ProcessLookupError:
            pass
        assert process.stderr is not None
        heard = b""
        with anyio.fail_after(30):
            async for part in process.stderr:
                heard += part
            await process.wait()
    # While Python itself starts or ends, up to our import of `signal`, the traceback and the status are its own.
    if b"Traceback" in heard:
        assert b"parallel_mcp/stdio" not in heard and b"parallel_mcp/cli" not in heard, heard.decode()
    else:
        assert process.returncode in (0, 130, -signal.SIGINT)


# On a terminal


@pytest.fixture
def terminal(tmp_path: Path) -> Callable[..., str]:
    """The output of a command on a terminal with 80 columns."""
    pty = pytest.importorskip("pty")

    def shown(*args: str, typed: str = "", **env: str) -> str:
        ours, theirs = pty.openpty()
        environment = {**environment_of(tmp_path), "TERM": "xterm-256color", "COLUMNS": "80", **env}
        command = [sys.executable, "-W", "error", "-m", "parallel_mcp", *args]
        with subprocess.Popen(command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as process:
            os.close(theirs)
            os.write(ours, typed.encode())
            parts = []
            while True:
                try:
                    part = os.read(ours, 65536)
                except OSError:
                    break
                if not part:
                    break
                parts.append(part)
            process.wait(60)
        os.close(ours)
        return b"".join(parts).decode()

    return shown


def test_indexing_many_documents_shows_a_bar_that_is_taken_away_again(
    terminal: Callable[..., str], tmp_path: Path
) -> None:
    folder = tmp_path / "pages"
    folder.mkdir()
    for number in range(BIG):
        (folder / f"{number}.md").write_text(f"# Valve {number}\n\nValve {number} of the boiler releases steam.")
    first, again = (
        terminal("answer", "--sandbox", "--corpus", str(folder), "Which valve of the boiler releases steam?")
        for _ in range(2)
    )
    assert f"{BIG}/{BIG}" in first
    assert "Indexing the corpus" not in first.rpartition("\x1b[2K")[2]
    assert "Indexing the corpus" not in again, "the second time it comes out of the cache"
    assert "releases steam" in first


PLANTED = (
    "[bold red]not markup[/] [/nothing] [https://bank.example](https://evil.example) "
    "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\ \x1b[31mred\x9b1m \u202eback <b>html</b>"
)


async def test_nothing_from_upstream_is_markup_for_the_terminal(
    upstream: Upstream, terminal: Callable[..., str]
) -> None:
    async def reply(_: Received) -> Response:
        basis = [
            {
                "field": PLANTED,
                "reasoning": PLANTED,
                "confidence": "low",
                "citations": [
                    {
                        "url": "https://example.com/\x1b]8;;https://evil.example\x1b\\",
                        "title": PLANTED,
                        "excerpts": [PLANTED],
                    },
                    {"url": "javascript:alert(1)", "title": "[link=https://evil.example]x[/link]", "excerpts": []},
                ],
            }
        ] * 2
        return JSONResponse({"choices": [{"message": {"content": PLANTED}}], "basis": basis, "interaction_id": PLANTED})

    upstream.reply = reply
    env = {**KEY, "PARALLEL_BASE_URL": upstream.url}
    for args in (["research", f"Why {PLANTED}?".replace("\x1b", "")], ["history"], ["answer", "Why?"]):
        shown = await anyio.to_thread.run_sync(partial(terminal, *args, **env))
        assert "Traceback" not in shown
        assert "\x9b" not in shown
        assert "\u202e" not in shown
        assert "\x1b]8;;https://evil" not in shown, "a planted link leads somewhere"
        targets = [part.partition("\x1b")[0] for part in shown.split("\x1b]8;")[1:]]
        assert all(";https://example.com" in target or target == ";" for target in targets), targets
    assert "not markup" in shown
    assert "https://evil.example" in shown, "a link says where it leads"


async def test_history_asks_before_it_forgets_everything(terminal: Callable[..., str], tmp_path: Path) -> None:
    store = str(tmp_path / "r.db")
    assert run(tmp_path, "research", "--sandbox", "--store", store, QUESTION).returncode == 0
    piped = run(tmp_path, "history", "--store", store, "--forget", "--all")
    assert piped.returncode == 2
    assert "--yes" in piped.stderr
    listed = json.loads(run(tmp_path, "history", "--store", store, "--json").stdout)["research"]
    assert len(listed) == 1
    shown = run(tmp_path, "history", "show", listed[0]["research_id"][:8], "--store", store)
    assert shown.returncode == 0, shown.stderr
    assert "Sources:" in shown.stdout
    forget = ("history", "--store", store, "--forget", "--all")
    assert "Nothing was deleted." in await anyio.to_thread.run_sync(partial(terminal, *forget, typed="n\n"))
    assert run(tmp_path, *forget, "--yes").stdout == "Forgot 1 research run.\n"


async def test_history_show_sends_nothing(upstream: Upstream, tmp_path: Path) -> None:
    asked = await of(upstream, tmp_path, "research", "--json", "Why?")
    research_id = json.loads(asked.stdout)["research_id"]
    upstream.received.clear()
    for extra, begins in (([], "An answer"), (["--format", "md"], "# Why"), (["--json"], "{")):
        shown = await of(upstream, tmp_path, "history", "show", research_id, *extra)
        assert shown.stdout.startswith(begins), shown.stderr
    assert not upstream.received
    assert (await of(upstream, tmp_path, "history", "show", f"research://{research_id}/md")).returncode == 0
