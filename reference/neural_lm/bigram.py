"""Where the one-hot linear model ends up: at the bigram counts. Its optimum in closed form, and the descent to it.

Not covered: smoothing; a prior on the weights; other optimisers.
"""

from jaxtyping import Float64, Int64
from torch import Tensor

from reference.checked import checked
from reference.neural_lm.linear import linear_loss
from reference.values import above_zero, at_least, finite


@checked
def maximum_likelihood_weights(counts: Int64[Tensor, "V V"]) -> Float64[Tensor, "V V"]:
    """Weights at which the one-hot linear model has its smallest loss: the logarithms of the bigram counts.

    W[i, j] = log counts[i, j]; softmax of row i is then counts[i, j] / (sum over k of counts[i, k]), the
    maximum-likelihood bigram table.
    Proof: the gradient of row i is (r[i] p[i] - counts[i]) / N with r[i] the row's total; it is 0 exactly where
    p[i] = counts[i] / r[i]; the loss is convex in W, so this is its minimum. A constant added to a row changes nothing.
    A count of 0 has weight -inf: probability 0 is reached at no finite weight. A row without counts is all zeros
    (uniform): no example speaks of it.

    Source: Bishop, Pattern Recognition and Machine Learning (2006), equations 2.33, 4.109 and 4.110.
    Departs from it: zero counts and empty rows have values.

    Args:
        counts: how often token j follows token i.
    Raises:
        ValueError: the table is empty, or a count is negative.

    Cost: O(V²).

    >>> import torch
    >>> W = maximum_likelihood_weights(torch.tensor([[3, 1], [0, 0]]))
    >>> [[round(p, 12) for p in row] for row in torch.softmax(W, dim=1).tolist()]
    [[0.75, 0.25], [0.5, 0.5]]
    >>> maximum_likelihood_weights(torch.tensor([[1, 0], [0, 1]])).tolist()
    [[0.0, -inf], [-inf, 0.0]]
    """
    at_least("V, the number of tokens", len(counts), 1)
    at_least("counts", int(counts.min()), 0)
    unseen = (counts == 0).all(dim=1, keepdim=True)  # (V, 1); a sum could leave int64
    return counts.double().log().masked_fill(unseen, 0.0)


@checked
def gradient_descent(
    weights: Float64[Tensor, "V V"],
    ids: Int64[Tensor, " N"],
    targets: Int64[Tensor, " N"],
    *,
    learning_rate: float,
    n_steps: int,
) -> Float64[Tensor, "V V"]:
    """Walk `n_steps` steps down the whole loss of the one-hot linear model.

    Each step: W ← W - learning_rate · gradient. 0 steps: W as it was.
    Tolerance: the loss has curvature at most L = max over i of r[i] / (2 N), r[i] being how often token i occurs in
    `ids`. With learning_rate <= 1/L it never rises, and after t steps it is above its minimum by at most
    ‖W - W*‖² / (2 · learning_rate · t), W* any minimum; so each row's distribution is within √(gap · N / (2 r[i])) of
    the bigram table in total variation (Pinsker). Where every pair was seen the approach is in fact geometric;
    where a pair was not, W* is infinitely far, the bound says nothing, and the probabilities approach 0 like 1/t.

    Source: Beck and Teboulle 2009 (SIAM Journal on Imaging Sciences 2(1)), theorem 3.1 (constant step).

    Args:
        weights: where to start.
        ids: the current tokens.
        targets: the tokens that follow them.
        learning_rate: above 0.
        n_steps: 0 or more.
    Returns:
        The weights after the last step, a new tensor.
    Raises:
        ValueError: `learning_rate` is not above 0 and finite, `n_steps` is negative, a weight is not finite, there is
            no example, or an id is not known.

    Cost: O(n_steps·N·V²).

    >>> import torch
    >>> ids, targets = torch.tensor([0, 0, 0, 0, 1, 1]), torch.tensor([0, 0, 0, 1, 0, 1])
    >>> W = gradient_descent(torch.zeros(2, 2, dtype=torch.float64), ids, targets, learning_rate=2.0, n_steps=100)
    >>> [[round(p, 9) for p in row] for row in torch.softmax(W, dim=1).tolist()]
    [[0.75, 0.25], [0.5, 0.5]]
    """
    above_zero("learning_rate", learning_rate)
    at_least("n_steps", n_steps, 0)
    finite("weights", weights)
    linear_loss(weights, ids, targets)  # raises what a step would, also where there is none
    walked = weights.clone()
    for _ in range(n_steps):
        walked = walked - learning_rate * linear_loss(walked, ids, targets)[1]
    return walked
