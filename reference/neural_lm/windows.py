"""Training examples out of sequences: a context of n tokens and the token that follows it. Not covered: batching."""

from itertools import chain

import torch
from jaxtyping import Int64
from torch import Tensor

from reference.checked import checked
from reference.values import at_least, known_ids


@checked
def context_windows(
    sequences: list[list[int]],
    *,
    n_context: int,
    n_tokens: int,
    boundary: int | None,
    device: torch.device | str | None = None,
) -> tuple[Int64[Tensor, "N n"], Int64[Tensor, " N"]]:
    """Cut every sequence into its contexts of `n_context` tokens and the token that follows each of them.

    With a boundary: each sequence is preceded by n boundaries and followed by one, so every token of it and its end are
    a target exactly once: length + 1 examples, one for an empty sequence.
    Without: only what lies within the sequence counts: max(length - n, 0) examples.
    A context never reaches into another sequence. Order: by sequence, then by position; the oldest token first. A
    boundary's id inside a sequence is a token like any other. No sequence, or none long enough: 0 examples.

    Source: Bengio et al. 2003 (Journal of Machine Learning Research 3, 1137-1155), section 2.
    Departs from it: n counts the context alone (there: the target too), which is in reading order (there: latest
    first); boundaries fill it at the start.

    Args:
        sequences: token ids, one list a document.
        n_context: n, 1 or more.
        n_tokens: V; ids are below it.
        boundary: id of the boundary, or None for no boundaries.
        device: where the result lies; None: torch's default.
    Returns:
        Contexts and targets.
    Raises:
        ValueError: `n_context` is below 1, or an id (the boundary's included) is not known.

    Cost: O(N·n).

    >>> contexts, targets = context_windows([[1, 2]], n_context=2, n_tokens=3, boundary=0)
    >>> contexts.tolist(), targets.tolist()
    ([[0, 0], [0, 1], [1, 2]], [1, 2, 0])
    >>> [part.tolist() for part in context_windows([[1, 2]], n_context=1, n_tokens=3, boundary=None)]
    [[[1]], [2]]
    """
    at_least("n_context", n_context, 1)
    known_ids("sequences", chain.from_iterable(sequences), n_tokens)
    if boundary is not None:
        known_ids("boundary", [boundary], n_tokens)
        sequences = [[boundary] * n_context + sequence + [boundary] for sequence in sequences]
    windows = [
        sequence[start : start + n_context + 1] for sequence in sequences for start in range(len(sequence) - n_context)
    ]
    table = torch.tensor(windows, dtype=torch.int64, device=device).reshape(-1, n_context + 1)  # also when empty
    return table[:, :-1], table[:, -1]
