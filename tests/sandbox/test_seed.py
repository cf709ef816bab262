"""The examples of the Chat API's quickstart, run for real with curl and the Python and TypeScript `openai` SDKs.

`seed/` has them as they were written. Only the base URL and the key are replaced when they run.
"""

import json
import os
import shutil
import sys
from pathlib import Path
from subprocess import PIPE

import anyio
import pytest

from tests.support.sandboxes import Caller

pytestmark = pytest.mark.anyio

SEED = Path(__file__).parent / "seed"
BASE = "https://api.parallel.ai"
HOW_TO = "run `npm install --no-save --no-package-lock` in tests/sandbox/seed, or name a folder in SEED_NODE_DIR"


def node_folder() -> Path:
    return Path(os.environ.get("SEED_NODE_DIR") or SEED)


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (node_folder() / "node_modules" / "tsx").is_dir(),
    reason=f"the Node packages of the seed's examples are not installed: {HOW_TO}",
)


async def run(command: list[str], folder: Path | None = None) -> str:
    """The output of a program, which must succeed."""
    environment = {**os.environ, "PARALLEL_API_KEY": "any-key", "NO_PROXY": "*", "no_proxy": "*"}
    with anyio.fail_after(60):
        done = await anyio.run_process(command, env=environment, cwd=folder, stderr=PIPE, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def written(name: str, url: str, folder: Path) -> Path:
    """An example as a file, with the sandbox's base URL instead of Parallel's."""
    text = (SEED / name).read_text()
    assert text.count(BASE) == 1
    path = folder / name
    path.write_text(text.replace(BASE, url))
    return path


def check_answer(printed: str) -> None:
    value = json.loads(printed)
    assert value.keys() == {"reasoning", "answer", "citations"}
    assert "sandbox" in value["answer"]
    assert "Not found in these documents" in value["answer"] or value["citations"]


@needs_curl
async def test_curl_example_prints_a_completion_whose_content_is_json(sandbox: Caller, tmp_path: Path) -> None:
    printed = json.loads(await run(["bash", str(written("speed.sh", sandbox.url, tmp_path))]))
    check_answer(printed["choices"][0]["message"]["content"])


@needs_curl
async def test_curl_streaming_example_prints_events_that_add_up_to_json(sandbox: Caller, tmp_path: Path) -> None:
    printed = await run(["bash", str(written("speed_stream.sh", sandbox.url, tmp_path))])
    *chunks, done = [line.removeprefix("data: ") for line in printed.splitlines() if line]
    assert done == "[DONE]"
    check_answer("".join(json.loads(chunk)["choices"][0]["delta"].get("content", "") for chunk in chunks))


@needs_curl
async def test_curl_research_example_prints_a_basis(sandbox: Caller, tmp_path: Path) -> None:
    printed = json.loads(await run(["bash", str(written("research.sh", sandbox.url, tmp_path))]))
    assert printed["basis"][0]["field"] == "output"
    assert printed["basis"][0]["confidence"] in {"low", "medium", "high"}


@pytest.mark.parametrize("name", ["speed.py", "speed_stream.py"])
async def test_python_example_prints_json(sandbox: Caller, tmp_path: Path, name: str) -> None:
    check_answer(await run([sys.executable, str(written(name, sandbox.url, tmp_path))]))


async def test_python_research_example_prints_the_answer_and_its_basis(sandbox: Caller, tmp_path: Path) -> None:
    printed = await run([sys.executable, str(written("research.py", sandbox.url, tmp_path))])
    assert "sandbox" in printed
    assert "'confidence'" in printed or "confidence=" in printed


async def typescript(name: str, sandbox: Caller) -> str:
    # The file must be where its imports are found.
    folder = node_folder()
    path = folder / f"run-{os.getpid()}-{name}"
    path.write_text((SEED / name).read_text().replace(BASE, sandbox.url))
    try:
        return await run(["node", "--import", "tsx", str(path)], folder)
    finally:
        path.unlink()


@needs_node
@pytest.mark.parametrize("name", ["speed.ts", "speed_stream.ts"])
async def test_typescript_example_prints_json(sandbox: Caller, name: str) -> None:
    # The streaming example ends its line with an escaped backslash, as in the quickstart.
    check_answer((await typescript(name, sandbox)).strip().removesuffix("\\n"))


@needs_node
async def test_typescript_research_example_prints_the_answer_and_its_basis(sandbox: Caller) -> None:
    printed = await typescript("research.ts", sandbox)
    assert "sandbox" in printed
    assert "confidence" in printed
