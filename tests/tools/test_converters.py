"""The published schemas, run through the frameworks' own converters if those are installed."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

TOOLS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("tools_list.json").read_text("utf-8"))
SCHEMA = {"type": "object", "properties": {"reason": {"type": "string"}}}
CALLS: list[dict[str, Any]] = [{"question": "Why?"}, {"question": "Why?", "output_schema": SCHEMA}]

each_tool = pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool["name"])
each_call = pytest.mark.parametrize("call", CALLS, ids=["question", "schema"])


def as_mcp_tool(tool: dict[str, Any]) -> Any:
    types = pytest.importorskip("mcp.types")
    return types.Tool(**{key: tool[key] for key in ("name", "description", "inputSchema")})


@each_tool
def test_openai_strict_mode_leaves_the_schema_open(tool: dict[str, Any]) -> None:
    """Strict mode would close `output_schema`, so the SDK uses the schema as it is."""
    strict_schema = pytest.importorskip("agents.strict_schema")
    with pytest.raises(pytest.importorskip("agents.exceptions").UserError, match="additionalProperties"):
        strict_schema.ensure_strict_json_schema(copy.deepcopy(tool["inputSchema"]))
    closed = copy.deepcopy(tool["inputSchema"])
    del closed["properties"]["output_schema"]
    assert strict_schema.ensure_strict_json_schema(closed)["required"] == list(closed["properties"])


@each_tool
def test_gemini_takes_every_argument(tool: dict[str, Any]) -> None:
    convert = pytest.importorskip("google.genai._mcp_utils").mcp_to_gemini_tool
    declared = convert(as_mcp_tool(tool)).function_declarations[0].parameters
    assert list(declared.properties) == list(tool["inputSchema"]["properties"])
    assert declared.properties["output_schema"].type == "OBJECT"


@each_tool
@each_call
def test_smolagents_lets_what_is_optional_be_left_out(tool: dict[str, Any], call: dict[str, Any]) -> None:
    adapter = pytest.importorskip("mcpadapt.smolagents_adapter").SmolAgentsAdapter()
    validate = pytest.importorskip("smolagents.tools").validate_tool_arguments
    adapted = adapter.adapt(lambda arguments: arguments, as_mcp_tool(tool))
    validate(adapted, call)
    validate(adapted, {**call, "instructions": None})


@each_tool
@each_call
def test_crewai_passes_on_what_was_given(tool: dict[str, Any], call: dict[str, Any]) -> None:
    create = pytest.importorskip("crewai.utilities.pydantic_schema_utils").create_model_from_schema
    given = create(tool["inputSchema"]).model_validate(call).model_dump(exclude_none=True)
    assert given | call == given
