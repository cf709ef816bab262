"""The body of a request."""

from collections.abc import Mapping
from typing import Any

from parallel_mcp.models import Model, Question

PROMPT_VERSIONS: Mapping[Model, int] = {Model.SPEED: 2, Model.LITE: 1, Model.BASE: 1, Model.CORE: 1}
"""Part of what makes two questions the same. Increase a model's when `request` changes the wording sent to it: asking
again after that update is a new request, even while the earlier version's run is in flight.
"""

_SOURCES: Mapping[str, Any] = {
    "type": "array",
    "items": {"type": "string"},
    "description": "URLs of the sources that support the answer",
}

_ANSWER_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "answer": {"type": "string", "description": "The direct answer to the question, complete, in plain prose"},
        "citations": _SOURCES,
    },
    "required": ["answer", "citations"],
    "additionalProperties": False,
}


def names_sources(question: Question, answer_citations: bool) -> bool:
    """Whether to ask the model for its sources. `speed` names them only within a schema."""
    return question.model == Model.SPEED and answer_citations


def sources_property(schema: Mapping[str, Any]) -> str | None:
    """A property name for sources to add to a caller's schema, or None if the schema forbids another."""
    if schema.keys() & {"propertyNames", "maxProperties", "patternProperties", "unevaluatedProperties", "$ref"}:
        return None
    taken = schema.get("properties") or {}
    return next((name for name in ("citations", "sources", "source_urls") if name not in taken), None)


def _schema(question: Question, answer_citations: bool) -> Mapping[str, Any] | None:
    """The schema to send: the caller's, with a property for sources if the model has to be asked for them."""
    schema = question.output_schema
    if not names_sources(question, answer_citations):
        return schema
    if schema is None:
        return _ANSWER_SCHEMA
    name = sources_property(schema)
    if name is None:
        return schema
    required = [*schema.get("required", ()), name]
    return {**schema, "properties": {**schema["properties"], name: _SOURCES}, "required": required}


def request(question: Question, *, stream: bool, answer_citations: bool, name: str | None = None) -> dict[str, Any]:
    """The body of `POST /chat/completions`. `name` is the model's name at an endpoint other than Parallel's."""
    messages = [{"role": "user", "content": question.text}]
    if question.instructions:
        messages.insert(0, {"role": "system", "content": question.instructions})
    body: dict[str, Any] = {"model": name or str(question.model), "messages": messages, "stream": stream}
    schema = _schema(question, answer_citations)
    if schema is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    if question.follow_up_to:
        body["previous_interaction_id"] = question.follow_up_to
    return body
