"""A tool as the server lists it: it checks its arguments and returns expected failures as error results."""

import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any, cast

from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, Icon, TextContent, ToolAnnotations
from pydantic import ConfigDict, ValidationError

from parallel_mcp import errors, telemetry
from parallel_mcp.errors import ParallelError
from parallel_mcp.text import clean
from parallel_mcp.tools.context import app_of
from parallel_mcp.tools.habits import as_meant
from parallel_mcp.tools.page import ON_PAGE
from parallel_mcp.tools.published import published_arguments, published_result

logger = logging.getLogger(__name__)


class CheckedTool(Tool):
    """A tool that returns every expected failure as an error result in our own words."""

    @classmethod
    def of(cls, fn: Callable[..., Any], title: str, icon: Icon, **arguments: Mapping[str, Any]) -> "CheckedTool":
        """Make a tool of a function. Its docstring becomes the description; unknown arguments are refused.

        `arguments` are the published schemas of the arguments that depend on the settings.
        """
        tool = cls.from_function(
            fn,
            title=title,
            description=inspect.getdoc(fn),
            annotations=ToolAnnotations(read_only_hint=True),
            icons=[icon],
            meta=ON_PAGE,
        )
        checked = cast("CheckedTool", tool)
        known = checked.fn_metadata.arg_model
        strict = cast(
            "type[ArgModelBase]", type(known.__name__, (known,), {"model_config": ConfigDict(extra="forbid")})
        )
        checked.fn_metadata.arg_model = strict
        checked.parameters = published_arguments(strict.model_json_schema())
        checked.parameters["properties"] |= arguments
        checked.fn_metadata.output_schema = published_result(checked.fn_metadata.output_schema or {})
        return checked

    async def run(self, arguments: dict[str, Any], context: Any, convert_result: bool = False) -> Any:
        """Return the result. Only protocol errors are raised; all text that reaches a model is ours."""
        with telemetry.called(self.name) as call:
            return await self._run(arguments, context, call)

    async def _run(self, arguments: dict[str, Any], context: Any, call: telemetry.Call) -> Any:
        known = list(self.parameters["properties"])
        try:
            # Identify the caller before looking at anything else in the call.
            app_of(context).who(context)
            meant = as_meant(arguments, known)
            given = self.fn_metadata.arg_model.model_validate(meant).model_dump_one_level()
            # convert_result would validate our own models' output a second time.
            result = await self.fn(**given, **{cast("str", self.context_kwarg): context})
            call.gave(result.structured_content)
            return result
        except ValidationError as error:
            call.failed(errors.ArgumentError.kind)
            return error_result(_argument_words(error, known))
        except ParallelError as error:
            call.failed(error.kind)
            return error_result(str(error))
        except MCPError:
            raise
        except Exception:
            call.failed("unforeseen")
            logger.exception("%s failed unexpectedly", self.name)
            return error_result("This server failed unexpectedly; the details are in its log. Try once more.")


def error_result(text: str) -> CallToolResult:
    """An error as a tool result: text only, because hosts validate structured content even on errors."""
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)


def _argument_words(error: ValidationError, known: list[str]) -> str:
    words: list[str] = []
    for item in error.errors(include_url=False, include_input=False, include_context=False)[:5]:
        name = clean(".".join(str(part) for part in item["loc"][:1]), 60)
        said = _ARGUMENT_WORDS.get(item["type"], ": " + item["msg"].replace("Input should", "it should"))
        words.append(name + said)
    return f"The arguments are wrong: {'; '.join(dict.fromkeys(words))}. Known arguments: {', '.join(known)}."


_ARGUMENT_WORDS = {
    "missing": " is missing",
    "string_type": " must be a string",
    "dict_type": " must be a JSON object",
    "bool_type": " must be true or false",
    "bool_parsing": " must be true or false",
}
