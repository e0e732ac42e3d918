"""The order in which a model is shown a text, and what its predictions cost.

First the audits (where the kernel could look ahead or keep the text), then the text itself, then the judgement on both.
Not covered: what is made of the figures (`lm`, `measured`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.errors import ConfigurationError
from harness.metrics.perplexity.audits import Audits, surprise
from harness.metrics.perplexity.cuts import Passage, encoded, window_ids, windows_of, word_ends
from harness.metrics.perplexity.models import CalledModel, Model, TableModel
from harness.metrics.perplexity.refusals import refused
from harness.metrics.perplexity.rows import Array, Ids, Rows, bits
from harness.metrics.perplexity.rules import Rules
from harness.metrics.perplexity.tokenizers import StudentTokenizer, Tokenizer
from harness.metrics.perplexity.twins import elsewhere, read_elsewhere, twinned
from harness.metrics.perplexity.windows import Window

FALSE_REJECTION = 1e-7  # chance that an honest model is refused for what it lost at the audits


@dataclass(slots=True)
class Scored:
    """What one passage cost; filled in window by window."""

    ids: Ids  # all of the passage
    scored_from: int  # the first of them that is predicted
    windows: tuple[Window, ...]
    bits: Array  # (n,) of each predicted id
    chosen: "np.ndarray[tuple[int], np.dtype[np.bool_]]"  # (n,) whether it was the likeliest, the first of equals
    missing: int = 0  # of the n, how many the model gave no distribution for

    def enter(self, window: Window, rows: Rows) -> None:
        """Take the last rows of an answer as the predictions of a window."""
        first = len(rows) - (window.end - window.first)
        targets = self.ids[window.first : window.end]
        distributions = rows.distributions(first, len(rows))
        place = slice(window.first - self.scored_from, window.end - self.scored_from)
        self.bits[place] = bits(distributions, targets)
        self.chosen[place] = distributions.argmax(axis=-1) == targets
        self.missing += sum(row >= first for row in rows.absent)


@dataclass(frozen=True, slots=True)
class Audited:
    """What the audits of a whole text said."""

    positions: int
    bits: float  # mean loss there
    others: float  # mean loss at all positions that could have been drawn
    chance: float  # bound on the probability of such a difference for an honest model
    share: float  # of all positions, those that could have been drawn
    apart: bool = False  # made in another kernel than the one that was shown the text


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text to be continued greedily."""

    text: str
    stops: tuple[str, ...]  # the continuation ends before the first of these
    at_most: int  # tokens


class Scorer:
    """One model under one protocol."""

    def __init__(
        self, model: CalledModel | TableModel, tokenizer: Tokenizer, rules: Rules, rng: np.random.Generator
    ) -> None:
        """`rng` is secret: it draws the audits."""
        self._model = model
        self._tokenizer = tokenizer
        self._rules = rules
        self._rng = rng
        self.audited: Audited | None = None  # None where there was nothing to audit

    def score(self, passages: Sequence[Passage]) -> list[Scored]:
        """What each passage costs.

        Raises:
            Refused: an answer breaks the protocol.
            ConfigurationError: the grader's own tokenizer loses some of a text.
        """
        if isinstance(self._model, TableModel):
            return self._shown(passages, self._model, self._tokenizer, None)
        apart = twinned(self._model, self._tokenizer)
        tokenizer = read_elsewhere(self._tokenizer, passages) if apart else self._tokenizer
        if not self._model.whole and not isinstance(tokenizer, StudentTokenizer):
            return self._shown(passages, self._model, tokenizer, None)  # nothing is shown before it is predicted
        audits = Audits(self._rules, self._rng, apart=apart)
        with elsewhere(self._model, apart=apart) as model:
            audits.commit(passages, model, tokenizer)
        with elsewhere(self._model, apart=apart) as model:
            scored = self._shown(passages, model, tokenizer, audits)
        if isinstance(tokenizer, StudentTokenizer):
            audits.require_enough()
        self.audited = self._judged(passages, scored, audits, tokenizer)
        return scored

    def greedy(self, prompts: Sequence[Prompt]) -> list[str]:
        """Continuations by the likeliest token, the first of equals, one after the other; all prompts side by side.

        An id that the tokenizer does not have ends the continuation.
        """
        said: list[list[int]] = [[] for _ in prompts]
        read = [[self._rules.start, *self._tokenizer.encode(prompt.text)] for prompt in prompts]
        going = [number for number, prompt in enumerate(prompts) if prompt.at_most > 0]
        while going:
            contexts = [(read[number] + said[number])[-self._rules.context :] for number in going]
            for number, rows in zip(tuple(going), self._model.ask(contexts), strict=True):
                token = int(rows.distributions(len(rows) - 1, len(rows)).argmax())
                if token < self._tokenizer.vocabulary_size:
                    said[number].append(token)
                text, prompt = self._tokenizer.decode(said[number]), prompts[number]
                stopped = any(stop in text for stop in prompt.stops)
                if stopped or token >= self._tokenizer.vocabulary_size or len(said[number]) >= prompt.at_most:
                    going.remove(number)
        return [_until(self._tokenizer.decode(ids), prompt.stops) for ids, prompt in zip(said, prompts, strict=True)]

    def _shown(
        self, passages: Sequence[Passage], model: Model, tokenizer: Tokenizer, audits: Audits | None
    ) -> list[Scored]:
        """What the text costs `model`, which is given all of it; each row is held against what was committed."""
        scored = [self._blank(passage, tokenizer) for passage in passages]
        for steps in self._rounds(scored):
            contexts = [window_ids(scored[number].ids, window, self._rules) for number, window in steps]
            for (number, window), rows in zip(steps, model.ask(contexts), strict=True):
                scored[number].enter(window, rows)
                if audits is not None:
                    audits.hold(number, scored[number].ids, window=window, rows=rows, model=model)
        return scored

    def _blank(self, passage: Passage, tokenizer: Tokenizer) -> Scored:
        ids, first = encoded(passage, tokenizer)
        if not isinstance(tokenizer, StudentTokenizer):
            _require_lossless(tokenizer, ids, passage.context + passage.text)
        count = len(ids) - first
        whole = tuple(windows_of(len(ids), first, self._rules))
        numbers = np.array(ids, dtype=np.int64)
        return Scored(numbers, first, whole, np.empty(count), np.zeros(count, dtype=np.bool_))

    def _rounds(self, scored: Sequence[Scored]) -> Iterator[list[tuple[int, Window]]]:
        """What to ask together: all windows, or, of a model that gives one row, one position of each passage."""
        whole = [(number, window) for number, one in enumerate(scored) for window in one.windows]
        if self._model.whole:
            yield whole
            return
        left: dict[int, list[Window]] = {}
        for number, window in whole:
            steps = (Window(window.begin, at, at + 1) for at in range(window.first, window.end))
            left.setdefault(number, []).extend(steps)
        for turn in range(max(map(len, left.values()), default=0)):
            yield [(number, steps[turn]) for number, steps in left.items() if turn < len(steps)]

    def _judged(
        self, passages: Sequence[Passage], scored: Sequence[Scored], audits: Audits, tokenizer: Tokenizer
    ) -> Audited:
        """Compare losses at the audits with those at all positions that could have been drawn.

        Raises:
            Refused: they are larger than chance explains.
        """
        losses, audited = [], []
        for number, (passage, one) in enumerate(zip(passages, scored, strict=True)):
            for position in _drawable(passage, one, tokenizer):
                losses.append(one.bits[position - one.scored_from])
                audited.append((number, position) in audits.serving)
        everything, drawn = np.array(losses), np.array(audited, dtype=np.bool_)
        if not drawn.any():  # of a student's tokenizer alone, whose last windows are left out
            raise refused("unauditable", audits=audits.tried, kept=0)
        chance = surprise(everything[drawn], everything)
        means = float(everything[drawn].mean()), float(everything.mean())
        if chance <= FALSE_REJECTION:
            raise refused("remembers", audits=drawn.sum(), audited=f"{means[0]:.2f}", others=f"{means[1]:.2f}")
        share = len(losses) / sum(len(one.bits) for one in scored)
        return Audited(int(drawn.sum()), *means, chance, share, audits.apart)


def _drawable(passage: Passage, one: Scored, tokenizer: Tokenizer) -> Sequence[int]:
    """Positions at which an audit could have been made, and would have served."""
    if not isinstance(tokenizer, StudentTokenizer):
        return range(one.scored_from, len(one.ids))
    starts = tokenizer.starts(one.ids.tolist())
    found = {starts[size] for size in word_ends(passage).values() if size in starts}
    last = one.windows[-1].first if len(one.windows) > 1 else len(one.ids)  # its begin moves with the length
    return sorted(at for at in found if one.scored_from <= at < last)


def _require_lossless(tokenizer: Tokenizer, ids: list[int], text: str) -> None:
    if tokenizer.decode(ids) != text or not all(0 <= number < tokenizer.vocabulary_size for number in ids):
        raise ConfigurationError(
            f"the tokenizer {type(tokenizer).__name__} does not give back the text {text[:40]!r}",
            remedy="Give a tokenizer whose decode(encode(text)) is the text: every byte is scored.",
        )


def _until(text: str, stops: Sequence[str]) -> str:
    """`text` up to the first of `stops`."""
    found = [text.find(stop) for stop in stops if stop in text]
    return text[: min(found)] if found else text
