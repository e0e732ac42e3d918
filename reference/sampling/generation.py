"""Texts from a model, token by token: with and without a cache, and the exact distribution of what comes.

Not covered: prompts of different lengths in one batch, contexts longer than the model takes, speculative decoding.
"""

import torch
from jaxtyping import Int64
from torch import Tensor

from reference import values
from reference.checked import checked
from reference.sampling.models import CachedModel, Model, Reader, cached_reader, reader
from reference.sampling.stopping import Stop
from reference.sampling.strategy import Strategy, choose, next_distribution

GREEDY, NEVER = Strategy(), Stop()


@checked
def generate(
    model: Model,
    ids: Int64[Tensor, "B T"],
    *,
    max_new: int,
    strategy: Strategy = GREEDY,
    stop: Stop = NEVER,
    generator: torch.Generator | None = None,
) -> list[Int64[Tensor, " _"]]:
    """Continue each prompt, one token at a time, until it stops or has `max_new` new tokens.

    Each step chooses the next token of every row from the model's logits at the last position. A row that has stopped
    is read along until all have, but what follows its stop is dropped. Each step draws one uniform number a row,
    stopped rows included, so when a row stops does not change what another one draws. `max_new` = 0 or B = 0: the model
    is not called. Gradients are not tracked.

    Source: Bengio et al. 2003, A Neural Probabilistic Language Model, section 1 (a text's probability is the product
    of its tokens'), each factor chosen from as `Strategy` says.

    Args:
        model: ids to logits, for any T up to the prompt's length + `max_new` - 1; position t must not look ahead.
        ids: prompts of one length, 1 or more.
        max_new: 0 or more.
        strategy: how a token is chosen; by default greedily.
        stop: what ends a row; the token or sequence that does is its last.
        generator: the one source of randomness; may be None at temperature 0.
    Returns:
        The new tokens of each row, without the prompt.
    Raises:
        ValueError: T = 0, `max_new` is negative, a stop token is unknown, or as `choose`.
        TypeError: the model gives something else than Float64 "B T V".

    Cost: `max_new` calls of the model.

    >>> successor = lambda ids: torch.nn.functional.one_hot((ids + 1) % 5, 5).double()
    >>> [row.tolist() for row in generate(successor, torch.tensor([[0], [2]]), max_new=3, stop=Stop(ids=(3,)))]
    [[1, 2, 3], [3]]
    """
    return _generate(reader(model), ids, max_new=max_new, strategy=strategy, stop=stop, generator=generator)


@checked
def generate_cached(
    model: CachedModel,
    ids: Int64[Tensor, "B T"],
    *,
    max_new: int,
    strategy: Strategy = GREEDY,
    stop: Stop = NEVER,
    generator: torch.Generator | None = None,
) -> list[Int64[Tensor, " _"]]:
    """Do as `generate`, with a model that remembers what it has read: each step reads one position.

    The first call reads the prompt, later ones the token just chosen. The texts equal `generate`'s, where the model's
    logits with a cache equal those without; rounding may part them where two tokens are within it of each other.

    Source: Shazeer 2019 (arXiv:1911.02150), section 2.4 (incremental attention, keys and values kept).

    Args:
        model: with `new_cache()`, and ids and that cache to the logits of these ids.
        ids: prompts of one length, 1 or more.
        max_new: 0 or more.
        strategy: as in `generate`.
        stop: as in `generate`.
        generator: as in `generate`.
    Returns:
        The new tokens of each row, without the prompt.
    Raises:
        ValueError: as `generate`.
        TypeError: as `generate`.

    Cost: `max_new` calls of the model, of one position each after the first.

    >>> class Sums:                                                        # the next token is the sum of all so far
    ...     def new_cache(self):
    ...         return [0]
    ...     def __call__(self, ids, cache):
    ...         sums = cache[0] + ids.cumsum(1)
    ...         cache[0] = sums[:, -1:]
    ...         return torch.nn.functional.one_hot(sums % 10, 10).double()
    >>> generate_cached(Sums(), torch.tensor([[1, 2]]), max_new=4)
    [tensor([3, 6, 2, 4])]
    """
    return _generate(cached_reader(model), ids, max_new=max_new, strategy=strategy, stop=stop, generator=generator)


@torch.no_grad()
def _generate(
    read: Reader, ids: Tensor, *, max_new: int, strategy: Strategy, stop: Stop, generator: torch.Generator | None
) -> list[Tensor]:
    require_prompt(ids, max_new)
    batch_size, n_prompt = ids.shape
    lengths: list[int | None] = [None] * batch_size  # of the new tokens, where a row has stopped
    for n_new in range(1, max_new + 1 if batch_size else 1):
        logits = read(ids)  # (B, V)
        stop.require_known(logits.shape[-1])
        ids = torch.cat([ids, choose(logits, ids, strategy, generator)[:, None]], dim=1)
        for row, length in enumerate(lengths):
            if length is None and stop.reached(ids[row, n_prompt:].tolist()):
                lengths[row] = n_new
        if None not in lengths:
            break
    return [ids[row, n_prompt:][:length] for row, length in enumerate(lengths)]


@checked
def generation_distribution(
    model: Model, ids: Int64[Tensor, " T"], *, max_new: int, strategy: Strategy = GREEDY, stop: Stop = NEVER
) -> dict[tuple[int, ...], float]:
    """Exact distribution of the text that `generate` draws after one prompt, by enumeration.

    The probability of a text is the product of its tokens' probabilities under `next_distribution`. Texts of
    probability zero, also by underflow, have no key.

    Source: Bengio et al. 2003, A Neural Probabilistic Language Model, section 1.

    Args:
        model: as in `generate`.
        ids: one prompt, of length 1 or more.
        max_new: 0 or more.
        strategy: as in `generate`.
        stop: as in `generate`.
    Returns:
        New tokens to probability; all probabilities sum to 1.
    Raises:
        ValueError: as `generate`.
        TypeError: as `generate`.

    Cost: one call of the model for each text that can be continued, up to V^max_new of them: for tiny vocabularies.

    >>> fair = lambda ids: torch.zeros(*ids.shape, 2, dtype=torch.float64)
    >>> strategy, stop = Strategy(temperature=1), Stop(ids=(0,))
    >>> generation_distribution(fair, torch.tensor([1]), max_new=2, strategy=strategy, stop=stop)
    {(0,): 0.5, (1, 0): 0.25, (1, 1): 0.25}
    """
    require_prompt(ids[None], max_new)
    ended: dict[tuple[int, ...], float] = {}
    running: dict[tuple[int, ...], float] = {(): 1.0}
    for _ in range(max_new):
        longer: dict[tuple[int, ...], float] = {}
        for text, mass in running.items():
            for token, probability in _next(model, ids, text, strategy, stop):
                into = ended if stop.reached([*text, token]) else longer
                if mass * probability > 0:
                    into[(*text, token)] = mass * probability
        running = longer
    return ended | running


@torch.no_grad()
def _next(
    model: Model, ids: Int64[Tensor, " T"], text: tuple[int, ...], strategy: Strategy, stop: Stop
) -> list[tuple[int, float]]:
    """The tokens that can follow, with their probabilities."""
    history = torch.cat([ids, torch.tensor(text, dtype=torch.int64, device=ids.device)])[None]  # (1, T + n)
    logits = reader(model)(history)
    stop.require_known(logits.shape[-1])
    probabilities = next_distribution(logits, history, strategy)[0].tolist()
    return [(token, probability) for token, probability in enumerate(probabilities) if probability > 0]


def require_prompt(ids: Int64[Tensor, "B T"], max_new: int) -> None:
    """Hold the prompt to 1 token or more, and `max_new` to 0 or more."""
    values.at_least("max_new", max_new, 0)
    values.at_least("length of the prompt", ids.shape[1], 1)
