"""Checks with a gap: none of them asks for the sign of zero."""

from harness.checks import check


def numbers(rng):
    return rng.integers(-99, 99, size=6).tolist()


@check(points=2, fr="Additionner", en="Adding up")
def test_total(submission, oracle, compare, rng):
    for _ in range(4):
        values = numbers(rng)
        compare(submission.total(values), oracle.total(values), exact=True)


@check(points=2, fr="La plus grande valeur", en="The largest value", visibility="hidden")
def test_largest(submission, oracle, compare, rng):
    for place in range(6):
        values = numbers(rng)
        values[place] = 100 + place
        compare(submission.largest(values), oracle.largest(values), exact=True)


@check(points=1, fr="Le signe", en="The sign")
def test_sign(submission, oracle, compare, rng):
    for x in [1, -1, *(1 + rng.integers(99, size=2)).tolist(), *(-1 - rng.integers(99, size=2)).tolist()]:
        compare(submission.sign(x), oracle.sign(x), exact=True)
