"""Beam search. Not covered: batches of prompts, caches, diverse or constrained beams, sampling within beams."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from reference import values
from reference.checked import checked
from reference.sampling.distribution import log_probabilities
from reference.sampling.generation import require_prompt
from reference.sampling.models import Model, reader

LARGEST_LOGARITHM = 700.0  # exp of it is within float64, as is its inverse


@dataclass(frozen=True)
class Beam:
    """A text that beam search has found.

    Source: Wu et al. 2016 (arXiv:1609.08144), section 7.

    >>> Beam(ids=(3, 1), log_probability=-2.0, score=-1.0).ids
    (3, 1)
    """

    ids: tuple[int, ...]  # the new tokens, the end token included
    log_probability: float  # of all new tokens given the prompt, in nats
    score: float  # what texts are ranked by


@checked
@torch.no_grad()
def beam_search(
    model: Model,
    ids: Int64[Tensor, " T"],
    *,
    n_beams: int,
    max_new: int,
    end_id: int | None = None,
    length_penalty: float | int = 1.0,
) -> list[Beam]:
    """Search for the texts of highest score after one prompt, keeping `n_beams` of them at each step.

    A text y of n new tokens scores log p(y) / n^a, with a = `length_penalty`: 0 ranks by probability, larger a favours
    longer texts. Each step extends every running text by every token and ranks all extensions by log p. Of the first
    K = `n_beams`, those that end in `end_id` are finished; the first K that do not end run on. After `max_new` steps
    the first K are finished as they are. The K finished texts of highest score are kept, and the search ends early once
    no running text can beat any of them.

    Ties: of equal log-probabilities, the extension of the text that was ranked higher comes first, then the lower
    token; of equal scores, the text that was finished earlier. Texts of probability 0 are never kept. K = 1
    without `end_id` is greedy search, unless rounding makes different log-probabilities equal. `max_new` = 0: one text
    without tokens, of score 0; the model is not called.

    Source: Wu et al. 2016 (arXiv:1609.08144), section 7, equation 14.
    Departs from it: lengths are not offset by 5; no coverage penalty; no text is dropped for being a margin behind the
    best; a text ends only if it is among the first K.

    Args:
        model: as in `generate`.
        ids: one prompt, of length 1 or more.
        n_beams: K, 1 or more; may exceed V.
        max_new: 0 or more.
        end_id: ends a text and belongs to it; None: texts end at `max_new`.
        length_penalty: a; may be negative, which favours shorter texts; max_new^|a| must be within float64.
    Returns:
        Finished texts, best first: K, or fewer where there are no more.
    Raises:
        ValueError: an argument is out of its range, `end_id` is no token, V = 0, a logit is NaN or +inf, or all logits
            of a position are -inf.
        TypeError: the model gives something else than Float64 "B T V".

    Cost: `max_new` calls of the model on K texts, and O(K·V·log(K·V)) a step.

    >>> table = torch.tensor([[0.5, 0.5, 0.0], [0.1, 0.1, 0.8], [0.9, 0.1, 0.0]], dtype=torch.float64).log()
    >>> best = beam_search(lambda ids: table[ids], torch.tensor([0]), n_beams=2, max_new=2, length_penalty=0)
    >>> best[0].ids, round(best[0].log_probability, 3)                 # greedy search would begin with 0
    ((1, 2), -0.916)
    """
    _require_settings(n_beams, max_new, length_penalty)
    if end_id is not None:
        values.at_least("end_id", end_id, 0)
    require_prompt(ids[None], max_new)
    running = [Beam((), 0.0, 0.0)]
    finished = [] if max_new else running
    for length in range(1, max_new + 1):
        following = _following(model, ids, running)  # (K, V)
        _require_end(end_id, following.shape[-1])
        ranked = _extensions(running, following, 2 * n_beams, length**length_penalty)
        ends = [beam for beam in ranked[:n_beams] if beam.ids[-1] == end_id or length == max_new]
        finished = sorted(finished + ends, key=lambda beam: -beam.score)[:n_beams]  # stable: earlier ones first
        running = [beam for beam in ranked if beam.ids[-1] != end_id][:n_beams]
        furthest = max_new if length_penalty > 0 else length  # where a score is highest for a given probability
        if not running or _settled(finished, running[0].log_probability / furthest**length_penalty, n_beams):
            break
    return finished


def _following(model: Model, ids: Int64[Tensor, " T"], running: list[Beam]) -> Float64[Tensor, "K V"]:
    """Log-probabilities of the token that follows each running text."""
    texts = torch.tensor([beam.ids for beam in running], dtype=torch.int64, device=ids.device)  # (K, n)
    return log_probabilities(reader(model)(torch.cat([ids.expand(len(running), -1), texts], dim=1)))


def _extensions(running: list[Beam], following: Float64[Tensor, "K V"], n_kept: int, normaliser: float) -> list[Beam]:
    """The most probable texts of one token more: 2K hold K that do not end, since each text has one way to end."""
    so_far = torch.tensor([beam.log_probability for beam in running], dtype=following.dtype, device=following.device)
    totals = (so_far[:, None] + following).flatten()  # (K·V,): ties go to the earlier text, then to the lower token
    best = totals.argsort(descending=True, stable=True)[:n_kept].tolist()
    extended = []
    for place, total in zip(best, totals[best].tolist(), strict=True):
        parent, token = divmod(place, following.shape[1])
        if total > -math.inf:
            extended.append(Beam((*running[parent].ids, token), total, total / normaliser))
    return extended


def _settled(finished: list[Beam], bound: float, n_beams: int) -> bool:
    """Whether no text of a score up to `bound` would be kept."""
    return len(finished) == n_beams and bound <= finished[-1].score


def _require_settings(n_beams: int, max_new: int, length_penalty: float) -> None:
    values.at_least("n_beams", n_beams, 1)
    if not abs(length_penalty) < LARGEST_LOGARITHM / math.log(max(max_new, 2)):
        raise ValueError(f"length_penalty: expected a power of {max_new} within float64, got {length_penalty}")


def _require_end(end_id: int | None, n_tokens: int) -> None:
    if end_id is not None and not 0 <= end_id < n_tokens:
        raise ValueError(f"end_id: expected a token id from 0 to {n_tokens - 1}, got {end_id}")
