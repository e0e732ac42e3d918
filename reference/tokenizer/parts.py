"""A text is cut into chunks and special tokens: at once, or in pieces, once they are certain.

Covers pieces that end anywhere: inside a special token, a chunk or a run of white space. Not covered: ids.
"""

from collections.abc import Iterable, Iterator

from reference.tokenizer.pretokenization import CHUNK, LOOKAHEAD, hold_scalar_values
from reference.tokenizer.special import Finder


def text_parts(text: str, finder: Finder) -> Iterator[tuple[str, bool]]:
    """Chunks and special tokens of a whole text, each with whether it is special.

    >>> list(text_parts("a b<a>", Finder(["<a>"])))
    [('a', False), (' b', False), ('<a>', True)]
    """
    for part, special in finder.split(text):
        if special:
            yield part, True
        else:
            yield from ((chunk, False) for chunk in CHUNK.findall(part))


def stream_parts(pieces: Iterable[str], finder: Finder) -> Iterator[tuple[str, bool]]:
    """The same for the joined pieces.

    What is not certain yet is kept, and looked at again once as much has come in addition: so every character is looked
    at a bounded number of times, and what is kept is bounded by the longest chunk or special token.

    >>> list(stream_parts(["do", "n't <", "a>"], Finder(["<a>"])))
    [('don', False), ("'t", False), (' ', False), ('<a>', True)]
    """
    kept = ""
    waiting: list[str] = []
    n_waiting = 0
    for piece in pieces:
        _hold_piece(piece)
        n_waiting += len(piece)
        if piece:  # a stream of empty pieces may be long
            waiting.append(piece)
        if n_waiting < len(kept):
            continue
        text = kept + "".join(waiting)
        n_certain = 0
        for part, special in _certain_parts(text, finder):
            yield part, special
            n_certain += len(part)
        kept, waiting, n_waiting = text[n_certain:], [], 0
    yield from text_parts(kept + "".join(waiting), finder)


def _certain_parts(text: str, finder: Finder) -> Iterator[tuple[str, bool]]:
    """The parts of `text` that stay whatever follows."""
    start = 0
    open_from = finder.open_from(text)
    while (found := finder.pattern.search(text, start)) is not None and found.start() < open_from:
        yield from ((chunk, False) for chunk in CHUNK.findall(text, start, found.start()))
        yield found.group(), True
        start = found.end()
    for chunk in CHUNK.finditer(text, start):
        if chunk.end() + LOOKAHEAD > open_from:
            return
        yield chunk.group(), False


def _hold_piece(piece: object) -> None:
    if not isinstance(piece, str):
        raise TypeError(f"pieces: expected texts, got {type(piece).__name__}")
    hold_scalar_values("pieces", piece)
