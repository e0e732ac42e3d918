"""Checks of the toy assignment: fresh inputs in every run, and one file of hidden ones.

No constant, no input handed back and no answer remembered by anything but its value passes any of them.
"""

import json
from pathlib import Path

from hypothesis import strategies as st

from harness.checks import check

HIDDEN = json.loads(Path(__file__).with_name("hidden.json").read_text(encoding="utf-8"))

integers = st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=8)
floats = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9)
words = st.text("abc", min_size=1, max_size=8)


@check(points=2, fr="Double d'un tableau", en="Double of an array")
def test_double(submission, oracle, rng, compare):
    for n in (1, 3, 8):
        x = rng.normal(size=n)
        compare(submission.double(x), oracle.double(x))


@check(points=2, fr="Double de beaucoup de tableaux", en="Double of many arrays", visibility="hidden", needs=["double"])
def test_double_hidden(submission, oracle, rng, compare):
    arrays = [rng.normal(size=16) for _ in range(40)]  # all of one shape
    for x, answer in zip(arrays, submission.double.map(arrays), strict=True):
        compare(answer, oracle.double(x))


@check(points=2, fr="Somme", en="Sum")
def test_total(submission, oracle, differential):
    differential(submission.total, oracle.total, integers, exact=True, examples=30)


@check(points=2, fr="Somme de listes cachées", en="Sum of hidden lists", visibility="hidden")
def test_total_hidden(submission, oracle, compare):
    for values in HIDDEN:
        compare(submission.total(values), oracle.total(values), exact=True)


@check(points=4, fr="Médiane", en="Median")
def test_median(submission, oracle, differential):
    differential(submission.median, oracle.median, floats, examples=30)


@check(points=4, fr="Compteur", en="Counter")
def test_counter(submission, rng, compare):
    first, second = submission.make_counter(), submission.make_counter()
    added = [int(n) for n in rng.integers(1, 1000, size=4)]
    for n in added:
        first.add(n)
    second.add(1)
    compare(first.value(), sum(added))
    compare(second.value(), 1)


@check(points=4, fr="Indices d'une lettre", en="Indices of a letter", visibility="hidden")
def test_locate(submission, oracle, differential):
    differential(submission.locate, oracle.locate, st.tuples(words, st.sampled_from("abc")), exact=True, examples=30)
