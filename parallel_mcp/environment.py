"""Reads environment variables as they were meant, however hosts and shells wrote them. Standard library only."""

import re
from collections.abc import Mapping

PREFIX = "PARALLEL_MCP_"
BARE = {"api_key": "PARALLEL_API_KEY", "base_url": "PARALLEL_BASE_URL"}

_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’"}

# ${X}, ${env:X}, ${input:x}, ${X:-default}, $(X), {{X}}; and, outside URLs, $X and %X%.
_BRACKETED = re.compile(r"\$\{[^}]*\}|\$\([^)]*\)|\{\{[^}]*\}\}")
_BARE_REFERENCE = re.compile(r"(?:^|[\\/:])\$[A-Za-z_]\w*|%[A-Za-z_]\w*%")

# How documentation writes a key that has yet to be filled in. Collected from the configurations of other servers;
# tests/settings/placeholders.txt has as many again, none of which were used to write this.
_STANDS_FOR_A_KEY = re.compile(
    r"[<>{}\[\]*]|\.\.\.|…|://|api[-_ ]?key|(?:^|[-_])x{3,}$|(?-i:x{4,}|X{4,})$"
    r"|(?:^|[-_ ])(?:your|here|placeholder|changeme|replace|required|undefined|null|none|todo)(?:[-_ ]|$)",
    re.IGNORECASE,
)

_ASSIGNMENT = re.compile(r"(?:export |set |\$env:)?\s*[A-Z_]*(?:KEY|TOKEN)\s*[=:]\s*(.+)", re.IGNORECASE)
_SCHEME = re.compile(r"(?:authorization\s*:\s*)?bearer\s+", re.IGNORECASE)


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return BARE.get(name, PREFIX + name.upper())


def given(environ: Mapping[str, str], name: str) -> str:
    """The value of a setting's variable. Unset and empty are the same, because compose files pass on empty ones."""
    return meant(environ.get(variable(name), ""))


def meant(text: str) -> str:
    """The text without the blanks, byte order mark and quotes that editors, shells and hosts leave around it."""
    text = text.strip().removeprefix("\ufeff").strip()
    while len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
        text = text[1:-1].strip()
    return text


def is_reference(text: str) -> bool:
    """Whether the text is a reference to a variable that should have been replaced by its value."""
    if _BRACKETED.search(text):
        return True
    return "://" not in text and _BARE_REFERENCE.search(text) is not None


def meant_key(text: str) -> str:
    """The key in a text that may be a line of a shell script or an .env file, or a whole header."""
    lines = [line for line in meant(text).splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assigned = [found[1] for found in map(_ASSIGNMENT.fullmatch, map(str.strip, lines)) if found]
    key = meant(assigned[0] if assigned else "\n".join(lines))
    return meant(_SCHEME.sub("", key, count=1) if _SCHEME.match(key) else key)


def is_placeholder(key: str) -> bool:
    """Whether the text is a placeholder for a key."""
    return is_reference(key) or _STANDS_FOR_A_KEY.search(key) is not None
