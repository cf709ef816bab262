"""Questions and answers as JSON text in a store, and back again exactly as they were.

UTF-8 by pydantic. What it refuses, which is lone surrogates, is plain ASCII JSON by the standard library: what came
back must not be lost for that.
"""

import json

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_json

from parallel_mcp.models import Answer, Question


def dump(value: Question | Answer) -> str:
    """The text to store."""
    try:
        # Not model_dump_json, which makes null of NaN.
        return to_json(value, inf_nan_mode="constants").decode()
    except PydanticSerializationError:
        return json.dumps(value.model_dump(), separators=(",", ":"))


def load_question(text: str | bytes) -> Question:
    """A stored question. Raises ValueError where it cannot be read."""
    try:
        return Question.model_validate_json(text)
    except ValidationError:
        return Question.model_validate(json.loads(text))


def load_answer(text: str | bytes) -> Answer:
    """A stored answer. Raises ValueError where it cannot be read."""
    try:
        return Answer.model_validate_json(text)
    except ValidationError:
        return Answer.model_validate(json.loads(text))
