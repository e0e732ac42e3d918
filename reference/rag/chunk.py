"""A chunk: a piece of a text that knows where it lies. Covers the type alone; how texts are cut is for the chunkers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Chunk:
    """A piece of a text with its exact place: `text` is the source text's [start, end), in characters.

    Offsets count Unicode code points, as Python's strings do, not bytes and not what a reader sees as one letter.
    `source` names the text that it was cut from, such as a file or a title; "" where nobody asks.

    Source: Lewis et al. 2020 (arXiv:2005.11401), section 3 (passages of a document index).
    Departs from it: passages may overlap and keep their place in the document.

    >>> Chunk("chat", 3, 7, source="fables")
    Chunk(text='chat', start=3, end=7, source='fables')
    """

    text: str
    start: int
    end: int
    source: str = ""
