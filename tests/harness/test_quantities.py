"""Numbers as people read them: the digits that the interval warrants, units in the reader's language, any float."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.quantities import ends, grouped, plain, reading
from harness.records import Better, Language, Metric, Text

LANGUAGES: tuple[Language, ...] = ("fr", "en")
SPACES = str.maketrans("\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}", "  ")


def metric(value: float, low: float, high: float, unit: str = "bits/byte") -> Metric:
    return Metric(value, unit, low, high, None, None, 0.0, 0.0, "bits", Text("", ""), Better.LOWER)


def told(measured: Metric, language: Language) -> str:
    between = ends(measured, language)
    words = reading(measured, language) + (f" ({between[0]} – {between[1]})" if between else "")
    return words.translate(SPACES)


@pytest.mark.parametrize(
    ("measured", "fr", "en"),
    [
        (metric(2.4613, 2.41, 2.52), "2,46 bits/octet (2,41 – 2,52)", "2.46 bits/byte (2.41 – 2.52)"),
        (metric(2.5, 2.4996, 2.5009), "2,5000 bits/octet (2,4996 – 2,5009)", "2.5000 bits/byte (2.4996 – 2.5009)"),
        (metric(1.9987, 1.2, 2.9), "2,0 bits/octet (1,2 – 2,9)", "2.0 bits/byte (1.2 – 2.9)"),
        (metric(12345.6, 12104, 12604, "s"), "12 350 s (12 100 – 12 600)", "12,350 s (12,100 – 12,600)"),
        (metric(2.5, 2.45, 2.55, ""), "2,50 (2,45 – 2,55)", "2.50 (2.45 – 2.55)"),
        (metric(-3.2, -4, -1, ""), "−3,2 (−4,0 – −1,0)", "−3.2 (−4.0 – −1.0)"),
        (metric(2.13, 2.05, 2.2, "×"), "2,13 × (2,05 – 2,20)", "2.13× (2.05 – 2.20)"),
        (metric(87.31, 84, 90, "%"), "87,3 % (84,0 – 90,0)", "87.3% (84.0 – 90.0)"),
        (metric(8, 8, 8), "8 bits/octet", "8 bits/byte"),  # exact: there is nothing to be uncertain about
        (metric(1 / 3, 1 / 3, 1 / 3, ""), "0,333333", "0.333333"),
        (metric(2.5, 2.4, math.inf, ""), "2,5 (2,4 – ∞)", "2.5 (2.4 – ∞)"),
        (metric(-math.inf, -math.inf, 1, ""), "−∞ (−∞ – 1)", "−∞ (−∞ – 1)"),
        (metric(math.nan, math.nan, math.nan), "—", "—"),
        (metric(2.5, math.nan, 3), "2,5 bits/octet", "2.5 bits/byte"),
        (metric(15e-9, 1e-9, 2e-8, ""), "1,5 × 10⁻⁸ (1 × 10⁻⁹ – 2,0 × 10⁻⁸)", "1.5 × 10⁻⁸ (1 × 10⁻⁹ – 2.0 × 10⁻⁸)"),
        (metric(0.5, 0.5 - 1e-14, 0.5 + 1e-14, ""), "0,500000 (0,500000 – 0,500000)", "0.500000 (0.500000 – 0.500000)"),
    ],
)  # fmt: skip
def test_a_value_has_as_many_digits_as_its_interval_warrants(measured: Metric, fr: str, en: str) -> None:
    assert (told(measured, "fr"), told(measured, "en")) == (fr, en)


@pytest.mark.parametrize(
    ("value", "unit", "fr", "en"),
    [
        (3.1, "bits/byte", "3,1 bits/octet", "3.1 bits/byte"),
        (2.718281828, "", "2,718", "2.718"),
        (123456, "tokens", "123 456 jetons", "123,456 tokens"),
        (0.1 + 0.2, "s", "0,3 s", "0.3 s"),
        (0.00012345, "s", "0,0001234 s", "0.0001234 s"),
        (1e-7, "", "1 × 10⁻⁷", "1 × 10⁻⁷"),
        (1e20, "", "1 × 10²⁰", "1 × 10²⁰"),
        (math.nan, "", "—", "—"),
        (212.0, "MiB", "212 Mio", "212 MiB"),
        (222298112.0, "B", "212 Mio", "212 MiB"),
        (1023.0, "B", "1 023 o", "1,023 B"),
        (1536.0, "B", "1,5 Kio", "1.5 KiB"),
        (2.0**70, "B", "1 073 741 824 Tio", "1,073,741,824 TiB"),
        (0.0, "B", "0 o", "0 B"),
        (math.inf, "B", "∞ o", "∞ B"),
        (1234.5, "1/s", "1 234/s", "1,234/s"),
        (12.5, "furlongs", "12,5 furlongs", "12.5 furlongs"),  # an unknown unit is its own name
    ],
)
def test_a_number_without_interval_has_four_digits_and_counts_are_full(
    value: float, unit: str, fr: str, en: str
) -> None:
    assert (plain(value, unit, "fr").translate(SPACES), plain(value, unit, "en").translate(SPACES)) == (fr, en)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("unit", ["bits/byte", "s", "%", "tokens"])
def test_no_line_break_parts_a_number_from_its_unit(unit: str, language: Language) -> None:
    assert " " not in reading(metric(1234.5, 1200, 1300, unit), language) + plain(1234.5, unit, language)


@given(st.floats(), st.floats(), st.floats(), st.sampled_from(LANGUAGES))
def test_any_floats_can_be_told_briefly(value: float, low: float, high: float, language: Language) -> None:
    words = [reading(metric(value, low, high), language), *(ends(metric(value, low, high), language) or ())]
    words.append(plain(value, "s", language))
    assert all(0 < len(word) < 45 for word in words), words


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e3))
def test_what_is_told_is_within_a_tenth_of_the_interval_of_what_was_measured(value: float, width: float) -> None:
    measured: Any = metric(value, value - width / 2, value + width / 2, "")
    plain_digits = str.maketrans("−⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "--0123456789", ",")
    number = float(reading(measured, "en").translate(SPACES).replace(" × 10", "e").translate(plain_digits))
    assert abs(number - value) <= 0.05 * width + 5e-6 * (abs(value) + width)


def test_there_is_no_minus_zero() -> None:
    assert grouped(-0.004, 2, "en") == "0.00"
