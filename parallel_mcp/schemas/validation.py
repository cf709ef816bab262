"""Why a value does not fit a schema. `jsonschema-rs` does the work, in bounded time except for the largest values."""

import json
from collections.abc import Iterator, Mapping
from itertools import groupby, islice
from typing import Any

from jsonschema_rs import Draft202012Validator, FancyRegexOptions, ValidationError

from parallel_mcp.schemas.places import dotted
from parallel_mcp.schemas.subschemas import plain
from parallel_mcp.schemas.values import MOST_ANSWER_DEPTH, MOST_ANSWER_VALUES, flaw_of, tokens
from parallel_mcp.schemas.words import telling, words_of

_MOST_ERRORS = 200

# Characters of the schema times those of the value. The library creates all errors before it returns the first one, so
# beyond this, which takes a fraction of a second, only the first error is requested.
_MOST_WORK = 20_000_000
_MOST_BACKTRACKING = 20_000
_MOST_PATTERN_BYTES = 1024 * 1024

# These would change how the schema is interpreted or resolved.
_NOT_RUN = frozenset({"$schema", "$id"})


def problems(schema: Mapping[str, Any], value: Any, limit: int = 5) -> list[str]:
    """Why `value` does not fit `schema`, in at most `limit` short sentences. Empty if it fits.

    `schema` has passed `lint`. `format` is ignored. Never raises. The caller has to limit the time that a
    hostile schema may take with a large value.
    """
    flaw = flaw_of(value, MOST_ANSWER_DEPTH, MOST_ANSWER_VALUES)
    if flaw is not None:
        return [f"{dotted(tokens(flaw.trail))}: not checked, because it has {flaw.words}"][:limit]
    try:
        validator = validator_of(plain(schema))
        if validator.is_valid(value):
            return []
        every = len(json.dumps(schema)) * len(json.dumps(value)) <= _MOST_WORK
        return list(islice(_sentences(validator, value, every), limit))
    except ValueError:
        return ["the answer: not checked, because the schema is not valid"][:limit]


def _first(validator: Draft202012Validator, value: Any) -> Iterator[ValidationError]:
    try:
        validator.validate(value)
    except ValidationError as error:
        yield error


def _sentences(validator: Draft202012Validator, value: Any, every: bool) -> Iterator[str]:
    said: set[str] = set()
    found = islice(validator.iter_errors(value) if every else _first(validator, value), _MOST_ERRORS)
    for (path, _), same in groupby(found, key=lambda error: (tuple(error.instance_path), _group(error))):
        errors = list(same)
        error = telling(errors[0])
        sentence = f"{dotted(error.instance_path or path)}: {words_of(error, errors if error is errors[0] else ())}"
        if sentence not in said:
            said.add(sentence)
            yield sentence


def _group(error: ValidationError) -> object:
    """Missing names at one place share a sentence. Every other error has its own."""
    return error.kind.name if error.kind.name == "required" else id(error)


def validator_of(schema: dict[str, Any]) -> Draft202012Validator:
    """A validator that fetches nothing, ignores formats, and gives up on patterns that backtrack too much.

    Raises ValueError if this is not a schema, or if a pattern is not a regular expression.
    """
    return Draft202012Validator(
        {key: value for key, value in schema.items() if key not in _NOT_RUN},
        validate_formats=False,
        offline=True,
        pattern_options=FancyRegexOptions(backtrack_limit=_MOST_BACKTRACKING, size_limit=_MOST_PATTERN_BYTES),
    )
