"""What came back, and where its words are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from parallel_mcp.chat.values import dict_of, list_of, text_of


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, before it is understood.

    `whole` is False where the end, or a part, may be missing; `garbled` where bytes were no UTF-8. `stopped` says why
    the model ended too early, where it did. `listed` are the sources in the fields of other services, in their order.
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
    """A finish_reason other than the ordinary ones: length, content_filter, error."""
    said = text_of(finish_reason)
    return None if said is None or said.strip().lower() in _ENDED_WELL else said


def listed_sources(place: Mapping[str, Any]) -> list[Any]:
    """`citations`, with what `search_results` say of the same; other services count their marks by these."""
    cited, results = list_of(place.get("citations")), list_of(place.get("search_results"))
    if not cited:
        return results
    by_url = {dict_of(result).get("url"): result for result in results}
    return [by_url.get(item, item) if isinstance(item, str) else item for item in cited]


def content_of_completion(completion: Mapping[str, Any]) -> str:
    """The words of a completion's first choice."""
    choice = first_choice(completion)
    return content_of(dict_of(choice.get("message"))) or content_of(dict_of(choice.get("delta")))


def first_choice(chunk: Mapping[str, Any]) -> dict[str, Any]:
    """The first of a chunk's choices; an empty object where it has none."""
    choices = list_of(chunk.get("choices"))
    return dict_of(choices[0]) if choices else {}


def content_of(message: Mapping[str, Any]) -> str:
    """A message's text, also where it comes as a list of parts."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "".join([text_of(dict_of(part).get("text")) or text_of(part) or "" for part in list_of(content)])


def begun_object(text: str, *, open_text: bool = True) -> dict[str, Any]:
    """The JSON object that a text begins; with `open_text`, a string that is not closed counts too."""
    try:
        found = from_json(text[text.index("{") :], allow_partial="trailing-strings" if open_text else True)
    except ValueError:
        return {}
    return dict_of(found)
