"""What other programs leave in the environment, and what is meant by it. Standard library only, for the front."""

import re
from collections.abc import Mapping

PREFIX = "PARALLEL_MCP_"
BARE = {"api_key": "PARALLEL_API_KEY", "base_url": "PARALLEL_BASE_URL"}

_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’"}

# ${X}, ${env:X}, ${input:x}, ${X:-default}, $(X), {{X}}; of a text that is no URL also $X and %X%.
_BRACKETED = re.compile(r"\$\{[^}]*\}|\$\([^)]*\)|\{\{[^}]*\}\}")
_BARE_REFERENCE = re.compile(r"(?:^|[\\/:])\$[A-Za-z_]\w*|%[A-Za-z_]\w*%")

# How documentation writes a key that is yet to be filled in. Collected from configurations of other servers;
# tests/settings/placeholders.txt has as many again that this was not written on.
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
    """What is meant by a setting's variable; empty where there is none, for compose files pass on empty ones."""
    return meant(environ.get(variable(name), ""))


def meant(text: str) -> str:
    """A text without the blanks, the byte order mark and the quotes that editors, shells and hosts leave around it."""
    text = text.strip().removeprefix("\ufeff").strip()
    while len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
        text = text[1:-1].strip()
    return text


def is_reference(text: str) -> bool:
    """Whether a text names a variable that somebody was to fill in, and that nobody did."""
    if _BRACKETED.search(text):
        return True
    return "://" not in text and _BARE_REFERENCE.search(text) is not None


def meant_key(text: str) -> str:
    """The key in a text that may be a line of a shell's or an .env file, or a whole header."""
    lines = [line for line in meant(text).splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assigned = [found[1] for found in map(_ASSIGNMENT.fullmatch, map(str.strip, lines)) if found]
    key = meant(assigned[0] if assigned else "\n".join(lines))
    return meant(_SCHEME.sub("", key, count=1) if _SCHEME.match(key) else key)


def is_placeholder(key: str) -> bool:
    """Whether a text stands for a key that is yet to be filled in."""
    return is_reference(key) or _STANDS_FOR_A_KEY.search(key) is not None
