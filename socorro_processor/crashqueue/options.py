"""The options that all crash queues have."""

from __future__ import annotations

from socorro_processor.configuration import Namespace, Seconds
from socorro_processor.crashqueue.base import LONGEST_DELAY
from socorro_processor.crashqueue.fair_order import DEFAULT_WEIGHTS, parse_weights


def delivery_options() -> Namespace:
    """Return the options for the order and the delays of deliveries."""
    options = Namespace()
    options.add_option(
        "weights",
        default=DEFAULT_WEIGHTS,
        doc="numbers of crashes to take from each queue in turn while all have work",
        from_string_converter=parse_weights,
    )
    options.add_option(
        "retry_delays",
        default="1, 5, 15, 30, 60",
        doc="seconds until the first, second, ... retry of a crash; later retries use the last one; at most 60",
        from_string_converter=parse_delays,
    )
    options.add_option(
        "idle_delay",
        default=0.5,
        doc="seconds to wait for a crash before the processor attends to other work",
        from_string_converter=Seconds(above=True),
    )
    return options


def parse_delays(text: str) -> tuple[float, ...]:
    """Read delays like ``1, 5, 15``: seconds, growing, at most 60. Raises ValueError."""
    try:
        delays = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"retry_delays {text!r}: expected comma-separated seconds, e.g. '1, 5, 15'") from None
    if list(delays) != sorted(delays) or not 0 < delays[0] <= delays[-1] <= LONGEST_DELAY:
        raise ValueError(f"retry_delays {text!r}: expected seconds above 0 and at most 60, in ascending order")
    return delays
