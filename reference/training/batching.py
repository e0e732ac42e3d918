"""From tokens to batches: windows of a long text, and sequences padded to one length.

A window is a pair (inputs, targets): the target of a position is the token after it. Not covered: packing several
documents into one window, sorting by length.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from reference import values
from reference.checked import checked


@checked
def random_windows(
    tokens: Int64[Tensor, " n"], *, batch_size: int, length: int, generator: torch.Generator
) -> tuple[Int64[Tensor, "B T"], Int64[Tensor, "B T"]]:
    """Cut `batch_size` windows out of a text, each from a start drawn uniformly.

    With start s: inputs = tokens[s : s + T], targets = tokens[s + 1 : s + T + 1]. Starts are drawn independently from
    0, …, n - T - 1, so windows may overlap, and the last token is only ever a target.

    Source: Radford et al. 2018, Improving Language Understanding by Generative Pre-Training, section 4.1 (stretches
    of text drawn at random).

    Args:
        tokens: the text.
        batch_size: B, 1 or more.
        length: T, 1 or more.
        generator: the one source of randomness; starts are drawn on its device.
    Returns:
        Inputs and targets.
    Raises:
        ValueError: `batch_size` or `length` is below 1, or the text is shorter than T + 1.

    Cost: O(B·T).

    >>> inputs, targets = random_windows(torch.arange(4), batch_size=1, length=3, generator=torch.Generator())
    >>> inputs.tolist(), targets.tolist()                           # only one window fits
    ([[0, 1, 2]], [[1, 2, 3]])
    """
    values.at_least("batch_size", batch_size, 1)
    values.at_least("length", length, 1)
    n_starts = len(tokens) - length
    if n_starts < 1:
        raise ValueError(f"tokens: expected {length + 1} or more, for a window and its targets, got {len(tokens)}")
    starts = torch.randint(n_starts, (batch_size, 1), generator=generator, device=generator.device)
    positions = starts.to(tokens.device) + torch.arange(length, device=tokens.device)  # (B, T)
    return tokens[positions], tokens[positions + 1]


@checked
def evaluation_windows(
    tokens: Int64[Tensor, " n"], *, length: int
) -> list[tuple[Int64[Tensor, " _"], Int64[Tensor, " _"]]]:
    """Cut a text into windows side by side, so that every token but the first is the target exactly once.

    Window w: inputs = tokens[w·T : (w + 1)·T], targets = tokens[w·T + 1 : (w + 1)·T + 1]. The last window holds what is
    left and may be shorter. Texts of 0 or 1 token have no target, hence no window.

    Source: Press, Smith and Lewis 2021 (arXiv:2012.15832), section 2 (nonoverlapping inference).

    Args:
        tokens: the text.
        length: T, 1 or more.
    Returns:
        One pair (inputs, targets) a window, in the text's order; copies.
    Raises:
        ValueError: `length` is below 1.

    Cost: O(n).

    >>> [(x.tolist(), y.tolist()) for x, y in evaluation_windows(torch.arange(6), length=3)]
    [([0, 1, 2], [1, 2, 3]), ([3, 4], [4, 5])]
    """
    values.at_least("length", length, 1)
    starts = range(0, len(tokens) - 1, length)
    return [(tokens[start:-1][:length].clone(), tokens[start + 1 :][:length].clone()) for start in starts]


@checked
def pad(sequences: Sequence[Int64[Tensor, " _"]], *, pad_id: int) -> tuple[Int64[Tensor, "B T"], Bool[Tensor, "B T"]]:
    """Lay sequences of different lengths into one batch, filled up on the right.

    T is the longest length; 0 if all are empty.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), section 5.1 (sentences of about one length share a batch).
    Departs from it: lengths may differ as they like.

    Args:
        sequences: one or more, on one device.
        pad_id: fills up; for targets, `IGNORED` makes the filled positions not count.
    Returns:
        The batch, and a mask that is true where a sequence's own token stands.
    Raises:
        ValueError: there is no sequence.

    Cost: O(B·T).

    >>> batch, own = pad([torch.tensor([7, 8]), torch.tensor([9])], pad_id=0)
    >>> batch.tolist(), own.tolist()
    ([[7, 8], [9, 0]], [[True, True], [True, False]])
    """
    if not sequences:
        raise ValueError("sequences: expected at least one, got none")
    device = sequences[0].device
    lengths = torch.tensor([_length(sequence) for sequence in sequences], device=device)  # (B,)
    own = torch.arange(int(lengths.max()), device=device) < lengths[:, None]  # (B, T)
    batch = torch.full(own.shape, pad_id, dtype=torch.int64, device=device)
    batch[own] = torch.cat(list(sequences))
    return batch, own


@checked
def _length(sequence: Int64[Tensor, " n"]) -> int:
    """Of each sequence, since `@checked` looks at one of a list only."""
    return len(sequence)
