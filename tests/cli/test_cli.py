"""The command line, as a process."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from parallel_mcp.sandbox import example_questions
from tests.support.commands import run
from tests.support.upstream import Upstream

pytestmark = pytest.mark.anyio

QUESTION = example_questions()[1]


@pytest.mark.parametrize("command", ["answer", "research"])
def test_a_question_to_the_sandbox_prints_an_answer_with_its_sources(tmp_path: Path, command: str) -> None:
    done = run(tmp_path, command, "--sandbox", QUESTION)
    assert done.returncode == 0, done.stderr
    assert "Sources:\n[1] " in done.stdout
    assert "not from the web" in done.stdout
    assert done.stderr.startswith("    0 s  ")


def test_json_is_the_tools_structured_result(tmp_path: Path) -> None:
    done = run(tmp_path, "research", "--sandbox", "--model", "lite", "--json", QUESTION)
    result = json.loads(done.stdout)
    assert result["status"] == "completed"
    assert result["model"] == "lite"
    assert result["answer"]["citations"][0]["number"] == 1


def test_a_schema_comes_as_text_or_as_a_file(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"summary": {"type": "string"}}, "required": ["summary"]}
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    for given in (json.dumps(schema), str(tmp_path / "schema.json")):
        done = run(tmp_path, "research", "--sandbox", "--json", "--output-schema", given, QUESTION)
        assert done.returncode == 0, done.stderr
        assert set(json.loads(done.stdout)["answer"]["data"]) == {"summary"}


def test_a_failure_prints_its_text_to_stderr_and_exits_with_1(tmp_path: Path) -> None:
    done = run(tmp_path, "answer", "Why?")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "PARALLEL_API_KEY" in done.stderr
    assert "--sandbox" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "args",
    [
        ["research"],
        ["research", "--id", "x", "Why?"],
        ["answer"],
        ["answer", "--output-schema", "{", "Why?"],
        ["sandbox", "--fault", "nonsense"],
        ["sandbox", "--corpus", "/nowhere"],
        ["unknown"],
    ],
)
def test_wrong_usage_exits_with_2_and_says_what_is_wrong(tmp_path: Path, args: list[str]) -> None:
    done = run(tmp_path, *args)
    assert done.returncode == 2, done.stderr
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_an_argument_that_is_quoted_in_an_error_is_no_markup_for_the_terminal(tmp_path: Path) -> None:
    done = run(tmp_path, "answer", "Why?", "--output-schema", "\x1b]8;;https://evil.example\x07no such file")
    assert done.returncode == 2
    assert "no such file" in done.stderr
    assert not {"\x1b", "\x07"} & set(done.stderr)


async def test_answers_come_from_parallel_where_a_key_is_set(upstream: Upstream, tmp_path: Path) -> None:
    env = {"PARALLEL_API_KEY": "k", "PARALLEL_BASE_URL": upstream.url}
    done = await anyio.to_thread.run_sync(lambda: run(tmp_path, "research", "Why?", **env))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("An answer to: Why?")
    listed = await anyio.to_thread.run_sync(lambda: run(tmp_path, "history", "--json", **env))
    history = json.loads(listed.stdout)
    assert [row["question"] for row in history["research"]] == ["Why?"]
    assert [(day["model"], day["requests"], day["usd"]) for day in history["spent"]] == [("base", 1, 0.01)]
    plain = await anyio.to_thread.run_sync(lambda: run(tmp_path, "history", **env))
    assert "Why?" in plain.stdout
    assert "$0.010" in plain.stdout
    forgot = await anyio.to_thread.run_sync(lambda: run(tmp_path, "history", "--forget", "--all", "--yes", **env))
    assert forgot.stdout == "Forgot 1 research run.\n"
    emptied = await anyio.to_thread.run_sync(lambda: run(tmp_path, "history", "--json", **env))
    assert json.loads(emptied.stdout)["research"] == []


def test_listing_forgets_nothing(tmp_path: Path) -> None:
    done = run(tmp_path, "history", "--all")
    assert done.returncode == 2
    assert "Forgot" not in done.stdout


def test_forgetting_what_is_not_there_fails(tmp_path: Path) -> None:
    done = run(tmp_path, "history", "--forget", "abc")
    assert done.returncode == 1
    assert "'abc'" in done.stderr


def test_progress_is_a_display_on_a_terminal(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "TERM": "xterm", "COLUMNS": "200"}
    command = [sys.executable, "-m", "parallel_mcp", "answer", "--sandbox", QUESTION]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=theirs, timeout=60, check=False)
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert done.returncode == 0
    assert b"\x1b[" in shown
    assert b"Asking" in shown
    assert b"\x1b" not in done.stdout
