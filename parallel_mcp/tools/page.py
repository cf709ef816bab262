"""The report page in hosts that show MCP Apps; to all others it is a few bytes of `_meta`."""

from typing import Any

from mcp.server.apps import Apps, ResourceCsp

from parallel_mcp.report import html

PAGE_URI = "ui://report"

ON_PAGE: dict[str, Any] = {"ui": {"resourceUri": PAGE_URI}}
"""The `_meta` of a tool whose results the page shows; hosts show it to no model, so one list serves everybody."""


def page_extension() -> Apps:
    """The page as the host loads it: it loads nothing from anywhere, and asks the host for a border."""
    apps = Apps()
    apps.add_html_resource(PAGE_URI, html.app(), name="report", title="Report", csp=ResourceCsp(), prefers_border=True)
    return apps
