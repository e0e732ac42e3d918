"""How the next token is chosen: one setting each for penalty, temperature, top-k and top-p, and their order."""

from dataclasses import dataclass

import torch
from beartype import beartype
from jaxtyping import Float64, Int64, jaxtyped
from torch import Tensor

from reference.checked import checked
from reference.sampling.distribution import draw, token_probabilities
from reference.sampling.penalty import repetition_penalty
from reference.sampling.truncation import top_k, top_p, with_temperature


@jaxtyped(typechecker=beartype)
@dataclass(frozen=True)
class Strategy:
    """How the next token is chosen; by default greedily.

    Source: Holtzman et al. 2020 (arXiv:1904.09751), section 3.

    >>> Strategy(temperature=0.7, top_k=50)
    Strategy(temperature=0.7, top_k=50, top_p=1.0, penalty=1.0)
    """

    temperature: float | int = 0.0  # see `with_temperature`; 0: greedy
    top_k: int | None = None  # tokens kept; None: all
    top_p: float | int = 1.0  # mass kept; 1: all
    penalty: float | int = 1.0  # see `repetition_penalty`; 1: none


@checked
def next_distribution(
    logits: Float64[Tensor, "B V"], ids: Int64[Tensor, "B T"], strategy: Strategy
) -> Float64[Tensor, "B V"]:
    """Distribution from which `strategy` draws the token that follows `ids`.

    The order of its parts: repetition penalty, temperature, top-k, top-p, softmax; so top-p measures the mass of what
    top-k has left, at that temperature. Temperature 0 gives probability 1 to the greedy token of the penalised logits.

    Source: Holtzman et al. 2020 (arXiv:1904.09751), section 3; the order is that of transformers' generation.

    Args:
        logits: of the next token, finite or -inf.
        ids: what came before, for the penalty.
        strategy: the settings.
    Returns:
        Rows that sum to 1.
    Raises:
        ValueError: as `repetition_penalty`, `with_temperature`, `top_k` and `top_p`.

    Cost: O(B·(V·log V + T)).

    >>> logits = torch.tensor([[1.0, 3.0, 2.0, 2.0]], dtype=torch.float64)
    >>> next_distribution(logits, torch.tensor([[1]]), Strategy(temperature=1, top_k=2, penalty=2)).tolist()
    [[0.0, 0.0, 0.5, 0.5]]
    """
    scores = repetition_penalty(logits, ids, strategy.penalty)
    scores = with_temperature(scores, strategy.temperature)
    if strategy.top_k is not None:
        scores = top_k(scores, strategy.top_k)
    return token_probabilities(top_p(scores, strategy.top_p))


@checked
def choose(
    logits: Float64[Tensor, "B V"],
    ids: Int64[Tensor, "B T"],
    strategy: Strategy,
    generator: torch.Generator | None = None,
) -> Int64[Tensor, " B"]:
    """Choose the token that follows each row of `ids`.

    Temperature 0 takes the most probable token and draws nothing; otherwise the token is drawn from
    `next_distribution`, with one uniform number a row.

    Source: Holtzman et al. 2020 (arXiv:1904.09751), section 3.

    Args:
        logits: of the next token, finite or -inf.
        ids: what came before, for the penalty.
        strategy: the settings.
        generator: the one source of randomness; may be None at temperature 0.
    Raises:
        ValueError: there is no generator though the temperature is not 0, or as `next_distribution`.

    Cost: O(B·(V·log V + T)).

    >>> choose(torch.tensor([[0.0, 1.0]], dtype=torch.float64), torch.tensor([[0]]), Strategy()).tolist()
    [1]
    """
    probabilities = next_distribution(logits, ids, strategy)
    if strategy.temperature == 0:
        return probabilities.argmax(dim=-1)
    if generator is None:
        raise ValueError(f"generator: expected one to draw from at temperature {strategy.temperature}, got None")
    return draw(probabilities, generator)
