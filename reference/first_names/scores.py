"""Two networks for the next symbol, the one-hot linear model and Bengio's perceptron, on NumPy's arrays.

Not covered: their gradients by hand beyond the first (`reference.neural_lm`).
"""

import numpy as np
import torch
from jaxtyping import Float64, Int64

from reference import neural_lm
from reference.checked import checked


@checked
def linear_loss(
    weights: Float64[np.ndarray, "V V"], symbols: Int64[np.ndarray, " N"], targets: Int64[np.ndarray, " N"]
) -> tuple[float, Float64[np.ndarray, "V V"]]:
    """Mean negative log-likelihood of each next symbol under a softmax of its row of weights, and the gradient.

    With P = softmax(one_hot(symbols) W), row by row:
    loss = -(1/N) · sum over i of ln P[i, targets[i]], gradient = one_hot(symbols)ᵀ (P - one_hot(targets)) / N.

    Source: Bishop, Pattern Recognition and Machine Learning (2006), equations 4.108 and 4.109.
    Departs from it: mean over examples instead of the sum.

    Args:
        weights: W, one row of scores for each current symbol.
        symbols: the current symbols, by their places in the alphabet.
        targets: the symbols that follow them.
    Returns:
        Loss in nats a symbol, and its gradient.
    Raises:
        ValueError: there is no example, a symbol is not known, or a weight is NaN or +inf.

    Cost: O(N·V²).

    >>> loss, gradient = linear_loss(np.zeros((2, 2)), np.array([0, 0]), np.array([1, 1]))
    >>> round(loss, 6), gradient.tolist()                            # ln 2
    (0.693147, [[0.5, -0.5], [0.0, 0.0]])
    """
    tensors = (torch.from_numpy(array) for array in (weights, symbols, targets))
    loss, gradient = neural_lm.linear_loss(*tensors)
    return loss.item(), gradient.numpy()


@checked
def mlp_logits(
    parameters: dict[str, Float64[np.ndarray, "..."]], contexts: Int64[np.ndarray, "N n"]
) -> Float64[np.ndarray, "N V"]:
    """Score every symbol as the next one, from the n symbols before it.

    x = C[c[1]], …, C[c[n]], one after the other; y = b + U tanh(d + H x).

    Source: Bengio et al. 2003 (Journal of Machine Learning Research 3, 1137-1155), section 2, equation 1.
    Departs from it: no direct connections W; contexts in reading order, n counts the context alone.

    Args:
        parameters: C (V, m), H (h, n·m), d (h), U (V, h) and b (V), by these names.
        contexts: places in the alphabet, oldest first.
    Raises:
        TypeError: a parameter is missing, or shapes do not fit together.
        ValueError: a symbol is not known, the context's length is not the one of H, or a score is not finite.

    Cost: O(N·(h·n·m + V·h)).

    >>> parameters = {"C": np.eye(2), "H": 0 * np.eye(2), "d": np.array([1.0, 0.0]), "U": np.eye(2), "b": np.ones(2)}
    >>> [round(score, 3) for score in mlp_logits(parameters, np.array([[1]]))[0].tolist()]
    [1.762, 1.0]
    """
    weights = {name: torch.from_numpy(array) for name, array in parameters.items()}
    return neural_lm.bengio_logits(neural_lm.BengioWeights(**weights, W=None), torch.from_numpy(contexts)).numpy()
