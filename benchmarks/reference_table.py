"""How far is each component of the oracle from its authority? Writes docs/reference.md, or checks that it still holds.

    python -m pytest tests/reference --proofs build/proofs.json
    python benchmarks/reference_table.py build/proofs.json            # writes docs/reference.md
    python benchmarks/reference_table.py build/proofs.json --check    # exit 1 where the page and the proofs differ

The proofs are the tests' own measurements (tests/reference/conftest.py). The last digits of floating point differ
between machines, so a check compares the rows to the letter, exact stays exact, and a deviation may grow tenfold.
"""

import argparse
import inspect
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, floor, log10
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/reference")]

from components import Component, classes, functions  # noqa: E402

PAGE = ROOT / "docs" / "reference.md"
GROWTH = 10  # of a deviation between machines: other BLAS kernels sum in other orders
SEPARATOR = "; "
ROUNDING = 1e-14  # below it a deviation says nothing but how many float64 roundings there were
HEADER = """# The oracle, component by component

Made by `make reference`; `make test` checks that it still holds. *Deviation* is the largest difference that the tests
measured between the component and each of its authorities, in their order, in units of the largest expected magnitude
where that is above 1; `=` where the two are compared as equal, symbol by symbol. Shares of random draws are said to be
statistical, and are held to a bound that follows from their number; authorities that compute in float32 are far from
float64 by about 1e-7, and those that search an optimum or take finite differences by what they can find. A class stands
for its methods.

| component | file | source | authority | deviation |
| --- | --- | --- | --- | --- |
"""


@dataclass(frozen=True)
class Row:
    """One line of the table; a deviation is None where nothing but equality counts."""

    component: str
    file: str
    source: str
    authorities: tuple[str, ...]
    deviations: tuple[float | None, ...]

    @property
    def stable(self) -> tuple[object, ...]:
        """What is the same on every machine."""
        exact = tuple(one is None for one in self.deviations)
        return self.component, self.file, self.source, self.authorities, exact

    def __str__(self) -> str:
        shown = ["=" if one is None else _rounded_up(one) for one in self.deviations]
        cells = [
            f"`{self.component}`",
            f"`{self.file}`",
            self.source,
            SEPARATOR.join(self.authorities),
            SEPARATOR.join(shown),
        ]
        return f"| {' | '.join(cells)} |"


def main() -> int:
    """Write the page, or compare it with the proofs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("proofs", type=Path, help="what pytest --proofs wrote")
    parser.add_argument("--check", action="store_true", help="compare docs/reference.md instead of writing it")
    options = parser.parse_args()
    rows, unproven = table(json.loads(options.proofs.read_text()))
    problems = [f"{name} meets no authority: no test calls proof({name}, …)" for name in unproven]
    if options.check:
        problems += differences(read(PAGE), rows)
    elif not problems:
        PAGE.write_text(HEADER + "".join(f"{row}\n" for row in rows))
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems and options.check:
        print("remedy: make reference, and look at what changed", file=sys.stderr)
    return 1 if problems else 0


def table(proofs: list[dict[str, object]]) -> tuple[list[Row], list[str]]:
    """A row for each public function and each public class, and the names of those without a proof."""
    kept = defaultdict(list)
    for one in proofs:
        kept[one["component"]].append(one)
    rows, unproven = [], []
    for component in subjects():
        found = [proof for key in keys(component) for proof in kept[key]]
        if found:
            rows.append(row(component, found))
        else:
            unproven.append(str(component))
    return rows, unproven


def subjects() -> Iterator[Component]:
    """Functions and classes; a class that is only a record of values has nothing to prove."""
    alone = [one for one in functions() if "." not in one.name]
    behaving = [
        one
        for one in classes()
        if any(method.name.startswith(f"{one.name}.") and method.package == one.package for method in functions())
    ]
    yield from sorted(alone + behaving, key=str)


def keys(component: Component) -> set[str]:
    """Under which a proof of a component, or of one of its methods, is kept."""
    module = component.value.__module__
    names = [component.name] + [one.name for one in functions() if one.name.startswith(f"{component.name}.")]
    return {f"{module}:{name}" for name in names}


def row(component: Component, proofs: list[dict[str, object]]) -> Row:
    """Gather what was measured of one component."""
    authorities = sorted({str(one["against"]) for one in proofs})
    measured = [
        [float(one["deviation"]) for one in proofs if one["against"] == name and one["within"]] for name in authorities
    ]
    file = Path(inspect.getfile(inspect.unwrap(component.value))).relative_to(ROOT)
    return Row(
        component=str(component),
        file=str(file),
        source=source(component),
        authorities=tuple(_cell(name) for name in authorities),
        deviations=tuple(max(values, default=None) for values in measured),
    )


def source(component: Component) -> str:
    """The first sentence of the docstring's Source, on one line."""
    found = re.search(
        r"^Source: (.*?)(?=\n\n|\n(?:Departs|Args|Returns|Raises|Cost)\b|\Z)", component.doc, re.DOTALL | re.MULTILINE
    )
    return _cell(" ".join(found[1].split())) if found else ""


def read(page: Path) -> list[Row]:
    """The rows that stand in the page."""
    rows = []
    for line in page.read_text().splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 5 and cells[0].startswith("`"):
            deviations = tuple(None if one == "=" else float(one) for one in cells[4].split(SEPARATOR))
            names = tuple(cells[3].split(SEPARATOR))
            rows.append(Row(cells[0].strip("`"), cells[1].strip("`"), cells[2], names, deviations))
    return rows


def differences(written: list[Row], measured: list[Row]) -> list[str]:
    """What of the page is no longer so."""
    old, new = ({row.component: row for row in rows} for rows in (written, measured))
    found = [f"{name}: not in docs/reference.md" for name in new.keys() - old.keys()]
    found += [f"{name}: in docs/reference.md, but no longer in the oracle" for name in old.keys() - new.keys()]
    for name in sorted(old.keys() & new.keys()):
        before, now = old[name], new[name]
        if before.stable != now.stable:
            found.append(f"{name}: docs/reference.md says\n  {before}\nthe proofs say\n  {now}")
        else:
            found += [f"{name}: {one}" for one in grown(before, now)]
    return found


def grown(before: Row, now: Row) -> list[str]:
    """The authorities from which a component is now further away than another machine explains."""
    return [
        f"{new:.1e} from {name}, docs/reference.md says {old:.0e}"
        for name, old, new in zip(now.authorities, before.deviations, now.deviations, strict=True)
        if old is not None and new is not None and new > max(GROWTH * old, ROUNDING)
    ]


def _rounded_up(deviation: float) -> str:
    """To one significant digit, never below what was measured."""
    if deviation == 0:
        return "0"
    unit = 10.0 ** floor(log10(deviation))
    return f"{ceil(deviation / unit - 1e-9) * unit:.0e}"


def _cell(text: str) -> str:
    """Neither the table's own bars nor the separator of authorities may come from a text."""
    return text.replace("|", r"\|").replace(SEPARATOR, ", ")


if __name__ == "__main__":
    sys.exit(main())
