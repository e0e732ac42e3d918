"""What an assignment fixes about a measurement before any text is seen: the same for every submission.

Not covered: which text (`measure`), and the tokenizer (`tokenizers`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from harness.errors import ConfigurationError

Kind = Literal["logits", "log_probabilities", "probabilities"]

IDS = ("list", "tensor")
KINDS = ("logits", "log_probabilities", "probabilities")
AUDITS = 200  # the protocol's least number of positions asked before their text is shown
ANSWER_BYTES = 60 * 2**20  # of one answer in float32; a message of the wire carries 64 MiB


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How the model is asked and read. Stated in the assignment, so that students can compute their own figure."""

    kind: Kind = "logits"  # what a row holds; the grader normalises it in float64
    rows: Literal["all", "last"] = "all"  # shape of an answer to T ids: (T, V), row t after ids[: t + 1]; or (V,)
    ids: Literal["list", "tensor"] = "list"  # how the model receives its context: list[int], or int64 tensor (T,)
    context: int = 256  # ids read at most, the start token included
    stride: int | None = None  # ids predicted by each window after the first; None: as many as the context
    start: int = 0  # the id that stands before every text
    vocabulary_size: int | None = None  # V, where the model has ids that the tokenizer has not; None: the tokenizer's
    audits: int = AUDITS  # positions asked before their text is shown; fewer only where there are fewer
    sampled: tuple[int, int] = (100, 200)  # documents drawn from a source, and their length in its units

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ConfigurationError: a value that no measurement can follow.
        """
        stated = {"kind": (self.kind, KINDS), "rows": (self.rows, ("all", "last")), "ids": (self.ids, IDS)}
        for name, (value, allowed) in stated.items():
            if value not in allowed:
                raise _wrong(f"{name}={value!r}", f"Give one of {', '.join(allowed)}.")
        if self.context < 1 or not 1 <= self.predicted <= self.context:
            raise _wrong(
                f"context={self.context}, stride={self.stride}",
                "Give a context from 1, a stride from 1 to the context.",
            )
        if self.start < 0 or min(self.sampled) < 1:
            raise _wrong(f"start={self.start}, sampled={self.sampled}", "Give an id from 0, and counts from 1.")
        if self.audits < AUDITS:
            raise _wrong(f"audits={self.audits}", f"Give {AUDITS} or more: below, too little would be noticed.")

    @property
    def predicted(self) -> int:
        """Ids predicted by each window after the first."""
        return self.context if self.stride is None else self.stride

    def width(self, tokenizer_size: int) -> int:
        """V: how many numbers a row has.

        Raises:
            ConfigurationError: V is smaller than the tokenizer's, lacks the start token, or is too large to send.
        """
        width = tokenizer_size if self.vocabulary_size is None else self.vocabulary_size
        if width < max(tokenizer_size, self.start + 1, 2):
            raise _wrong(
                f"vocabulary_size={width} with a tokenizer of {tokenizer_size} ids and start={self.start}",
                "Give the model's own number of ids: two or more, every id of the tokenizer and the start among them.",
            )
        longest = self.context if self.rows == "all" else 1
        if longest * width * 4 > ANSWER_BYTES:
            raise _wrong(
                f"context={longest} rows of {width} numbers do not fit into one answer",
                f"Give a context of {ANSWER_BYTES // (4 * width)} at most.",
            )
        return width


def rules_of(stated: Mapping[str, Any]) -> Rules:
    """`stated` as rules.

    Raises:
        ConfigurationError: a name that is no rule, or a value that cannot be.
    """
    known = [field.name for field in fields(Rules)]
    unknown = set(stated) - set(known)
    if unknown:
        raise _wrong(f"{', '.join(sorted(unknown))} is no option", f"There are {', '.join(known)}.")
    return Rules(**stated)


def _wrong(what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"perplexity cannot be measured so: {what}", remedy=remedy)
