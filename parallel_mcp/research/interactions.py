"""Which caller an `interaction_id` was given to.

Callers who share this server's key share one account at Parallel, so each could continue from another's answer.
To prevent that, the ids that a caller gets are signed for that caller, and only those are accepted back. Nothing is
stored for it.
"""

import hashlib
import hmac

from parallel_mcp import errors
from parallel_mcp.models import Answer, Question
from parallel_mcp.research.principal import Principal

_MARK_CHARS = 16


def given(principal: Principal, answer: Answer) -> Answer:
    """The answer with its id signed for this caller."""
    if answer.interaction_id is None or not _shares_a_key(principal):
        return answer
    marked = f"{answer.interaction_id}.{_mark(principal, answer.interaction_id)}"
    return answer.model_copy(update={"interaction_id": marked})


def taken(principal: Principal, question: Question) -> Question:
    """The question as Parallel gets it. Raises ArgumentError if its `follow_up_to` was not given to this caller."""
    if question.follow_up_to is None or not _shares_a_key(principal):
        return question
    interaction_id, _, mark = question.follow_up_to.rpartition(".")
    if not interaction_id or not hmac.compare_digest(mark.encode(), _mark(principal, interaction_id).encode()):
        raise errors.ArgumentError(
            "follow_up_to is not an interaction_id that you were given: "
            "copy it in full from an earlier result, or omit it."
        )
    return question.model_copy(update={"follow_up_to": interaction_id})


def _shares_a_key(principal: Principal) -> bool:
    """Whether other callers use the same key. Nobody does on stdio, or if the caller brought it."""
    return not principal.brought and principal.scope.caller != "local"


def _mark(principal: Principal, interaction_id: str) -> str:
    text = f"{principal.scope.caller}\n{interaction_id}".encode("utf-8", "surrogatepass")
    return hmac.new(principal.key.encode(), text, hashlib.sha256).hexdigest()[:_MARK_CHARS]
