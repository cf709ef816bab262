"""A research run's sources as CSL-JSON, for Zotero, Pandoc and other citation processors."""

import json

from parallel_mcp.models import Research
from parallel_mcp.report.bibliography import Entry, entries


def csl(research: Research) -> str:
    """A list of `webpage` items."""
    return json.dumps([_item(entry) for entry in entries(research)], ensure_ascii=False, indent=1)


def _item(entry: Entry) -> dict[str, object]:
    day = entry.accessed
    item: dict[str, object] = {
        "id": entry.key,
        "type": "webpage",
        "title": entry.title,
        "container-title": entry.site,
        "URL": entry.url,
        "accessed": {"date-parts": [[day.year, day.month, day.day]]},
        "note": " / ".join(entry.excerpts),
    }
    return {name: value for name, value in item.items() if value}
