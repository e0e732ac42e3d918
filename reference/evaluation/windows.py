"""Scoring a text that is longer than the model's context: windows in which each token is predicted exactly once.

Not covered: asking the model for a window.
"""

from collections.abc import Sequence

from reference.checked import checked
from reference.values import at_least


@checked
def rolling_windows(
    ids: Sequence[int], *, start: int, max_length: int, context: int = 1
) -> list[tuple[list[int], list[int]]]:
    """Cut `ids` into (seen, predicted) pairs: every id is predicted once, from at most `max_length` ids.

    seen holds the ids before the first predicted one; a model reads seen + predicted[:-1], never more than
    `max_length`, and its last len(predicted) positions are scored. The first window predicts up to `max_length` ids
    from `start`; each later one up to max_length - context + 1, from the ids that come before. The last window reaches
    back further, to be as full as the others.

    Source: Press, Smith and Lewis 2021 (arXiv:2012.15832), section 2, on overlapping windows; windows as in
    lm-evaluation-harness, `loglikelihood_rolling`.

    Args:
        ids: the tokens of one document.
        start: stands before the first id.
        max_length: the longest input of the model, 1 or more.
        context: ids seen before the first predicted one of a later window, at least; 1: no overlap.
    Returns:
        Windows in order; none for no ids.
    Raises:
        ValueError: `max_length` is below 1, or `context` not between 1 and `max_length`.

    Cost: O(n · max_length / (max_length - context + 1)).

    >>> rolling_windows([5, 6, 7, 8, 9], start=0, max_length=2)
    [([0], [5, 6]), ([6], [7, 8]), ([7, 8], [9])]
    """
    at_least("max_length", max_length, 1)
    if not 1 <= context <= max_length:
        raise ValueError(f"context: expected 1 to max_length = {max_length}, got {context}")
    text = [start, *ids]
    windows, done = [], 0  # done: ids that have been predicted; text[: done + 1] may be seen
    while done < len(ids):
        stride = max_length - context + 1 if done else max_length
        end = min(done + stride, len(ids))
        seen = text[max(end - max_length, 0) : done + 1]
        windows.append((seen, text[done + 1 : end + 1]))
        done = end
    return windows
