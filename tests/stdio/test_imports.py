"""The front and the engine load what their transport needs, and nothing else."""

import importlib.util
import sys
from pathlib import Path

import anyio
import pytest

from tests.support.fronts import RECORDER, engines, fronted
from tests.support.upstream import Upstream

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")]

# Every package that the engine loads besides the standard library. Additions cost start time and memory: are they
# needed before the first call?
PACKAGES = {
    *("aiohappyeyeballs", "aiohttp", "aiosignal", "annotated_types", "anyio", "attr", "attrs", "click", "cryptography"),
    *(
        "frozenlist",
        "h11",
        "httpcore2",
        "httpx2",
        "idna",
        "jsonschema",
        "jsonschema_rs",
        "jsonschema_specifications",
        "mcp",
        "mcp_types",
    ),
    *("multidict", "opentelemetry", "parallel_mcp", "platformdirs", "propcache", "pydantic", "pydantic_core"),
    *("python_multipart", "referencing", "rpds", "sniffio", "socksio", "sse_starlette", "stamina", "starlette"),
    *("tenacity", "truststore", "typing_extensions", "typing_inspection", "yarl"),
}

NEVER = (
    "uvicorn",
    "rich",
    "redis",
    "opentelemetry.sdk",
    "opentelemetry.exporter",
    "parallel_mcp.sandbox",
    "parallel_mcp.doctor",
    "parallel_mcp.http",
    "tomlkit",
    "ruamel",
)

FRONT = {
    "parallel_mcp",
    "parallel_mcp.__main__",
    "parallel_mcp.environment",
    "parallel_mcp.stdio",
    "parallel_mcp.stdio.child",
    "parallel_mcp.stdio.front",
    "parallel_mcp.stdio.orphan",
    "parallel_mcp.stdio.pipes",
    "parallel_mcp.stdio.snapshot",
}


@pytest.fixture
async def loaded(upstream: Upstream, tmp_path: Path) -> tuple[set[str], set[str]]:
    """The modules of a front, and of its engine after it has answered a call."""
    folder, store = anyio.Path(tmp_path / "recorder"), tmp_path / "research.sqlite3"
    await folder.mkdir()
    await (folder / "sitecustomize.py").write_text(RECORDER)
    async with fronted(upstream, store, PYTHONPATH=str(folder)) as front:
        await front.shake_hands()
        await front.request(2, "tools/call", {"name": "deep_research", "arguments": {"question": "Why?"}})
        await front.answer(2)
        engine = await (folder / str(engines(store)[0])).read_text()
        ours = await (folder / str(front.process.pid)).read_text()
    return set(ours.split()), set(engine.split())


async def test_the_front_loads_the_standard_library_and_little_of_it(loaded: tuple[set[str], set[str]]) -> None:
    ours = {name for name in loaded[0] if name.partition(".")[0] not in sys.stdlib_module_names}
    assert ours - {"sitecustomize", "usercustomize"} == FRONT
    assert not loaded[0] & {"typing", "pathlib", "logging", "asyncio", "inspect", "importlib.metadata"}


async def test_the_engine_loads_nothing_that_its_transport_does_not_need(loaded: tuple[set[str], set[str]]) -> None:
    assert not {name for name in loaded[1] if name.startswith(NEVER)}
    packages = {name.partition(".")[0] for name in loaded[1]} - set(sys.stdlib_module_names)
    installed = {name for name in packages if not name.startswith("_") and importlib.util.find_spec(name) is not None}
    assert installed - PACKAGES - {"sitecustomize", "usercustomize", "parallel_mcp"} == set()
