"""Reads the fields of a request that the Chat API acts on. The body may contain any others."""

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictStr, ValidationError

from parallel_mcp.sandbox.engine import Model
from parallel_mcp.sandbox.wire import Refusal


def _plain(part: Any) -> Any:
    """A text without lone surrogates, which JSON can bring and neither SQLite nor UTF-8 takes."""
    return part.encode("utf-8", "replace").decode() if isinstance(part, str) else part


class _Lenient(BaseModel):
    """Validates the fields named here. Any other field is accepted, whatever its value, and ignored."""

    model_config = ConfigDict(extra="ignore")


class _Said(_Lenient):
    role: Literal["system", "user", "assistant"]
    content: Annotated[StrictStr, AfterValidator(_plain)]
    name: StrictStr | None = None


class _JsonSchema(_Lenient):
    name: StrictStr
    description: StrictStr | None = None
    strict: StrictBool | None = None
    body: dict[str, Any] = Field(alias="schema")


class _TextFormat(_Lenient):
    type: Literal["text", "json_object"]


class _SchemaFormat(_Lenient):
    type: Literal["json_schema"]
    json_schema: _JsonSchema


class ChatRequest(_Lenient):
    """The fields that the Chat API acts on."""

    model: Model
    messages: Annotated[list[_Said], Field(min_length=1)]
    stream: StrictBool | None = None
    response_format: Annotated[_TextFormat | _SchemaFormat, Field(discriminator="type")] | None = None
    previous_interaction_id: StrictStr | None = None

    @property
    def schema_asked(self) -> dict[str, Any] | None:
        """The JSON schema that the answer should follow, if one was sent."""
        return self.response_format.json_schema.body if isinstance(self.response_format, _SchemaFormat) else None

    @property
    def wants_json(self) -> bool:
        """Whether a JSON object without a schema was asked for."""
        return isinstance(self.response_format, _TextFormat) and self.response_format.type == "json_object"

    @property
    def questions(self) -> list[str]:
        """The questions in these messages, in order. The last one is to be answered."""
        return [said.content for said in self.messages if said.role == "user"] or [self.messages[-1].content]


def read_request(body: bytes) -> ChatRequest:
    """Read a request body. Raises Refusal: 400 if it is not a JSON object, 422 if a field is invalid."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Refusal(400, f"The request body is not JSON: {reason}") from error
    if not isinstance(data, dict):
        raise Refusal(400, "The request body must be a JSON object.")
    try:
        return ChatRequest.model_validate(data)
    except ValidationError as error:
        raise Refusal(422, *_explain(error)) from error


def _explain(error: ValidationError) -> tuple[str, object]:
    rows = [
        {"loc": ["body", *map(_plain, each["loc"])], "msg": _message(each["loc"], each["msg"]), "type": each["type"]}
        for each in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    place = ".".join(map(str, rows[0]["loc"][1:]))
    return f"Request validation error: {place}: {rows[0]['msg']}", {"errors": rows[:20]}


def _message(place: tuple[int | str, ...], message: str) -> str:
    if place and place[0] == "messages" and place[-1] == "content":
        return "content must be a string; arrays of parts (multimodal input) are not supported"
    return message
