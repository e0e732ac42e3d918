"""How a check ends when it does not pass: exceptions that carry the outcome and the student's sentence.

Not covered: the sentences about single values (`compare`), and what becomes of an exception (`plugin`).
"""

from harness.records import Outcome, Text


class Mismatch(AssertionError):
    """The student's answer is not the one expected."""

    def __init__(self, text: Text, *, counterexample: str | None = None) -> None:
        """`text` is for the student; `counterexample` is the smallest input that shows it, as Python source."""
        super().__init__(text.en)
        self.text = text
        self.counterexample = counterexample


class NoAnswer(Exception):
    """There is no answer to judge: the student's code raised, ran out of time, is missing, ..."""

    def __init__(self, outcome: Outcome, text: Text, *, counterexample: str | None = None) -> None:
        """`outcome` is how the call ended; `text` says so to the student."""
        super().__init__(text.en)
        self.outcome = outcome
        self.text = text
        self.counterexample = counterexample
