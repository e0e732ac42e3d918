"""Hostile text becomes plain: nothing to obey, nothing that UTF-8 refuses."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.text import clean, clean_line, excerpt

ANY_TEXT = st.text(st.characters() | st.sampled_from("\x1b\r\n\x00\x07[]\\m;\ud800\udfff\u202e\u2066\u2028\x9b"))


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;http://evil.example/\x07link\x1b]8;;\x1b\\", "link"),
        ("\x1bPq#0\x1b\\after", "after"),
        ("never ends \x1b[31", "never ends "),
        ("alone \x1b", "alone ^["),
        ("\x1b\x1b[m[31mjoined", "^[[31mjoined"),
        ("bell\x07 nul\x00 delete\x7f", "bell^G nul^@ delete^?"),
        ("c1 \x9b31m", "c1 \N{REPLACEMENT CHARACTER}31m"),
        ("\u202egpj.exe", "⟨U+202E⟩gpj.exe"),
        ("\u2067x\u2069", "⟨U+2067⟩x⟨U+2069⟩"),
        ("lone \ud800 surrogate", "lone \N{REPLACEMENT CHARACTER} surrogate"),
        ("a\u2028b", "a\nb"),
        (" 1%\r 50%\r100%\n", "100%\n"),
        ("done\r\r\n", "done\n"),
        ("windows\r\nline", "windows\nline"),
        ("\tindent\n", "\tindent\n"),
        ("Zoë 日本 ليلى \u200f🙂", "Zoë 日本 ليلى \u200f🙂"),
    ],
)
def test_each_kind_of_hostile_text_is_shown_plainly(raw: str, shown: str) -> None:
    assert clean(raw) == shown


@given(ANY_TEXT)
def test_cleaned_text_holds_no_control_fits_utf8_and_stays_as_it_is(text: str) -> None:
    cleaned = clean(text)

    assert cleaned.encode("utf-8").decode() == cleaned
    assert {char for char in cleaned if unicodedata.category(char) == "Cc"} <= {"\n", "\t"}
    assert not any(unicodedata.bidirectional(char) in {"RLO", "LRO", "RLE", "LRE", "RLI", "LRI"} for char in cleaned)
    assert clean(cleaned) == cleaned


def test_a_name_is_one_line() -> None:
    assert clean_line(" first\r\nsecond\tthird ") == "first second third"


def test_an_excerpt_says_how_much_it_leaves_out() -> None:
    cut = excerpt("x" * 1_000_000, limit=10_000)

    assert (len(cut.text), cut.left_out) == (10_000, 990_000)
    assert excerpt("short", limit=5).left_out == 0


def test_what_a_progress_bar_overwrote_does_not_use_up_the_limit() -> None:
    assert excerpt("".join(f"\r{i:6}" for i in range(100_000)) + "\nresult", limit=20).text == " 99999\nresult"
