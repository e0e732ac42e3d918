"""The weights of Bengio's language model, and how they start. Not covered: what is done with them."""

import math
from dataclasses import dataclass

import torch
from beartype import beartype
from jaxtyping import Float64, jaxtyped
from torch import Tensor

from reference.checked import checked
from reference.values import at_least


@jaxtyped(typechecker=beartype)
@dataclass(frozen=True)
class BengioWeights:
    """All that is learned, under the paper's letters; also the shape in which gradients come back.

    y = b + W x + U tanh(d + H x), with x the rows of C for the context's tokens, one after the other.

    Source: Bengio et al. 2003 (Journal of Machine Learning Research 3, 1137-1155), section 2.

    Args:
        C: embeddings, one row a token.
        H: from the context to the hidden units.
        d: bias of the hidden units.
        U: from the hidden units to the tokens.
        b: bias of the tokens.
        W: direct connections from the context to the tokens; None: there are none.
    Raises:
        TypeError: a wrong type, or shapes that do not fit together.

    >>> one, two = torch.ones(1, dtype=torch.float64), torch.ones(1, 2, dtype=torch.float64)
    >>> BengioWeights(C=two, H=two, d=one, U=one[None], b=one, W=None).H.shape
    torch.Size([1, 2])
    """

    C: Float64[Tensor, "V m"]
    H: Float64[Tensor, "h x"]
    d: Float64[Tensor, " h"]
    U: Float64[Tensor, "V h"]
    b: Float64[Tensor, " V"]
    W: Float64[Tensor, "V x"] | None


@checked
def initial_bengio_weights(
    *, n_tokens: int, n_context: int, width: int, n_hidden: int, direct: bool, generator: torch.Generator
) -> BengioWeights:
    """Draw weights to start from.

    C is standard normal; H, U and W are normal with variance 1 / (their number of columns), so that scores neither grow
    nor fade with the sizes; d and b are 0. Drawn in the order C, H, U, W. No hidden units (h = 0) is a model of the
    direct connections alone.

    Source: LeCun et al. 1998 (Efficient BackProp), section 4.6.
    Departs from it: the draws are normal (there: of any shape), and those of the embeddings are not scaled, since rows
    of C are looked up, not added up. Of their own start Bengio et al. 2003 say only that it was random.

    Args:
        n_tokens: V, 1 or more.
        n_context: n, 1 or more.
        width: m, 1 or more.
        n_hidden: h, 0 or more.
        direct: whether there are direct connections W.
        generator: torch's generator; the weights lie on its device.
    Raises:
        ValueError: a size is too small.

    Cost: O(V·m + (h + V)·n·m + V·h).

    >>> generator = torch.Generator().manual_seed(0)
    >>> weights = initial_bengio_weights(
    ...     n_tokens=5, n_context=3, width=2, n_hidden=4, direct=False, generator=generator)
    >>> weights.H.shape, weights.U.shape, weights.W is None
    (torch.Size([4, 6]), torch.Size([5, 4]), True)
    """
    for name, size in {"n_tokens": n_tokens, "n_context": n_context, "width": width}.items():
        at_least(name, size, 1)
    at_least("n_hidden", n_hidden, 0)

    def normal(rows: int, columns: int) -> Tensor:
        return torch.randn(rows, columns, dtype=torch.float64, device=generator.device, generator=generator)

    def scaled(rows: int, columns: int) -> Tensor:
        return normal(rows, columns) / math.sqrt(max(columns, 1))

    context = n_context * width
    C, H, U = normal(n_tokens, width), scaled(n_hidden, context), scaled(n_tokens, n_hidden)
    d, b = C.new_zeros(n_hidden), C.new_zeros(n_tokens)
    return BengioWeights(C=C, H=H, d=d, U=U, b=b, W=scaled(n_tokens, context) if direct else None)
