"""The parts of a running server that its pages show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from socorro_processor.collector.collector import Collector
from socorro_processor.monitoring.health import Health
from socorro_processor.web.minute_rates import MinuteRates
from socorro_processor.web.processor.processor_child import PART, ProcessorChild


class ProcessorState(NamedTuple):
    """The state of the processor beside the server."""

    is_here: bool
    """False if this server runs none."""
    pid: int | None = None
    problem: str = ""
    """Why it takes no crashes, or is not ready; empty if it is, or has yet to say."""
    has_reported: bool = True


@dataclass(frozen=True)
class ServerParts:
    collector: Collector
    health: Health
    processor: ProcessorChild | None
    rates: MinuteRates

    def processor_state(self) -> ProcessorState:
        processor = self.processor
        if processor is None:
            return ProcessorState(is_here=False)
        problem = self.health.problems().get(PART, "")
        return ProcessorState(True, processor.pid, problem, processor.has_reported)
