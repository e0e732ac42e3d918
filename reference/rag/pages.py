"""One chunk a page. Not covered: finding pages where the text does not mark them; cutting long pages."""

from reference.checked import checked
from reference.rag.chunk import Chunk


@checked
def page_chunks(text: str, *, separator: str = "\f", source: str = "") -> list[Chunk]:
    """Cut `text` into its pages; chunk i is page i + 1.

    Every separator ends a page, as a form feed does in the text of a PDF; what follows the last one is a page if there
    is anything. Separators belong to no chunk, all else to exactly one. A page may be empty: it keeps its number.
    An empty text has no page.

    Source: ECMA-48, 5th edition (FF, form feed: on to the next page).
    Departs from it: any string may separate.

    Args:
        text: pages in order.
        separator: what ends a page, not empty.
        source: name that every chunk carries.
    Raises:
        ValueError: `separator` is empty.

    Cost: O(N) for N characters.

    >>> [(page.text, page.start, page.end) for page in page_chunks("un\fdeux\f\ftrois")]
    [('un', 0, 2), ('deux', 3, 7), ('', 8, 8), ('trois', 9, 14)]
    >>> page_chunks("un\f") == page_chunks("un")                      # a form feed at the end opens no page
    True
    """
    if not separator:
        raise ValueError("separator: expected at least one character, got ''")
    chunks = []
    start = 0
    while start < len(text):
        found = text.find(separator, start)
        end = len(text) if found < 0 else found
        chunks.append(Chunk(text[start:end], start, end, source))
        start = end + len(separator)
    return chunks
