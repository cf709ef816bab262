"""Schemas as hosts see them. Every byte costs tokens in every conversation."""

from collections.abc import Mapping
from typing import Any, cast

_ANY_OBJECT: Mapping[str, Any] = {"additionalProperties": {}}
"""An object of any shape, written so that every converter leaves it open.

Gemini's fails on `additionalProperties: true`. CrewAI's closes an object that has properties, and OpenAI's strict mode
closes one that does not say it is open; such an object would have to be empty.
"""

_DROPPED = frozenset({"title", "maxLength"})


def published_arguments(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A tool's arguments, with references inlined and without titles, lengths and docstrings.

    Some hosts refuse `anyOf` with null, so optional arguments are `nullable` instead; clients that would otherwise
    require every argument then leave them out. `additionalProperties` is dropped, because hosts add arguments.
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
    """A tool's result, inlined in the same way; fields that may be null list null among their types.

    Every field is always present, at every depth, but only the outermost are listed as `required`.
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
    """The node, or the target of its `$ref`. A model's docstring is dropped: it is for us, not for hosts."""
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
    """`anyOf` of a type and null becomes a list of types. `additionalProperties` is dropped, to allow new fields."""
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
