"""A reply, and how to find its parts in a completion or a chunk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from parallel_mcp.chat.values import dict_of, list_of, text_of
from parallel_mcp.schemas.values import has_too_many_values


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, before it is turned into an answer.

    `whole` is False if the end or a part may be missing. `garbled` is True if some bytes were not UTF-8. `stopped` is
    the reason if the model stopped early. `listed` are the sources in fields that other services use, in order.
    """

    content: str
    basis: Sequence[Any]
    interaction_id: str | None
    whole: bool
    garbled: bool = False
    stopped: str | None = None
    listed: tuple[Any, ...] = ()
    annotations: tuple[Any, ...] = ()


_ENDED_WELL = frozenset({"stop", "end_turn", "tool_calls", "function_call", "eos", "complete", "completed"})


def stopped_early(finish_reason: Any) -> str | None:
    """A finish_reason that means an early stop, such as length, content_filter or error."""
    said = text_of(finish_reason)
    return None if said is None or said.strip().lower() in _ENDED_WELL else said


def listed_sources(place: Mapping[str, Any]) -> list[Any]:
    """`citations`, with details from `search_results`. Other services number their marks by these."""
    cited, results = list_of(place.get("citations")), list_of(place.get("search_results"))
    if not cited:
        return results
    by_url = {dict_of(result).get("url"): result for result in results}
    return [by_url.get(item, item) if isinstance(item, str) else item for item in cited]


def content_of_completion(completion: Mapping[str, Any]) -> str:
    """The text of a completion's first choice."""
    choice = first_choice(completion)
    return content_of(dict_of(choice.get("message"))) or content_of(dict_of(choice.get("delta")))


def first_choice(chunk: Mapping[str, Any]) -> dict[str, Any]:
    """The first of a chunk's choices, or an empty object."""
    choices = list_of(chunk.get("choices"))
    return dict_of(choices[0]) if choices else {}


def content_of(message: Mapping[str, Any]) -> str:
    """A message's text, which may be a list of parts."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "".join([text_of(dict_of(part).get("text")) or text_of(part) or "" for part in list_of(content)])


def begun_object(text: str, *, open_text: bool = True) -> dict[str, Any]:
    """The JSON object that a text starts. With `open_text`, an unclosed string counts too."""
    if has_too_many_values(text):
        return {}
    try:
        found = from_json(text[text.index("{") :], allow_partial="trailing-strings" if open_text else True)
    except ValueError:
        return {}
    return dict_of(found)
