"""The Dockerfile and the compose files, as far as possible without a container engine."""

import subprocess
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
