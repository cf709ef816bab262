"""Questions, what the tools return, and the table of models.

Optional fields of a result are always present and may be null, so they have no default: a default would drop
them from `required` in the published schema.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, WithJsonSchema


class Model(StrEnum):
    """The table of models, smallest first. Adding a model takes one line.

    The columns are the name, the price in US dollars per request, the range of seconds that an answer usually takes,
    its timeout in seconds, the milliseconds between polls of a task, and whether each tool may ask it.
    """

    price_usd: float
    usual_seconds: tuple[int, int]
    timeout_seconds: float
    poll_ms: int
    answers: bool
    """Whether web_answer may ask it."""
    researches: bool
    """Whether deep_research may ask it."""

    def __new__(
        cls,
        name: str,
        price: float,
        usual: tuple[int, int],
        timeout: float,
        poll_ms: int,
        answers: bool,
        researches: bool,
    ) -> "Model":
        """Create a row of the table."""
        model = str.__new__(cls, name)
        model._value_ = name
        model.price_usd, model.usual_seconds, model.timeout_seconds, model.poll_ms = price, usual, timeout, poll_ms
        model.answers, model.researches = answers, researches
        return model

    @property
    def usual_time(self) -> str:
        """How long an answer usually takes, in words."""
        least, most = self.usual_seconds
        return f"{least}-{most} s" if least < 60 else f"{least // 60}-{most // 60} min"

    SPEED = "speed", 0.005, (2, 10), 60.0, 1_000, True, False
    LITE = "lite", 0.005, (10, 60), 180.0, 2_000, True, True
    BASE = "base", 0.010, (15, 100), 240.0, 3_000, False, True
    CORE = "core", 0.025, (60, 300), 600.0, 5_000, False, True


ModelName = Annotated[Model, WithJsonSchema({"type": "string"})]
"""A model in a result. Its schema is a plain string: hosts do not need the list there."""

ANSWER_MODELS = tuple(model for model in Model if model.answers)
RESEARCH_MODELS = tuple(model for model in Model if model.researches)

PRICES: Mapping[str, float] = MappingProxyType({model: model.price_usd for model in Model})
"""What Parallel last published, in August 2026."""

FREE: Mapping[str, float] = MappingProxyType(dict.fromkeys(Model, 0.0))
"""The sandbox's prices."""


def is_parallels(base_url: str) -> bool:
    """Whether Parallel is asked there, at its prices: at its own hosts, or through something on this machine."""
    host = urlsplit(base_url).hostname or ""
    return host.endswith(".parallel.ai") or host.startswith("127.") or host in ("localhost", "::1")


TIMEOUTS: Mapping[str, float] = MappingProxyType({model: model.timeout_seconds for model in Model})


def research_models(most: Model) -> tuple[Model, ...]:
    """The models that deep_research may ask, up to `most`."""
    return RESEARCH_MODELS[: RESEARCH_MODELS.index(most) + 1]


Confidence = Literal["low", "medium", "high"]
Status = Literal["working", "completed", "failed", "cancelled"]

Json = Annotated[Any, WithJsonSchema({"type": ["object", "array", "string", "number", "boolean", "null"]})]


class Frozen(BaseModel):
    """An immutable value that rejects unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Question(Frozen):
    """A question as sent to Parallel.

    `output_schema` is a JSON schema that has passed `schemas.lint`. `follow_up_to` is the `interaction_id` of an
    earlier answer.
    """

    text: str
    model: Model
    instructions: str | None = None
    output_schema: dict[str, Any] | None = None
    follow_up_to: str | None = None


class Citation(Frozen):
    """A source. The prose and the basis refer to it by `number`."""

    number: int
    url: str
    title: str | None
    excerpts: tuple[str, ...]


class Basis(Frozen):
    """The evidence for a field of the answer. `citations` are citation numbers."""

    field: str
    reasoning: str
    confidence: Confidence | None
    citations: tuple[int, ...]


class Answer(Frozen):
    """An answer with its sources. `cost_usd` is None if unknown. `seconds` is the time that Parallel took.

    `reused` says that an earlier call was given it already; a first delivery is not reused, whoever asked first.
    """

    content: str
    data: Json
    citations: tuple[Citation, ...]
    basis: tuple[Basis, ...]
    model: ModelName
    interaction_id: str | None
    cost_usd: float | None
    seconds: float
    reused: bool
    warnings: tuple[str, ...]


class Research(Frozen):
    """A question on its way to an answer. `created_at` is ISO 8601 in UTC; `attempts` counts requests sent."""

    research_id: str
    status: Status
    question: str
    model: ModelName
    created_at: str
    seconds: float
    attempts: int
    answer: Answer | None
    error: str | None
