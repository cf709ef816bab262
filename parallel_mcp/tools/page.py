"""The report page, for hosts that show MCP Apps. Other hosts see a few bytes of `_meta`."""

from typing import Any

from mcp.server.apps import Apps, ResourceCsp

from parallel_mcp.report import html

PAGE_URI = "ui://report"

ON_PAGE: dict[str, Any] = {"ui": {"resourceUri": PAGE_URI}}
"""The `_meta` of a tool whose results the page shows. Hosts never show it to a model, so one list serves everybody."""


def page_extension() -> Apps:
    """The page as an MCP App. It loads nothing from the network, and asks the host for a border."""
    apps = Apps()
    apps.add_html_resource(PAGE_URI, html.app(), name="report", title="Report", csp=ResourceCsp(), prefers_border=True)
    return apps
