"""Mutants: the solution with one systematic fault each, under ids that stay the same while its function does.

The id is `CELL/OPERATOR/HASH`, the hash being of the function's name, the lines that are changed, what they become, and
how often the same was done before: lines may move and others change. What does not compile, or says the same
as the original or as another mutant, is no mutant.
Not covered: the faults themselves (`operators`), and marking mutants (`examine`).
"""

import ast
import difflib
import hashlib
import random
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.audit.code import Code, Edit
from harness.audit.findings import Mutant
from harness.audit.operators import OPERATORS, Operator
from harness.errors import ConfigurationError

HASH_DIGITS = 8  # hexadecimal: 32 bits, and 500 mutants meet by chance once in 30,000 assignments


@dataclass(frozen=True, slots=True)
class Mutation:
    """A mutant and the text of its cell."""

    mutant: Mutant
    cell: str  # id
    text: str = field(repr=False)


def mutations(cells: Mapping[str, str]) -> tuple[Mutation, ...]:
    """Every mutant of the solution `cells` (id -> text), in the order of the notebook.

    Raises:
        ConfigurationError: a cell is not Python.
    """
    return tuple(mutation for cell, text in cells.items() for mutation in _of_cell(cell, text))


def sample(found: Sequence[Mutation], number: int, seed: int) -> tuple[Mutation, ...]:
    """`number` of the mutants, as many of each cell and operator as its share says; the same for the same seed."""
    groups: dict[tuple[str, str], list[Mutation]] = defaultdict(list)
    for mutation in found:
        groups[mutation.cell, mutation.mutant.operator].append(mutation)
    chance = random.Random(seed)  # noqa: S311  # reproducible on purpose
    ranked: list[tuple[float, int, Mutation]] = []
    for group in groups.values():
        chance.shuffle(group)
        # each group spreads evenly over the ranking, so that its beginning holds a fair share of every one
        ranked += [((i + chance.random()) / len(group), len(ranked) + i, one) for i, one in enumerate(group)]
    chosen = {one.mutant.id for _, _, one in sorted(ranked, key=lambda entry: entry[:2])[:number]}
    return tuple(mutation for mutation in found if mutation.mutant.id in chosen)


def _of_cell(cell: str, text: str) -> Iterator[Mutation]:
    try:
        code = Code(text)
    except SyntaxError as error:
        problem = f"source.ipynb: the solution cell {cell!r} is not plain Python: {error.msg}"
        raise ConfigurationError(problem, remedy="Keep notebook magics out of cells tagged `solution`.") from error
    seen = {ast.dump(code.tree)}
    times: Counter[tuple[str, ...]] = Counter()
    for operator, node, edit in _edits(code):
        changed = code.changed(edit)
        meaning = _meaning(changed)
        place = (operator.name, code.qualified(node), *_lines(code, changed, edit))
        times[place] += 1  # before anything is left out: an id does not depend on what else is a mutant
        if meaning is not None and meaning not in seen:
            seen.add(meaning)
            yield Mutation(_mutant(cell, text, changed, place, times[place]), cell, changed)


def _edits(code: Code) -> Iterator[tuple[Operator, ast.AST, Edit]]:
    for node in code.nodes:
        for operator in OPERATORS.values():
            for edit in operator.edits(code, node):
                yield operator, node, edit


def _lines(code: Code, changed: str, edit: Edit) -> tuple[str, str]:
    """The lines that `edit` touches as they were and as they are, without their indentation."""
    start = code.text.rfind("\n", 0, edit.start) + 1
    end = code.text.find("\n", edit.end)
    after = len(code.text) - end if end >= 0 else 0
    return code.text[start : len(code.text) - after].strip(), changed[start : len(changed) - after].strip()


def _mutant(cell: str, text: str, changed: str, place: tuple[str, ...], time: int) -> Mutant:
    operator, function, _, _ = place
    digest = hashlib.sha256("\0".join((*place[1:], str(time))).encode()).hexdigest()
    diff = difflib.unified_diff(text.splitlines(), changed.splitlines(), cell, cell, n=2, lineterm="")
    return Mutant(
        id=f"{cell}/{operator}/{digest[:HASH_DIGITS]}",
        cell=cell,
        operator=operator,
        function=function,
        diff="\n".join(diff),
    )


def _meaning(text: str) -> str | None:
    """The tree of `text` without its places; None where it does not compile."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `is` with a number, and the like: it is meant to be wrong
            tree = ast.parse(text)
            compile(tree, "mutant", "exec")
    except (SyntaxError, ValueError):
        return None
    return ast.dump(tree)
