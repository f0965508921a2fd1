"""An upload that the collector does not take."""

from __future__ import annotations


class Refused(Exception):
    """The upload cannot be taken, and the same upload will not be taken later either."""

    def __init__(self, status: int, code: str, words: str) -> None:
        """``status`` is HTTP's; ``code`` is a name for programs and metrics; ``words`` say why, and what to do."""
        super().__init__(words)
        self.status = status
        self.code = code
        self.words = words


def malformed(code: str, words: str) -> Refused:
    """Return the refusal of an upload that is not what its client meant to send."""
    return Refused(400, f"malformed_{code}", words)


def too_large(limit: str, what: str, maximum: int) -> Refused:
    """Return the refusal of an upload that exceeds a limit; ``limit`` is the name of its option."""
    return Refused(413, f"too_large_{limit}", f"{what} may be {maximum:,} at most (collector.{limit})")
