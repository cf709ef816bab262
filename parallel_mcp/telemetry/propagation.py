"""Takes `traceparent` from a caller's trace, and nothing else.

OpenTelemetry would log baggage that it cannot parse, and a `tracestate` is untrusted text that would be passed on to
everyone who receives the trace.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import context, propagate
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import CarrierT, Getter, default_getter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator


class TraceparentOnly(TraceContextTextMapPropagator):
    """The W3C propagator, which reads no `tracestate`."""

    def extract(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        getter: Getter[CarrierT] = default_getter,
    ) -> Context:
        """The context with the caller's span."""
        parent = getter.get(carrier, self._TRACEPARENT_HEADER_NAME)
        taken = {self._TRACEPARENT_HEADER_NAME: parent[0]} if parent else {}
        return super().extract(taken, context)


def take_traceparent_only() -> None:
    """Make the SDK read nothing else in a request's `_meta` either."""
    propagate.set_global_textmap(TraceparentOnly())


@contextmanager
def continued(headers: Mapping[str, str]) -> Iterator[None]:
    """Continue the trace in an HTTP request's `traceparent`; one in `_meta` takes precedence."""
    token = context.attach(TraceparentOnly().extract(headers))
    try:
        yield
    finally:
        context.detach(token)
