"""The page at `/`, for people who open the address in a browser."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Parallel MCP</title>
<style>body{font:1rem/1.6 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem;color:CanvasText;
background:Canvas;color-scheme:light dark}code{background:color-mix(in srgb,CanvasText 10%,Canvas);padding:.1em .3em}
</style></head><body>
<h1>Parallel MCP</h1>
<p>This is an MCP server. It answers questions from the web and does deep research with citations, for AI agents.</p>
<p>Agents connect to <code>/mcp</code> with the Streamable HTTP transport. <code>/healthz</code> tells whether the
server works.</p>
</body></html>
"""


async def home(_: Request) -> Response:
    """The same page for everyone. It reveals no settings."""
    return HTMLResponse(_PAGE, headers={"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"})
