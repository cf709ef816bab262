"""One version, one list of tools and one description, wherever this project describes itself."""

import json
import re
import subprocess
import tomllib
from importlib.metadata import version
from typing import Any

import pytest
from mcp import Client

from parallel_mcp.models import Model
from parallel_mcp.prompts import PROMPTS
from parallel_mcp.server import build
from parallel_mcp.settings import SECRETS, Settings, fields, variable
from tests.bundles import ROOT

pytestmark = pytest.mark.anyio

SKILL = ROOT / "skills" / "parallel-research" / "SKILL.md"


def _json(name: str) -> Any:
    return json.loads((ROOT / name).read_text("utf-8"))


MANIFEST, REGISTRY = _json("manifest.json"), _json("server.json")
PLUGIN, CLAUDE = _json("plugin.json"), _json(".claude-plugin/plugin.json")
MARKETPLACE, PLUGIN_SERVERS = _json(".claude-plugin/marketplace.json"), _json("mcp.json")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


async def _tools() -> set[str]:
    async with Client(build(Settings(sandbox=True, store="memory:"))) as client:
        return {tool.name for tool in (await client.list_tools()).tools}


def test_there_is_one_version() -> None:
    told = [one["version"] for one in (PROJECT, MANIFEST, REGISTRY, *REGISTRY["packages"], PLUGIN, CLAUDE)]
    assert set(told) == {version("parallel-mcp")}
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_there_is_one_description_and_one_name() -> None:
    told = (MANIFEST, REGISTRY, PLUGIN, CLAUDE, MARKETPLACE, *MARKETPLACE["plugins"])
    assert len({one["description"] for one in told}) == 1
    names = {one["name"] for one in (PROJECT, MANIFEST, PLUGIN, CLAUDE, MARKETPLACE, *MARKETPLACE["plugins"])}
    assert names == {"parallel-mcp"} == {package["identifier"] for package in REGISTRY["packages"]}


def test_every_address_of_the_repository_is_the_one_in_pyproject() -> None:
    addresses = PROJECT["urls"]
    own = addresses["Source"].removeprefix("https://github.com/")
    assert REGISTRY["name"] == f"io.github.{own}"
    assert all(address.startswith(f"https://github.com/{own}") for address in addresses.values())
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    texts = [(ROOT / name).read_bytes() for name in listed if name and (ROOT / name).is_file()]
    repository = own.rpartition("/")[2]
    named = {found for text in texts for found in re.findall(rf"github\.com/([\w.-]+/{repository})\b".encode(), text)}
    assert named == {own.encode()}


def test_the_readme_claims_the_name_in_the_registry() -> None:
    assert f"mcp-name: {REGISTRY['name']}" in (ROOT / "README.md").read_text("utf-8")


async def test_the_tools_are_the_servers_own() -> None:
    tools = await _tools()
    assert {tool["name"] for tool in MANIFEST["tools"]} == tools
    text = SKILL.read_text("utf-8")
    assert set(re.findall(r"`(web_\w+|deep_\w+)`", text)) == tools
    readme = (ROOT / "README.md").read_text("utf-8")
    assert all(f"`{name}`" in readme for name in (*tools, *PROMPTS))


def test_only_settings_are_set_and_a_secret_is_called_one() -> None:
    known = {variable(name) for name in fields()}
    secret = {variable(name) for name in SECRETS}
    for one in REGISTRY["packages"][0]["environmentVariables"]:
        assert one["name"] in known
        assert one["isSecret" if one["name"] in secret else "isRequired"] is (one["name"] in secret)
    environ = MANIFEST["server"]["mcp_config"]["env"]
    assert set(environ) <= known
    asked = {name: re.fullmatch(r"\$\{user_config\.(\w+)\}", value) for name, value in environ.items()}
    for name, field in asked.items():
        assert field is not None
        assert bool(MANIFEST["user_config"][field[1]].get("sensitive")) is (name in secret)


def test_both_plugins_start_the_same_server() -> None:
    same = json.dumps(CLAUDE["mcpServers"]).replace("CLAUDE_PLUGIN_", "PLUGIN_")
    assert json.loads(same) == PLUGIN_SERVERS["mcpServers"]


def test_the_skill_is_one_screen_and_its_table_is_the_table_of_models() -> None:
    lines = SKILL.read_text("utf-8").splitlines()
    assert len(lines) <= 60
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d[^|]+ \| [^|]+) \|", "\n".join(lines), re.MULTILINE))
    assert rows == {
        str(model): f"{model.usual_time} | {model.price_usd:.3f} USD" for model in Model if model.researches
    }
    assert f"Seconds, {Model.SPEED.price_usd:.3f} USD" in SKILL.read_text("utf-8")
    # A dollar sign before a digit is an argument if a host runs the skill as a command.
    assert not re.search(r"\$\d", SKILL.read_text("utf-8"))


def test_the_readmes_table_of_tools_is_the_table_of_models() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    models = [model for model in Model if model.researches]
    prices = ", ".join(f"${model.price_usd:.3f}" for model in models)
    assert f"| ${Model.SPEED.price_usd:.3f} | {prices} |" in readme
    assert f"| seconds | {', '.join(model.usual_time for model in models)} |" in readme
