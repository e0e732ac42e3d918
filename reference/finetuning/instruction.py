"""Instructions as tokens: a written template with roles, and a mask that is true on the answers alone.

Covers conversations of several turns, empty answers, truncation, and text that imitates a marker. Not covered: tools,
packing several conversations into one row, padding.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle

from reference.checked import checked
from reference.values import at_least

ANSWERS = "assistant"
END = "<|end|>"
MARKERS = ("<|system|>", "<|user|>", "<|assistant|>", END)  # one token each


@checked
def render(messages: Sequence[tuple[str, str]], open_answer: bool = False) -> str:
    """Write a conversation in the template: <|role|>content<|end|> for each message, with nothing between them.

    An optional "system" message first, then "user" and "assistant" in turn. To train, the last one is the assistant's;
    to ask (`open_answer`), it is the user's, and <|assistant|> follows, after which the model writes. Contents are kept
    as they are, spaces and line breaks included, and may be empty.

    Source: Ouyang et al. 2022 (arXiv:2203.02155), section 3.5 (supervised fine-tuning on demonstrations).
    Departs from it: the template, which is this course's own.

    Args:
        messages: (role, content) in order.
        open_answer: whether the answer is still to be written.
    Raises:
        ValueError: a role is out of turn, or a content contains a marker.

    Cost: O(characters).

    >>> render([("user", "2 + 2?"), ("assistant", "4")])
    '<|user|>2 + 2?<|end|><|assistant|>4<|end|>'
    >>> render([("system", "Be brief."), ("user", "2 + 2?")], open_answer=True)
    '<|system|>Be brief.<|end|><|user|>2 + 2?<|end|><|assistant|>'
    """
    _require_turns(messages, open_answer)
    for _, content in messages:
        found = [marker for marker in MARKERS if marker in content]
        if found:
            raise ValueError(f"messages: expected contents without markers, got {found[0]!r} in {content!r}")
    written = "".join(f"<|{role}|>{content}{END}" for role, content in messages)
    return written + f"<|{ANSWERS}|>" * open_answer


@checked
def encode_messages(
    messages: Sequence[tuple[str, str]],
    encode: Callable[[str], Sequence[int]],
    marker_ids: Mapping[str, int],
    max_length: int | None = None,
    open_answer: bool = False,
) -> tuple[list[int], list[bool]]:
    """Turn a conversation into tokens in the order of `render`, and say which of them are to be learned.

    Each message is its role's marker, its content encoded by itself, and the end marker, so that no token spans two
    messages. The mask is true on the contents of the assistant's messages and on the end marker of each: the model
    learns what to say and when to stop. The marker <|assistant|> is given, hence not learned.
    Empty answer: its end marker is learned. Text that looks like a marker is encoded as text.
    Truncation: the first `max_length` tokens stay. An answer that is cut has no end marker, so that nobody learns to
    stop there; where no token of an answer is left, the mask is false throughout.

    Source: Ouyang et al. 2022 (arXiv:2203.02155), section 3.5 (supervised fine-tuning on demonstrations).
    Departs from it: the template, which is this course's own.

    Args:
        messages: (role, content) in order, see `render`.
        encode: ordinary text to tokens; it never gives a marker's id.
        marker_ids: id of each of <|system|>, <|user|>, <|assistant|> and <|end|>.
        max_length: in tokens, 0 or more; None: no limit.
        open_answer: whether the answer is still to be written.
    Returns:
        Tokens and mask, equally long.
    Raises:
        ValueError: a role is out of turn, markers are missing or share an id, `encode` gives a marker's id, or
            `max_length` is negative.

    Cost: that of `encode`, and O(T).

    >>> ids = {"<|system|>": 0, "<|user|>": 1, "<|assistant|>": 2, "<|end|>": 3}
    >>> encode = lambda text: list(text.encode())
    >>> encode_messages([("user", "a"), ("assistant", "b")], encode, ids)
    ([1, 97, 3, 2, 98, 3], [False, False, False, False, True, True])
    >>> encode_messages([("user", "a"), ("assistant", "")], encode, ids)
    ([1, 97, 3, 2, 3], [False, False, False, False, True])
    """
    _require_turns(messages, open_answer)
    _require_markers(marker_ids)
    if max_length is not None:
        at_least("max_length", max_length, 0)
    tokens: list[int] = []
    mask: list[bool] = []
    for role, content in messages:
        body = [*_encoded(content, encode, marker_ids), marker_ids[END]]
        tokens += [marker_ids[f"<|{role}|>"], *body]
        mask += [False, *[role == ANSWERS] * len(body)]
    if open_answer:
        tokens.append(marker_ids[f"<|{ANSWERS}|>"])
        mask.append(False)
    return tokens[:max_length], mask[:max_length]


def _encoded(content: str, encode: Callable[[str], Sequence[int]], marker_ids: Mapping[str, int]) -> list[int]:
    """The tokens of ordinary text, none of which may act as a marker."""
    tokens = list(encode(content))
    markers = set(marker_ids.values()) & set(tokens)
    if markers:
        raise ValueError(f"encode: expected no id of a marker, got {min(markers)} for {content!r}")
    return tokens


def _require_markers(marker_ids: Mapping[str, int]) -> None:
    missing = [marker for marker in MARKERS if marker not in marker_ids]
    if missing:
        raise ValueError(f"marker_ids: expected an id for {missing[0]!r}, got none")
    ids = [marker_ids[marker] for marker in MARKERS]
    if len(set(ids)) < len(ids) or min(ids) < 0:
        raise ValueError(f"marker_ids: expected four different ids of 0 or more, got {ids}")


def _require_turns(messages: Sequence[tuple[str, str]], open_answer: bool) -> None:
    """Hold roles to: system at most once and first; then user and assistant in turn; the right one at the end."""
    roles = [role for role, _ in messages]
    turns = roles[1:] if roles[:1] == ["system"] else roles
    for position, (role, expected) in enumerate(zip(turns, cycle(["user", ANSWERS]), strict=False)):
        if role != expected:
            raise ValueError(f"messages: expected role {expected!r} as turn {position}, got {role!r}")
    last = "user" if open_answer else ANSWERS
    if not turns or turns[-1] != last:
        raise ValueError(f"messages: expected {last!r} to be last, got {roles[-1] if roles else 'no message'!r}")
