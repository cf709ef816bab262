"""Research runs: questions on their way to an answer, kept in a store and worked on by a service."""

from parallel_mcp.research.in_flight import AnswerInFlight, InFlight, ResearchInFlight
from parallel_mcp.research.principal import Principal, Scope, caller_of, payer_of
from parallel_mcp.research.records import Admission, NewRun, Outcome, ResearchRun, Settlement, Spent, join_key
from parallel_mcp.research.service import ResearchService, ServiceConfig
from parallel_mcp.research.store import INTERRUPTED, LEASE_SECONDS, MAX_ATTEMPTS, Store
from parallel_mcp.research.upstream import UpstreamHealth

__all__ = [
    "INTERRUPTED",
    "LEASE_SECONDS",
    "MAX_ATTEMPTS",
    "Admission",
    "AnswerInFlight",
    "InFlight",
    "NewRun",
    "Outcome",
    "Principal",
    "ResearchInFlight",
    "ResearchRun",
    "ResearchService",
    "Scope",
    "ServiceConfig",
    "Settlement",
    "Spent",
    "Store",
    "UpstreamHealth",
    "caller_of",
    "join_key",
    "payer_of",
]
