"""The body of a request."""

from collections.abc import Mapping
from typing import Any

from parallel_mcp.models import Question

PROMPT_VERSION = 1
"""Part of what makes two questions the same; raise it when `request` asks in other words."""

_ANSWER_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "answer": {"type": "string", "description": "The direct answer to the question, complete, in plain prose"},
        "citations": {
            "type": "array",
            "items": {"type": "string"},
            "description": "URLs of the sources that support the answer",
        },
    },
    "required": ["answer", "citations"],
    "additionalProperties": False,
}


def names_sources(question: Question, answer_citations: bool) -> bool:
    """Whether `speed` is asked to name its sources, which it does only inside a schema."""
    return question.model == "speed" and question.output_schema is None and answer_citations


def request(question: Question, *, stream: bool, answer_citations: bool) -> dict[str, Any]:
    """The body of `POST /chat/completions`."""
    messages = [{"role": "user", "content": question.text}]
    if question.instructions:
        messages.insert(0, {"role": "system", "content": question.instructions})
    body: dict[str, Any] = {"model": question.model, "messages": messages, "stream": stream}
    schema = _ANSWER_SCHEMA if names_sources(question, answer_citations) else question.output_schema
    if schema is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    if question.follow_up_to:
        body["previous_interaction_id"] = question.follow_up_to
    return body
