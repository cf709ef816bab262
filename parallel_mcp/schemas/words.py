"""What a validation error says, in our words."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from jsonschema import ValidationError

from parallel_mcp.schemas.places import dotted, listed, quoted


def telling(error: ValidationError) -> ValidationError:
    """The error that says most: within a union, that of the one form whose type fits."""
    while error.context:
        fitting = [each for each in error.context if each.validator != "type" or each.relative_path]
        if len({next(iter(each.relative_schema_path), None) for each in fitting}) != 1:
            return error
        error = fitting[0]
    return error


def sentence_of(error: ValidationError) -> str:
    """Where an answer does not fit, and why."""
    return f"{dotted(error.absolute_path)}: {words_of(error)}"


def words_of(error: ValidationError) -> str:
    """What is wrong, in our words: jsonschema's own print the whole value."""
    keyword, rule, value = str(error.validator), error.validator_value, error.instance
    if keyword in _LIMITS:
        return _LIMITS[keyword].format(rule=quoted(rule), value=quoted(value))
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
    "contains": "no item is of the form that one must have (contains)",
    "minContains": "fewer than {rule} items are of the form that they must have (contains)",
    "maxContains": "more than {rule} items are of a form that is limited (contains)",
    "minProperties": "fewer than {rule} properties",
    "maxProperties": "more than {rule} properties",
    "not": "{value} is of a form that is ruled out (not)",
    "pattern": "{value} is not of the right form",
    "unevaluatedItems": "has items that are not in the schema",
    "unevaluatedProperties": "has properties that are not in the schema",
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


def _types(names: str | Iterable[str]) -> str:
    names = [names] if isinstance(names, str) else names
    return " or ".join(dict.fromkeys(_TYPES.get(name, name) for name in names))


def _wrong_type(error: ValidationError) -> str:
    names: Any = error.validator_value
    return f"expected {_types(names)}, not {quoted(error.instance)}"


def _wrong_choice(error: ValidationError) -> str:
    options: Any = error.validator_value
    return f"expected one of {listed(options)}, not {quoted(error.instance)}"


def _missing(error: ValidationError) -> str:
    names: Any = error.validator_value
    value: Any = error.instance
    return f"lacks {listed(name for name in dict.fromkeys(names) if name not in value)}"


def _missing_beside(error: ValidationError) -> str:
    needed_by: Any = error.validator_value
    value: Any = error.instance
    needed = (name for present, names in needed_by.items() if present in value for name in names)
    return f"lacks {listed(dict.fromkeys(name for name in needed if name not in value))}"


def _unexpected(error: ValidationError) -> str:
    schema: Any = error.schema
    value: Any = error.instance
    return f"has {listed(name for name in value if name not in schema.get('properties', ()))}, not in the schema"


def _no_form_fits(error: ValidationError) -> str:
    forms: Any = error.validator_value
    if not error.context:
        return f"{quoted(error.instance)} is of more than one form, and only one may fit (oneOf)"
    if all(each.validator == "type" and not each.relative_path for each in error.context):
        return f"expected {_types(_type_names(error.context))}, not {quoted(error.instance)}"
    return f"{quoted(error.instance)} is of none of the {len(forms)} forms that it may have"


def _type_names(errors: Iterable[ValidationError]) -> Iterator[str]:
    for error in errors:
        names: Any = error.validator_value
        yield from [names] if isinstance(names, str) else names


_PHRASES: dict[str, Callable[[ValidationError], str]] = {
    "type": _wrong_type,
    "enum": _wrong_choice,
    "required": _missing,
    "dependentRequired": _missing_beside,
    "additionalProperties": _unexpected,
    "anyOf": _no_form_fits,
    "oneOf": _no_form_fits,
}
