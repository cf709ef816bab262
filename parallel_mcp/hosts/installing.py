"""Adds this server to a host, and removes it again."""

import difflib
import json
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from parallel_mcp.hosts import documents
from parallel_mcp.hosts.documents import ABSENT, DocumentError
from parallel_mcp.hosts.entries import KEY, NAME, NotTaken, Wish, changes, forwards, secrets
from parallel_mcp.hosts.places import Machine, NoLastingProgram, configuration, program
from parallel_mcp.hosts.table import Host

COMMAND_SECONDS = 60


class InstallError(Exception):
    """A host could not be configured; the text says what to do."""


def wish(
    machine: Machine,
    key: str | None,
    key_file: Path,
    *,
    url: str | None,
    token_variable: str | None,
    write_key: bool,
    sandboxed: bool,
) -> Wish:
    """What to configure in hosts. `key` is the one this process found in its environment or in `key_file`."""
    if url:
        token = machine.environ.get(token_variable or "") if write_key else None
        if write_key and not token:
            raise InstallError("Name the variable that holds the token with --token-variable, and set it.")
        return Wish([], url, token, token_variable)
    if token_variable:
        raise InstallError("--token-variable needs --http.")
    try:
        command = program(machine)
    except NoLastingProgram as error:
        raise InstallError(str(error)) from None
    if sandboxed:
        return Wish([*command, "--sandbox"], variable=None)
    if write_key and key is None:
        raise InstallError(f"There is no key to write: set {KEY}, or save one with `parallel-mcp key set`.")
    # The server finds a saved key itself, so the host does not need it.
    return Wish(
        command, secret=key if write_key else None, variable=KEY if write_key or not key_file.exists() else None
    )


def install(host: Host, machine: Machine, wanted: Wish | None, *, dry_run: bool) -> str:
    """Configure one host, or show what would change. Returns the message for the user."""
    try:
        planned = plan(host, machine, wanted)
    except NotTaken as error:
        raise InstallError(str(error)) from None
    if not planned.needed:
        return f"{host.name}: nothing to do in {planned.path}"
    if dry_run:
        return f"{host.name}:\n{planned.shown()}"
    done = carry_out(planned, machine)
    return "\n  ".join([f"{host.name}:", *done, *_next(host, wanted)])


def _next(host: Host, wanted: Wish | None) -> list[str]:
    """The steps that are left to the user."""
    steps = [f"restart {host.name}"]
    if wanted is None or wanted.secret or not wanted.variable:
        return steps
    if host.entry.inputs:
        return [*steps, "it will ask for the key" if not wanted.url else "it will ask for the token"]
    if forwards(host):
        return [f"set {wanted.variable} in the environment of {host.name}, or run `parallel-mcp key set`", *steps]
    return ["run `parallel-mcp key set`", *steps]


class Plan(NamedTuple):
    """The changes for one host."""

    host: Host
    path: Path
    before: str
    after: str
    wanted: list[tuple[documents.Keys, Any]]
    command: list[str]
    """The host's own command, which runs first; empty if it has none."""
    secrets: frozenset[str] = frozenset()
    """Keys and tokens in this server's entry, before and after the change."""

    @property
    def needed(self) -> bool:
        """Whether anything has to change."""
        return self.before != self.after

    def shown(self) -> str:
        """The command, and the change to the file as a diff without secrets."""
        name = str(self.path)
        lines = difflib.unified_diff(self.before.splitlines(True), self.after.splitlines(True), name, name)
        diff = "".join(line if line.endswith("\n") else line + "\n" for line in lines)
        text = (f"runs {shlex.join(self.command)}\n" if self.command else "") + diff
        for secret in self.secrets:
            text = text.replace(secret, "<your key>")
        return text


def plan(host: Host, machine: Machine, wish: Wish | None) -> Plan:
    """Plan how to add this server to the host or, without a wish, remove it. Changes nothing."""
    path = configuration(host, machine)
    before = after = _text(path)
    try:
        document = documents.read(before, host.format)
        wanted = changes(host, wish, document)
        for keys, value in wanted:
            after = documents.change(after, host.format, keys, value)
    except DocumentError as error:
        raise InstallError(f"{path}: {error}. Nothing was changed; correct the file and try again.") from None
    there = documents.value(document, wanted[0][0]) is not ABSENT
    command: list[str] = []
    # An existing entry is only updated, which no host has a command for.
    if there == (wish is None) and (found := machine.which(host.command)):
        arguments = _COMMANDS[host.command or ""](wish)
        command = [found, *arguments] if arguments else []
    keys, made = wanted[0]
    return Plan(host, path, before, after, wanted, command, secrets(host, documents.value(document, keys), made))


def carry_out(planned: Plan, machine: Machine) -> list[str]:
    """Run the host's own command, then write to the file what that left out. Returns a line for each step."""
    if not planned.needed:
        return []
    done: list[str] = []
    if planned.path.exists():
        done.append(f"kept the old file as {_back_up(planned.path)}")
    if planned.command:
        done.append(_run(planned, machine))
    text = _text(planned.path)
    after = planned.after if _same_beside(planned, text) else _changed(planned, text)
    if after != text:
        _write(planned.path, after, private=bool(secrets(planned.host, planned.wanted[0][1])))
        done.append(f"wrote {planned.path}")
    return done


def _same_beside(planned: Plan, text: str) -> bool:
    """Whether the file differs from before only in this server's entry.

    Some hosts' commands rewrite the file and drop its comments; the planned text, which keeps them, then replaces it.
    """
    keys, _ = planned.wanted[0]
    try:
        before, now = (documents.read(one, planned.host.format) for one in (planned.before, text))
        return bool(documents.replaced(before, keys, ABSENT) == documents.replaced(now, keys, ABSENT))
    except DocumentError:
        return False


def _changed(planned: Plan, text: str) -> str:
    try:
        for keys, value in planned.wanted:
            text = documents.change(text, planned.host.format, keys, value)
    except DocumentError as error:
        raise InstallError(f"{planned.path}: {error}. {planned.host.name} has just written it.") from None
    return text


def _run(planned: Plan, machine: Machine) -> str:
    told = shlex.join(planned.command)
    try:
        ended = subprocess.run(  # noqa: S603 - the host's own program, found on PATH, with our arguments
            planned.command,
            input=json.dumps(planned.wanted[0][1]) if planned.command[-1] == "-" else "",
            env=dict(machine.environ),
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return f"could not run {told}"
    return f"ran {told}" if ended.returncode == 0 else f"{told} failed"


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InstallError(f"{path} cannot be read: {reason}. Nothing was changed.") from None


def _back_up(path: Path) -> Path:
    copy = path.with_name(f"{path.name}.{datetime.now():%Y%m%d-%H%M%S-%f}.bak")
    shutil.copy2(path, copy)
    return copy


def _write(path: Path, text: str, *, private: bool) -> None:
    """Write the file atomically, following a symlink. It keeps its mode, unless `private` makes it 0600.

    A new file always gets 0600.
    """
    target = path.resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".parallel-mcp-")
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        if target.exists() and not private:
            shutil.copymode(target, name)
        Path(name).replace(target)
    except OSError as error:
        raise InstallError(f"{path} cannot be written: {error.strerror}.") from None


# The hosts' own commands. No secret is passed as an argument, because other users could see it in the process list.


def _claude(wish: Wish | None) -> list[str]:
    """Claude Code's command reads the entry from stdin."""
    return ["mcp", "add-json", "--scope", "user", NAME, "-"] if wish else ["mcp", "remove", "--scope", "user", NAME]


def _codex(wish: Wish | None) -> list[str]:
    if wish is None:
        return ["mcp", "remove", NAME]
    return ["mcp", "add", NAME, *(["--url", wish.url] if wish.url else ["--", *wish.command])]


def _gemini(wish: Wish | None) -> list[str]:
    if wish is None:
        return ["mcp", "remove", "--scope", "user", NAME]
    if wish.url:
        return ["mcp", "add", "--scope", "user", "--transport", "http", NAME, wish.url]
    command, *args = wish.command
    return ["mcp", "add", "--scope", "user", NAME, command, *(["--", *args] if args else [])]


def _code(wish: Wish | None) -> list[str]:
    """VS Code's command can add a server but not remove one."""
    if wish is None:
        return []
    if wish.url:
        return ["--add-mcp", json.dumps({"name": NAME, "type": "http", "url": wish.url})]
    return ["--add-mcp", json.dumps({"name": NAME, "command": wish.command[0], "args": wish.command[1:]})]


def _none(_: Wish | None) -> list[str]:
    """Copilot's command also rewrites other servers and drops all comments, so it is not used."""
    return []


_COMMANDS: Mapping[str, Callable[[Wish | None], list[str]]] = {
    "claude": _claude,
    "codex": _codex,
    "gemini": _gemini,
    "qwen": _gemini,
    "code": _code,
    "copilot": _none,
}
