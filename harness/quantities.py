"""A measured number for people: as many digits as its interval warrants, its unit, in both languages.

Not covered: sentences around it (`reports`, `terminal`), files for programs (`gradebook`): they hold numbers in full.
"""

import math
from collections.abc import Sequence

from harness.records import Language, Metric, Text

NO_BREAK = "\N{NO-BREAK SPACE}"
NARROW = "\N{NARROW NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
NOT_A_NUMBER = "\N{EM DASH}"
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

UNCERTAIN_DIGITS = 2  # of the interval's width: one tells two neighbours apart too coarsely, a third tells nothing
PLAIN_DIGITS = 4  # of a number that comes without an interval
MOST_DIGITS = 6  # nobody reads more, however narrow the interval
LONGEST, SHORTEST = 1e7, 1e-4  # beyond, powers of ten
WHOLE = 1e15  # whole numbers below are exact in a float, and counts are shown in full

# Units whose name differs between the languages; every other one is its own name in both.
UNITS = {
    "bits/byte": Text("bits/octet", "bits/byte"),
    "B": Text("o", "B"),
    "bytes": Text("octets", "bytes"),
    "bits/token": Text("bits/jeton", "bits/token"),
    "bytes/token": Text("octets/jeton", "bytes/token"),
    "tokens": Text("jetons", "tokens"),
    "tokens/byte": Text("jetons/octet", "tokens/byte"),
    "queries/s": Text("requêtes/s", "queries/s"),
    "queries": Text("requêtes", "queries"),
    "calls": Text("appels", "calls"),
    "blocks": Text("blocs", "blocks"),
    "KiB": Text("Kio", "KiB"),
    "MiB": Text("Mio", "MiB"),
    "GiB": Text("Gio", "GiB"),
    "TiB": Text("Tio", "TiB"),
    "1/s": Text("/s", "/s"),
    "gCO2e/kWh": Text("g éq. CO₂/kWh", "g CO₂e/kWh"),
    "gCO2e": Text("g éq. CO₂", "g CO₂e"),
    "gCO2e est.": Text("g éq. CO₂ (estimation)", "g CO₂e (estimate)"),
    "J est.": Text("J (estimation)", "J (estimate)"),
}
CLOSE = {"%": Text(NARROW, ""), "×": Text(NARROW, ""), "1/s": Text("", "")}  # what parts these from their number
ROUNDING = 1e-9  # of a power of ten: the width of 2.45 to 2.55 counts as 0.1, though float makes it a little less
BYTE_PREFIXES = ("B", "KiB", "MiB", "GiB", "TiB")
KIB_BITS = 10  # a KiB is 2^10 bytes


def reading(metric: Metric, language: Language) -> str:
    """The value with its unit: "2.46 bits/byte"."""
    return NOT_A_NUMBER if math.isnan(metric.value) else with_unit(value(metric, language), metric.unit, language)


def value(metric: Metric, language: Language) -> str:
    """The value alone: "2.46"."""
    return _shown(metric, metric.value, language)


def ends(metric: Metric, language: Language) -> tuple[str, str] | None:
    """Both ends of the interval, without unit; None when there is no interval, or nothing uncertain to tell."""
    if math.isnan(metric.low) or math.isnan(metric.high) or metric.low == metric.high == metric.value:
        return None
    return _shown(metric, metric.low, language), _shown(metric, metric.high, language)


def plain(value: float, unit: str, language: Language, *, digits: int = PLAIN_DIGITS) -> str:
    """A number without an interval, with its unit; counts are shown in full, bytes by their prefixes."""
    if unit == BYTE_PREFIXES[0]:
        thousands = (math.frexp(value)[1] - 1) // KIB_BITS  # 0 for zero, NaN and infinity
        prefix = min(max(0, thousands), len(BYTE_PREFIXES) - 1)
        value, unit = value / 2.0 ** (KIB_BITS * prefix), BYTE_PREFIXES[prefix]
    whole = float(value).is_integer() and abs(value) < WHOLE
    places = 0 if whole else _places(digits, value)
    number = grouped(value, 0, language) if whole else _scaled(value, places, language, trimmed=True)
    return with_unit(number, unit, language)


def with_unit(number: str, unit: str, language: Language) -> str:
    """`number` and the name of `unit`, which no line break parts."""
    if not unit:
        return number
    gap = CLOSE[unit].in_language(language) if unit in CLOSE else NO_BREAK
    return f"{number}{gap}{unit_name(unit, language)}"


def unit_name(unit: str, language: Language) -> str:
    """What `unit` is called in `language`."""
    return UNITS[unit].in_language(language) if unit in UNITS else unit


def grouped(value: float, places: int, language: Language, *, trimmed: bool = False) -> str:
    """`value` with `places` decimals (below 0: rounded to tens, hundreds, …), without zeros at its end if `trimmed`."""
    if not math.isfinite(value):
        return NOT_A_NUMBER if math.isnan(value) else f"{MINUS if value < 0 else ''}∞"
    rounded = round(value, places) + 0.0  # + 0.0: there is no −0
    digits = f"{rounded:,.{max(0, places)}f}".replace("-", MINUS)
    if trimmed and "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return digits.replace(",", NARROW).replace(".", ",") if language == "fr" else digits


def _scaled(value: float, places: int, language: Language, *, trimmed: bool = False) -> str:
    """As `grouped`, by a power of ten where zeros would have to be counted."""
    if abs(value) < 0.5 * 10.0**-places:  # shows as zero
        return grouped(value, min(places, MOST_DIGITS), language, trimmed=trimmed)
    if not math.isfinite(value) or SHORTEST <= abs(value) < LONGEST:
        return grouped(value, places, language, trimmed=trimmed)
    digits = min(max(0, places + _magnitude([value])), MOST_DIGITS - 1)
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    factor = grouped(float(mantissa), digits, language, trimmed=trimmed)
    return f"{factor}{NO_BREAK}×{NO_BREAK}10{str(int(exponent)).translate(SUPERSCRIPTS)}"


def _shown(metric: Metric, value: float, language: Language) -> str:
    return _scaled(value, _warranted(metric), language, trimmed=not 0 < _width(metric) < math.inf)


def _warranted(metric: Metric) -> int:
    """Decimals of the value and of both ends: the interval's width keeps two digits."""
    numbers = (metric.value, metric.low, metric.high)
    width = _width(metric)
    if 0 < width < math.inf:
        return min(_places(UNCERTAIN_DIGITS, width), _places(MOST_DIGITS, *numbers))
    return _places(MOST_DIGITS if width == 0 else PLAIN_DIGITS, *numbers)


def _width(metric: Metric) -> float:
    return abs(metric.high - metric.low)


def _places(digits: int, *values: float) -> int:
    """Decimals that leave `digits` significant ones to the largest of `values`."""
    return digits - 1 - _magnitude(values)


def _magnitude(values: Sequence[float]) -> int:
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    return math.floor(math.log10(largest) + ROUNDING) if largest else 0
