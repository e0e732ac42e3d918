"""Citations in an answer: which sentence rests on which source, and which on none.

Covers marks such as [1] and [1, 3]. Not covered: ranges ([1-3]), names, and whether a source says what is claimed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from reference.checked import checked
from reference.rag.chunk import Chunk
from reference.rag.sentences import Language, sentence_spans

LONGEST = 18  # digits of a citation: far above any list of sources, far below what Python refuses to read
_MARK = re.compile(r"\[\s*([0-9]+(?:\s*,\s*[0-9]+)*)\s*\]")


@dataclass(frozen=True)
class Statement:
    """A sentence of an answer, its [start, end) there, and the numbers that it cites, each once, as they come.

    Source: Gao et al. 2023 (arXiv:2305.14627), section 2 (an answer is statements, each with its citations).

    >>> Statement("Il dort [2].", 0, 12, cited=(2,)).cited
    (2,)
    """

    text: str
    start: int
    end: int
    cited: tuple[int, ...]


@dataclass(frozen=True)
class CitedAnswer:
    """An answer, the chunks that it could cite, and its statements in order.

    `sources`: the chunks that are cited, each once, in order of their first citation. `unsupported`: the statements
    that cite nothing.

    Source: Gao et al. 2023 (arXiv:2305.14627), section 2.

    >>> chunk = Chunk("Le chat dort.", 0, 13)
    >>> answer = CitedAnswer("Il dort [1].", (chunk,), (Statement("Il dort [1].", 0, 12, (1,)),))
    >>> answer.sources == (chunk,), answer.unsupported
    (True, ())
    """

    text: str
    given: tuple[Chunk, ...]
    statements: tuple[Statement, ...]

    @property
    def sources(self) -> tuple[Chunk, ...]:
        numbers = dict.fromkeys(number for statement in self.statements for number in statement.cited)
        return tuple(self.given[number - 1] for number in numbers)

    @property
    def unsupported(self) -> tuple[Statement, ...]:
        return tuple(statement for statement in self.statements if not statement.cited)


@checked
def citation_numbers(text: str) -> list[int]:
    """Read the numbers that `text` cites, from left to right, repeats included.

    A citation is one number or several, with commas in between, in square brackets: [1], [1, 3], [ 1,3 ]. Anything
    else in brackets is text: [], [a], [1-3], [1;2], [-1]. Digits are 0 to 9; [01] is 1.

    Source: Gao et al. 2023 (arXiv:2305.14627), section 2 (the form of citations).
    Departs from it: several numbers may share brackets.

    Args:
        text: an answer or a part of it.
    Raises:
        ValueError: a number has more than 18 digits.

    Cost: O(N) for N characters.

    >>> citation_numbers("Il dort [2], puis part [1, 2]. [x] [1-3]")
    [2, 1, 2]
    """
    numbers = [number.strip() for mark in _MARK.findall(text) for number in mark.split(",")]
    longest = max(numbers, key=len, default="")
    if len(longest) > LONGEST:
        raise ValueError(f"text: expected citations of at most {LONGEST} digits, got {longest[:LONGEST]}…")
    return [int(number) for number in numbers]


@checked
def cite(text: str, chunks: Sequence[Chunk], *, language: Language) -> CitedAnswer:
    """Resolve the citations of an answer: [n] means `chunks[n - 1]`, as numbered in the prompt.

    Statements are the sentences of `sentence_spans`; a citation belongs to the sentence in which it stands, or right
    after whose end it stands. An empty answer has no statement.

    Source: Gao et al. 2023 (arXiv:2305.14627), section 2.
    Departs from it: a citation of what was not given is refused; whether sources entail statements is not judged.

    Args:
        text: the answer.
        chunks: the chunks that were given, in the order of the prompt.
        language: of the answer, for its sentences.
    Raises:
        ValueError: a citation of a number below 1, above the number of chunks, or of more than 18 digits.

    Cost: O(N·log N) for N characters.

    >>> chunks = [Chunk("Le chat dort.", 0, 13), Chunk("Le chien part.", 14, 28)]
    >>> answer = cite("Le chien part [2]. Il pleut. Tout dort.[1, 2]", chunks, language="fr")
    >>> [chunk.start for chunk in answer.sources], [statement.text for statement in answer.unsupported]
    ([14, 0], ['Il pleut.'])
    >>> cite("Il dort [3].", chunks, language="fr")
    Traceback (most recent call last):
    ValueError: answer: expected citations from 1 to 2, got [3]
    """
    statements = tuple(
        Statement(text[start:end], start, end, tuple(dict.fromkeys(citation_numbers(text[start:end]))))
        for start, end in sentence_spans(text, language=language)
    )
    for number in (number for statement in statements for number in statement.cited):
        if not 1 <= number <= len(chunks):
            known = f"expected citations from 1 to {len(chunks)}" if chunks else "expected no citation, none was given"
            raise ValueError(f"answer: {known}, got [{number}]")
    return CitedAnswer(text, tuple(chunks), statements)
