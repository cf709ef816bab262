"""Parsers for the values of settings. A ValueError says what to write, and never repeats what was given."""

import ipaddress
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import platformdirs

from parallel_mcp.models import ANSWER_MODELS, RESEARCH_MODELS, Model

_FILE_OR_URL = "write a file's path, memory: or redis://HOST"
_REDIS = ("redis", "rediss", "unix")
# The query options of redis-py. It passes any others to its connection class, which does not accept them.
_REDIS_OPTIONS = frozenset(
    (
        "db",
        "health_check_interval",
        "password",
        "protocol",
        "socket_connect_timeout",
        "socket_keepalive",
        "socket_timeout",
        "ssl_ca_certs",
        "ssl_cert_reqs",
        "ssl_certfile",
        "ssl_check_hostname",
        "ssl_keyfile",
        "username",
    )
)
_LEVELS = {"WARN": "WARNING", "CRITICAL": "ERROR", "FATAL": "ERROR", "TRACE": "DEBUG"}


def pairs(value: object) -> object:
    """`name:token, name:token`, or one per line, as a mapping."""
    if not isinstance(value, str):
        return value
    found = [part.strip().partition(":") for part in re.split(r"[,\n]", value) if part.strip()]
    if not found or any(not name.strip() or not token.strip() for name, _, token in found):
        raise ValueError("write it as name:token, name:token")
    names = [name.strip() for name, _, _ in found]
    if len(set(names)) != len(names):
        raise ValueError("the same name is given twice")
    if "local" in names:
        raise ValueError("the name local is reserved for the caller on stdio")
    if len({token.strip() for _, _, token in found}) != len(found):
        raise ValueError("two callers have the same token")
    if not all(fits_a_header(token.strip()) for _, _, token in found):
        raise ValueError("a token has characters that no header can carry")
    return {name.strip(): token.strip() for name, _, token in found}


def by_model(value: object) -> object:
    """`speed=NAME, base=NAME` as a mapping."""
    if not isinstance(value, str):
        return value
    found = [part.strip().partition("=") for part in value.split(",") if part.strip()]
    given = {name.strip().lower(): said.strip() for name, _, said in found}
    if len(given) < len(found) or not given.keys() <= set(map(str, Model)) or not all(given.values()):
        raise ValueError(f"write it as speed=..., base=..., each of {', '.join(Model)} at most once")
    return given


def items(value: object) -> object:
    """`a, b` as a tuple."""
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


def folders(value: object) -> object:
    """Existing folders, or the word `installed`, as a tuple."""
    named = items(value)
    if isinstance(named, tuple) and not all(
        name == "installed" or os.path.isdir(os.path.expanduser(name)) for name in named
    ):
        raise ValueError("a folder does not exist: write the full path of each, or installed")
    return named


def or_none(value: object) -> object:
    """The value, or None if it is an empty string."""
    return None if value == "" else value


def fits_a_header(secret: str) -> bool:
    """Whether the secret can be sent in a header."""
    return secret.isascii() and secret.isprintable() and " " not in secret


def key(value: object) -> object:
    """A key that can be sent in a header; anything else would fail later, in an error that quotes it."""
    if isinstance(value, str) and not fits_a_header(value):
        raise ValueError("it has characters that a key cannot have; copy it again")
    return or_none(value)


def base_url(value: object) -> object:
    """A URL without credentials: it is stored and shown in errors, and a user name in it would replace the key."""
    if not isinstance(value, str):
        return value
    value = value.rstrip("/").removesuffix("/chat/completions")
    if "@" in value or "?" in value or "#" in value:
        raise ValueError("write it as https://HOST/PATH, without user, password or query")
    if not _is_a_url(value):
        raise ValueError("write it as https://HOST or https://HOST:PORT")
    return value


def _is_a_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def store(value: object) -> object:
    """A store. Unknown schemes and incomplete URLs are refused, because they would become files of that name."""
    if not isinstance(value, str):
        return value
    if value.strip(":/").lower() == "memory":
        return "memory:"
    if value and Path(value.removeprefix("sqlite:///")).name in ("", ".."):
        raise ValueError(_FILE_OR_URL)
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", value)
    if scheme is None:
        return or_none(value)
    kind, is_url = scheme[1].lower(), value.startswith("://", scheme.end() - 1)
    if kind in _REDIS:
        _check_redis(value, is_url)
        return kind + value[len(kind) :]
    if kind != "sqlite" or not value.startswith("sqlite:///"):
        raise ValueError(_FILE_OR_URL)
    return value


def is_redis(url: str) -> bool:
    """Whether a store's URL is Redis's."""
    return url.partition("://")[0] in _REDIS


def _check_redis(value: str, is_url: bool) -> None:
    try:
        parts = urlsplit(value)
        usable = is_url and (parts.port is None or parts.port > 0) and "@" not in parts.path + parts.query
        usable = usable and parse_qs(parts.query).keys() <= _REDIS_OPTIONS
    except ValueError:
        usable = False
    if not usable or parts.fragment or "#" in value:
        raise ValueError(
            "write it as redis://USER:PASSWORD@HOST:PORT/NUMBER; in a password # is written %23, ? %3F, / %2F and @ %40"
        )


def default_store(name: str = "research") -> str:
    """The SQLite file in the user's data folder."""
    return str(homes_folder(platformdirs.user_data_dir) / f"{name}.sqlite3")


def homes_folder(find: Callable[..., str]) -> Path:
    """The program's folder of one kind, or a path that cannot exist if the user has no home."""
    try:
        return Path(find("parallel-mcp", appauthor=False))
    except RuntimeError:
        return Path("~", "parallel-mcp")


def log_level(value: object) -> object:
    """A log level in any case, or under the name that other loggers use for it."""
    name = value.upper() if isinstance(value, str) else value
    return _LEVELS.get(name, name) if isinstance(name, str) else name


def research_model(value: object) -> object:
    """A model that deep_research can use."""
    return _one_of(RESEARCH_MODELS, value)


def answer_model(value: object) -> object:
    """A model that web_answer can use."""
    return _one_of(ANSWER_MODELS, value)


def _one_of(models: Sequence[Model], value: object) -> object:
    """One of the models, named in any case."""
    name = value.strip().lower() if isinstance(value, str) else value
    if name not in models:
        raise ValueError(f"write one of {', '.join(models)}")
    return name


def is_plain_http(url: str) -> bool:
    """Whether traffic can be read in transit: http to another machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        near = ipaddress.ip_address(host).is_loopback
    except ValueError:
        near = host == "localhost" or host.endswith(".localhost")
    return parts.scheme == "http" and not near
