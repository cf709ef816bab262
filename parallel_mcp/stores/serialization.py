"""Questions and answers as JSON text for a store, and back again unchanged.

pydantic rejects lone surrogates, so texts with any are written by the standard library, with an escape for each:
an answer must not be lost because of one.
"""

import json

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_json

from parallel_mcp.models import Answer, Question


def dump(value: Question | Answer) -> str:
    """The text to store."""
    try:
        # Not model_dump_json, which turns NaN into null.
        return to_json(value, inf_nan_mode="constants").decode()
    except PydanticSerializationError:
        text = json.dumps(value.model_dump(), separators=(",", ":"), ensure_ascii=False)
        return text.encode("utf-8", "backslashreplace").decode()


def load_question(text: str | bytes) -> Question:
    """A stored question. Raises ValueError if it is unreadable."""
    try:
        return Question.model_validate_json(text)
    except ValidationError:
        return Question.model_validate(json.loads(text))


def load_answer(text: str | bytes) -> Answer:
    """A stored answer. Raises ValueError if it is unreadable."""
    try:
        return Answer.model_validate_json(text)
    except ValidationError:
        return Answer.model_validate(json.loads(text))
