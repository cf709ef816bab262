"""Describes validation errors in our own words."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from jsonschema_rs import ValidationError

from parallel_mcp.schemas.places import listed, quoted


def telling(error: ValidationError) -> ValidationError:
    """The most helpful error: within a union, that of the only form whose type fits."""
    if error.kind.name == "propertyNames":
        return telling(_kind(error).error)
    while context := getattr(error.kind, "context", None):
        fitting = [form for form in context if not _is_of_another_type(form, error)]
        if len(fitting) != 1 or not fitting[0]:
            return error
        error = fitting[0][0]
    return error


def _is_of_another_type(form: Sequence[ValidationError], union: ValidationError) -> bool:
    return any(error.kind.name == "type" and error.instance_path == union.instance_path for error in form)


def words_of(error: ValidationError, same: Sequence[ValidationError] = ()) -> str:
    """What is wrong. The library's own messages print the whole value. `same` are all errors of its kind and place."""
    keyword, value = error.kind.name, error.instance
    if keyword == "contains":
        # minContains and maxContains are of this kind, too.
        keyword = str(error.schema_path[-1])
    if keyword == "required":
        return f"lacks {listed(_kind(each).property for each in (same or (error,)))}"
    if keyword in _LIMITS:
        return _LIMITS[keyword].format(rule=quoted(error.kind.value), value=quoted(value))
    if keyword in _PHRASES:
        return _PHRASES[keyword](error)
    return f"{quoted(value)} is not allowed here"


_LIMITS = {
    "const": "expected {rule}, not {value}",
    "minimum": "{value} is less than {rule}",
    "maximum": "{value} is more than {rule}",
    "exclusiveMinimum": "{value} is not more than {rule}",
    "exclusiveMaximum": "{value} is not less than {rule}",
    "multipleOf": "{value} is not a multiple of {rule}",
    "minLength": "{value} is shorter than {rule} characters",
    "maxLength": "{value} is longer than {rule} characters",
    "minItems": "fewer than {rule} items",
    "maxItems": "more than {rule} items",
    "uniqueItems": "has the same item twice",
    "contains": "no item matches the required form (contains)",
    "minContains": "fewer than {rule} items match the required form (contains)",
    "maxContains": "more than {rule} items match the limited form (contains)",
    "minProperties": "fewer than {rule} properties",
    "maxProperties": "more than {rule} properties",
    "not": "{value} matches a form that is not allowed (not)",
    "pattern": "{value} does not match the pattern",
    "unevaluatedItems": "has items that the schema does not allow",
    "unevaluatedProperties": "has properties that the schema does not allow",
}

_TYPES = {
    "string": "a string",
    "number": "a number",
    "integer": "an integer",
    "boolean": "true or false",
    "null": "null",
    "object": "an object",
    "array": "a list",
}


def _kind(error: ValidationError) -> Any:
    """The error's kind. The library's stubs omit its classes."""
    return error.kind


def _types(names: str | Iterable[str]) -> str:
    names = [names] if isinstance(names, str) else sorted(names, key=list(_TYPES).index)
    return " or ".join(dict.fromkeys(_TYPES.get(name, name) for name in names))


def _wrong_type(error: ValidationError) -> str:
    return f"expected {_types(_kind(error).types)}, not {quoted(error.instance)}"


def _wrong_choice(error: ValidationError) -> str:
    return f"expected one of {listed(_kind(error).options)}, not {quoted(error.instance)}"


def _unexpected(error: ValidationError) -> str:
    return f"has {listed(_kind(error).unexpected)}, which the schema does not allow"


def _no_form_fits(error: ValidationError) -> str:
    forms = _kind(error).context
    if not all(forms):
        return f"{quoted(error.instance)} matches more than one form, but may match only one (oneOf)"
    if all(_is_of_another_type(form, error) for form in forms):
        names = {name for form in forms for each in form if each.kind.name == "type" for name in _kind(each).types}
        return f"expected {_types(names)}, not {quoted(error.instance)}"
    return f"{quoted(error.instance)} matches none of the {len(forms)} allowed forms"


_PHRASES: dict[str, Callable[[ValidationError], str]] = {
    "type": _wrong_type,
    "enum": _wrong_choice,
    "additionalProperties": _unexpected,
    "anyOf": _no_form_fits,
    "oneOf": _no_form_fits,
}
