"""Words as they are printed: French spaces and apostrophes, in sentences and in Markdown.

Not covered: numbers and their units (`quantities`); English, which is written as it is printed.
"""

import re

from harness.quantities import NARROW, NO_BREAK
from harness.records import Language

# One convention, whichever of these spaces was typed; where none was, none is set.
TYPED = f"[ {NO_BREAK}{NARROW}]"
WIDE_PLACES = re.compile(rf"(?<=«){TYPED}|{TYPED}(?=[:»])")
NARROW_PLACES = re.compile(rf"{TYPED}(?=[;!?%])")
# After a letter, and before a word or what opens its markup: never a quotation mark.
APOSTROPHE = re.compile(r"(?<=[^\W\d_])'(?=[*_]*[\w«“`$\[])")
AT_THE_END = re.compile(r"(?<=[^\W\d_])'(?=[*_]*\Z)")  # where code or a formula follows
CODE_OR_FORMULA = ("`", "$")
# What Markdown shows as it stands, or reads as syntax: code, formulas, links' targets, images, HTML, rules of tables.
VERBATIM = re.compile(
    r"(?ms:^(?P<fence>```+|~~~+).*?^(?P=fence)`*~*[ \t]*$)"
    r"|(?s:\$\$.*?\$\$)"
    r"|(?P<ticks>`+)[^`].*?(?<!`)(?P=ticks)(?!`)"
    r"|\$[^$\n]+\$"
    r"|\]\([^)\n]*\)"
    r"|!\["
    r"|https?://[^\s<>)]*"
    r"|</?[A-Za-z][^<>\n]*>"
    r"|(?m:^[ \t]*\|?[ \t:|-]*-[ \t:|-]*$)"
)


def with_french_spaces(sentence: str) -> str:
    """`sentence` with wide no-break spaces inside « » and before the colon, narrow ones before ; ! ? %."""
    return NARROW_PLACES.sub(NARROW, WIDE_PLACES.sub(NO_BREAK, sentence))


def with_apostrophes(sentence: str) -> str:
    """`sentence` with the apostrophes of printed French."""
    return APOSTROPHE.sub("’", sentence)


def markdown(text: str, language: Language) -> str:
    """`text` with the typography of its language wherever it is words: not in code, formulas, addresses or syntax.

    >>> markdown("L'aide : `f(x) : y`, https://example.org/a:b !", "fr")
    'L’aide\\xa0: `f(x) : y`, https://example.org/a:b\\u202f!'
    """
    if language != "fr":
        return text
    pieces: list[str] = []
    end = 0
    for verbatim in VERBATIM.finditer(text):
        words = _words(text[end : verbatim.start()])
        pieces += [AT_THE_END.sub("’", words) if verbatim[0].startswith(CODE_OR_FORMULA) else words, verbatim[0]]
        end = verbatim.end()
    return "".join([*pieces, _words(text[end:])])


def _words(words: str) -> str:
    return with_apostrophes(with_french_spaces(words))
