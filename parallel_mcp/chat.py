"""Parallel's Chat protocol as pure functions: a request's body, a reply, an answer, a refusal.

Everything that the documentation calls "always empty" may be null, "" or absent; of it only a
finish_reason is read, as a sign that a stream came to its end.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Literal, NamedTuple, cast
from urllib.parse import urlsplit

from pydantic_core import from_json

from parallel_mcp import errors, schemas
from parallel_mcp.errors import AnswerUnreadable, UpstreamError, clean
from parallel_mcp.models import Answer, Basis, Citation, Confidence, Question

PROMPT_VERSION = 1
"""Part of what makes two questions the same; raise it when `request` asks in other words."""

NAMED_BY_MODEL = "The sources were named by the model from what it found; they were not retrieved or quoted here."
CUT_SHORT = "The answer came without its end mark, or a part of it could not be read: it may be cut short."
GARBLED = "Bytes of the answer that were not UTF-8 were replaced by \ufffd."

Hide = Callable[[str], str]
"""Takes a secret out of upstream's words before they are quoted in an error."""

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


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, before it is understood.

    `whole` is False where the end, or a part, may be missing; `garbled` where bytes were no UTF-8.
    """

    content: str
    basis: Sequence[Any]
    interaction_id: str | None
    whole: bool
    garbled: bool = False


class Event(NamedTuple):
    """One server-sent event; `name` is empty where none was given."""

    name: str
    data: str


class Events:
    """Takes the bytes of an event stream, gives its events; linear in time, however long a line is.

    More lenient than the specification, so that nothing is lost: an event that the end of the
    stream cuts off from its blank line counts, and so do chunks with no blank line between them.
    """

    def __init__(self) -> None:
        self.garbled = False
        self._rest: list[bytes] = []
        self._after_cr = False
        self._name = ""
        self._data: list[str] = []

    def feed(self, part: bytes) -> list[Event]:
        """The events that the next bytes complete."""
        if self._after_cr and part:
            part = part.removeprefix(b"\n")
            self._after_cr = False
        if b"\n" not in part and b"\r" not in part:
            self._rest.append(part)
            return []
        self._after_cr = part.endswith(b"\r")
        lines = b"".join((*self._rest, part)).splitlines(keepends=True)
        self._rest = [] if lines[-1].endswith((b"\n", b"\r")) else [lines.pop()]
        return [event for line in lines for event in self._line(line.rstrip(b"\r\n"))]

    def end(self) -> list[Event]:
        """The events that the end of the stream completes."""
        last = b"".join(self._rest)
        self._rest = []
        return [*self._line(last), *self._line(b"")] if last else self._line(b"")

    def _line(self, line: bytes) -> list[Event]:
        if not line:
            return self._dispatched()
        name, _, value = self._decoded(line).partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._name = value
        return []

    def _dispatched(self) -> list[Event]:
        name, data = self._name, self._data
        self._name, self._data = "", []
        if len(data) > 1 and all(line.startswith(("{", "[DONE]")) for line in data):
            return [Event(name, line) for line in data]
        return [Event(name, "\n".join(data))] if data else []

    def _decoded(self, line: bytes) -> str:
        text, garbled = _decoded(line)
        self.garbled = self.garbled or garbled
        return text


@dataclass(slots=True)
class Assembly:
    """Puts a stream together: feed it each event, then ask for the reply.

    What cannot be read is left out, and the reply is then not whole. `hide` is for what errors quote.
    """

    hide: Hide = str
    done: bool = False
    said: bool = False
    _finished: bool = False
    _basis: dict[str, list[Any]] = field(default_factory=dict)
    _interaction_id: str | None = None
    _parts: list[str] = field(default_factory=list)
    _unreadable: AnswerUnreadable | None = None

    def feed(self, data: str, name: str = "") -> str:
        """Take one event's data and name; gives the words it added. Raises UpstreamError if it is an error."""
        if data.strip() == "[DONE]":
            self.done = True
        if self.done or not data.strip():
            return ""
        try:
            chunk = _object(data, self.hide)
        except AnswerUnreadable as error:
            self._unreadable = self._unreadable or error
            return ""
        if name == "error":
            raise _error_in_answer(chunk, self.hide)
        added = self._taken(chunk)
        self._parts.append(added)
        self.said = self.said or bool(added.strip())
        return added

    def _taken(self, chunk: Mapping[str, Any]) -> str:
        choice = _first_choice(chunk)
        delta, message = _dict(choice.get("delta")), _dict(choice.get("message"))
        for place in (chunk, choice, message, delta):
            self._note(place)
        self._finished = self._finished or bool(choice.get("finish_reason"))
        return _content(delta) or self._more(_content(message))

    def _note(self, place: Mapping[str, Any]) -> None:
        """Basis and interaction_id, wherever they stand; what comes later about the same field counts."""
        found: dict[str, list[Any]] = {}
        for entry in _list(place.get("basis")):
            found.setdefault(_field(entry), []).append(entry)
        self._basis |= found
        self._interaction_id = _text(place.get("interaction_id")) or self._interaction_id

    def _more(self, whole: str) -> str:
        """What a `message` adds: some services repeat the whole text in it."""
        if not whole:
            return ""
        so_far = "".join(self._parts)
        return whole[len(so_far) :] if self.said and whole.startswith(so_far) else whole

    def reply(self, *, broken: bool = False) -> Reply:
        """What arrived; `broken` where the stream did not end by itself. Raises UpstreamError where that is nothing."""
        if not self.said:
            raise self._unreadable or self._nothing()
        whole = self._unreadable is None and (self.done or (self._finished and not broken))
        basis = list(chain.from_iterable(self._basis.values()))
        return Reply("".join(self._parts), basis, self._interaction_id, whole)

    def _nothing(self) -> UpstreamError:
        if self.done or self._finished:
            return AnswerUnreadable("it has no content")
        return errors.ConnectionLost("the stream ended before the first word")


_BOM = b"\xef\xbb\xbf"
_EVENT_LINE = re.compile(rb"(data|event|id|retry)?:|(data|event|id|retry)[\r\n]")


class Reading:
    """A successful response as it comes in: feed it bytes, then ask for the reply. `size` is in bytes.

    Whether it is a stream or one JSON object is seen from how it begins: content types lie.
    """

    def __init__(self, hide: Hide = str) -> None:
        self.size = 0
        self._hide = hide
        self._kind: Literal["stream", "object"] | None = None
        self._head = b""
        self._body: list[bytes] = []
        self._events = Events()
        self._assembly = Assembly(hide)

    @property
    def done(self) -> bool:
        """Whether the end mark has come; nothing that follows it counts."""
        return self._assembly.done

    def feed(self, part: bytes) -> str:
        """Take the next bytes; gives the words that they added. Raises UpstreamError where they are an error."""
        self.size += len(part)
        if self._kind is None:
            part = self._head + part
            part = part.removeprefix(_BOM).lstrip(b" \t\r\n")
            self._kind = _kind(part)
            self._head = part if self._kind is None else b""
        if self._kind is None:
            return ""
        if self._kind == "object":
            self._body.append(part)
            return ""
        return self._told(self._events.feed(part))

    def _told(self, events: Iterable[Event]) -> str:
        return "".join([self._assembly.feed(event.data, event.name) for event in events])

    def reply(self) -> Reply:
        """The reply after the response ended by itself. Raises UpstreamError where it is none."""
        return self._reply(broken=False)

    def cut(self) -> Reply | None:
        """What had arrived when the response broke off; None where no word had."""
        try:
            return self._reply(broken=True)
        except UpstreamError:
            return None

    def _reply(self, *, broken: bool) -> Reply:
        if self._kind != "stream":
            return parse(self._head + b"".join(self._body), self._hide)
        self._told(self._events.end())
        reply = self._assembly.reply(broken=broken)
        return Reply(reply.content, reply.basis, reply.interaction_id, reply.whole, self._events.garbled)


def _kind(head: bytes) -> Literal["stream", "object"] | None:
    """What a response is, by its first bytes; None where more of them are needed."""
    if _EVENT_LINE.match(head):
        return "stream"
    undecided = any(name.startswith(head) for name in (b"data:", b"event:", b"retry:", b"id:", _BOM))
    return None if undecided else "object"


def parse(body: bytes, hide: Hide = str) -> Reply:
    """A reply that was not streamed; one that is cut off is given as far as it goes.

    Raises AnswerUnreadable, or UpstreamError where it is an error with status 200.
    """
    text, garbled = _decoded(body)
    whole = True
    try:
        completion = _object(text, hide)
    except AnswerUnreadable:
        completion = _begun(text)
        whole = False
        if not _said(completion):
            raise
    choice = _first_choice(completion)
    message = _dict(choice.get("message"))
    content = _said(completion)
    if not content.strip():
        raise AnswerUnreadable("it has no content")
    places = (completion, choice, message)
    basis = next((found for place in places if (found := _list(place.get("basis")))), [])
    interaction_id = next((name for place in places if (name := _text(place.get("interaction_id")))), None)
    return Reply(content, basis, interaction_id, whole, garbled)


def _said(completion: Mapping[str, Any]) -> str:
    choice = _first_choice(completion)
    return _content(_dict(choice.get("message"))) or _content(_dict(choice.get("delta")))


def _first_choice(chunk: Mapping[str, Any]) -> dict[str, Any]:
    return _dict(next(iter(_list(chunk.get("choices"))), None))


def _content(message: Mapping[str, Any]) -> str:
    """A message's text, also where it comes as a list of parts."""
    parts = [_text(_dict(part).get("text")) or _text(part) or "" for part in _list(message.get("content"))]
    return _text(message.get("content")) or "".join(parts)


def _begun(text: str, *, open_text: bool = True) -> dict[str, Any]:
    """The JSON object that a text begins; with `open_text`, a string that is not closed counts too."""
    try:
        found = from_json(text[text.index("{") :], allow_partial="trailing-strings" if open_text else True)
    except ValueError:
        return {}
    return _dict(found)


def said_so_far(question: Question, content: str, *, answer_citations: bool) -> str:
    """The words of an unfinished answer that a person can read; JSON is never shown."""
    if question.output_schema is not None:
        return ""
    if not names_sources(question, answer_citations):
        return content
    prose, brace, _ = content.partition("{")
    return (brace and _prose(_begun(content))) or ("" if prose.lstrip().startswith("`") else prose)


def answer(question: Question, reply: Reply, *, answer_citations: bool, cost_usd: float, seconds: float) -> Answer:
    """A reply understood. Never fails: what does not fit becomes a warning, for it was paid for."""
    warnings = [warning for warning, due in ((CUT_SHORT, not reply.whole), (GARBLED, reply.garbled)) if due]
    basis, citations = _joined(reply.basis)
    content, data = clean(reply.content), None
    if question.output_schema is not None:
        content, data, said = _structured(content, reply.content, question.output_schema)
        warnings += said
    elif names_sources(question, answer_citations):
        content, named = _with_named_sources(content, reply)
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


def _with_named_sources(content: str, reply: Reply) -> tuple[str, list[Citation]]:
    """The prose and the URLs of `{answer, citations}`; plain text instead is simply the answer."""
    found = sources = _object_said(reply.content)
    if not reply.whole and not found:
        # Of a list that is cut short, the last URL may be half of one.
        found, sources = _begun(reply.content), _begun(reply.content, open_text=False)
    prose = _prose(found)
    if not prose:
        return content, []
    given = sources.get("citations")
    named = [_source(item) for item in ([given] if isinstance(given, str) else _list(given))]
    return clean(prose), _numbered((url, title, ()) for url, title, _ in named if _is_web(url))


def _object_said(content: str) -> dict[str, Any]:
    try:
        return _dict(schemas.read(content))
    except ValueError:
        return {}


def _prose(found: Mapping[str, Any]) -> str:
    said = found.get("answer")
    return str(said) if isinstance(said, int | float) and not isinstance(said, bool) else _text(said) or ""


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


Source = tuple[str, str | None, Sequence[str]]
"""URL, title and excerpts."""


def _numbered(sources: Iterable[Source]) -> list[Citation]:
    """Sources numbered in order, one number a URL; what is said of one URL at several places is gathered."""
    titles: dict[str, str | None] = {}
    excerpts: dict[str, dict[str, None]] = {}
    for url, title, texts in sources:
        titles[url] = titles.get(url) or title
        excerpts.setdefault(url, {}).update(dict.fromkeys(texts))
    return [
        Citation(number=number, url=url, title=title, excerpts=tuple(excerpts[url]))
        for number, (url, title) in enumerate(titles.items(), 1)
    ]


def _joined(raw: Sequence[Any]) -> tuple[list[Basis], list[Citation]]:
    """One basis entry a field or element, with citation numbers for citations; what is no object is dropped."""
    entries = [entry for entry in raw if isinstance(entry, Mapping)]
    cited = [[source for item in _list(entry.get("citations")) if (source := _source(item))[0]] for entry in entries]
    citations = _numbered(chain.from_iterable(cited))
    numbers = {citation.url: citation.number for citation in citations}
    fields: dict[str, list[Basis]] = {}
    for entry, sources in zip(entries, cited, strict=True):
        one = Basis(
            field=clean(_field(entry)),
            reasoning=clean(_text(entry.get("reasoning")) or ""),
            confidence=_confidence(entry.get("confidence")),
            citations=tuple(dict.fromkeys(numbers[url] for url, _, _ in sources)),
        )
        fields.setdefault(one.field, []).append(one)
    return [_merged(same) for same in fields.values()], citations


def _merged(same: Sequence[Basis]) -> Basis:
    """Entries about one field as one; the lowest confidence counts."""
    if len(same) == 1:
        return same[0]
    said = {entry.confidence for entry in same}
    return Basis(
        field=same[0].field,
        reasoning="\n".join(dict.fromkeys(entry.reasoning for entry in same if entry.reasoning)),
        confidence=next((word for word in _CONFIDENCE if word in said), None),
        citations=tuple(dict.fromkeys(chain.from_iterable(entry.citations for entry in same))),
    )


def _field(entry: Any) -> str:
    return _text(_dict(entry).get("field")) or "output"


def _source(item: Any) -> Source:
    """A citation as it came: an object, or only its URL."""
    source = {"url": item} if isinstance(item, str) else _dict(item)
    title = " ".join(clean(_text(source.get("title")) or "").split()) or None
    excerpts = source.get("excerpts")
    texts = [excerpts] if isinstance(excerpts, str) else _list(excerpts)
    return _url(source.get("url")), title, [clean(text) for text in texts if isinstance(text, str) and text.strip()]


def _url(value: Any) -> str:
    """A URL on one line, without spaces: it stands in lists and in Markdown."""
    return "%20".join(clean(_text(value) or "").replace("\n", "").replace("\t", "").split())


_CONFIDENCE: Sequence[Confidence] = ("low", "medium", "high")


def _confidence(value: Any) -> Confidence | None:
    word = value.strip().lower() if isinstance(value, str) else ""
    return cast("Confidence", word) if word in _CONFIDENCE else None


def refusal(
    status: int,
    body: bytes,
    retry_after: float | None = None,
    *,
    hide: Hide = str,
    may_be_billed: bool | None = None,
) -> UpstreamError:
    """A status that is no success, as an error of ours; reads all four bodies that are known.

    `may_be_billed` is given where more is known than the status says.
    """
    if 300 <= status < 400:
        return AnswerUnreadable("it sends us to another address", status=status, may_be_billed=False)
    message, ref_id = _error_body(_dict(_loaded(_decoded(body)[0])), hide)
    kind = _REFUSALS.get(status)
    if kind is None:
        kind = errors.RequestRefused if 405 <= status < 500 else errors.ServiceFailed
    return kind(message, status=status, ref_id=ref_id, retry_after=retry_after, may_be_billed=may_be_billed)


_REFUSALS: Mapping[int, type[UpstreamError]] = {
    400: errors.RequestRefused,
    401: errors.KeyRefused,
    402: errors.CreditRefused,
    403: errors.AccessRefused,
    404: errors.InteractionUnknown,
    408: errors.AnswerTimedOut,
    422: errors.RequestRefused,
    429: errors.RateRefused,
}


def _error_in_answer(said: Mapping[str, Any], hide: Hide) -> UpstreamError:
    """The error that came in place of an answer, or in the midst of one."""
    message, ref_id = _error_body(said, hide)
    return errors.ServiceFailed(message, ref_id=ref_id, may_be_billed=True)


def _error_body(said: Mapping[str, Any], hide: Hide) -> tuple[str, str | None]:
    """The message and ref_id of Parallel's, OpenAI's or FastAPI's error body; nothing of any other."""
    error = _dict(said.get("error"))
    detail = error.get("detail") if error else said.get("detail")
    if error:
        message, more = _text(error.get("message")) or "", _dumped(detail)
    elif isinstance(detail, list):
        message, more = "; ".join(_place(_dict(item)) for item in detail[:5]), ""
    else:
        message, more = _text(detail) or _text(said.get("message")) or _text(said.get("error")) or "", ""
    ref_id = _text(error.get("ref_id")) or _text(said.get("ref_id"))
    shown = " ".join(part for part in (hide(clean(message)), hide(clean(more))[:300]) if part)
    return shown, hide(clean(ref_id)) if ref_id else None


def _dumped(detail: Any) -> str:
    if detail in (None, "", {}, []):
        return ""
    try:
        return detail if isinstance(detail, str) else json.dumps(detail, ensure_ascii=False)
    except RecursionError:
        return ""


def _place(item: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in _list(item.get("loc")) if part != "body")
    return f"{where}: {_text(item.get('msg')) or 'is wrong'}" if where else _text(item.get("msg")) or "it is wrong"


def _object(text: str, hide: Hide) -> dict[str, Any]:
    """A JSON object that is no error. Raises AnswerUnreadable, or the error that it is."""
    found = _loaded(text)
    if found is None:
        begins = hide(clean(text[:_MOST_QUOTED]))[:80]
        raise AnswerUnreadable(f"it is not JSON, and begins “{begins}”")
    if not isinstance(found, dict):
        raise AnswerUnreadable("it is JSON, but not an object")
    if found.get("error"):
        raise _error_in_answer(found, hide)
    return found


_MOST_QUOTED = 4096


def _loaded(text: str) -> Any:
    """A JSON value; None in place of what is not JSON. Bare control characters are let pass."""
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def _decoded(data: bytes) -> tuple[str, bool]:
    """Text, and whether bytes of it had to be replaced."""
    encoding = json.detect_encoding(data) if data[:4].count(0) else "utf-8"
    try:
        return data.decode(encoding).removeprefix("\ufeff"), False
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace"), True


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
