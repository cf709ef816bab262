"""Turns a reply into an answer with its sources."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from parallel_mcp import errors, schemas
from parallel_mcp.chat.annotations import annotated
from parallel_mcp.chat.citations import basis, entries, source_of
from parallel_mcp.chat.marks import marks_in
from parallel_mcp.chat.message import Reply, begun_object
from parallel_mcp.chat.named import answer_words, linked_sources, named_sources, unread_warning
from parallel_mcp.chat.numbering import Numbered, Source, number_sources
from parallel_mcp.chat.request import names_sources, sources_property
from parallel_mcp.chat.values import dict_of
from parallel_mcp.models import Answer, Question
from parallel_mcp.schemas.reading import MOST_SEARCHED_CHARS
from parallel_mcp.text import clean

NAMED_BY_MODEL = "The sources were named by the model from what it found; they were not retrieved or quoted."
CUT_SHORT = "The answer arrived without its end mark, or part of it was unreadable, so it may be cut short."
STOPPED_EARLY = "The model stopped early, so the answer is cut short: finish_reason"
GARBLED = "Bytes of the answer that were not UTF-8 were replaced by \ufffd."
TOO_LONG = "The text is too long to be searched for links, marks and lists of sources. It was left unchanged."
UNCHECKED = "The answer was not checked against output_schema because that would have taken too long."
NOT_JSON = "The answer is not JSON, although output_schema asked for it. It is returned as text, and data is null."

_THINKING = re.compile(r"\s*<think>.*?</think>\s*", re.DOTALL)


def is_whole(answer: Answer) -> bool:
    """Whether an answer is complete. An incomplete one is never reused."""
    return not any(warning.startswith((CUT_SHORT, STOPPED_EARLY)) for warning in answer.warnings)


def said_so_far(question: Question, content: str, *, answer_citations: bool) -> str:
    """The readable part of an unfinished answer. JSON and the model's thinking are never shown."""
    if question.output_schema is not None:
        return ""
    content = _without_thinking(content)
    if content.lstrip().startswith("<think>"):
        return ""
    if not names_sources(question, answer_citations):
        return clean(content)
    prose, brace, _ = content.partition("{")
    return clean((brace and answer_words(begun_object(content))) or ("" if prose.lstrip().startswith("`") else prose))


@dataclass(slots=True)
class _Said:
    """The content of a reply, before its sources are numbered."""

    content: str
    data: Any = None
    sources: Sequence[Source] = ()
    listed: Sequence[Source | None] = ()
    warnings: list[str] = field(default_factory=list)


def answer(
    question: Question,
    reply: Reply,
    *,
    answer_citations: bool,
    cost_usd: float | None,
    seconds: float,
    check: bool = True,
) -> Answer:
    """Turn a reply into an answer. Never fails: the reply was paid for, so anything wrong becomes a warning.

    `check` is whether to check data against its schema, which can take long if the schema is hostile.
    """
    content = _without_thinking(reply.content)
    found = entries(reply.basis)
    if question.output_schema is not None:
        said = _structured(question, content, names_sources(question, answer_citations), check)
    elif names_sources(question, answer_citations):
        said = _with_named_sources(content, reply)
    else:
        said = _Said(_unwrapped_text(content))
    retrieved = [source for entry in found for source in entry.sources]
    sources, listed = said.sources, said.listed
    if not retrieved:
        said.content, elsewhere, placed = _elsewhere(said.content, reply)
        sources, listed = (elsewhere, placed) if elsewhere else (sources, listed)
        if sources and not elsewhere:
            said.warnings.append(NAMED_BY_MODEL)
    numbered = _numbered(said, retrieved or sources, () if retrieved else listed)
    return Answer(
        content=numbered.prose,
        data=said.data,
        citations=numbered.citations,
        basis=tuple(basis(found, numbered.numbers)),
        model=question.model,
        interaction_id=clean(reply.interaction_id or "").strip() or None,
        cost_usd=cost_usd,
        seconds=round(seconds, 3),
        reused=False,
        warnings=(*_endings(reply), *said.warnings, *_unresolved(numbered)),
    )


def _endings(reply: Reply) -> list[str]:
    stopped = f"{STOPPED_EARLY} {clean(reply.stopped, 40)!r}." if reply.stopped else ""
    due = ((CUT_SHORT, not reply.whole and not stopped), (stopped, bool(stopped)), (GARBLED, reply.garbled))
    return [warning for warning, is_due in due if is_due]


def _unresolved(numbered: Numbered) -> list[str]:
    if len(numbered.prose) > MOST_SEARCHED_CHARS:
        return [TOO_LONG]
    if not numbered.unresolved or not numbered.citations:
        return []
    shown = ", ".join(f"[{number}]" for number in sorted(numbered.unresolved)[:10])
    return [f"The text has {shown} without a list that says what they refer to; they are none of these sources."]


def _numbered(said: _Said, sources: Sequence[Source], listed: Sequence[Source | None]) -> Numbered:
    """Number the sources. Marks are read from the text, or from the strings in data, which stay unchanged."""
    if said.data is None or len(said.content) > MOST_SEARCHED_CHARS:
        return number_sources(clean(said.content), sources, listed)
    marked = "\n".join(dict.fromkeys(mark.text for text in _strings(said.data) for mark in marks_in(text)))
    numbered = number_sources(marked, sources, listed)
    return Numbered(said.content, numbered.citations, numbered.numbers, numbered.unresolved)


def _strings(data: Any) -> list[str]:
    found: list[str] = []
    waiting = [data]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, dict | list):
            waiting += value.values() if isinstance(value, dict) else value
    return found


def _without_thinking(content: str) -> str:
    """The content without the thinking that some models put before it."""
    thinking = _THINKING.match(content)
    return content[thinking.end() :] if thinking and content[thinking.end() :].strip() else content


def _unwrapped_text(content: str) -> str:
    """The text in `{"output": "..."}`, if that is the whole answer."""
    stripped = content.strip()
    if stripped.startswith("{") and stripped.endswith("}") and '"output"' in stripped[:100]:
        found = _object_said(stripped)
        if found.keys() == {"output"} and isinstance(found["output"], str):
            return found["output"]
    return content


def _structured(question: Question, content: str, asked_for_sources: bool, check: bool) -> _Said:
    schema = question.output_schema
    assert schema is not None
    try:
        data = schemas.unwrapped(schema, schemas.read(content))
    except ValueError:
        return _Said(clean(content), warnings=[NOT_JSON])
    said = _Said("", data)
    name = sources_property(schema) if asked_for_sources else None
    if name is not None and isinstance(data, dict) and name in data:
        named = named_sources({name: data.pop(name)})
        said.sources, said.listed = named.sources, named.listed
        said.warnings += [unread_warning(named.unread)] if named.unread else []
    said.content = clean(json.dumps(data, ensure_ascii=False))
    said.warnings += _checked(schema, data) if check else [UNCHECKED]
    return said


def _checked(schema: Mapping[str, Any], data: Any) -> list[str]:
    try:
        warnings = [f"The answer does not fit output_schema: {problem}" for problem in schemas.problems(schema, data)]
        return [*warnings, *schemas.lint(schema)]
    except errors.SchemaRefused:
        return ["The answer was not checked against output_schema, because that is not a valid schema."]


def _with_named_sources(content: str, reply: Reply) -> _Said:
    """The prose and the sources of `{answer, citations}`. Plain text instead is simply the answer."""
    found = sources = _object_said(content)
    if not reply.whole and not found:
        # Of a list that is cut short, the last URL may be half of one.
        found, sources = begun_object(content), begun_object(content, open_text=False)
    prose = answer_words(found)
    if not prose:
        return _Said(content, sources=linked_sources(content))
    named = named_sources(sources)
    said = _Said(prose, sources=[*named.sources, *linked_sources(prose)], listed=named.listed)
    said.warnings += [unread_warning(named.unread)] if named.unread else []
    return said


def _elsewhere(content: str, reply: Reply) -> tuple[str, Sequence[Source], Sequence[Source | None]]:
    """The sources in fields that other services use, for replies without a basis."""
    listed = [source if source[0] else None for source in map(source_of, reply.listed)]
    if any(listed):
        return content, [source for source in listed if source], listed
    content, sources = annotated(content, reply.annotations)
    return content, sources, ()


def _object_said(content: str) -> dict[str, Any]:
    try:
        return dict_of(schemas.read(content))
    except ValueError:
        return {}
