"""Normalisation over the width of the model: LayerNorm and RMSNorm, as functions and as modules with their weights.

Covers forward and, through autograd, backward. Not covered: normalisation over a batch.
"""

import torch
from jaxtyping import Float64
from torch import Tensor, nn

from reference.checked import checked
from reference.transformer.initial import filled
from reference.values import above_zero, at_least, finite


@checked
def layer_norm(
    x: Float64[Tensor, "*B D"], weight: Float64[Tensor, " D"], bias: Float64[Tensor, " D"], *, eps: float = 1e-5
) -> Float64[Tensor, "*B D"]:
    """Shift and scale each row to mean 0 and variance 1, then to learned ones.

    y = weight · (x - m) / √(v + eps) + bias, with m the mean and v the mean of (x - m)² over the D entries of a row
    (divided by D, not D - 1). A row of equal entries, D = 1 included, gives the bias. No rows: empty.

    Source: Ba, Kiros and Hinton 2016 (arXiv:1607.06450), equations 3 (mean, variance) and 4 (scale, bias).
    Departs from it: eps; equation 4 is of a recurrent layer.

    Args:
        x: rows to normalise, each for itself.
        weight: the learned scale, one number a column.
        bias: the learned mean, one number a column.
        eps: keeps the root away from 0; added to the variance.
    Raises:
        ValueError: D is 0, `eps` is not above 0, or a row's variance is not finite (so NaN, infinities and entries
            beyond 1e154 are refused).

    Cost: O(B·D).

    >>> ones, zeros = torch.ones(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    >>> layer_norm(torch.tensor([[1.0, 3.0], [4.0, 4.0]], dtype=torch.float64), ones, zeros, eps=1e-9).numpy().round(6)
    array([[-1.,  1.],
           [ 0.,  0.]])
    """
    _hold(x, eps)
    shifted = x - x[..., :1].detach()  # equal entries are 0 now, whatever their mean is rounded to; (*B, D)
    centred = shifted - shifted.mean(dim=-1, keepdim=True)  # (*B, D)
    variance = centred.square().mean(dim=-1, keepdim=True)  # (*B, 1)
    finite("variance of x", variance)
    return weight * (centred / torch.sqrt(variance + eps)) + bias


@checked
def rms_norm(
    x: Float64[Tensor, "*B D"], weight: Float64[Tensor, " D"], *, eps: float = 1e-6
) -> Float64[Tensor, "*B D"]:
    """Scale each row to a root mean square of 1, then to a learned one; the mean is left where it is.

    y = weight · x / √(s + eps), with s the mean of x² over the D entries of a row. A row of zeros stays zeros. No rows:
    empty.

    Source: Zhang and Sennrich 2019 (arXiv:1910.07467), equation 4.
    Departs from it: eps, inside the root as in Llama.

    Args:
        x: rows to normalise, each for itself.
        weight: the learned scale, one number a column.
        eps: keeps the root away from 0; added to the mean square.
    Raises:
        ValueError: D is 0, `eps` is not above 0, or a row's mean square is not finite (so NaN, infinities and entries
            beyond 1e154 are refused).

    Cost: O(B·D).

    >>> x = torch.tensor([[3.0, 4.0], [0.0, 0.0]], dtype=torch.float64)
    >>> rms_norm(x, torch.ones(2, dtype=torch.float64)).numpy().round(6)         # √((9 + 16)/2) = 3.535534
    array([[0.848528, 1.131371],
           [0.      , 0.      ]])
    """
    _hold(x, eps)
    mean_square = x.square().mean(dim=-1, keepdim=True)  # (*B, 1)
    finite("mean square of x", mean_square)
    return weight * (x / torch.sqrt(mean_square + eps))


class LayerNorm(nn.Module):
    """`layer_norm` with its learned weight, which starts at 1, and bias, which starts at 0.

    Source: Ba, Kiros and Hinton 2016 (arXiv:1607.06450), equations 3 and 4.

    Args:
        width: D.
        eps: added to the variance.
        device: where the weights are; None: torch's default.
    Raises:
        ValueError: `width` is below 1.

    >>> LayerNorm(2)(torch.tensor([[1.0, 3.0]], dtype=torch.float64)).detach().numpy().round(4)
    array([[-1.,  1.]])
    """

    @checked
    def __init__(self, width: int, *, eps: float = 1e-5, device: torch.device | None = None) -> None:
        super().__init__()
        at_least("width", width, 1)
        self.eps = eps
        self.weight = filled(1.0, width, device=device)
        self.bias = filled(0.0, width, device=device)

    @checked
    def forward(self, x: Float64[Tensor, "*B D"]) -> Float64[Tensor, "*B D"]:
        """Normalise each row of `x`.

        Args:
            x: rows to normalise, each for itself.
        Raises:
            ValueError: as `layer_norm`.

        Cost: O(B·D).

        >>> LayerNorm(3)(torch.full((1, 3), 7.0, dtype=torch.float64)).tolist()
        [[0.0, 0.0, 0.0]]
        """
        return layer_norm(x, self.weight, self.bias, eps=self.eps)


class RMSNorm(nn.Module):
    """`rms_norm` with its learned weight, which starts at 1.

    Source: Zhang and Sennrich 2019 (arXiv:1910.07467), equation 4.

    Args:
        width: D.
        eps: added to the mean square.
        device: where the weight is; None: torch's default.
    Raises:
        ValueError: `width` is below 1.

    >>> RMSNorm(2)(torch.tensor([[3.0, 3.0]], dtype=torch.float64)).detach().numpy().round(4)
    array([[1., 1.]])
    """

    @checked
    def __init__(self, width: int, *, eps: float = 1e-6, device: torch.device | None = None) -> None:
        super().__init__()
        at_least("width", width, 1)
        self.eps = eps
        self.weight = filled(1.0, width, device=device)

    @checked
    def forward(self, x: Float64[Tensor, "*B D"]) -> Float64[Tensor, "*B D"]:
        """Scale each row of `x`.

        Args:
            x: rows to scale, each for itself.
        Raises:
            ValueError: as `rms_norm`.

        Cost: O(B·D).

        >>> RMSNorm(2)(torch.zeros(1, 2, dtype=torch.float64)).tolist()
        [[0.0, 0.0]]
        """
        return rms_norm(x, self.weight, eps=self.eps)


def _hold(x: Float64[Tensor, "*B D"], eps: float) -> None:
    at_least("width D of x", x.shape[-1], 1)
    above_zero("eps", eps)
