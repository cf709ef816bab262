"""All settings, in one frozen object. `read` makes it from an environment that is handed in."""

import difflib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo

from parallel_mcp.models import ANSWER_MODELS, RESEARCH_MODELS, TIMEOUTS, Model, research_models

PREFIX = "PARALLEL_MCP_"
BARE = {"api_key": "PARALLEL_API_KEY", "base_url": "PARALLEL_BASE_URL"}


class SettingsError(ValueError):
    """A setting is wrong. The text names settings and never a value."""


def _pairs(value: object) -> object:
    """`name:token, name:token` as a mapping."""
    if not isinstance(value, str):
        return value
    pairs = [part.strip().partition(":") for part in value.split(",") if part.strip()]
    if any(not name.strip() or not token.strip() for name, _, token in pairs):
        raise ValueError("write it as name:token, name:token")
    names = [name.strip() for name, _, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError("a name stands twice")
    if "local" in names:
        raise ValueError("the name local is taken: it is the caller on stdio")
    if len({token.strip() for _, _, token in pairs}) != len(pairs):
        raise ValueError("a token stands twice: two callers would be one")
    if not all(_fits_a_header(token.strip()) for _, _, token in pairs):
        raise ValueError("a token has characters that no header can carry")
    return {name.strip(): token.strip() for name, _, token in pairs}


def _items(value: object) -> object:
    """`a, b` as a tuple."""
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _nothing_if_empty(value: object) -> object:
    return None if value == "" else value


def _fits_a_header(secret: str) -> bool:
    return secret.isascii() and secret.isprintable() and " " not in secret


def _printable(value: object) -> object:
    """A key that fits into a header; anything else would fail later, in an error that quotes it."""
    if isinstance(value, str) and not _fits_a_header(value):
        raise ValueError("it has characters that a key cannot have; copy it again")
    return _nothing_if_empty(value)


def _without_secrets(value: object) -> object:
    """A URL that is kept with each research and named in errors; a name in it would take the key's place, too."""
    if isinstance(value, str) and ("@" in value or "?" in value or "#" in value):
        raise ValueError("write it as https://HOST/PATH, without user, password or query")
    if isinstance(value, str) and not _is_a_url(value):
        raise ValueError("write it as https://HOST, with a port that is a number if any")
    return value


def _is_a_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


_STORES = ("sqlite", "redis", "rediss", "unix")


def _known_store(value: object) -> object:
    """A store of a kind that does not exist would otherwise become a file of that name."""
    scheme, mark, _ = str(value or "").partition("://")
    if mark and scheme not in _STORES:
        raise ValueError("write a file's path, memory: or redis://HOST")
    return _nothing_if_empty(value)


def default_store() -> str:
    """The SQLite file in the user's data folder."""
    return str(Path(platformdirs.user_data_dir("parallel-mcp", appauthor=False)) / "research.sqlite3")


def _one_of(models: Sequence[Model], value: object) -> object:
    """A model's name in any case, of those that a setting may name."""
    name = value.strip().lower() if isinstance(value, str) else value
    if name not in models:
        raise ValueError(f"write one of {', '.join(models)}")
    return name


def _research_model(value: object) -> object:
    return _one_of(RESEARCH_MODELS, value)


def _answer_model(value: object) -> object:
    return _one_of(ANSWER_MODELS, value)


_Items = Annotated[tuple[str, ...], BeforeValidator(_items)]


class Settings(BaseModel):
    """What can be set. Times are in seconds, money in US dollars."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    api_key: Annotated[SecretStr | None, BeforeValidator(_printable)] = Field(None, description="Your Parallel API key")
    base_url: Annotated[str, BeforeValidator(_without_secrets)] = Field(
        "https://api.parallel.ai", description="Where the Chat API is"
    )
    sandbox: bool = Field(False, description="Answer from local documents, without key, network or cost")
    corpus: _Items = Field(
        (), description="Sandbox: answer from these folders only; `installed` adds what is installed"
    )
    store: Annotated[str | None, BeforeValidator(_known_store)] = Field(
        None, repr=False, description="Where research is kept: a file, memory: or redis://HOST"
    )
    wait_seconds: float = Field(45, gt=0, le=3600, description="How long deep_research waits before it returns an id")
    reuse_seconds: float = Field(600, ge=0, description="How long a finished answer is given again; 0 turns it off")
    retention_days: float = Field(30, gt=0, le=3660, description="How long research is kept")
    requests_per_minute: int = Field(300, gt=0, description="Pacing, per Parallel key")
    daily_budget_usd: Annotated[float | None, BeforeValidator(_nothing_if_empty)] = Field(
        None, gt=0, description="Refuse what would cost more than this in a UTC day"
    )
    answer_model: Annotated[Model, BeforeValidator(_answer_model)] = Field(
        Model.SPEED, description="What web_answer asks: speed, or lite, which is slower and gives excerpts"
    )
    default_model: Annotated[Model, BeforeValidator(_research_model)] = Field(
        Model.BASE, description="What deep_research asks when no model is given"
    )
    max_model: Annotated[Model, BeforeValidator(_research_model)] = Field(
        Model.CORE, description="The largest model that may be asked"
    )
    max_result_chars: int = Field(40_000, ge=2_000, description="Longest text of a result")
    answer_citations: bool = Field(True, description="Have web_answer name its sources")
    stream: bool = Field(True, description="Ask Parallel for a stream; turn off behind proxies that break streams")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("WARNING", description="What is logged to stderr")
    host: str = Field("127.0.0.1", description="HTTP: address to listen on")
    port: int = Field(8765, ge=0, le=65535, description="HTTP: port to listen on")
    access_tokens: Annotated[Mapping[str, SecretStr], BeforeValidator(_pairs)] = Field(
        {}, description="HTTP: who may call, as name:token, name:token"
    )
    bring_your_own_key: bool = Field(False, description="HTTP: each caller sends a Parallel key of their own")
    allowed_hosts: _Items = Field((), description="HTTP: further Host headers to accept")
    allowed_origins: _Items = Field((), description="HTTP: further Origin headers to accept")
    shutdown_seconds: float = Field(5, ge=0, le=3600, description="HTTP: how long calls may finish at shutdown")

    timeouts: Mapping[str, float] = Field(dict(TIMEOUTS), exclude=True)
    """Seconds a whole answer may take, by model. Not an environment variable: hosts need one truth."""

    heartbeat_seconds: float = Field(10, gt=0, exclude=True)
    """How long a call may be silent: progress comes this often, and over HTTP bytes. No environment variable either."""

    @model_validator(mode="after")
    def _one_way_to_be_known(self) -> "Settings":
        if self.access_tokens and self.bring_your_own_key:
            raise ValueError("ACCESS_TOKENS and BRING_YOUR_OWN_KEY exclude each other: set one of them")
        return self

    @model_validator(mode="after")
    def _folders_are_for_the_sandbox(self) -> "Settings":
        if self.corpus and not self.sandbox:
            raise ValueError("PARALLEL_MCP_CORPUS is what the sandbox answers from: add --sandbox, or leave it out")
        return self

    @model_validator(mode="after")
    def _the_default_may_be_asked(self) -> "Settings":
        if "default_model" in self.model_fields_set and self.default_model not in research_models(self.max_model):
            raise ValueError("DEFAULT_MODEL is larger than MAX_MODEL: lower it, or raise MAX_MODEL")
        return self

    @property
    def research_model(self) -> Model:
        """What deep_research asks when no model is given: the default, or the largest model allowed below it."""
        allowed = research_models(self.max_model)
        return self.default_model if self.default_model in allowed else allowed[-1]

    @property
    def store_url(self) -> str:
        """Where research is kept, with the default filled in; the sandbox's stays in memory."""
        return self.store or ("memory:" if self.sandbox else default_store())


SECRETS = frozenset({"api_key", "access_tokens"})
_HIDDEN = frozenset({"timeouts", "heartbeat_seconds"})


def fields() -> dict[str, FieldInfo]:
    """The settings that a person can set, by name."""
    return {name: field for name, field in Settings.model_fields.items() if name not in _HIDDEN}


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return BARE.get(name, PREFIX + name.upper())


def key_file() -> Path:
    """Where `parallel-mcp key set` keeps the key, for every command that finds none in its environment."""
    return Path(platformdirs.user_config_dir("parallel-mcp", appauthor=False)) / "api_key"


def keep_key(given: str) -> Path:
    """Write the key to its file, which nobody else can read at any moment. Raises SettingsError."""
    if not given.strip() or not _fits_a_header(given.strip()):
        raise SettingsError("That is no key: it is empty or has characters that a key cannot have. Nothing was kept.")
    path = key_file()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(given.strip() + "\n")
    except OSError as error:
        raise SettingsError(f"The key cannot be kept in {path}: {error.strerror}.") from None
    return path


def read(
    environ: Mapping[str, str], flags: Mapping[str, Any] | None = None, key: Path | None = None
) -> tuple[Settings, list[str]]:
    """Settings from an environment and from flags, which win; and warnings for a person.

    A secret may stand in a file that `<VARIABLE>_FILE` names, and the API key, last of all, in the file `key`.
    Raises SettingsError, which names each wrong setting and shows no value.
    """
    values: dict[str, Any] = {}
    warnings: list[str] = []
    for name in fields():
        # An empty variable means none, as compose files pass it on, and leaves the file its say.
        text = environ.get(variable(name), "").strip()
        if name == "api_key" and text.startswith(_UNFILLED):
            text = ""
        if not text and name in SECRETS:
            text = (_secret_file(environ, name) or "").strip()
        if not text and name == "api_key" and key is not None and key.is_file():
            text = _contents(key, f"The key file {key}").strip()
            warnings += _too_open(key)
        if text:
            values[name] = text
    values |= {name: value for name, value in (flags or {}).items() if value is not None}
    try:
        return Settings(**values), warnings + _unknown(environ)
    except ValidationError as error:
        raise SettingsError(_told(error)) from None


# How hosts write a variable in their configuration. One that they did not fill in arrives as it is, and is no key.
_UNFILLED = ("$", "{")


def _secret_file(environ: Mapping[str, str], name: str) -> str | None:
    path = environ.get(variable(name) + "_FILE")
    return _contents(Path(path), f"{variable(name)}_FILE names a file that") if path else None


def _contents(path: Path, what: str) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise SettingsError(f"{what} cannot be read: {reason}") from None


def _too_open(key: Path) -> list[str]:
    """A warning about a key that other users of this machine can read; Windows has no such modes."""
    if sys.platform == "win32" or not key.stat().st_mode & 0o077:
        return []
    return [f"other users of this machine can read {key}; make it yours alone: chmod 600 {key}"]


def _unknown(environ: Mapping[str, str]) -> list[str]:
    known = {variable(name) for name in fields()} | {variable(name) + "_FILE" for name in SECRETS}
    warnings: list[str] = []
    for name in sorted(set(environ) - known):
        if name.startswith(PREFIX):
            near = difflib.get_close_matches(name, known, 1)
            meant = f"; did you mean {near[0]}?" if near else ""
            warnings.append(f"{name} is no setting of parallel-mcp and is ignored{meant}")
    return warnings


def _told(error: ValidationError) -> str:
    lines = []
    for item in error.errors(include_input=False, include_url=False, include_context=False):
        said = item["msg"].removeprefix("Value error, ")
        name = str(item["loc"][0]) if item["loc"] else None
        lines.append(f"{variable(name)}: {said}" if name else said)
    return "; ".join(lines)
