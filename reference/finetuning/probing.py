"""Probing: what a linear head can read off a frozen model. Not covered: hidden layers in the head, control tasks."""

import torch
from jaxtyping import Float64, Int64
from torch import Tensor, nn

from reference.checked import checked
from reference.values import at_least, finite, weight


class LinearProbe(nn.Module):
    """A linear head on a frozen body: logits = body(x) Wᵀ + b, where only W and b train.

    The body is frozen: no gradients, and evaluation mode at every call, even while the probe trains, so that dropout is
    off and running statistics keep their bits. W and b start at 0: every class is equally likely, and nothing is drawn.

    Source: Alain and Bengio 2016 (arXiv:1610.01644), section 3.

    >>> body = nn.Linear(2, 3, dtype=torch.float64)
    >>> probe = LinearProbe(body, width=3, n_classes=2)
    >>> probe(torch.ones(1, 2, dtype=torch.float64)).tolist()
    [[0.0, 0.0]]
    >>> [name for name, parameter in probe.named_parameters() if parameter.requires_grad]
    ['head.weight', 'head.bias']
    """

    @checked
    def __init__(self, body: nn.Module, width: int, n_classes: int) -> None:
        super().__init__()
        at_least("width", width, 1)
        at_least("n_classes", n_classes, 1)
        self.body = body.requires_grad_(False)
        device = next((parameter.device for parameter in body.parameters()), torch.device("cpu"))
        self.head = nn.Linear(width, n_classes, dtype=torch.float64, device=device)
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)

    @checked
    def forward(
        self, x: Float64[Tensor, " n *input"] | Int64[Tensor, " n *input"]
    ) -> Float64[Tensor, " n *positions K"]:
        """Give the logits of K classes for each of n inputs, at each position where the body gives one.

        Args:
            x: what the body takes, such as token ids; it gives features of the head's width, (n, D) or (n, T, D).
        Returns:
            Logits. No input: an empty table.
        Raises:
            ValueError: the features are not as wide as the head.

        Cost: the body's forward pass and O(n·D·K).

        >>> probe = LinearProbe(nn.Identity(), width=2, n_classes=1)
        >>> _ = nn.init.ones_(probe.head.weight)
        >>> probe(torch.tensor([[3.0, 4.0]], dtype=torch.float64)).tolist()
        [[7.0]]
        """
        with torch.no_grad():
            features = self.body.eval()(x)  # (n, *positions, D)
        if features.shape[-1] != self.head.in_features:
            raise ValueError(f"body(x): expected {self.head.in_features} features, got {features.shape[-1]}")
        logits: Tensor = self.head(features)  # (n, *positions, K)
        return logits


@checked
def least_squares_probe(
    features: Float64[Tensor, "n D"], targets: Float64[Tensor, "n K"], penalty: float = 0.0
) -> tuple[Float64[Tensor, "D K"], Float64[Tensor, " K"]]:
    """Fit a linear head in closed form, by least squares with a ridge.

    Minimises Σ |x W + b - y|² + penalty · |W|² over W and b; b is not penalised. With X and Y less their column means
    and X = U S Vᵀ: W = V diag(s / (s² + penalty)) Uᵀ Y, b = mean(y) - mean(x) W. Where several W do as well (penalty
    0, features that depend on each other, n <= D), the smallest is taken: singular values of at most
    max(n, D) · 2⁻⁵² · max(s) count as 0. n = 1: W = 0 and b = y. For classes, give one-hot targets.

    Source: Hastie, Tibshirani and Friedman 2009, The Elements of Statistical Learning, 2nd edition,
    equations 3.44 and 3.47.
    Departs from it: the smallest solution where there are several.

    Args:
        features: one row an example.
        targets: one row an example.
        penalty: finite and not negative.
    Returns:
        W and b.
    Raises:
        ValueError: there is no example, an entry, or the sum or difference of two, is not finite, or the penalty is
            negative or not finite.

    Cost: O(n·D·min(n, D) + n·D·K) time.

    >>> x = torch.tensor([[0.0], [1.0], [2.0]], dtype=torch.float64)
    >>> weights, bias = least_squares_probe(x, 3 * x + 1)
    >>> round(weights.item(), 9), round(bias.item(), 9)
    (3.0, 1.0)
    """
    if not len(features):
        raise ValueError("features: expected at least 1 example, got 0")
    finite("features", features)
    finite("targets", targets)
    weight("penalty", penalty)
    centre_x, centre_y = _centre("features", features), _centre("targets", targets)  # (D,), (K,)
    u, s, vt = torch.linalg.svd(features - centre_x, full_matrices=False)  # (n, r), (r,), (r, D)
    negligible = s <= max(features.shape) * torch.finfo(s.dtype).eps * s.amax() if s.numel() else s > 0
    divisors = torch.where(negligible, 1.0, s)
    shrunk = torch.where(negligible, 0.0, 1 / (divisors + penalty / divisors))  # (r,): no square that overflows
    weights = vt.T @ (shrunk[:, None] * (u.T @ (targets - centre_y)))  # (D, K)
    return weights, centre_y - centre_x @ weights


def _centre(name: str, rows: Float64[Tensor, "n D"]) -> Float64[Tensor, " D"]:
    """The mean of the rows, exactly theirs where all are equal."""
    shifted = rows - rows[0]
    finite(f"{name} less their first row", shifted)
    centre = rows[0] + shifted.mean(dim=0)
    finite(f"mean of {name}", centre)
    return centre
