"""Sentences of French and English prose, with their places. Rules, no statistics.

Covers abbreviations, initials, decimals, ellipses, quotations, reference marks, blank lines. Not covered: lists without
full stops, verse, other languages.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Literal

from reference.checked import checked

Language = Literal["en", "fr"]
Span = tuple[int, int]  # [start, end) in characters

# without their last full stop; what is written here in lower case may start with a capital, too
_ENGLISH = "Capt Col Dr Gen Mr Mrs Ms Messrs Mt Prof Rep Rev Sen St approx cf e.g ed eds i.e vs"
_FRENCH = "Dr MM Mgr Mlle Mme Pr St Ste apr av bd cf env ex éd vs"
ABBREVIATIONS: dict[str, frozenset[str]] = {"en": frozenset(_ENGLISH.split()), "fr": frozenset(_FRENCH.split())}
NUMBERED = frozenset({"art", "ch", "chap", "col", "eq", "fig", "figs", "no", "nos", "p", "pp", "sec", "vol", "vols"})
LONGEST = 20  # characters looked at before a full stop: more than any abbreviation has
_BLANK_LINE = re.compile(r"\n\s*\n")
_STOP = re.compile(
    r"""(?<![.!?…])[.!?…]+
    (?: [ \u00a0\u202f]?» | [")\]”’'] )*            # what it closes
    (?: [ \u00a0\u202f]?\[\s*\d+(?:\s*,\s*\d+)*\s*\] )*     # the references it carries
    (?=\s|\Z)""",
    re.VERBOSE,
)
_QUOTATION = re.compile(r"«[^«»]*»|“[^“”]*”")
_OPENING = re.compile(r"[\s«“‘\"'(\[—–-]*")


@checked
def sentence_spans(text: str, *, language: Language) -> list[Span]:
    """Find the sentences of `text`, from the first character of each to its last, white space excluded.

    A sentence ends at a blank line, at the end of the text, and after a run of . ! ? … that white space or the end
    follows, together with the brackets and quotation marks that close there ("Non ! »" too) and with reference marks
    such as [1] or [2, 3]. Unless:

    - the next letter or digit, after any opening signs, is a lower-case letter: « Non ! » dit-il.
    - the run is one full stop after an abbreviation of `ABBREVIATIONS`, after one of `NUMBERED` that a digit follows
      (no. 5, but "Oh no. Wait."), or after initials: what precedes is one capital letter, or ends in one after a dot or
      hyphen (J. Verne, J.-J. Rousseau, the U.S. Army; "I" in English is a word);
    - it is inside « » or “ ”: a quotation is never cut, if it is closed before the next blank line. The straight marks
      " and ' do not say whether they open or close, so that they protect nothing.

    So 3.14, 1,5 and "bareme.py" are never cut, and every other abbreviation ("etc.", "Inc.") ends a sentence if a
    capital follows. All characters but white space are in exactly one sentence; no sentence is empty.

    Source: Grefenstette and Tapanainen 1994, COMPLEX (What is a word, what is a sentence?).
    Departs from it: the list of abbreviations is fixed and short; quotations stay whole.

    Args:
        text: prose.
        language: "fr" or "en": whose abbreviations.
    Returns:
        The sentences' [start, end), from left to right.
    Raises:
        TypeError: another language, or a wrong type.

    Cost: O(N·log N) for N characters.

    >>> text = "M. Seguin paie 3.50 francs. « Pars ! Vite ! » dit-il. Elle part…"
    >>> [text[start:end] for start, end in sentence_spans(text, language="fr")]
    ['M. Seguin paie 3.50 francs.', '« Pars ! Vite ! » dit-il.', 'Elle part…']
    >>> text = "It works, cf. Fig. 2.[1] Does it? (Yes.) So do I. He left"
    >>> [text[start:end] for start, end in sentence_spans(text, language="en")]
    ['It works, cf. Fig. 2.[1]', 'Does it?', '(Yes.)', 'So do I.', 'He left']
    """
    spans = []
    start = 0
    for paragraph_end in (*(found.end() for found in _BLANK_LINE.finditer(text)), len(text)):
        paragraph = text[start:paragraph_end]
        spans += [(start + first, start + last) for first, last in _sentences(paragraph, language)]
        start = paragraph_end
    return spans


def _sentences(paragraph: str, language: Language) -> Iterator[Span]:
    start = 0
    for end in (*_ends(paragraph, language), len(paragraph)):
        sentence = paragraph[start:end]
        if sentence.strip():
            yield start + len(sentence) - len(sentence.lstrip()), start + len(sentence.rstrip())
        start = end


def _ends(paragraph: str, language: Language) -> Iterator[int]:
    quotations = [found.span() for found in _QUOTATION.finditer(paragraph)]
    openings = [start for start, _ in quotations]
    for found in _STOP.finditer(paragraph):
        quotation = bisect_right(openings, found.end()) - 1
        quoted = quotation >= 0 and found.end() < quotations[quotation][1]
        if not (quoted or _next(paragraph, found.end()).islower() or _abbreviates(paragraph, found, language)):
            yield found.end()


def _next(paragraph: str, end: int) -> str:
    """Return the first character after opening signs and white space, "" at the end."""
    opened = _OPENING.match(paragraph, end)
    place = opened.end() if opened else end
    return paragraph[place : place + 1]


def _abbreviates(paragraph: str, found: re.Match[str], language: Language) -> bool:
    """Whether the match is a lone full stop that belongs to an abbreviation or to initials."""
    before = paragraph[max(0, found.start() - LONGEST) : found.start()]
    if found.group() != "." or not before or before[-1].isspace():
        return False
    word = re.split(r"[\s'’]", before)[-1].lstrip('«“‘"([—–-')  # l'art.: art
    last = re.split(r"[.-]", word)[-1]
    if len(last) == 1 and last.isupper():
        return not (language == "en" and word == "I")
    if word.lower() in NUMBERED and _next(paragraph, found.end()).isdigit():
        return True
    return word in ABBREVIATIONS[language] or word.lower() in ABBREVIATIONS[language]
