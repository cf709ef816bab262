"""Schemas as hosts are shown them: every byte is paid for in each conversation."""

from collections.abc import Mapping
from typing import Any, cast

_ANY_OBJECT: Mapping[str, Any] = {"additionalProperties": {}}
"""An object of any shape, as converters need it.

Gemini's fails on `additionalProperties: true`, CrewAI's closes an object that has properties, and OpenAI's strict mode
one that does not say that it is open: nothing could then be given in it.
"""

_DROPPED = frozenset({"title", "maxLength"})


def published_arguments(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A tool's arguments, with references inlined and without titles, lengths and docstrings.

    `anyOf` with null is refused by some hosts: what may be left out is `nullable` instead, which lets clients leave it
    out that otherwise want every argument. Nothing is said of further arguments: hosts add their own.
    """
    arguments = _inlined(schema)
    arguments.pop("additionalProperties", None)
    for argument in arguments["properties"].values():
        if "default" in argument:
            _make_optional(argument)
        if argument.get("type") == "object":
            argument.update(_ANY_OBJECT)
    return arguments


def published_result(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A tool's result, inlined in the same way; what may be null names null among its types.

    Every field is always there, at every depth; `required` says so of the outermost alone.
    """
    result = cast("dict[str, Any]", _with_types(_inlined(schema)))
    return {**result, "required": list(result["properties"])}


def _inlined(schema: Mapping[str, Any]) -> dict[str, Any]:
    body = {key: value for key, value in schema.items() if key != "$defs"}
    return cast("dict[str, Any]", _plain(body, cast("dict[str, Any]", schema.get("$defs", {}))))


def _plain(node: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_plain(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    node = _followed(node, definitions)
    plain: dict[str, Any] = {}
    for key, value in node.items():
        if key == "properties":
            plain[key] = {name: _plain(item, definitions) for name, item in value.items()}
        elif key not in _DROPPED:
            plain[key] = _plain(value, definitions)
    return plain


def _followed(node: dict[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """The node, or what its `$ref` names; a model's docstring is for us, not for hosts."""
    if "$ref" not in node:
        return {key: value for key, value in node.items() if key != "description" or "properties" not in node}
    target = cast("dict[str, Any]", definitions[node["$ref"].rsplit("/", 1)[1]])
    beside = {key: value for key, value in node.items() if key != "$ref"}
    return {**{key: value for key, value in target.items() if key != "description"}, **beside}


def _make_optional(argument: dict[str, Any]) -> None:
    kinds = [kind for kind in argument.pop("anyOf", ()) if kind.get("type") != "null"]
    if len(kinds) == 1:
        argument.update({key: value for key, value in kinds[0].items() if key not in argument})
    if argument["default"] in (None, False):
        del argument["default"]
    argument["nullable"] = True


def _with_types(node: Any) -> Any:
    """`anyOf` a type and null as one list of types; no word on further properties, so that more may come."""
    if isinstance(node, list):
        return [_with_types(item) for item in node]
    if not isinstance(node, dict):
        return node
    typed = {key: _with_types(value) for key, value in node.items() if key not in ("additionalProperties", "required")}
    kinds = typed.get("anyOf", ())
    if len(kinds) == 2 and kinds[1] == {"type": "null"}:
        kind = kinds[0]
        if "enum" in kind:
            return {"enum": [*kind["enum"], None]}
        return {**kind, "type": [kind["type"], "null"]}
    return typed
