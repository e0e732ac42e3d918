"""A reward model: a language model's hidden states and a head of one number. Not covered: values for every token."""

import math

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor, nn

from reference.checked import checked
from reference.values import at_least


class RewardModel(nn.Module):
    """A score for a whole text: head · h, with h the body's hidden state at the last real token.

    The head is one vector of the body's width without bias, since only differences of scores count; it starts normal
    with variance 1 / (width + 1). Body and head both train.

    Source: Stiennon et al. 2020 (arXiv:2009.01325), section 3.4; appendix B.1 for the variance.
    Departs from it: scores are not shifted to a mean of 0 after training.

    >>> class Ids(nn.Module):
    ...     def forward(self, ids, mask):                              # one feature: the token's id
    ...         return ids[..., None].double()
    >>> model = RewardModel(Ids(), width=1, generator=torch.Generator().manual_seed(0))
    >>> _ = nn.init.ones_(model.head.weight)
    >>> ids, mask = torch.tensor([[5, 7, 0]]), torch.tensor([[True, True, False]])
    >>> model(ids, mask).tolist()
    [7.0]
    """

    @checked
    def __init__(self, body: nn.Module, width: int, generator: torch.Generator) -> None:
        super().__init__()
        at_least("width", width, 1)
        self.body = body
        device = next((parameter.device for parameter in body.parameters()), generator.device)
        weight = torch.empty(1, width, dtype=torch.float64, device=generator.device)
        nn.init.normal_(weight, std=1 / math.sqrt(width + 1), generator=generator)
        self.head = nn.Linear(width, 1, bias=False, dtype=torch.float64, device=device)
        self.head.weight = nn.Parameter(weight.to(device))

    @checked
    def forward(self, ids: Int64[Tensor, "B T"], mask: Bool[Tensor, "B T"]) -> Float64[Tensor, " B"]:
        """Score each row of tokens at its last real token, wherever the padding is.

        What stands after that token does not count, as long as the body is causal; padding before it is the body's
        business, which is given the mask.

        Args:
            ids: tokens and padding.
            mask: true at real tokens.
        Raises:
            ValueError: a row has no real token, or the hidden states are not one of the head's width for each token.

        Cost: the body's forward pass, and O(B·(T + width)).

        >>> model = RewardModel(nn.Embedding(3, 2).double(), width=2, generator=torch.Generator())
        >>> model(torch.zeros(1, 0, dtype=torch.int64), torch.zeros(1, 0, dtype=torch.bool))
        Traceback (most recent call last):
        ValueError: mask: expected a real token in each row, got none in row 0
        """
        last = _last_true(mask)
        hidden = self.body(ids, mask)  # (B, T, width)
        if hidden.shape[-1] != self.head.in_features:
            raise ValueError(f"body(ids, mask): expected {self.head.in_features} features, got {hidden.shape[-1]}")
        if hidden.shape[:-1] != ids.shape:
            raise ValueError(f"body(ids, mask): expected a state for each of {tuple(ids.shape)}, got {hidden.shape}")
        rows = torch.arange(len(ids), device=ids.device)
        scores: Tensor = self.head(hidden[rows, last])  # (B, 1)
        return scores.squeeze(-1)


def _last_true(mask: Bool[Tensor, "B T"]) -> Int64[Tensor, " B"]:
    """The position of the last true entry of each row."""
    empty = (~mask.any(dim=-1)).nonzero()
    if len(empty):
        raise ValueError(f"mask: expected a real token in each row, got none in row {empty[0].item()}")
    position = torch.arange(mask.shape[1], device=mask.device)
    return torch.where(mask, position, -1).amax(dim=-1)
