"""`Settings`: every setting, in one frozen object."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic.fields import FieldInfo

from parallel_mcp.models import FREE, PRICES, TIMEOUTS, Model, is_parallels, research_models
from parallel_mcp.settings import values

Items = Annotated[tuple[str, ...], BeforeValidator(values.items)]


class Settings(BaseModel):
    """Every setting. Times are in seconds, amounts in US dollars."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    api_key: Annotated[SecretStr | None, BeforeValidator(values.key)] = Field(None, description="Your Parallel API key")
    base_url: Annotated[str, BeforeValidator(values.base_url)] = Field(
        "https://api.parallel.ai", description="Where the Chat API is"
    )
    sandbox: bool = Field(False, description="Answer from local documents, with no key, network or cost")
    corpus: Annotated[tuple[str, ...], BeforeValidator(values.folders)] = Field(
        (), description="Sandbox: answer from these folders only; `installed` adds installed packages"
    )
    store: Annotated[str | None, BeforeValidator(values.store)] = Field(
        None, repr=False, description="Where research runs are kept: a file, memory: or redis://HOST"
    )
    wait_seconds: Annotated[float | None, BeforeValidator(values.or_none)] = Field(
        None,
        gt=0,
        le=3600,
        description="How long deep_research waits before it returns an id; unset: what the host allows",
    )
    finish_research: bool = Field(True, description="Finish research runs in progress after the host has gone")
    reuse_seconds: float = Field(600, ge=0, description="How long a finished answer is reused; 0 turns it off")
    retention_days: float = Field(30, gt=0, le=3660, description="How long research runs are kept")
    requests_per_minute: int = Field(300, gt=0, description="Pacing, per Parallel key")
    daily_budget_usd: Annotated[float | None, BeforeValidator(values.or_none)] = Field(
        None, gt=0, description="Refuse calls that would cost more than this in a UTC day"
    )
    answer_model: Annotated[Model, BeforeValidator(values.answer_model)] = Field(
        Model.SPEED, description="The model of web_answer: speed, or lite, which is slower and gives excerpts"
    )
    default_model: Annotated[Model, BeforeValidator(values.research_model)] = Field(
        Model.BASE, description="The model of deep_research when none is given"
    )
    max_model: Annotated[Model, BeforeValidator(values.research_model)] = Field(
        Model.CORE, description="The largest model that is allowed"
    )
    model_names: Annotated[Mapping[str, str], BeforeValidator(values.by_model)] = Field(
        {}, description="Names of the models at another OpenAI-compatible endpoint: speed=NAME, base=NAME"
    )
    prices: Annotated[Mapping[str, float], BeforeValidator(values.by_model)] = Field(
        {}, description="US dollars per request, if Parallel's prices do not apply: speed=0.005, base=0.01"
    )
    max_result_chars: int = Field(60_000, ge=2_000, description="Longest text of a result, in UTF-8 bytes")
    answer_citations: bool = Field(True, description="Have web_answer name its sources")
    stream: bool = Field(True, description="Ask Parallel for a stream; turn off behind proxies that break streams")
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(values.log_level)] = Field(
        "WARNING", description="What is logged to stderr"
    )
    host: str = Field("127.0.0.1", description="HTTP: address to listen on")
    port: int = Field(8765, ge=0, le=65535, description="HTTP: port to listen on")
    access_tokens: Annotated[Mapping[str, SecretStr], BeforeValidator(values.pairs)] = Field(
        {}, description="HTTP: who may call, as name:token, name:token"
    )
    bring_your_own_key: bool = Field(False, description="HTTP: each caller sends a Parallel key of their own")
    allowed_hosts: Items = Field((), description="HTTP: additional Host headers to accept")
    allowed_origins: Items = Field((), description="HTTP: additional Origin headers to accept")
    shutdown_seconds: int = Field(5, ge=1, le=3600, description="HTTP: how long calls have to finish at shutdown")

    key_is_kept: bool = Field(False, exclude=True)
    """Whether the key is the saved one."""
    key_fault: str | None = Field(None, exclude=True)
    """Why the key that was given cannot be sent, in words for the caller."""

    timeouts: Mapping[str, float] = Field(dict(TIMEOUTS), exclude=True)
    """Seconds a whole answer may take, by model. Not an environment variable, so that hosts can rely on it."""

    heartbeat_seconds: float = Field(10, gt=0, exclude=True)
    """The longest silence in a call: progress, and over HTTP bytes, come at least this often. No variable either."""

    @model_validator(mode="after")
    def _one_way_to_be_known(self) -> "Settings":
        if self.access_tokens and self.bring_your_own_key:
            raise ValueError("ACCESS_TOKENS and BRING_YOUR_OWN_KEY cannot be combined: set one of them")
        return self

    @model_validator(mode="after")
    def _folders_are_for_the_sandbox(self) -> "Settings":
        if self.corpus and not self.sandbox:
            raise ValueError("PARALLEL_MCP_CORPUS is what the sandbox answers from: add --sandbox, or leave it out")
        return self

    @model_validator(mode="after")
    def _the_default_may_be_asked(self) -> "Settings":
        if "default_model" in self.model_fields_set and self.default_model not in research_models(self.max_model):
            raise ValueError("PARALLEL_MCP_DEFAULT_MODEL is larger than PARALLEL_MCP_MAX_MODEL: change one of them")
        return self

    @model_validator(mode="after")
    def _a_budget_needs_prices(self) -> "Settings":
        asked = (self.answer_model, *research_models(self.max_model))
        if self.daily_budget_usd is not None and any(self.known_prices[model] is None for model in asked):
            raise ValueError(
                "DAILY_BUDGET_USD cannot be enforced, because prices at this endpoint are unknown: set "
                "PARALLEL_MCP_PRICES for every model that is allowed, or remove the budget"
            )
        return self

    @property
    def asks_parallel(self) -> bool:
        """Whether Parallel answers, according to the settings, rather than another service or the sandbox."""
        return not self.sandbox and not self.model_names and is_parallels(self.base_url)

    @property
    def known_prices(self) -> Mapping[str, float | None]:
        """US dollars per request. None if the price is unknown."""
        table = FREE if self.sandbox else PRICES if self.asks_parallel else {}
        return {str(model): self.prices.get(model, table.get(model)) for model in Model}

    @property
    def research_model(self) -> Model:
        """The model of deep_research when none is given: the default, or the largest allowed model below it."""
        allowed = research_models(self.max_model)
        return self.default_model if self.default_model in allowed else allowed[-1]

    @property
    def store_url(self) -> str:
        """Where research runs are kept, with the default filled in. The sandbox has a separate file."""
        return self.store or values.default_store("sandbox" if self.sandbox else "research")

    @property
    def finishing_file(self) -> Path | None:
        """Where the engines that finish research runs on this store are counted; None if they finish nothing."""
        return self._beside_the_store(".finishing") if self.finish_research else None

    @property
    def waits_file(self) -> Path | None:
        """The file that records how long hosts wait, or None if nothing is recorded."""
        return self._beside_the_store(".waits")

    def _beside_the_store(self, suffix: str) -> Path | None:
        if self.store_url == "memory:":
            return None
        store = values.default_store() if values.is_redis(self.store_url) else self.store_url.removeprefix("sqlite:///")
        return Path(os.path.expanduser(store)).with_suffix(suffix)


SECRETS = frozenset({"api_key", "access_tokens"})
HTTP_ONLY = ("host", "port", "bring_your_own_key", "allowed_hosts", "allowed_origins", "shutdown_seconds")
_HIDDEN = frozenset({"key_fault", "key_is_kept", "timeouts", "heartbeat_seconds"})


def fields() -> dict[str, FieldInfo]:
    """The settings that users can set, by name."""
    return {name: field for name, field in Settings.model_fields.items() if name not in _HIDDEN}


def stdio_flags() -> dict[str, bool]:
    """The flags of a stdio server, and whether each takes a value."""
    flags: dict[str, bool] = {}
    for name, field in fields().items():
        flag, switch = name.replace("_", "-"), field.annotation is bool
        if name in SECRETS or name in HTTP_ONLY:
            continue
        flags |= {f"--{flag}": False, f"--no-{flag}": False} if switch else {f"--{flag}": True}
    return flags
