"""lm-eval's view of a submission: an `LM` whose every answer is computed here from whole distributions.

Imports lm-eval, which a self-check does without: import this module inside functions.
Not covered: chat templates, and log-likelihoods that a model reports about itself.
"""

import math
import threading
from collections.abc import Sequence
from typing import Any

from lm_eval.api.model import LM  # type: ignore[import-untyped, unused-ignore]
from tqdm import tqdm  # type: ignore[import-untyped, unused-ignore]

from harness.errors import ConfigurationError
from harness.metrics.perplexity.cuts import Passage
from harness.metrics.perplexity.scoring import Prompt, Scored, Scorer

tqdm.set_lock(threading.RLock())  # its own is shared between processes, and left behind when a worker is ended
MOST_TOKENS = 256  # of a continuation whose task sets no limit, as in lm-eval


class ScoredLM(LM):  # type: ignore[misc, unused-ignore]  # lm-eval is typed in part
    """Answers lm-eval's requests by asking `scorer`, and keeps what they cost."""

    def __init__(self, scorer: Scorer) -> None:
        """`scorer` holds the model, its tokenizer and the rules."""
        super().__init__()
        self._scorer = scorer
        self.scored: list[Scored] = []

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = True) -> list[float]:  # noqa: ARG002
        """ln of the probability of each whole text after the start token."""
        return [_nats(one) for one in self._score([Passage("", request.args[0]) for request in requests])]

    def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = True) -> list[tuple[float, bool]]:  # noqa: ARG002
        """ln of the probability of each continuation after its context, and whether greedy choice would give it."""
        passages = [_pair(*request.args[:2]) for request in requests]
        return [(_nats(one), bool(one.chosen.all())) for one in self._score(passages)]

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = True) -> list[str]:  # noqa: ARG002
        """Greedy continuations.

        Raises:
            ConfigurationError: the task asks for sampling.
        """
        return self._scorer.greedy([_prompt(*request.args[:2]) for request in requests])

    def _score(self, passages: list[Passage]) -> list[Scored]:
        self.scored = self._scorer.score(passages)
        return self.scored


def _nats(one: Scored) -> float:
    return -math.fsum(one.bits) * math.log(2)


def _pair(context: str, continuation: str) -> Passage:
    """Spaces at the end of a context begin the continuation: tokens hold the space before a word."""
    kept = context.rstrip()
    return Passage(kept, context[len(kept) :] + continuation)


def _prompt(context: str, options: dict[str, Any]) -> Prompt:
    if options.get("do_sample") or options.get("temperature"):
        raise ConfigurationError(
            f"a generation task asks for {options}", remedy="Set do_sample: false and temperature: 0: choice is greedy."
        )
    until = options.get("until") or []
    stops = (until,) if isinstance(until, str) else tuple(until)
    return Prompt(context, stops, int(options.get("max_gen_toks", MOST_TOKENS)))
