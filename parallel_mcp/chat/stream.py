"""Assembles the chunks of a stream into a reply."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from pydantic_core import from_json

from parallel_mcp import errors
from parallel_mcp.chat.citations import field_of
from parallel_mcp.chat.message import Reply, content_of, first_choice, listed_sources, stopped_early
from parallel_mcp.chat.refusal import Hide, error_in_answer, unreadable
from parallel_mcp.chat.values import dict_of, list_of, loaded, text_of
from parallel_mcp.errors import AnswerUnreadable, UpstreamError
from parallel_mcp.text import paired

_NOTED = frozenset({"basis", "interaction_id", "citations", "search_results", "annotations"})


@dataclass(slots=True)
class Assembly:
    """Assembles a stream: feed it each event, then ask for the reply.

    Unreadable parts are skipped, and the reply is then not whole. `hide` is applied to what errors quote.
    """

    hide: Hide = str
    done: bool = False
    said: bool = False
    _finished: bool = False
    _stopped: str | None = None
    _listed: Sequence[Any] = ()
    _annotations: list[Any] = field(default_factory=list)
    _basis: dict[str, list[Any]] = field(default_factory=dict)
    _interaction_id: str | None = None
    _parts: list[str] = field(default_factory=list)
    _chars: int = 0
    _unreadable: AnswerUnreadable | None = None

    def feed(self, data: str, name: str = "") -> str:
        """Take one event's data and name. Returns the text it added. Raises UpstreamError if the event is an error."""
        if not (name or self.done) and len(data) < _MOST_OF_A_DELTA and (words := _only_words(data)):
            self._parts.append(words)
            self.said = self.said or not words.isspace()
            return words
        if data.strip() == "[DONE]":
            self.done = True
        if self.done or not data.strip():
            return ""
        chunk = loaded(data)
        if not isinstance(chunk, dict):
            self._unreadable = self._unreadable or unreadable(data, chunk, self.hide)
            return ""
        if name == "error" or chunk.get("error"):
            raise error_in_answer(chunk, self.hide)
        added = self._taken(chunk)
        self._parts.append(added)
        self._chars += len(added)
        self.said = self.said or bool(added.strip())
        return added

    def _taken(self, chunk: Mapping[str, Any]) -> str:
        choice = first_choice(chunk)
        delta, message = dict_of(choice.get("delta")), dict_of(choice.get("message"))
        for place in (chunk, choice, message, delta):
            if not _NOTED.isdisjoint(place):
                self._note(place)
        self._finished = self._finished or bool(choice.get("finish_reason"))
        self._stopped = stopped_early(choice.get("finish_reason")) or self._stopped
        return content_of(delta) or self._more(content_of(message))

    def _note(self, place: Mapping[str, Any]) -> None:
        """Note the basis and interaction_id, wherever they are. Later entries about the same field win."""
        found: dict[str, list[Any]] = {}
        for entry in list_of(place.get("basis")):
            found.setdefault(field_of(entry), []).append(entry)
        self._basis |= found
        self._interaction_id = text_of(place.get("interaction_id")) or self._interaction_id
        self._listed = listed_sources(place) or self._listed
        self._annotations += list_of(place.get("annotations"))

    def _more(self, whole: str) -> str:
        """What a `message` adds. Some services repeat the whole text in it."""
        if not self.said or len(whole) < self._chars:
            return whole
        so_far = "".join(self._parts)
        return whole[len(so_far) :] if whole.startswith(so_far) else whole

    def reply(self, *, broken: bool = False) -> Reply:
        """What arrived. `broken` means that the stream did not end well. Raises UpstreamError if nothing arrived."""
        if not self.said:
            raise self._unreadable or self._nothing()
        whole = self._unreadable is None and (self.done or (self._finished and not broken))
        basis = list(chain.from_iterable(self._basis.values()))
        return Reply(
            content=paired("".join(self._parts)),
            basis=basis,
            interaction_id=self._interaction_id,
            whole=whole,
            stopped=self._stopped,
            listed=tuple(self._listed),
            annotations=tuple(self._annotations),
        )

    def _nothing(self) -> UpstreamError:
        if self.done or self._finished:
            return AnswerUnreadable("it has no content")
        return errors.ConnectionLost("the stream ended before the first word")


def _only_words(data: str) -> str | None:
    """The words of a chunk that contains nothing else, like nearly all, or None."""
    try:
        chunk = from_json(data)
        (choice,) = chunk["choices"]
        delta = choice["delta"]
        words: Any = delta["content"]
        plain = delta.keys() <= _IN_DELTA and choice.keys() <= _IN_CHOICE and chunk.keys() <= _IN_CHUNK
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return words if plain and isinstance(words, str) and not choice.get("finish_reason") else None


_MOST_OF_A_DELTA = 2_000
_IN_DELTA = frozenset({"role", "content"})
_IN_CHOICE = frozenset({"index", "delta", "finish_reason", "logprobs"})
_IN_CHUNK = frozenset({"id", "object", "created", "model", "choices", "system_fingerprint"})
