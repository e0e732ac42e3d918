"""Text from strangers made fit for a page: what a browser would obey or could not show becomes plain and visible.

Covered: terminal sequences, control characters, bidirectional overrides, what UTF-8 cannot carry, length.
Not covered: HTML's own characters, which Jinja's autoescape takes care of.
"""

import re
from dataclasses import dataclass

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
CARET_OFFSET = 0x40  # control character n is written ^ and the character n + 64: ^@ for NUL, ^[ for escape

# Possessive quantifiers: a sequence that never ends is read once, not once for every start.
TERMINAL_SEQUENCE = re.compile(
    r"""\x1b(?:
        \[ [0-?]*+ [\ -/]*+ [@-~]?                  # CSI: colours, cursor movements
      | [\]PX^_] [^\x07\x1b]*+ (?: \x07 | \x1b\\ )?  # OSC, DCS, SOS, PM, APC: titles, links, images
      | [\ -/]*+ [0-Z\\^-~]                         # two-character sequences
    )""",
    re.VERBOSE,
)
OVERWRITTEN = re.compile(r"^.*\r(?=[^\r\n])", re.MULTILINE)  # a progress bar redraws its line: the last drawing stays

# Embeddings, overrides and isolates reorder the text around them. Left-to-right and right-to-left *marks* do not, and
# names in Arabic or Hebrew need them.
BIDI_CONTROLS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
LINE_SEPARATORS = (0x2028, 0x2029)
NONCHARACTERS = (*range(0xFDD0, 0xFDF0), 0xFFFE, 0xFFFF)
C1_CONTROLS = range(0x80, 0xA0)
SURROGATES = range(0xD800, 0xE000)

VISIBLE: dict[int, str] = {
    **{code: f"^{chr(code + CARET_OFFSET)}" for code in range(0x20) if chr(code) not in "\t\n"},
    0x7F: "^?",
    **{code: f"⟨U+{code:04X}⟩" for code in BIDI_CONTROLS},
    **dict.fromkeys(LINE_SEPARATORS, "\n"),
    **dict.fromkeys((*C1_CONTROLS, *NONCHARACTERS, *SURROGATES), REPLACEMENT),
}


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The beginning of a text, and how much of it is not shown."""

    text: str
    left_out: int  # characters


def clean(text: str) -> str:
    """`text` as a reader may see it: no terminal sequence, no invisible control, nothing UTF-8 refuses.

    Line ends and tabs stay. What a carriage return overwrote is gone, as on a terminal. Cleaning twice changes nothing.

    >>> clean("\\x1b[31mred\\x1b[0m\\x00")
    'red^@'
    """
    text = TERMINAL_SEQUENCE.sub("", text)  # once: an escape that is left over afterwards becomes a visible ^[
    text = OVERWRITTEN.sub("", text.replace("\r\n", "\n"))
    return text.replace("\r", "").translate(VISIBLE)


def clean_line(text: str) -> str:
    """`text` cleaned and on one line, for names and titles."""
    return " ".join(clean(text.replace("\r", "\n")).split())


def excerpt(text: str, *, limit: int) -> Excerpt:
    """At most `limit` characters of `text`, cleaned first so that what was overwritten does not use them up."""
    cleaned = clean(text).strip("\n")
    return Excerpt(cleaned[:limit], max(0, len(cleaned) - limit))
