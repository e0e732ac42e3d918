"""Which tokens of a conversation are to be learned, read off its markers. Not covered: writing conversations."""

from collections.abc import Sequence

from reference.checked import checked


@checked
def answer_mask(ids: Sequence[int], assistant: int, end: int) -> list[bool]:
    """Mark the tokens of the answers: all that stand after a marker `assistant`, up to the next `end`, included.

    Prompts, the markers that open messages and the ends of other messages are not marked, so that a model learns what
    to say and when to stop. Empty answer: its end alone. Truncated answer: its tokens to the last. Several turns: each
    answer. No token: no mask.

    Source: Ouyang et al. 2022 (arXiv:2203.02155), section 3.5 (supervised fine-tuning on demonstrations).
    Departs from it: the markers are this course's own.

    Args:
        ids: messages, each its opening marker, its content, and `end`; contents hold no marker.
        assistant: the marker that opens an answer.
        end: the marker that closes every message.
    Returns:
        As many as there are tokens.
    Raises:
        ValueError: both markers are the same.

    Cost: O(T) for T tokens.

    >>> answer_mask([1, 7, 3, 2, 8, 9, 3], assistant=2, end=3)
    [False, False, False, False, True, True, True]
    """
    if assistant == end:
        raise ValueError(f"end: expected another marker than assistant, got {end} for both")
    mask = []
    answering = False
    for token in ids:
        mask.append(answering)
        answering = token == assistant or (answering and token != end)
    return mask
