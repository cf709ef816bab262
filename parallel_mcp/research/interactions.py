"""Which caller an `interaction_id` was given to.

Callers who share this server's key share Parallel's account too, where any of them could ask on from another's answer.
So each gets the ids with a mark of their own, and only ids with it are taken from them. Nothing has to be kept for it.
"""

import hashlib
import hmac

from parallel_mcp import errors
from parallel_mcp.models import Answer, Question
from parallel_mcp.research.principal import Principal

_MARK_CHARS = 16


def given(principal: Principal, answer: Answer) -> Answer:
    """The answer with the id as this caller gets it."""
    if answer.interaction_id is None or not _shares_a_key(principal):
        return answer
    marked = f"{answer.interaction_id}.{_mark(principal, answer.interaction_id)}"
    return answer.model_copy(update={"interaction_id": marked})


def taken(principal: Principal, question: Question) -> Question:
    """The question as Parallel gets it. Raises ArgumentError where its `follow_up_to` was not given to this caller."""
    if question.follow_up_to is None or not _shares_a_key(principal):
        return question
    interaction_id, _, mark = question.follow_up_to.rpartition(".")
    if not interaction_id or not hmac.compare_digest(mark.encode(), _mark(principal, interaction_id).encode()):
        raise errors.ArgumentError(
            "follow_up_to is not the interaction_id of an answer that was given to you: "
            "copy it whole from an earlier result, or leave it out."
        )
    return question.model_copy(update={"follow_up_to": interaction_id})


def _shares_a_key(principal: Principal) -> bool:
    """Whether others use the same key: on this machine and with a key of one's own nobody does."""
    return not principal.brought and principal.scope.caller != "local"


def _mark(principal: Principal, interaction_id: str) -> str:
    text = f"{principal.scope.caller}\n{interaction_id}".encode("utf-8", "surrogatepass")
    return hmac.new(principal.key.encode(), text, hashlib.sha256).hexdigest()[:_MARK_CHARS]
