"""What differs on other systems, tested on this one: encodings, POSIX-only calls, paths."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from tests.support.pipes import Pipe
from tests.support.upstream import Upstream

pytestmark = pytest.mark.anyio

PACKAGE = Path(__file__).parents[2] / "parallel_mcp"
QUESTION = "Wie spät ist es in 東京? \U0001f55b"

LOCALES = {
    "C": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    "cp1252": {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"},
    "ascii": {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
}
OTHER_LOCALES = pytest.mark.parametrize("locale", LOCALES)


def _environment(upstream: Upstream, locale: str) -> dict[str, str]:
    known = {"PARALLEL_API_KEY": "k", "PARALLEL_BASE_URL": upstream.url, "PARALLEL_MCP_STORE": "memory:"}
    return {**known, **LOCALES[locale]}


@OTHER_LOCALES
async def test_the_pipes_are_utf_8_whatever_the_locale(upstream: Upstream, locale: str) -> None:
    command = [sys.executable, "-W", "error", "-m", "parallel_mcp"]
    environment = _environment(upstream, locale)
    async with await anyio.open_process(command, stdin=subprocess.PIPE, stderr=None, env=environment) as process:
        try:
            pipe = Pipe(process)
            await pipe.shake_hands()
            call = {"name": "web_answer", "arguments": {"question": QUESTION}}
            message = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call}
            await pipe.stdin.send(json.dumps(message, ensure_ascii=False).encode() + b"\n")
            result = (await pipe.answer(2))["result"]
        finally:
            process.kill()
    assert upstream.received[0].question == QUESTION
    assert result["structuredContent"]["content"] == f"An answer to: {QUESTION}"


@OTHER_LOCALES
async def test_the_command_line_takes_and_prints_any_text_whatever_the_locale(upstream: Upstream, locale: str) -> None:
    command = [sys.executable, "-W", "error", "-m", "parallel_mcp", "answer", QUESTION]
    with anyio.fail_after(30):
        done = await anyio.run_process(command, env=_environment(upstream, locale), check=False)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    assert upstream.received[0].question == QUESTION
    assert b"An answer to: Wie sp" in done.stdout
    assert b"Traceback" not in done.stderr


# Calls and names that do not exist on Windows, or mean something else there.
POSIX_ONLY = {
    "os": {
        *(
            "fork",
            "forkpty",
            "getuid",
            "geteuid",
            "getgid",
            "getppid",
            "setsid",
            "setpgid",
            "getpgid",
            "killpg",
            "kill",
        ),
        *(
            "mkfifo",
            "chown",
            "lchown",
            "chroot",
            "nice",
            "wait",
            "waitpid",
            "wait3",
            "wait4",
            "sysconf",
            "uname",
            "chmod",
        ),
        *("getloadavg", "sched_getaffinity", "openpty", "posix_spawn", "pread", "pwrite", "sendfile", "statvfs"),
    },
    "signal": {
        "SIGHUP",
        "SIGKILL",
        "SIGUSR1",
        "SIGUSR2",
        "SIGCHLD",
        "SIGALRM",
        "SIGQUIT",
        "alarm",
        "setitimer",
        "pause",
    },
    "anyio": {"open_signal_receiver"},
    "socket": {"AF_UNIX", "SO_REUSEPORT", "socketpair"},
}
POSIX_MODULES = {"fcntl", "grp", "pwd", "pty", "resource", "termios", "tty", "syslog", "posix", "readline", "curses"}

# Code that is guarded by a platform check.
GUARDED = {
    "http/connections.py: resource": "http/connections.py: max_connections",
    "stores/private_file.py: os.geteuid": "stores/private_file.py: by sys.platform",
    "stdio/engine.py: os.getppid": "stdio/engine.py: _watched",
    "stdio/finishing.py: fcntl": "stdio/finishing.py: _place",
    "stdio/front.py: os.getppid": "stdio/front.py: _end_with_parent",
    "stdio/engine.py: anyio.open_signal_receiver": "stdio/engine.py: _watched",
}


def _posix_only() -> Iterator[tuple[str, str]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            where = path.relative_to(PACKAGE).as_posix()
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                if node.attr in POSIX_ONLY.get(node.value.id, ()):
                    yield where, f"{node.value.id}.{node.attr}"
            elif isinstance(node, ast.Import):
                yield from ((where, alias.name) for alias in node.names if alias.name in POSIX_MODULES)
            elif isinstance(node, ast.ImportFrom) and node.module in POSIX_MODULES:
                yield where, node.module


def test_nothing_that_only_posix_has_is_called_without_another_branch() -> None:
    assert {f"{where}: {name}" for where, name in _posix_only()} == set(GUARDED)


def test_the_branch_is_taken_by_the_platform() -> None:
    tree = ast.parse((PACKAGE / "stdio" / "engine.py").read_text("utf-8"))
    (watched,) = (node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef) and node.name == "_watched")
    guard = next(node for node in ast.walk(watched) if isinstance(node, ast.If))
    assert ast.unparse(guard.test) == "sys.platform != 'win32'"
    started = {name.id for name in ast.walk(guard) if isinstance(name, ast.Name)}
    assert {"_on_signal", "_on_orphaned"} <= started


def test_every_file_is_read_and_written_with_a_named_encoding() -> None:
    unnamed = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            builtin = isinstance(node.func, ast.Name) and name == "open"
            named = (bool(node.args) and not builtin) or any(keyword.arg == "encoding" for keyword in node.keywords)
            if (builtin or name in {"read_text", "write_text"}) and not named:
                unnamed.append(f"{path.name}:{node.lineno}")
    assert unnamed == []


def test_no_path_is_put_together_with_slashes_or_taken_from_a_posix_folder() -> None:
    found = []
    # The table of hosts names each system's own paths.
    for path in sorted(set(PACKAGE.rglob("*.py")) - {PACKAGE / "hosts" / "table.py"}):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
                continue
            if node.value.startswith(("/tmp", "/var", "/home", "/etc", "/usr", "~/")):
                found.append(f"{path.name}:{node.lineno}: {node.value}")
    assert found == []


async def test_a_store_whose_path_has_blanks_and_foreign_letters_works(upstream: Upstream, tmp_path: Path) -> None:
    store = tmp_path / "Jürgen's Daten 東京 #1%20?" / "research.sqlite3"
    environment = {**_environment(upstream, "cp1252"), "PARALLEL_MCP_STORE": str(store)}
    del environment["PYTHONIOENCODING"]
    command = [sys.executable, "-W", "error", "-m", "parallel_mcp", "research", "Why?", "--json"]
    with anyio.fail_after(30):
        done = await anyio.run_process(command, env=environment, check=False)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    assert json.loads(done.stdout)["status"] == "completed"
    assert store.is_file()
