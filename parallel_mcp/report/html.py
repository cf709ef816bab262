"""A research run as one HTML file, and the same page for hosts that show MCP Apps.

Both are `page/page.html`, which `npm run build --prefix parallel_mcp/report/page` makes.
"""

import html
import json
import re
from functools import cache
from importlib.resources import files

from parallel_mcp.models import Research

_PLACE = "<!--research-->"
# JSON inside a script element: ASCII, and nothing in it may look like markup.
_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&"}
_SURROGATES = re.compile("[\ud800-\udfff]")


@cache
def app() -> str:
    """The page as a host loads it: it gets what it shows from the host."""
    return files("parallel_mcp.report").joinpath("page", "page.html").read_text("utf-8")


def page(research: Research) -> str:
    """The page with a research run in it, which opens by itself and asks for nothing."""
    data = json.dumps(research.model_dump()).translate(_ESCAPES)
    title = html.escape(_SURROGATES.sub("\ufffd", " ".join(research.question.split())[:120]))
    held = (
        '<meta http-equiv="Content-Security-Policy" content="font-src \'none\'">\n'
        f'<script type="application/json" id="research">{data}</script>'
    )
    return app().replace("<title>Parallel research</title>", f"<title>{title}</title>", 1).replace(_PLACE, held, 1)
