"""The arguments that the tools share, and how they become a question."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from parallel_mcp import errors, schemas
from parallel_mcp.models import Model, Question, research_models

MAX_TEXT_CHARS = 20_000


def _blank_is_none(value: object) -> object:
    """Some models fill in every argument, and give "" for what they mean to leave out."""
    return None if isinstance(value, str) and not value.strip() else value


def null_means(default: object) -> BeforeValidator:
    """Others give null for that."""
    return BeforeValidator(lambda value: default if value is None else value)


def _model_name(value: object) -> object:
    """A model's name in any case; what is blank means the default."""
    return _blank_is_none(value.strip().lower() if isinstance(value, str) else value)


MayBeBlank = BeforeValidator(_blank_is_none)

ModelName = Annotated[Model | None, BeforeValidator(_model_name)]


def model_argument(most: Model, default: Model) -> dict[str, Any]:
    """The published schema of `model`: those that this server allows, and the default among them."""
    allowed = research_models(most)
    times = "; ".join(f"{model}: {model.usual_time}" for model in allowed)
    return {"type": "string", "enum": list(map(str, allowed)), "default": str(default), "description": times}


# A validator stands last: what stands behind it would be asked of a null too.
Instructions = Annotated[
    str | None,
    Field(max_length=MAX_TEXT_CHARS, description="How to answer: tone, length, domains to prefer"),
    MayBeBlank,
]

OutputSchema = Annotated[
    dict[str, Any] | None,
    Field(description="JSON Schema with an object root; the answer is then JSON in `data`, with a basis per field"),
    MayBeBlank,
]

FollowUp = Annotated[
    str | None,
    Field(max_length=500, description="interaction_id of an earlier answer to ask on from"),
    MayBeBlank,
]


def question_of(
    text: str, model: Model, instructions: str | None, schema: dict[str, Any] | None, follow_up_to: str | None
) -> Question:
    """What a tool was asked. Raises ArgumentError and SchemaRefused."""
    if not text.strip():
        raise errors.ArgumentError("question is empty: give one complete question.")
    if schema is not None:
        schemas.lint(schema)
    return Question(
        text=text.strip(),
        model=model,
        instructions=(instructions or "").strip() or None,
        output_schema=schema,
        follow_up_to=(follow_up_to or "").strip() or None,
    )
