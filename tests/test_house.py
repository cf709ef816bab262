"""The layout, the direction of imports, and what must not occur in the project."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "parallel_mcp"

# Each room, with the rooms it may import from. All arrows point up in this table.
ROOMS: dict[str, set[str]] = {
    "text": set(),
    "errors": {"text"},
    "models": set(),
    "processes": set(),
    "environment": set(),
    "settings": {"environment", "models"},
    "telemetry": set(),
    "compat": {"telemetry"},
    "hosts": {"compat", "errors"},
    "schemas": {"errors", "text"},
    "chat": {"errors", "models", "schemas", "text"},
    "client": {"chat", "errors", "models", "processes", "telemetry"},
    "research": {"chat", "client", "errors", "models", "telemetry"},
    "stores": {"errors", "models", "research"},
    "report": {"models", "text"},
    "tools": {
        *("compat", "hosts", "text", "client", "research", "report", "models", "errors", "processes", "schemas"),
        "telemetry",
    },
    "tasks": {"hosts", "research", "tools", "errors", "models"},
    "sandbox": set(),
    "prompts": set(),
    "server": {
        *("errors", "models", "settings", "client", "research", "stores"),
        *("hosts", "report", "tools", "tasks", "sandbox", "telemetry", "compat", "prompts"),
    },
    "stdio": {
        *("environment", "settings", "research", "errors", "hosts", "server", "telemetry", "tools", "compat", "text"),
    },
    "http": {"server", "settings", "research", "errors", "telemetry", "compat", "text"},
    "doctor": {"chat", "client", "errors", "models", "research", "server", "settings", "stores", "text"},
    "cli": {
        *("compat", "environment", "errors", "hosts", "settings", "research", "server", "stdio", "http", "doctor"),
        *("models", "sandbox", "report", "telemetry", "text", "tools"),
    },
    "__main__": {"stdio", "cli"},
}


def _imports(path: Path) -> set[str]:
    """Names of our rooms that a file imports, anywhere in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    split = [name.split(".") for name in found]
    return {parts[1] for parts in split if parts[0] == "parallel_mcp" and len(parts) > 1}


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_up_the_house(path: Path) -> None:
    room = _room(path)
    if room == "__init__":
        assert not _imports(path)
        return
    assert _imports(path) - {room} <= ROOMS[room], f"{room} may import only {sorted(ROOMS[room])}"


def test_the_table_of_rooms_has_no_cycle() -> None:
    order = list(ROOMS)
    for room, above in ROOMS.items():
        assert all(order.index(other) < order.index(room) for other in above), room


def test_only_the_command_line_reads_the_environment() -> None:
    readers = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if re.search(r"os\.environ|getenv", path.read_text("utf-8"))
    }
    # Proxies and certificates are other programs' variables, which httpx2 would also read there.
    others = {"doctor.py", "client/route.py"}
    # The front reads the settings that change its answers, because it starts without the rest.
    others.add("stdio/front.py")
    assert {name for name in readers if not name.startswith("cli/")} <= others


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("this is not a git checkout")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def test_no_file_names_a_package_registry_or_a_path_of_this_machine() -> None:
    hosts = re.compile(r"https?://[^/ ]*(?:py" r"pi|npm" r"js|hosted|deb" r"ian)[^/ ]*")
    machine = re.compile(rf"{re.escape(str(ROOT.parent))}/") if len(ROOT.parent.parts) > 1 else None
    for path in _tracked():
        text = path.read_bytes().decode("utf-8", "replace")
        assert not hosts.search(text), path
        assert machine is None or not machine.search(text), path


def test_lock_files_that_record_download_hosts_are_not_tracked() -> None:
    assert not {"uv.lock", "package-lock.json"} & {path.name for path in _tracked()}


def _private_names(path: Path) -> set[str]:
    """Private names that a file uses from elsewhere: of modules, and of objects that are not its own."""
    tree = ast.parse(path.read_text("utf-8"))
    modules = {
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and re.search(r"(^|\.)_[a-z]", node.module)
    }
    names = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if re.match(r"_[a-z]", alias.name) and node.module != "__future__"
    }
    attributes = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and re.match(r"_[a-z]", node.attr)
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
    }
    return modules | names | attributes


def _own_private_names() -> set[str]:
    """Private names that our own modules and classes define."""
    found: set[str] = {"_exit"}  # os._exit is documented
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                found.add(node.attr)
    return found


def test_private_names_of_dependencies_are_touched_in_compat_only() -> None:
    own = _own_private_names()
    for path in PACKAGE.rglob("*.py"):
        if _room(path) != "compat":
            foreign = _private_names(path) - own
            assert not foreign, f"{path.relative_to(PACKAGE)} uses {sorted(foreign)}: that belongs in compat"


@pytest.mark.anyio
async def test_the_front_answers_as_the_server_does() -> None:
    """Checked here for the usual settings, to be noticed before a change lands. tests/stdio has all settings."""
    from parallel_mcp.settings import Settings
    from parallel_mcp.stdio import record
    from parallel_mcp.stdio.snapshot import Snapshot

    snapshot = Snapshot()
    snapshot.choose({}, [])
    said = await record.answers(Settings(store="memory:"))
    for protocol, messages in record.dialogues():
        for message in messages:
            line = snapshot.answer(message, protocol) if "id" in message else None
            text = (line or b"").decode().removeprefix('{"jsonrpc":"2.0","id":0,').rstrip("\n")
            expected = said[f"{message['method']} {protocol}"] if "id" in message else ""
            assert text == expected, "run `python -m parallel_mcp.stdio.record` and commit the difference"
