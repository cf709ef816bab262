"""Fixtures for all tests."""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from anyio.from_thread import start_blocking_portal
from starlette.types import ASGIApp

from parallel_mcp.http import application
from parallel_mcp.settings import Settings
from tests.support.baited import answer
from tests.support.processes import Serve
from tests.support.telescope import Telescope, installed
from tests.support.upstream import Received, Upstream, serving, upstream_running

# No test depends on how fast the machine is.
hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Keeps a developer's own key, settings and research runs out of the tests."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))

    for name in os.environ:
        if name.startswith("PARALLEL_"):
            monkeypatch.delenv(name)
    yield


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = shutil.which("mount") and os.geteuid() == 0
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if not mounted or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a disk of one megabyte can be mounted by root only")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with upstream_running() as running:
        yield running


@pytest.fixture
def served(upstream: Upstream) -> Serve:
    """The HTTP server on a real socket in this process. Yields its URL."""

    @asynccontextmanager
    async def serve(**settings: Any) -> AsyncIterator[str]:
        whole = Settings(**{"api_key": "server-key", "base_url": upstream.url, "store": "memory:", **settings})
        async with serving(application(whole)) as url:
            yield url

    return serve


@pytest.fixture
def telescope() -> Iterator[Telescope]:
    telescope = installed()
    telescope.exporter.looking = True
    yield telescope
    telescope.exporter.looking = False


@pytest.fixture(scope="session")
def upstream_url() -> Iterator[str]:
    """The URL of a Chat endpoint that answers a schema with values that are expensive to check."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(upstream_running()) as upstream:

        async def reply(received: Received) -> ASGIApp:
            upstream.received.clear()
            return answer(received)

        upstream.reply = reply
        yield upstream.url


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The full matrix runs only on request: `pytest -m full`."""
    if "full" in (config.option.markexpr or ""):
        return
    left = [item for item in items if item.get_closest_marker("full")]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in left]
