"""Where a host's configuration is on this machine, and which program a host should start."""

import importlib.metadata
import json
import os
import re
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import platformdirs

from parallel_mcp.hosts.table import Host

System = Literal["mac", "linux", "windows"]
PROGRAM = "parallel-mcp"


class NoLastingProgram(Exception):
    """The process runs from a cache, and no lasting command can be given instead."""


class Machine(NamedTuple):
    """The parts of a machine that decide where files are."""

    system: System
    home: Path
    environ: Mapping[str, str]

    def defaults(self) -> dict[str, str]:
        """The values of variables that are not set."""
        return {
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "APPDATA": str(self.home / "AppData" / "Roaming"),
            "LOCALAPPDATA": str(self.home / "AppData" / "Local"),
            "CLAUDE_CONFIG_DIR": str(self.home),
            "CLINE_DIR": str(self.home / ".cline"),
            "CODEX_HOME": str(self.home / ".codex"),
            "COPILOT_HOME": str(self.home / ".copilot"),
        }

    def which(self, command: str | None) -> str | None:
        """The absolute path of a program on PATH."""
        return shutil.which(command, path=self.environ.get("PATH", "")) if command else None


def this_machine(environ: Mapping[str, str]) -> Machine:
    """The machine this runs on."""
    systems: dict[str, System] = {"darwin": "mac", "win32": "windows"}
    return Machine(systems.get(sys.platform, "linux"), Path.home(), environ)


def configuration(host: Host, machine: Machine) -> Path:
    """The host's file: the first of its places that exists, or else the last.

    For a place with a `*`, the folder is enough, because a newly installed app has not written a file yet.
    """
    places: tuple[str, ...] = getattr(host.places, machine.system)
    candidates = [(path, "*" in place) for place in places for path in _candidates(place, machine)]
    return next((path for path, folder in candidates if folder or path.exists()), candidates[-1][0])


def _candidates(place: str, machine: Machine) -> list[Path]:
    """The possible paths of a place in the table; `*` matches existing folders."""
    text = re.sub(r"[$%](\w+)%?", lambda name: _variable(name[1], machine), place.replace("~", str(machine.home), 1))
    folder, star, rest = text.partition("*")
    if not star:
        return [Path(text)]
    found = sorted(Path(folder).parent.glob(Path(folder).name + "*"))
    return [path for one in found if (path := one / rest.removeprefix("/")).parent.is_dir()]


def _variable(name: str, machine: Machine) -> str:
    return machine.environ.get(name) or machine.defaults()[name]


def found(host: Host, machine: Machine) -> bool:
    """Whether the host seems to be installed: its program is on PATH, or its file or the folder for it exists."""
    path = configuration(host, machine)
    return bool(machine.which(host.command)) or path.exists() or (path.parent != machine.home and path.parent.is_dir())


def program(machine: Machine) -> list[str]:
    """The absolute command that starts this server, whatever the host's working directory and environment.

    If uvx or pipx started this process, it runs from a cache; hosts are then configured to start it with uvx.
    """
    prefix = Path(sys.prefix)
    if not _passing(prefix):
        script = Path(sysconfig.get_path("scripts")) / (PROGRAM + (".exe" if sys.platform == "win32" else ""))
        return [str(script)] if script.exists() else [sys.executable, "-m", "parallel_mcp"]
    uvx = machine.which("uvx")
    if uvx is None:
        raise NoLastingProgram(
            f"{PROGRAM} is running from a cache or a temporary folder ({prefix}), which a host could not rely on, and "
            "uvx is not on PATH. "
            "Install it permanently first, with uv tool install, pipx install or pip install."
        )
    return [uvx, "--from", _source(), PROGRAM]


def _passing(prefix: Path) -> bool:
    """Whether this environment is in a cache, by its location or by the CACHEDIR.TAG that caches have."""
    caches = (Path(platformdirs.user_cache_dir()), Path(tempfile.gettempdir()))
    inside = any(prefix.is_relative_to(cache) for cache in caches)
    return inside or any((above / "CACHEDIR.TAG").is_file() for above in prefix.parents)


def _source() -> str:
    """Where this distribution was installed from, in the form that uv accepts."""
    told = importlib.metadata.distribution(PROGRAM).read_text("direct_url.json")
    if told is None:
        return PROGRAM
    origin = json.loads(told)
    url: str = origin["url"]
    if "vcs_info" in origin:
        revision = origin["vcs_info"].get("requested_revision")
        return f"{origin['vcs_info']['vcs']}+{url}" + (f"@{revision}" if revision else "")
    return os.path.abspath(re.sub(r"^file://", "", url)) if url.startswith("file://") else url
