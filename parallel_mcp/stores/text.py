"""Questions and answers as text in a store, and back again exactly as they were.

Plain ASCII JSON by the standard library: pydantic's own refuses lone surrogates and turns NaN into null,
and what came back must not be lost for either.
"""

import json

from parallel_mcp.models import Answer, Question


def written(value: Question | Answer) -> str:
    """The text to store."""
    return json.dumps(value.model_dump(), separators=(",", ":"))


def question(text: str | bytes) -> Question:
    """A stored question. Raises ValueError where it cannot be read."""
    return Question.model_validate(json.loads(text))


def answer(text: str | bytes) -> Answer:
    """A stored answer. Raises ValueError where it cannot be read."""
    return Answer.model_validate(json.loads(text))
