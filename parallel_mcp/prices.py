"""What a request costs, in US dollars: a flat price per request and model."""

from collections.abc import Mapping
from types import MappingProxyType

PRICES_OF = "2026-08"
"""The month in which Parallel last published these prices."""

PRICES: Mapping[str, float] = MappingProxyType({"speed": 0.005, "lite": 0.005, "base": 0.010, "core": 0.025})

FREE: Mapping[str, float] = MappingProxyType(dict.fromkeys(PRICES, 0.0))
"""The sandbox's prices."""
