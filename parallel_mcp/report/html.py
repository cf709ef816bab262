"""A research run as a single HTML file, and the same page for hosts that support MCP Apps.

Both are `page/page.html`, built by `npm run build --prefix parallel_mcp/report/page`.
"""

import html
import json
import re
from functools import cache
from importlib.resources import files

from parallel_mcp.models import Research

_PLACE = "<!--research-->"
# JSON in a script element has to be ASCII and must not contain anything that looks like markup.
_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&"}
_SURROGATES = re.compile("[\ud800-\udfff]")


@cache
def app() -> str:
    """The page as a host loads it. The host then sends it what to show."""
    return files("parallel_mcp.report").joinpath("page", "page.html").read_text("utf-8")


def page(research: Research) -> str:
    """The page with a research run in it, which opens as a file and requests nothing."""
    data = json.dumps(research.model_dump()).translate(_ESCAPES)
    title = html.escape(_SURROGATES.sub("\ufffd", " ".join(research.question.split())[:120]))
    held = (
        '<meta http-equiv="Content-Security-Policy" content="font-src \'none\'">\n'
        f'<script type="application/json" id="research">{data}</script>'
    )
    return app().replace("<title>Parallel research</title>", f"<title>{title}</title>", 1).replace(_PLACE, held, 1)
