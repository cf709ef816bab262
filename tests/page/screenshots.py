"""Screenshots of the page for docs/images, from a real host, server and sandbox: python -m tests.page.screenshots

The answers are the sandbox's, from documents on this machine.
"""

import logging
import re
from pathlib import Path
from typing import Any

import anyio
from playwright.async_api import Browser, expect

from parallel_mcp.settings import Settings
from tests.page.harness import ROOT, Host, browsing, hosting, missing
from tests.support.upstream import upstream_running

IMAGES = ROOT / "docs" / "images"
QUESTION = {"question": "How does the with statement use a context manager?", "model": "core"}
SCHEMA = {
    "type": "object",
    "properties": {
        "context_manager": {"type": "string", "description": "What a context manager is"},
        "asynchronous_context_manager": {"type": "string"},
        "methods": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Methods of a context manager",
        },
        "minimum_python_version": {"type": "string", "description": "First Python version with the statement"},
    },
    "required": ["context_manager", "asynchronous_context_manager", "methods", "minimum_python_version"],
    "additionalProperties": False,
}
WIDE = {"viewport": {"width": 800, "height": 700}, "device_scale_factor": 1.25}
NARROW = {"viewport": {"width": 360, "height": 700}, "device_scale_factor": 1.25}


async def main() -> None:
    """Take them all."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    sandbox = Settings(sandbox=True, store="memory:")
    async with browsing() as browser:
        await answered(browser, sandbox, "report-light", WIDE, note=True)
        await answered(browser, sandbox, "report-dark", {**WIDE, "color_scheme": "dark"}, note=True)
        await answered(browser, sandbox, "report-narrow", NARROW)
        await answered(browser, sandbox, "report-structured", WIDE, output_schema=SCHEMA)
        await working(browser)
    for image in sorted(IMAGES.glob("report-*.png")):
        print(f"{image.relative_to(ROOT)}: {image.stat().st_size // 1000} kB")


async def answered(
    browser: Browser, settings: Settings, name: str, context: dict[str, Any], note: bool = False, **more: Any
) -> None:
    """The answer, and the note of a mark in it."""
    async with hosting(browser, settings, "http", **context) as host:
        await host.run("show", "deep_research", {**QUESTION, **more}, {"context": {"theme": theme(context)}})
        await host.run("call")
        await expect(host.view.locator("article, .fields").first).to_be_visible()
        if note:
            await host.view.locator(".mark").first.hover()
            await expect(host.view.get_by_role("dialog")).to_be_visible()
        await taken(host, name)


async def working(browser: Browser) -> None:
    """A run that has been working for half a minute."""
    async with upstream_running() as upstream:
        upstream.hold()
        settings = Settings(api_key="k", base_url=upstream.url, store="memory:", wait_seconds=0.1)
        async with hosting(browser, settings, "http", **{**WIDE, "viewport": {"width": 800, "height": 270}}) as host:
            capabilities = {"capabilities": {"serverTools": {}}, "answers": {"call": "not now"}}
            await host.run("show", "deep_research", {**QUESTION, "model": "base"}, capabilities)
            await host.run("call")
            await expect(host.view.get_by_role("button", name="Stop")).to_be_visible()
            await host.page.clock.fast_forward(34_000)
            await expect(host.view.locator(".clock")).to_have_text(re.compile("^3. s$"))
            await taken(host, "report-working")


def theme(context: dict[str, Any]) -> str:
    """What the host tells the page about the browser's colours."""
    return "dark" if context.get("color_scheme") == "dark" else "light"


async def taken(host: Host, name: str) -> None:
    """The window's content, without animations."""
    await host.page.screenshot(path=Path(IMAGES, f"{name}.png"), animations="disabled")


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    lacking = missing()
    if lacking is not None:
        raise SystemExit(f"The pictures need: {lacking}")
    anyio.run(main)
