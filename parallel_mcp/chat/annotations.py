"""Sources in the annotations of OpenAI and others: `{type: url_citation, url_citation: {url, start_index, ...}}`."""

from collections.abc import Sequence
from typing import Any

from parallel_mcp.chat.citations import source_of
from parallel_mcp.chat.marks import marks_in
from parallel_mcp.chat.numbering import Source
from parallel_mcp.chat.values import dict_of

_MOST_MARK = 300


def annotated(content: str, annotations: Sequence[Any]) -> tuple[str, list[Source]]:
    """The content with URLs added to its annotated marks, and the sources in order."""
    said = [dict_of(item).get("url_citation") or item for item in annotations if _is_url_citation(item)]
    found = [(dict_of(item), source) for item in said if (source := source_of(item))[0]]
    parts: list[str] = []
    at = 0
    for item, (url, _, _) in sorted(found, key=_begin):
        start, end = item.get("start_index"), item.get("end_index")
        if isinstance(start, int) and isinstance(end, int) and at <= start < end <= len(content):
            marks = list(marks_in(content[start : min(end, start + _MOST_MARK)]))
            if len(marks) == 1 and marks[0].text == content[start:end].strip() and marks[0].url is None:
                parts += (content[at:start], f"[{marks[0].numbers[0]}]({url})")
                at = end
    return "".join((*parts, content[at:])), [source for _, source in found]


def _is_url_citation(item: Any) -> bool:
    return bool(dict_of(item).get("type", "url_citation") == "url_citation")


def _begin(found: tuple[dict[str, Any], Source]) -> int:
    start = found[0].get("start_index")
    return start if isinstance(start, int) else 0
