"""The one table of hosts. Standard library only: the front reads it before anything else is imported.

The wait of deep_research, `parallel-mcp install`, and the tables in the README and docs/hosts.md come from here.
Names and limits marked "measured" come from the real client, in the version given. The others come from the host's
documentation or its users' reports; if reports differ, the smaller figure is used, because a wait that is too short
costs a model one more turn, and one that is too long fails the call.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple

Format = Literal["json", "toml", "yaml"]


class Places(NamedTuple):
    """Where a user's configuration may be, by system: the first that exists, or else the last.

    `~`, `$VARIABLE` and `%VARIABLE%` are filled in, `*` matches any one folder.
    """

    mac: tuple[str, ...]
    linux: tuple[str, ...]
    windows: tuple[str, ...]


class Timeout(NamedTuple):
    """A host's own setting for how long a call may take: its key in the server's entry, and its units per second."""

    key: str
    units: int


class Entry(NamedTuple):
    """How a host writes a server. Each member is a key in the entry unless it says otherwise; "" means none."""

    stdio: Mapping[str, Any] = {}
    """Fixed members of every entry with a program."""
    command: str = "command"
    args: str = "args"
    """If this is "", the command is one list."""
    env: str = "env"
    names: str = ""
    """The list of variables that the host passes on, or asks for, by name."""
    variable: str = ""
    """How a value refers to an environment variable, with {} for its name."""
    inputs: bool = False
    """Whether the host asks for secrets itself, as VS Code's `inputs` do."""
    http: Mapping[str, Any] | None = {}
    """Fixed members of every entry with a URL; None if the file cannot hold a URL."""
    url: str = "url"
    headers: str = "headers"
    bearer: str = ""
    """The name of a variable that holds a bearer token."""


class Host(NamedTuple):
    """One host."""

    id: str
    """The name for `parallel-mcp install`."""
    name: str
    """What people call it."""
    clients: tuple[str, ...]
    """Its names in clientInfo, in lower case; one that ends in * is a prefix."""
    call_limit: float | None
    """Seconds that it keeps a call open by default; None if unknown."""
    places: Places
    format: Format
    servers: tuple[str, ...]
    """The keys that lead to its servers in its configuration."""
    entry: Entry = Entry()
    timeout: Timeout | None = None
    command: str | None = None
    """Its own program, which may be able to add servers."""
    link: str | None = None
    """An install link: {name}, and {base64} or {quoted}, the server's entry as JSON."""
    page: str = ""
    """The page that documents this."""


def _everywhere(*places: str) -> Places:
    return Places(places, places, places)


def _code_user(rest: str) -> Places:
    """A file in VS Code's user folder."""
    return Places(
        (f"~/Library/Application Support/Code/User/{rest}",),
        (f"$XDG_CONFIG_HOME/Code/User/{rest}",),
        (f"%APPDATA%/Code/User/{rest}",),
    )


DESCRIPTION = "Web answers and deep research with citations, from Parallel"

HOSTS = (
    Host(
        id="claude-desktop",
        name="Claude Desktop",
        clients=("claude-ai", "claude-desktop"),
        call_limit=60,  # some builds allow 240
        places=Places(
            ("~/Library/Application Support/Claude/claude_desktop_config.json",),
            ("$XDG_CONFIG_HOME/Claude/claude_desktop_config.json",),
            (
                "%LOCALAPPDATA%/Claude-Data/claude*/claude_desktop_config.json",
                "%LOCALAPPDATA%/Packages/Claude_*/LocalCache/Roaming/Claude/claude_desktop_config.json",
                "%APPDATA%/Claude/claude_desktop_config.json",
            ),
        ),
        format="json",
        servers=("mcpServers",),
        entry=Entry(http=None),
        page="https://modelcontextprotocol.io/docs/develop/connect-local-servers",
    ),
    Host(
        id="claude-code",
        name="Claude Code",
        clients=("claude-code",),  # measured, 2.1.332
        call_limit=300,  # idle limit over HTTP; over stdio it is half an hour, and progress resets both
        places=_everywhere("$CLAUDE_CONFIG_DIR/.claude.json"),
        format="json",
        servers=("mcpServers",),
        entry=Entry(stdio={"type": "stdio"}, variable="${{{}:-}}", http={"type": "http"}),
        timeout=Timeout("timeout", 1000),
        command="claude",
        page="https://code.claude.com/docs/en/mcp",
    ),
    Host(
        id="cursor",
        name="Cursor",
        clients=("cursor-vscode", "cursor"),
        call_limit=60,
        places=_everywhere("~/.cursor/mcp.json"),
        format="json",
        servers=("mcpServers",),
        entry=Entry(variable="${{env:{}}}"),
        link="https://cursor.com/en/install-mcp?name={name}&config={base64}",
        page="https://cursor.com/docs/context/mcp",
    ),
    Host(
        id="vscode",
        name="VS Code",
        clients=("visual studio code*", "visual-studio-code", "code - oss"),
        call_limit=60,
        places=_code_user("mcp.json"),
        format="json",
        servers=("servers",),
        entry=Entry(stdio={"type": "stdio"}, inputs=True, http={"type": "http"}),
        command="code",
        link="https://vscode.dev/redirect/mcp/install?name={name}&config={quoted}",
        page="https://code.visualstudio.com/docs/copilot/customization/mcp-servers",
    ),
    Host(
        id="windsurf",
        name="Windsurf",
        clients=("windsurf-client", "windsurf"),
        call_limit=None,
        places=_everywhere("~/.codeium/windsurf/mcp_config.json"),
        format="json",
        servers=("mcpServers",),
        entry=Entry(variable="${{env:{}}}", url="serverUrl"),
        page="https://docs.windsurf.com/windsurf/cascade/mcp",
    ),
    Host(
        id="codex",
        name="Codex",
        clients=("codex-mcp-client",),  # measured, 0.169.0
        call_limit=300,  # measured, 0.169.0
        places=_everywhere("$CODEX_HOME/config.toml"),
        format="toml",
        servers=("mcp_servers",),
        entry=Entry(names="env_vars", headers="http_headers", bearer="bearer_token_env_var"),
        timeout=Timeout("tool_timeout_sec", 1),
        command="codex",
        page="https://developers.openai.com/codex/mcp",
    ),
    Host(
        id="gemini-cli",
        name="Gemini CLI",
        clients=("gemini-cli-mcp-client*",),  # measured, 0.61.0; older ones add the server's name
        call_limit=600,  # read in 0.61.0
        places=_everywhere("~/.gemini/settings.json"),
        format="json",
        servers=("mcpServers",),
        entry=Entry(variable="${}", url="httpUrl"),
        timeout=Timeout("timeout", 1000),
        command="gemini",
        page="https://geminicli.com/docs/tools/mcp-server/",
    ),
    Host(
        id="qwen-code",
        name="Qwen Code",
        clients=("qwen-cli-mcp-client*",),  # measured, 0.24.4: the server's name follows
        call_limit=600,  # read in 0.24.4
        places=_everywhere("~/.qwen/settings.json"),
        format="json",
        servers=("mcpServers",),
        entry=Entry(variable="${}", url="httpUrl"),
        timeout=Timeout("timeout", 1000),
        command="qwen",
        page="https://qwenlm.github.io/qwen-code-docs/en/users/features/mcp/",
    ),
    Host(
        id="zed",
        name="Zed",
        clients=("zed",),
        call_limit=60,
        places=Places(
            ("~/.config/zed/settings.json",),
            ("~/.var/app/dev.zed.Zed/config/zed/settings.json", "$XDG_CONFIG_HOME/zed/settings.json"),
            ("%APPDATA%/Zed/settings.json",),
        ),
        format="json",
        servers=("context_servers",),
        entry=Entry(stdio={"source": "custom"}, http={"source": "custom"}),
        page="https://zed.dev/docs/ai/mcp",
    ),
    Host(
        id="goose",
        name="Goose",
        clients=("goose*",),
        call_limit=300,
        places=Places(
            ("~/.config/goose/config.yaml",),
            ("$XDG_CONFIG_HOME/goose/config.yaml",),
            ("%APPDATA%/Block/goose/config/config.yaml",),
        ),
        format="yaml",
        servers=("extensions",),
        entry=Entry(
            stdio={"name": "parallel", "description": DESCRIPTION, "type": "stdio", "enabled": True},
            command="cmd",
            env="envs",
            names="env_keys",
            http={"name": "parallel", "description": DESCRIPTION, "type": "streamable_http", "enabled": True},
            url="uri",
        ),
        timeout=Timeout("timeout", 1),
        page="https://block.github.io/goose/docs/getting-started/using-extensions",
    ),
    Host(
        id="opencode",
        name="opencode",
        clients=("opencode",),  # measured, 1.18.33
        call_limit=60,  # measured, 1.18.33
        places=_everywhere("$XDG_CONFIG_HOME/opencode/opencode.jsonc", "$XDG_CONFIG_HOME/opencode/opencode.json"),
        format="json",
        servers=("mcp",),
        entry=Entry(
            stdio={"type": "local", "enabled": True},
            args="",
            env="environment",
            variable="{{env:{}}}",
            http={"type": "remote", "enabled": True},
        ),
        timeout=Timeout("timeout", 1000),
        page="https://opencode.ai/docs/mcp-servers/",
    ),
    Host(
        id="lm-studio",
        name="LM Studio",
        clients=("lmstudio*", "lm-studio*", "lm studio"),
        call_limit=60,
        places=_everywhere("~/.cache/lm-studio/mcp.json", "~/.lmstudio/mcp.json"),
        format="json",
        servers=("mcpServers",),
        link="https://lmstudio.ai/install-mcp?name={name}&config={base64}",
        page="https://lmstudio.ai/docs/app/mcp",
    ),
    Host(
        id="kiro",
        name="Kiro",
        clients=("kiro*", "q-dev-cli"),
        call_limit=60,
        places=_everywhere("~/.kiro/settings/mcp.json"),
        format="json",
        servers=("mcpServers",),
        entry=Entry(variable="${{{}}}"),
        timeout=Timeout("timeout", 1000),
        link="https://kiro.dev/launch/mcp/add?name={name}&config={quoted}",
        page="https://kiro.dev/docs/mcp/configuration/",
    ),
    Host(
        id="cline",
        name="Cline",
        clients=("cline",),
        call_limit=60,
        places=_code_user("globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json"),
        format="json",
        servers=("mcpServers",),
        entry=Entry(stdio={"type": "stdio"}, http={"type": "streamableHttp"}),
        timeout=Timeout("timeout", 1),
        page="https://docs.cline.bot/mcp/configuring-mcp-servers",
    ),
    Host(
        id="cline-cli",
        name="Cline CLI",
        clients=("@cline/core",),  # read in 3.0.65
        call_limit=60,
        places=_everywhere("$CLINE_DIR/data/settings/cline_mcp_settings.json"),
        format="json",
        servers=("mcpServers",),
        entry=Entry(stdio={"type": "stdio"}, http={"type": "streamableHttp"}),
        timeout=Timeout("timeout", 1),
        page="https://docs.cline.bot/mcp/configuring-mcp-servers",
    ),
    Host(
        id="copilot-cli",
        name="Copilot CLI",
        clients=("github-copilot-developer", "copilot-cli"),
        call_limit=60,
        places=_everywhere("$COPILOT_HOME/mcp-config.json"),
        format="json",
        servers=("mcpServers",),
        entry=Entry(stdio={"type": "local", "tools": ["*"]}, variable="${{{}}}", http={"type": "http", "tools": ["*"]}),
        timeout=Timeout("timeout", 1000),
        command="copilot",
        page="https://docs.github.com/en/copilot/how-tos/copilot-cli/customize-copilot/add-mcp-servers",
    ),
)

# Clients that are configured in code, not in a file.
_CLIENTS: tuple[tuple[str, float], ...] = (
    ("local-agent-mode-*", 60.0),
    ("openai-mcp", 60.0),
)


@lru_cache(maxsize=64)
def call_limit(client_name: str) -> float | None:
    """Seconds that this client keeps a call open by default; None for an unknown one."""
    name = client_name.strip().lower()
    known = [(pattern, host.call_limit) for host in HOSTS for pattern in host.clients]
    for pattern, limit in (*known, *_CLIENTS):
        if name == pattern or (pattern.endswith("*") and name.startswith(pattern[:-1])):
            return limit
    return None


def host(host_id: str) -> Host | None:
    """The host with this id."""
    return next((one for one in HOSTS if one.id == host_id), None)
