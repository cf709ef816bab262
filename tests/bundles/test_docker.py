"""The Dockerfile and the compose files, as far as possible without a container engine."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

from parallel_mcp.settings import SECRETS, fields, variable
from tests.bundles import NODE, ROOT


def test_the_dockerfile_has_no_finding() -> None:
    done = subprocess.run([NODE / "dockerfile-utils", "lint", "Dockerfile"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stdout.strip(), done.stdout


def test_what_the_image_copies_is_let_through_to_it() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    copied: set[str] = set()
    for line in (ROOT / "Dockerfile").read_text("utf-8").splitlines():
        command, *words = line.split()[:1] + line.split()[1:] if line.strip() else [""]
        if command == "COPY" and not words[0].startswith("--from"):
            copied |= {word.removeprefix("./") for word in words[:-1]}
    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)


def test_every_variable_of_the_compose_files_is_a_setting() -> None:
    known = {variable(name) for name in fields()} | {f"{variable(name)}_FILE" for name in SECRETS}
    for path in sorted(ROOT.glob("compose*.yaml")):
        services = YAML(typ="safe").load(path.read_text("utf-8"))["services"]
        named = {name for service in services.values() for name in service.get("environment") or {}}
        assert named and named <= known, (path.name, named - known)


def test_the_image_names_only_settings() -> None:
    text = Path(ROOT / "Dockerfile").read_text("utf-8")
    named = {word.partition("=")[0] for word in text.split() if word.startswith("PARALLEL_MCP_")}
    assert named and named <= {variable(name) for name in fields()}


def test_what_the_image_starts_passes_its_own_health_check(tmp_path: Path) -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    started = [
        word for name in ("ENTRYPOINT", "CMD") for word in json.loads(re.findall(rf"^{name} (.+)$", text, re.M)[0])
    ]
    check = json.loads(re.findall(r"HEALTHCHECK.*\n\s+CMD (.+)$", text, re.M)[0])
    environ = dict(re.findall(r'(PARALLEL_MCP_\w+)="(.*?)"', text))
    port = environ["PARALLEL_MCP_PORT"]
    environ |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    environ |= {"PARALLEL_MCP_STORE": str(tmp_path / "research.sqlite3"), "PARALLEL_MCP_PORT": "0"}
    environ |= {"PARALLEL_MCP_SANDBOX": "true", "PARALLEL_MCP_ACCESS_TOKENS": "alice:a-long-secret-of-hers"}
    with subprocess.Popen(started, env=environ, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr
        bound = next(found[1] for line in server.stderr if (found := re.search(r":(\d+)/mcp", line)))
        assert check[-1].count(f":{port}/") == 1
        healthy = [*check[:-1], check[-1].replace(f":{port}/", f":{bound}/")]
        done = subprocess.run(healthy, env=environ, capture_output=True, text=True, timeout=30)
        server.terminate()
    assert (done.returncode, server.returncode) == (0, 0), done.stderr
