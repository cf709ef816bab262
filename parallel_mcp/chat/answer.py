"""A reply understood: an answer with its sources."""

import json
from collections.abc import Mapping
from typing import Any

from parallel_mcp import errors, schemas
from parallel_mcp.chat.citations import joined
from parallel_mcp.chat.message import Reply, begun_object
from parallel_mcp.chat.named import prose_of, with_named_sources
from parallel_mcp.chat.request import names_sources
from parallel_mcp.models import Answer, Question
from parallel_mcp.text import clean

NAMED_BY_MODEL = "The sources were named by the model from what it found; they were not retrieved or quoted here."
CUT_SHORT = "The answer came without its end mark, or a part of it could not be read: it may be cut short."
GARBLED = "Bytes of the answer that were not UTF-8 were replaced by \ufffd."


def said_so_far(question: Question, content: str, *, answer_citations: bool) -> str:
    """The words of an unfinished answer that a person can read; JSON is never shown."""
    if question.output_schema is not None:
        return ""
    if not names_sources(question, answer_citations):
        return content
    prose, brace, _ = content.partition("{")
    return (brace and prose_of(begun_object(content))) or ("" if prose.lstrip().startswith("`") else prose)


def answer(question: Question, reply: Reply, *, answer_citations: bool, cost_usd: float, seconds: float) -> Answer:
    """A reply understood. Never fails: what does not fit becomes a warning, for it was paid for."""
    warnings = [warning for warning, due in ((CUT_SHORT, not reply.whole), (GARBLED, reply.garbled)) if due]
    basis, citations = joined(reply.basis)
    content, data = clean(reply.content), None
    if question.output_schema is not None:
        content, data, said = _structured(content, reply.content, question.output_schema)
        warnings += said
    elif names_sources(question, answer_citations):
        content, named = with_named_sources(content, reply)
        if named and not citations:
            citations = named
            warnings.append(NAMED_BY_MODEL)
    return Answer(
        content=content,
        data=data,
        citations=tuple(citations),
        basis=tuple(basis),
        model=question.model,
        interaction_id=clean(reply.interaction_id or "").strip() or None,
        cost_usd=cost_usd,
        seconds=round(seconds, 3),
        reused=False,
        warnings=tuple(warnings),
    )


def _structured(content: str, raw: str, schema: Mapping[str, Any]) -> tuple[str, Any, list[str]]:
    try:
        data = schemas.read(raw)
    except ValueError:
        return content, None, ["The answer is not JSON as output_schema asked; it is given as text, and data is null."]
    try:
        warnings = [f"The answer does not fit output_schema: {problem}" for problem in schemas.problems(schema, data)]
        warnings += schemas.lint(schema)
    except errors.SchemaRefused:
        warnings = ["The answer was not checked against output_schema, which is not one that can be checked."]
    return clean(json.dumps(data, ensure_ascii=False)), data, warnings
