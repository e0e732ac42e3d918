"""Positions asked before their text is shown: what makes the fast path, one call for a whole text, safe.

A kernel that is given a text whole can read every answer in it, and one that keeps state can tell a check from the
scoring. So a secret random sample of positions is asked first, each with the true text up to it and a decoy after it,
and the rows that come are committed. When the text is then shown, (1) these rows must come again, and (2) the losses
at the sampled positions, where nobody could cheat, must not be worse than those elsewhere.

Not covered: a text that was learned before the run (`alarm`, with fresh text).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from harness.metrics.contract import Refused
from harness.metrics.perplexity.cuts import Cut, Passage, cuts_of_ids, cuts_of_words
from harness.metrics.perplexity.models import Model
from harness.metrics.perplexity.refusals import refused
from harness.metrics.perplexity.rows import Array, Ids, Rows
from harness.metrics.perplexity.rules import Rules
from harness.metrics.perplexity.tokenizers import StudentTokenizer, Tokenizer
from harness.metrics.perplexity.windows import Window

MOVED = 1e-3  # nats: ten times what float32 logits of some tens move by; fixed, so that no answer can widen it
USABLE = 0.5  # share of the audits under a student's tokenizer that must serve


@dataclass(frozen=True, slots=True)
class Audit:
    """One committed answer."""

    cut: Cut
    row: Array  # (1, V): the distribution after the ids up to the cut


class Audits:
    """The audits of several passages: asked in order, then held against the true text."""

    def __init__(self, rules: Rules, rng: np.random.Generator, *, apart: bool) -> None:
        """`rng` is secret: it draws positions and decoys. `apart`: the text will be shown to another kernel."""
        self.apart = apart
        self._rules = rules
        self._rng = rng
        self._made: dict[tuple[int, int], Audit] = {}
        self.tried = 0
        self.serving: set[tuple[int, int]] = set()  # (passage, position) whose row has come again

    def commit(self, passages: Sequence[Passage], model: Model, tokenizer: Tokenizer) -> None:
        """Ask for a sample of positions, in each passage from left to right, and keep what comes."""
        for round_ in self._rounds(passages, tokenizer):  # one cut of each passage: none shows what another one asks
            self.tried += len(round_)
            cuts = [cut for cut in round_ if cut is not None]
            for cut, row in zip(cuts, _rows(model, cuts, [cut.asked for cut in cuts]), strict=True):
                self._made[cut.passage, cut.position] = Audit(cut, row)

    def hold(self, passage: int, ids: Ids, *, window: Window, rows: Rows, model: Model) -> None:
        """Hold what `model` answered to a window of the true text, all of it in `ids`, against what was committed.

        Raises:
            Refused: a row has moved.
        """
        for position in range(window.first, window.end):
            audit = self._made.get((passage, position))
            if audit is None or audit.cut.window.begin != window.begin:
                continue
            if np.array_equal(audit.cut.seen, ids[:position]):
                at = len(rows) - (window.end - position)
                again = rows.distributions(at, at + 1)
                if _moved(again, audit.row):
                    raise _because(audit, ids, again, model)
                self.serving.add((passage, position))

    def require_enough(self) -> None:
        """Refuse a student's tokenizer under which too few audits serve; with the grader's own, all do.

        Raises:
            Refused: unauditable.
        """
        if len(self.serving) < USABLE * self.tried:
            raise refused("unauditable", audits=self.tried, kept=len(self.serving))

    def _rounds(self, passages: Sequence[Passage], tokenizer: Tokenizer) -> Iterator[Sequence[Cut | None]]:
        if isinstance(tokenizer, StudentTokenizer):
            return cuts_of_words(passages, tokenizer, self._rules, self._rng)
        return cuts_of_ids(passages, tokenizer, self._rules, self._rng)


def _because(audit: Audit, ids: Ids, again: Array, model: Model) -> Refused:
    """Why a row has moved: `model` is asked as the audit was, and with the one next token that it really has."""
    cut = audit.cut
    if _moved(_row(model, cut, cut.asked), audit.row) or not model.whole:
        return refused("unrepeatable")
    next_ = cut.position + 1 - cut.window.begin
    with_target = [*cut.asked[:next_], *ids[cut.position : cut.position + 1].tolist(), *cut.asked[next_ + 1 :]]
    only_target = not _moved(_row(model, cut, with_target[: len(cut.asked)]), again)
    return refused("target_in_key" if only_target else "looks_ahead", token=cut.position)


def _row(model: Model, cut: Cut, context: list[int]) -> Array:
    (row,) = _rows(model, [cut], [context])
    return row


def _rows(model: Model, cuts: Sequence[Cut], contexts: Sequence[list[int]]) -> Iterator[Array]:
    """The row at each cut, in the context beside it; a model that gives the last row alone sees no decoy."""
    ends = [cut.position + 1 - cut.window.begin for cut in cuts]
    given = [context if model.whole else context[:end] for context, end in zip(contexts, ends, strict=True)]
    for end, rows in zip(ends, model.ask(given), strict=True):
        at = end - 1 if model.whole else 0
        yield rows.distributions(at, at + 1)


def surprise(audited: Array, everything: Array) -> float:
    """A bound on the chance that an honest model loses as much as this at positions drawn at random.

    The sampled positions are a simple random sample of all, so the mean of their ranks, here R̄, obeys, however losses
    are distributed and tied,
        P(R̄ >= r) <= min over λ >= 0 of (M(λ) exp(-λ r))^n,   M(λ) = mean over all positions of exp(λ rank).

    Source: Hoeffding 1963, Probability Inequalities for Sums of Bounded Random Variables, section 6: sampling without
    replacement is dominated by sampling with it.

    Args:
        audited: losses of the n sampled positions.
        everything: losses of all positions that could have been drawn, the sampled ones included.

    >>> surprise(np.full(200, 3.0), np.full(1000, 3.0))
    1.0
    """
    if not 0 < len(audited) < len(everything):
        return 1.0
    ranks = stats.rankdata(everything) / len(everything)
    places = np.searchsorted(np.sort(everything), audited)
    mean = float(np.sort(ranks)[places].mean())

    def exponent(rate: float) -> float:
        return float(np.log(np.exp(rate * (ranks - 1)).mean()) + rate * (1 - mean))

    found = optimize.minimize_scalar(exponent, bounds=(0, 200), method="bounded")  # ranks near 1 alone ask for more
    return float(np.exp(min(0.0, len(audited) * found.fun)))


def _moved(row: Array, before: Array) -> bool:
    """Whether two distributions differ by more than rounding explains."""
    return bool(abs(np.log(row) - np.log(before)).max() > MOVED)
