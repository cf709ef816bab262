"""Where each system keeps each host's file, and which program a host starts."""

import subprocess
import sys
from pathlib import Path

import pytest

from parallel_mcp.hosts import places
from parallel_mcp.hosts.places import Machine, System, configuration, found
from parallel_mcp.hosts.table import HOSTS, Host

ROAMING = "AppData/Roaming"
MAC = "Library/Application Support"

# From the hosts' own documentation: mac, linux, windows, below a user's folder.
DOCUMENTED = {
    "claude-desktop": (
        f"{MAC}/Claude/claude_desktop_config.json",
        ".config/Claude/claude_desktop_config.json",
        f"{ROAMING}/Claude/claude_desktop_config.json",
    ),
    "claude-code": (".claude.json",) * 3,
    "cursor": (".cursor/mcp.json",) * 3,
    "vscode": (f"{MAC}/Code/User/mcp.json", ".config/Code/User/mcp.json", f"{ROAMING}/Code/User/mcp.json"),
    "windsurf": (".codeium/windsurf/mcp_config.json",) * 3,
    "codex": (".codex/config.toml",) * 3,
    "gemini-cli": (".gemini/settings.json",) * 3,
    "qwen-code": (".qwen/settings.json",) * 3,
    "zed": (".config/zed/settings.json", ".config/zed/settings.json", f"{ROAMING}/Zed/settings.json"),
    "goose": (
        ".config/goose/config.yaml",
        ".config/goose/config.yaml",
        f"{ROAMING}/Block/goose/config/config.yaml",
    ),
    "opencode": (".config/opencode/opencode.json",) * 3,
    "lm-studio": (".lmstudio/mcp.json",) * 3,
    "kiro": (".kiro/settings/mcp.json",) * 3,
    "cline": tuple(
        f"{folder}/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json"
        for folder in (MAC, ".config", ROAMING)
    ),
    "cline-cli": (".cline/data/settings/cline_mcp_settings.json",) * 3,
    "copilot-cli": (".copilot/mcp-config.json",) * 3,
}


def _host(host_id: str) -> Host:
    (one,) = (host for host in HOSTS if host.id == host_id)
    return one


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.id)
@pytest.mark.parametrize("system", ["mac", "linux", "windows"])
def test_a_file_that_is_not_there_yet_is_made_where_the_host_looks(host: Host, system: System, tmp_path: Path) -> None:
    documented = DOCUMENTED[host.id][("mac", "linux", "windows").index(system)]
    assert configuration(host, Machine(system, tmp_path, {})) == tmp_path / documented


def test_claude_desktop_from_the_windows_store_keeps_its_file_in_the_store_apps_folder(tmp_path: Path) -> None:
    machine = Machine("windows", tmp_path, {})
    plain = tmp_path / ROAMING / "Claude" / "claude_desktop_config.json"
    plain.parent.mkdir(parents=True)
    plain.write_text("{}")
    assert configuration(_host("claude-desktop"), machine) == plain
    local = tmp_path / "AppData/Local"
    (local / "Packages/Claude_pzs8sxrjxfjjc").mkdir(parents=True)
    assert configuration(_host("claude-desktop"), machine) == plain, "the package's folder alone says nothing"
    store = local / "Packages/Claude_pzs8sxrjxfjjc/LocalCache/Roaming/Claude"
    store.mkdir(parents=True)
    assert configuration(_host("claude-desktop"), machine) == store / plain.name
    newer = local / "Claude-Data/claude-1"
    newer.mkdir(parents=True)
    assert configuration(_host("claude-desktop"), machine) == newer / plain.name


def test_variables_that_move_a_file_are_followed(tmp_path: Path) -> None:
    environ = {
        "XDG_CONFIG_HOME": str(tmp_path / "x"),
        "CODEX_HOME": str(tmp_path / "c"),
        "APPDATA": str(tmp_path / "a"),
    }
    linux, windows = (Machine(system, tmp_path, environ) for system in ("linux", "windows"))
    assert configuration(_host("vscode"), linux) == tmp_path / "x/Code/User/mcp.json"
    assert configuration(_host("codex"), linux) == tmp_path / "c/config.toml"
    assert configuration(_host("zed"), windows) == tmp_path / "a/Zed/settings.json"


def test_an_opencode_file_with_comments_is_the_one_to_change(tmp_path: Path) -> None:
    commented = tmp_path / ".config/opencode/opencode.jsonc"
    commented.parent.mkdir(parents=True)
    commented.write_text("{}")
    assert configuration(_host("opencode"), Machine("linux", tmp_path, {})) == commented


def test_only_hosts_with_a_trace_on_the_machine_count_as_found(tmp_path: Path) -> None:
    machine = Machine("linux", tmp_path, {"PATH": str(tmp_path / "bin")})
    assert not [host.id for host in HOSTS if found(host, machine)]
    (tmp_path / ".cursor").mkdir()
    program = tmp_path / "bin/claude"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert [host.id for host in HOSTS if found(host, machine)] == ["claude-code", "cursor"]


@pytest.mark.usefixtures("lasting_program")
def test_the_program_is_named_by_a_path_that_runs_without_any_path_variable() -> None:
    command = places.program(places.this_machine({}))
    assert Path(command[0]).is_absolute()
    told = subprocess.run([*command, "--version"], env={}, capture_output=True, text=True, check=True, timeout=60)
    assert "parallel-mcp" in told.stdout


@pytest.mark.parametrize("mark", ["under the user's cache", "under a folder marked as a cache"])
def test_a_program_in_a_cache_is_started_by_uvx_again(
    mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache) if mark.endswith("user's cache") else str(tmp_path / "elsewhere"))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "tmp"))
    monkeypatch.setattr(sys, "prefix", str(cache / "uv/archive-v0/abc"))
    (cache / "uv").mkdir(parents=True)
    (cache / "uv/CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55")
    with pytest.raises(places.NoLastingProgram, match="uv tool install"):
        places.program(Machine("linux", tmp_path, {"PATH": str(tmp_path / "bin")}))
    uvx = tmp_path / "bin/uvx"
    uvx.parent.mkdir()
    uvx.write_text("#!/bin/sh\n")
    uvx.chmod(0o755)
    command = places.program(Machine("linux", tmp_path, {"PATH": str(tmp_path / "bin")}))
    assert command[:2] == [str(uvx), "--from"] and command[-1] == "parallel-mcp"
    assert not any(str(cache) in part for part in command)
