"""Reads a successful response as it arrives, as a stream or a single object."""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from parallel_mcp.chat.events import Event, Events
from parallel_mcp.chat.message import (
    Reply,
    begun_object,
    content_of_completion,
    first_choice,
    listed_sources,
    stopped_early,
)
from parallel_mcp.chat.refusal import Hide, object_of
from parallel_mcp.chat.stream import Assembly
from parallel_mcp.chat.values import decoded, dict_of, list_of, text_of
from parallel_mcp.errors import AnswerUnreadable, UpstreamError
from parallel_mcp.text import paired

_BOM = b"\xef\xbb\xbf"
MOST_EAGER_BYTES = 512 * 1024
"""How much of a response is parsed as it arrives. The rest is parsed with the reply, away from the event loop."""

_PART_BYTES = 64 * 1024
_END_MARK = re.compile(rb"[\r\n]data: ?\[DONE\] {0,3}[\r\n]")
_END_MARK_BYTES = 24
_EVENT_LINE = re.compile(rb"(data|event|id|retry)?:|(data|event|id|retry)[\r\n]")


class Reading:
    """Reads a successful response: feed it bytes, then ask for the reply. `size` is in bytes.

    The first bytes decide whether it is a stream or one JSON object, since content types can be wrong.
    """

    def __init__(self, hide: Hide = str) -> None:
        self.size = 0
        self._hide = hide
        self._kind: Literal["stream", "object"] | None = None
        self._head = b""
        self._body: list[bytes] = []
        self._events = Events()
        self._assembly = Assembly(hide)
        self._late: list[bytes] = []
        self._late_done = False
        self._seam = b"\n"

    @property
    def done(self) -> bool:
        """Whether the end mark has arrived. Anything after it is ignored."""
        return self._assembly.done or self._late_done

    def feed(self, part: bytes) -> str:
        """Take the next bytes. Returns the text they added. Raises UpstreamError if they are an error.

        Past `MOST_EAGER_BYTES` the bytes are only kept, and no more text is returned.
        """
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
        seam, self._seam = self._seam, (self._seam + part[-_END_MARK_BYTES:])[-_END_MARK_BYTES:]
        if self.size > MOST_EAGER_BYTES:
            self._late_done = self._late_done or _END_MARK.search(seam + part) is not None
            self._late.append(part)
            return ""
        return self._told(self._events.feed(part))

    def _told(self, events: Iterable[Event]) -> str:
        return "".join([self._assembly.feed(event.data, event.name) for event in events])

    def reply(self) -> Reply:
        """The reply, once the response has ended normally. Raises UpstreamError if there is none."""
        return self._reply(broken=False)

    def cut(self) -> Reply | None:
        """What had arrived when the response broke off, or None."""
        try:
            return self._reply(broken=True)
        except UpstreamError:
            return None

    def _reply(self, *, broken: bool) -> Reply:
        if self._kind != "stream":
            return parse(self._head + b"".join(self._body), self._hide)
        late_parts, self._late = self._late, []
        for late in late_parts:
            for start in range(0, len(late), _PART_BYTES):
                self._told(self._events.feed(late[start : start + _PART_BYTES]))
        self._told(self._events.end())
        reply = self._assembly.reply(broken=broken)
        return replace(reply, garbled=self._events.garbled)


def _kind(head: bytes) -> Literal["stream", "object"] | None:
    """The kind of a response, by its first bytes. None if more of them are needed."""
    if _EVENT_LINE.match(head):
        return "stream"
    undecided = any(name.startswith(head) for name in (b"data:", b"event:", b"retry:", b"id:", _BOM))
    return None if undecided else "object"


def parse(body: bytes, hide: Hide = str) -> Reply:
    """Read a reply that was not streamed. One that is cut off is read as far as it goes.

    Raises AnswerUnreadable, or UpstreamError if it is an error with status 200.
    """
    text, garbled = decoded(body)
    whole = True
    try:
        completion = object_of(text, hide)
    except AnswerUnreadable:
        completion = begun_object(text)
        whole = False
        if not content_of_completion(completion):
            raise
    choice = first_choice(completion)
    message = dict_of(choice.get("message"))
    content = content_of_completion(completion)
    if not content.strip():
        raise AnswerUnreadable("it has no content")
    places = (completion, choice, message)
    basis = next((found for place in places if (found := list_of(place.get("basis")))), [])
    interaction_id = next((name for place in places if (name := text_of(place.get("interaction_id")))), None)
    return Reply(
        content=paired(content),
        basis=basis,
        interaction_id=interaction_id,
        whole=whole,
        garbled=garbled,
        stopped=stopped_early(choice.get("finish_reason")),
        listed=tuple(next((found for place in places if (found := listed_sources(place))), [])),
        annotations=tuple(each for place in places for each in list_of(place.get("annotations"))),
    )
