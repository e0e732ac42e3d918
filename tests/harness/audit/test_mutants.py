"""Mutants: what is one and what is none, ids that stay, and a fair sample."""

from collections import Counter

import pytest

from harness.audit.mutants import Mutation, mutations, sample
from harness.audit.operators import OPERATORS
from harness.errors import ConfigurationError

CELL = """def mean(values):
    # the sum first
    total = sum(values)
    return total / len(values)
"""


def ids(text: str, cell: str = "mean") -> set[str]:
    return {mutation.mutant.id for mutation in mutations({cell: text})}


def test_an_id_says_where_and_what() -> None:
    for mutation in mutations({"mean": CELL}):
        cell, operator, digest = mutation.mutant.id.split("/")
        assert (cell, operator) == ("mean", mutation.mutant.operator)
        assert operator in OPERATORS
        assert len(digest) == 8
        assert mutation.mutant.function == "mean"


def test_ids_are_those_that_assignments_list() -> None:
    assert {"mean/scaling/46b2e356", "mean/arithmetic/95bfdb00"} <= ids(CELL)


def test_ids_stay_when_lines_move_and_other_functions_change() -> None:
    longer = "import math\n\n\ndef other(x):\n    return x + 1\n\n\n" + CELL.replace("first", "comes first")
    assert ids(CELL) < ids(longer)


def test_the_same_fault_at_two_places_has_two_ids() -> None:
    twice = mutations({"cell": "def f(x):\n    x += 1\n    x += 1\n    return x"})
    changed = [one.mutant.id for one in twice if one.text.count("x -= 1") == 1]
    assert len(changed) == len(set(changed)) == 2


def test_a_diff_shows_the_fault_alone_and_formatting_stays() -> None:
    mutation = next(one for one in mutations({"mean": CELL}) if one.mutant.operator == "scaling")
    assert mutation.text == CELL.replace("total / len(values)", "total")
    lines = mutation.mutant.diff.splitlines()
    assert [line for line in lines if line[0] in "+-"][2:] == ["-    return total / len(values)", "+    return total"]


def test_what_says_the_same_is_one_mutant() -> None:
    found = mutations({"cell": "def f(n):\n    return [i for i in range(n)]"})
    texts = [one.text for one in found]
    assert len(texts) == len(set(texts))
    assert not any("return x\n" in one.text for one in mutations({"cell": "def f(x):\n    return (x)\n"}))


def test_what_does_not_compile_is_none() -> None:
    for mutation in mutations({"cell": "def f(x):\n    for a in x:\n        if a: break\n    return x"}):
        compile(mutation.text, "mutant", "exec")


@pytest.mark.parametrize("text", ["%%time\nx = 1", "def f(:", "x = !ls"])
def test_a_cell_that_is_not_python_is_named(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"solution cell 'cell'.*not plain Python"):
        mutations({"cell": text})


def many() -> tuple[Mutation, ...]:
    cells = {f"cell-{i}": CELL.replace("mean", f"mean_{i}") for i in range(4)}
    return mutations(cells)


def test_a_sample_is_of_the_size_asked_for_and_the_same_for_the_same_seed() -> None:
    found = many()
    chosen = sample(found, 20, seed=1)
    assert len(chosen) == 20
    assert chosen == sample(found, 20, seed=1) != sample(found, 20, seed=2)
    assert sample(found, 10_000, seed=1) == found


def test_a_sample_holds_every_cell_and_operator_as_often_as_its_share_says() -> None:
    found = many()
    chosen = sample(found, len(found) // 2, seed=1)
    cells = Counter(one.cell for one in chosen)
    assert max(cells.values()) - min(cells.values()) <= 4
    assert {one.mutant.operator for one in chosen} == {one.mutant.operator for one in found}
