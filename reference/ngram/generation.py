"""Drawing text from any n-gram model, token by token. Not covered: temperature, truncation (top-k, top-p)."""

from collections.abc import Collection, Hashable, Sequence

import numpy as np

from reference.checked import checked
from reference.ngram.model import Model
from reference.values import at_least


@checked
def sample_tokens(
    model: Model,
    *,
    n_tokens: int,
    rng: np.random.Generator,
    context: Sequence[Hashable] = (),
    stop: Collection[Hashable] = (),
) -> list[Hashable]:
    """Draw a text, each token from the model's distribution after those before it.

    Ends after `n_tokens`, or when a token of `stop` is drawn, which is not part of the text. A token of probability
    zero is never drawn. The same state of `rng` gives the same text.

    Source: Shannon 1948, A Mathematical Theory of Communication, section 3.

    Args:
        model: gives the distributions.
        n_tokens: the most tokens to draw, 0 or more.
        rng: the one source of randomness; advances.
        context: what comes before the text, such as start symbols; it is not returned.
        stop: tokens that end a text.
    Returns:
        At most `n_tokens` tokens of the vocabulary.
    Raises:
        ValueError: `n_tokens` is negative.

    Cost: O(V) for each token, and V probabilities.

    >>> from reference.ngram import AddK, counts_by_order
    >>> model = AddK(counts_by_order(["abcabc."], order=2), "abc.", k=0)
    >>> "".join(sample_tokens(model, n_tokens=2, rng=np.random.default_rng(0), context="a"))
    'bc'
    >>> len(sample_tokens(model, n_tokens=1000, rng=np.random.default_rng(0), context="a", stop=".")) < 1000
    True
    """
    at_least("n_tokens", n_tokens, 0)
    history, ends = list(context), set(stop)
    for _ in range(n_tokens):
        recent = history[max(0, len(history) - model.order) :]
        token = model.vocabulary[rng.choice(len(model.vocabulary), p=model.distribution(recent))]
        if token in ends:
            break
        history.append(token)
    return history[len(context) :]
