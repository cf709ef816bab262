"""`parallel-mcp install` on realistic configurations."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from parallel_mcp.cli.group import main
from parallel_mcp.hosts.documents import read, value
from parallel_mcp.hosts.places import Machine, configuration
from parallel_mcp.hosts.table import HOSTS, Host

pytestmark = pytest.mark.usefixtures("lasting_program")

CONFIGURATIONS = Path(__file__).parent / "configurations"
SAMPLES = {path.stem: path.read_text("utf-8") for path in CONFIGURATIONS.iterdir()}
KEY = "key-0123456789-abcdef"


def _run(home: Path, *arguments: str, stdin: str = "", **environ: str) -> Result:
    cleared: dict[str, str | None] = dict.fromkeys(os.environ)
    # This PATH has none of the hosts that this machine may have.
    cleared |= {"HOME": str(home), "PATH": str(home / "bin"), **environ}
    return CliRunner(env=cleared).invoke(main, arguments, input=stdin)


def _host(host_id: str) -> Host:
    (one,) = (host for host in HOSTS if host.id == host_id)
    return one


def _file(host: Host, home: Path) -> Path:
    return configuration(host, Machine("linux" if sys.platform != "darwin" else "mac", home, {}))


def _with_sample(host_id: str, home: Path) -> Path:
    path = _file(_host(host_id), home)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SAMPLES.get(host_id, "{}\n"), "utf-8")
    return path


def _entry(host: Host, text: str, *deeper: str) -> dict[str, Any]:
    found = value(read(text, host.format), (*host.servers, *deeper, "parallel"))
    assert isinstance(found, dict), text
    return found


def _started(host: Host, made: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    """The command line and environment that the host would start it with."""
    command = made[host.entry.command]
    line = [command, *made[host.entry.args]] if host.entry.args else command
    return line, made.get(host.entry.env, {})


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.id)
def test_each_host_gets_an_entry_and_keeps_the_rest(host: Host, tmp_path: Path) -> None:
    path = _with_sample(host.id, tmp_path)
    before = path.read_text("utf-8")
    done = _run(tmp_path, "install", host.id)
    assert done.exit_code == 0, done.stderr
    after = path.read_text("utf-8")
    line, _ = _started(host, _entry(host, after))
    assert Path(line[0]).is_absolute() and os.access(line[0], os.X_OK)
    removed = {part.strip().rstrip(",") for part in before.splitlines()} - {
        part.strip().rstrip(",") for part in after.splitlines()
    }
    # Only brackets on one line may have been expanded.
    assert removed <= {"{}"}
    assert [copy.read_text("utf-8") for copy in path.parent.glob("*.bak")] == [before]


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.id)
def test_a_second_time_changes_nothing_and_remove_takes_it_out_again(host: Host, tmp_path: Path) -> None:
    path = _with_sample(host.id, tmp_path)
    before = read(path.read_text("utf-8"), host.format)
    _run(tmp_path, "install", host.id)
    once, backups = path.read_bytes(), len(list(path.parent.glob("*.bak")))
    again = _run(tmp_path, "install", host.id)
    assert "nothing to do" in again.stdout
    assert (path.read_bytes(), len(list(path.parent.glob("*.bak")))) == (once, backups)
    assert _run(tmp_path, "install", host.id, "--remove").exit_code == 0
    left = read(path.read_text("utf-8"), host.format)
    assert {**left, host.servers[0]: left[host.servers[0]] or None} == {
        **before,
        host.servers[0]: before.get(host.servers[0]) or None,
    }


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.id)
def test_a_dry_run_shows_a_diff_without_the_key_and_writes_nothing(host: Host, tmp_path: Path) -> None:
    path = _with_sample(host.id, tmp_path)
    before = path.read_bytes()
    shown = _run(tmp_path, "install", host.id, "--dry-run", "--write-key", PARALLEL_API_KEY=KEY)
    assert shown.exit_code == 0, shown.stderr
    assert f"+++ {path}" in shown.stdout and "<your key>" in shown.stdout
    assert KEY not in shown.stdout + shown.stderr
    assert path.read_bytes() == before and [*path.parent.iterdir()] == [path]


def test_a_key_that_is_replaced_or_removed_is_not_shown_either(tmp_path: Path) -> None:
    for host in HOSTS:
        _with_sample(host.id, tmp_path)
        _run(tmp_path, "install", host.id, "--write-key", PARALLEL_API_KEY=KEY)
        shown = _run(tmp_path, "install", host.id, "--remove", "--dry-run")
        shown_again = _run(tmp_path, "install", host.id, "--dry-run", "--write-key", PARALLEL_API_KEY="another-key-1")
        assert "<your key>" in shown.stdout and "<your key>" in shown_again.stdout, host.id
        assert KEY not in shown.stdout + shown_again.stdout and "another-key-1" not in shown_again.stdout


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.id)
def test_the_key_stands_in_the_file_only_with_write_key(host: Host, tmp_path: Path) -> None:
    path = _with_sample(host.id, tmp_path)
    plain = _run(tmp_path, "install", host.id, PARALLEL_API_KEY=KEY)
    assert KEY not in path.read_text("utf-8") + plain.stdout
    written = _run(tmp_path, "install", host.id, "--write-key", PARALLEL_API_KEY=KEY)
    assert KEY not in written.stdout + written.stderr
    _, environ = _started(host, _entry(host, path.read_text("utf-8")))
    assert environ["PARALLEL_API_KEY"] == KEY


def test_a_key_that_is_kept_needs_no_word_in_any_host(tmp_path: Path) -> None:
    kept = _run(tmp_path, "key", "set", stdin=f"  {KEY}\n")
    assert kept.exit_code == 0 and KEY not in kept.stdout
    file = tmp_path / ".config/parallel-mcp/api_key"
    assert file.read_text("utf-8").strip() == KEY
    assert file.stat().st_mode & 0o777 == 0o600
    for host in HOSTS:
        path = _with_sample(host.id, tmp_path)
        done = _run(tmp_path, "install", host.id)
        assert done.exit_code == 0 and "key set" not in done.stdout
        assert "PARALLEL_API_KEY" not in path.read_text("utf-8")


def test_timeouts_are_written_in_the_unit_of_each_host_with_a_wait_that_fits(tmp_path: Path) -> None:
    units = {
        "claude-code": 360_000,
        "codex": 360,
        "gemini-cli": 360_000,
        "qwen-code": 360_000,
        "goose": 360,
        "opencode": 360_000,
        "kiro": 360_000,
        "cline": 360,
        "cline-cli": 360,
        "copilot-cli": 360_000,
    }
    for host in HOSTS:
        path = _with_sample(host.id, tmp_path)
        _run(tmp_path, "install", host.id)
        made = _entry(host, path.read_text("utf-8"))
        _, environ = _started(host, made)
        if host.timeout is None:
            assert host.id not in units and "PARALLEL_MCP_WAIT_SECONDS" not in environ
        else:
            assert made[host.timeout.key] == units[host.id]
            assert 300 < float(environ["PARALLEL_MCP_WAIT_SECONDS"]) < 360


REMOTE = {
    "claude-code": {"type": "http", "url": "URL", "headers": {"Authorization": "Bearer ${TOKEN:-}"}},
    "cursor": {"url": "URL", "headers": {"Authorization": "Bearer ${env:TOKEN}"}},
    "vscode": {"type": "http", "url": "URL", "headers": {"Authorization": "Bearer ${input:parallel-api-key}"}},
    "windsurf": {"serverUrl": "URL", "headers": {"Authorization": "Bearer ${env:TOKEN}"}},
    "codex": {"url": "URL", "bearer_token_env_var": "TOKEN"},
    "gemini-cli": {"httpUrl": "URL", "headers": {"Authorization": "Bearer $TOKEN"}},
    "opencode": {"type": "remote", "enabled": True, "url": "URL", "headers": {"Authorization": "Bearer {env:TOKEN}"}},
    "copilot-cli": {"type": "http", "tools": ["*"], "url": "URL", "headers": {"Authorization": "Bearer ${TOKEN}"}},
}


@pytest.mark.parametrize("host_id", REMOTE)
def test_a_url_is_written_as_each_host_wants_it(host_id: str, tmp_path: Path) -> None:
    host, url = _host(host_id), "https://mcp.example.com/mcp"
    path = _with_sample(host_id, tmp_path)
    done = _run(tmp_path, "install", host_id, "--http", url, "--token-variable", "TOKEN")
    assert done.exit_code == 0, done.stderr
    made = _entry(host, path.read_text("utf-8"))
    made.pop(host.timeout.key if host.timeout else "", None)
    assert json.loads(json.dumps(made).replace(url, "URL")) == REMOTE[host_id]


def test_a_token_is_handed_on_only_where_it_is_asked_for(tmp_path: Path) -> None:
    path = _with_sample("cursor", tmp_path)
    _run(tmp_path, "install", "cursor", "--http", "http://127.0.0.1:8765/mcp", PARALLEL_API_KEY=KEY)
    assert _entry(_host("cursor"), path.read_text("utf-8")) == {"url": "http://127.0.0.1:8765/mcp"}


def test_claude_desktop_says_where_a_url_goes(tmp_path: Path) -> None:
    done = _run(tmp_path, "install", "claude-desktop", "--http", "https://mcp.example.com/mcp")
    assert done.exit_code == 1 and "connector settings" in done.stderr


def test_opencodes_second_format_is_kept(tmp_path: Path) -> None:
    path = _with_sample("opencode", tmp_path)
    path.write_text(SAMPLES["opencode-second-format"], "utf-8")
    assert _run(tmp_path, "install", "opencode").exit_code == 0
    made = _entry(_host("opencode"), path.read_text("utf-8"), "servers")
    assert "enabled" not in made and made["timeout"] == {"request": 360_000}
    assert "// the second format" in path.read_text("utf-8")


def test_vs_code_asks_for_the_key_and_keeps_what_else_it_asks_for(tmp_path: Path) -> None:
    path = _with_sample("vscode", tmp_path)
    before = path.read_text("utf-8")
    _run(tmp_path, "install", "vscode")
    asked = read(path.read_text("utf-8"), "json")["inputs"]
    assert [one["id"] for one in asked] == ["other-key", "parallel-api-key"] and asked[1]["password"] is True
    _run(tmp_path, "install", "vscode", "--remove")
    assert read(path.read_text("utf-8"), "json") == read(before, "json")


def test_a_broken_file_is_left_as_it_is_and_named(tmp_path: Path) -> None:
    path = _with_sample("cursor", tmp_path)
    path.write_text('{"mcpServers": {', "utf-8")
    done = _run(tmp_path, "install", "cursor")
    assert done.exit_code == 1 and str(path) in done.stderr and "Nothing was changed" in done.stderr
    assert path.read_text("utf-8") == '{"mcpServers": {'


def test_a_file_behind_a_link_stays_behind_it_with_its_mode(tmp_path: Path) -> None:
    path = _with_sample("cursor", tmp_path)
    real = tmp_path / "dotfiles.json"
    path.rename(real)
    real.chmod(0o600)
    path.symlink_to(real)
    assert _run(tmp_path, "install", "cursor").exit_code == 0
    assert path.is_symlink() and "parallel" in real.read_text("utf-8")
    assert real.stat().st_mode & 0o777 == 0o600


def test_a_file_that_holds_a_key_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    path = _with_sample("cursor", tmp_path)
    path.chmod(0o644)
    _run(tmp_path, "install", "cursor", "--write-key", PARALLEL_API_KEY=KEY)
    assert path.stat().st_mode & 0o777 == 0o600


def test_all_means_those_that_are_found_and_one_failure_does_not_stop_the_others(tmp_path: Path) -> None:
    broken, fine = _with_sample("claude-desktop", tmp_path), _with_sample("zed", tmp_path)
    broken.write_text("{", "utf-8")
    done = _run(tmp_path, "install", "--all")
    assert done.exit_code == 1 and "Claude Desktop" in done.stderr
    assert _entry(_host("zed"), fine.read_text("utf-8"))
    assert not _file(_host("cursor"), tmp_path).exists()


def test_a_host_that_nobody_knows_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    done = _run(tmp_path, "install", "netscape")
    assert done.exit_code == 2 and "claude-desktop" in done.stderr


def _program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.mark.skipif(sys.platform == "win32", reason="the host's program is a shell script")
@pytest.mark.parametrize(("host_id", "command"), [("codex", "codex"), ("claude-code", "claude"), ("vscode", "code")])
def test_no_secret_is_an_argument_of_a_hosts_own_command(host_id: str, command: str, tmp_path: Path) -> None:
    _program(tmp_path / "bin", command, f'printf "%s\\n" "$@" > {tmp_path}/arguments')
    _with_sample(host_id, tmp_path)
    done = _run(tmp_path, "install", host_id, "--write-key", PARALLEL_API_KEY=KEY, PATH=f"{tmp_path}/bin:/usr/bin:/bin")
    assert f"ran {tmp_path}/bin/{command}" in done.stdout
    assert "parallel" in (tmp_path / "arguments").read_text() and KEY not in (tmp_path / "arguments").read_text()
    assert KEY in _file(_host(host_id), tmp_path).read_text("utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="the host's program is a shell script")
def test_where_a_hosts_own_command_fails_its_file_is_written_all_the_same(tmp_path: Path) -> None:
    _program(tmp_path / "bin", "codex", "exit 1")
    path = _with_sample("codex", tmp_path)
    done = _run(tmp_path, "install", "codex")
    assert done.exit_code == 0 and "failed" in done.stdout
    assert _entry(_host("codex"), path.read_text("utf-8")) and "# docs" in path.read_text("utf-8")
