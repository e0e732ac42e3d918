"""Cutting a text that is longer than the context into windows, in which each scored id is predicted exactly once.

The windows are those of lm-eval's rolling log-likelihood, so that figures compare.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """The model reads ids `begin` to `end` of (start, *ids) and predicts ids `first` to `end` of the text."""

    begin: int
    first: int
    end: int


def windows(length: int, *, scored_from: int, context: int, predicted: int) -> list[Window]:
    """Windows over a text of `length` ids of which those from `scored_from` on are predicted.

    The first window of a whole text predicts up to `context` ids, every other one up to `predicted`; each reads as
    far back as `context` allows.

    Source: Press, Smith and Lewis 2021 (arXiv:2012.15832), section 2, on overlapping windows.

    >>> windows(5, scored_from=0, context=2, predicted=2)
    [Window(begin=0, first=0, end=2), Window(begin=2, first=2, end=4), Window(begin=3, first=4, end=5)]
    """
    found, done = [], scored_from
    while done < length:
        end = min(length, done + (predicted if done else context))
        found.append(Window(max(0, end - context), done, end))
        done = end
    return found
