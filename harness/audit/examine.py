"""One audit from order to findings: what is known to be right and what is known to be wrong, marked side by side.

First what must be right or worth nothing (seeds, variants, nulls); then the mutants, within limits that follow from
what the solution took. Not covered: how one notebook is marked (`pipeline`), what is written and shown (`export`,
`table`, `reports`).
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from harness import tasks
from harness.audit import marking, notebooks, nulls
from harness.audit.findings import Fate, Findings, Kind, Marked, Mutant, Spent, Trial, Verdict
from harness.audit.marking import Bench, Entry
from harness.audit.mutants import Mutation, mutations, sample
from harness.audit.notebooks import Solution
from harness.audit.operators import OPERATORS
from harness.audit.recording import Recording, Timed, record
from harness.course import Assignment, Course, Limits
from harness.errors import ExitCode, InfrastructureError
from harness.fork_servers import served
from harness.records import Candidate, CheckSpec, Text
from harness.runners import room
from harness.runners.contract import Runner

VARIANTS = "variants"  # a folder of the assignment
VARIANT_SEEDS = 3  # each variant is marked under so many: another right way must not be right by luck
MARGIN = 10.0  # a mutant may take so many times what the solution took at most
LEAST_CALL_S, LEAST_CELL_S = 2.0, 2.0  # whatever the solution takes: a busy machine has hiccups
LEAST_WALL_S = 10.0

Tell = Callable[[Text, int, int], None]  # what is being marked, how many are, of how many


@dataclass(frozen=True, slots=True)
class Order:
    """What the command asks for."""

    course: Course
    assignment: Assignment
    jobs: int
    seed: int = 0  # all seeds follow from it
    seeds: int | None = None  # the solution is marked under so many; None: as many as assignment.toml asks for
    mutants: int | None = None  # at most so many, drawn fairly; None: all
    thorough: bool = False  # mark mutants to the end, so that every check that finds one is known


@dataclass(frozen=True, slots=True)
class _Hall:
    """Where one audit takes place."""

    order: Order
    solution: Solution
    bench: Bench
    folder: Path  # for the notebooks that are handed in
    tell: Tell


@dataclass(frozen=True, slots=True)
class _Paper:
    """A notebook whose marks are known beforehand, and the seeds it is marked under."""

    kind: Kind
    name: str
    candidate: Candidate
    seeds: tuple[int, ...]


def audit(order: Order, runner: Runner, tell: Tell, warn: Callable[[Text], None]) -> Findings:
    """Measure the checks of `order`.

    Raises:
        ConfigurationError: the assignment cannot be marked with, or its solution cannot be read.
        InfrastructureError: no kernel can be started.
    """
    began = time.monotonic()
    place = order.course.folder, order.assignment.slug
    solution = notebooks.read(order.assignment)
    found = mutations(solution.solution_cells)
    chosen = found if order.mutants is None else sample(found, order.mutants, order.seed)
    with (
        served(order.course, order.assignment, kernels="auto", device="cpu", tell=warn) as server,
        _scratch() as (folder, answers),
    ):
        specs = runner.call(tasks.examine, place)
        jobs = _jobs(order, specs, warn)
        bench = Bench(*place, runner, server, answers, specs, jobs, order.assignment.file.limits)
        hall = _Hall(order, solution, bench, folder, tell)
        trials, solved = _trials(hall)
        if not trials[0].fine:
            chosen = ()  # the solution itself loses points: so does every mutant, and that would say nothing
        marked = _mark_mutants(hall, chosen, solved)
    verdicts = tuple(_verdict(order.assignment, mutation, marked[mutation.mutant.id]) for mutation in chosen)
    return Findings(
        assignment=order.assignment.slug,
        title=order.assignment.file.title,
        seed=order.seed,
        asked=order.assignment.file.audit,
        limits=_limits(order.assignment.file.limits, solved),
        thorough=order.thorough,
        checks=specs,
        operators={name: operator.title for name, operator in OPERATORS.items()},
        made=len(found),
        verdicts=verdicts,
        stale=stale(order.assignment, found, verdicts),
        trials=trials,
        budget=_budget(order.assignment.file.limits, solved),
        wall_s=time.monotonic() - began,
        jobs=jobs,
    )


def verdict(findings: Findings) -> ExitCode:
    """The exit code of an audit."""
    if findings.infrastructure:
        return ExitCode.INFRASTRUCTURE
    return ExitCode.BELOW if findings.shortcomings else ExitCode.DONE


def seeds_of(seed: int, number: int) -> list[int]:
    """The first `number` seeds that follow from `seed`: the same for every audit."""
    digests = (hashlib.sha256(f"bareme/audit/{seed}/{i}".encode()).digest() for i in range(number))
    return [int.from_bytes(digest[:16]) for digest in digests]


def stale(assignment: Assignment, found: Sequence[Mutation], verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """Mutants listed as equivalent that are killed, or do not exist."""
    listed = [equivalent.mutant for equivalent in assignment.file.audit.equivalent]
    made = {mutation.mutant.id for mutation in found}
    killed = {verdict.mutant.id for verdict in verdicts if verdict.fate is Fate.KILLED}
    return tuple(mutant for mutant in listed if mutant in killed or mutant not in made)


def tightened(limits: Limits, *, cell_s: float, call_s: float, wall_s: float) -> Limits:
    """What a mutant is allowed when the solution's slowest cell, request and whole run took so long.

    >>> tightened(Limits(), cell_s=0.5, call_s=0.01, wall_s=1.0).cell_s
    5.0
    """
    return replace(
        limits,
        cell_s=min(limits.cell_s, max(LEAST_CELL_S, MARGIN * cell_s)),
        call_s=min(limits.call_s, max(LEAST_CALL_S, MARGIN * call_s)),
        wall_s=min(limits.wall_s, max(LEAST_WALL_S, MARGIN * wall_s)),
    )


def _jobs(order: Order, specs: Sequence[CheckSpec], warn: Callable[[Text], None]) -> int:
    """How many notebooks are marked at a time: what is asked for, as far as memory goes."""
    limits = order.assignment.file.limits
    measures = {kind for spec in specs for kind in spec.measures}
    kernels = 1 + bool(measures) + ("perplexity" in measures)  # its own, the solution's, a twin
    each = kernels * (limits.memory_bytes + limits.disk_bytes)  # a sandbox's disk is memory as well
    found = room.allotted(order.jobs, order.jobs, available_bytes=room.available_bytes(), task_bytes=each)
    remark = found.remark()
    if remark is not None:
        warn(remark)
    return found.jobs


@contextmanager
def _scratch() -> Iterator[tuple[Path, Path]]:
    """A folder for notebooks and one for the oracle's answers, while an audit goes on."""
    with TemporaryDirectory(prefix="bareme-audit-", ignore_cleanup_errors=True) as scratch:  # workers may still end
        folders = Path(scratch, "notebooks"), Path(scratch, "answers")
        for folder in folders:
            folder.mkdir()
        yield folders


def _trials(hall: _Hall) -> tuple[tuple[Trial, ...], list[Timed]]:
    """What must be right, or worth nothing, marked; and the solution's results under each seed."""
    number = hall.order.seeds or hall.order.assignment.file.audit.seeds
    seeds = seeds_of(hall.order.seed, max(number, VARIANT_SEEDS))
    right = hall.solution.write(hall.folder, "solution", list(hall.solution.cells.values()))
    solution = [_Paper(Kind.SEED, str(i + 1), right, (seed,)) for i, seed in enumerate(seeds[:number])]
    variants = [
        _Paper(Kind.VARIANT, path.name, notebooks.candidate(path, path.name), tuple(seeds[:VARIANT_SEEDS]))
        for path in variant_files(hall.order.assignment)
    ]
    hollow = [
        _Paper(Kind.NULL, kind, candidate, (seeds[1],)) for kind, candidate in _nulls(hall, right, seeds[0]).items()
    ]
    solved = _marked(hall, solution, Text("Solution", "Solution"))
    rest = _marked(hall, [*variants, *hollow], Text("Variantes et copies vides", "Variants and nulls"))
    trials = [_trial(hall, paper, results) for paper, results in (*solved, *rest)]
    return tuple(trials), [timed for _, results in solved for timed in results]


def variant_files(assignment: Assignment) -> list[Path]:
    """Other right solutions: scripts in the percent format, and notebooks."""
    folder = assignment.folder / VARIANTS
    return sorted(path for path in folder.glob("*") if path.suffix in {".py", ".ipynb"})


def _nulls(hall: _Hall, right: Candidate, seed: int) -> dict[str, Candidate]:
    """The notebooks that do no work; one of them knows the public checks under `seed` by heart."""
    memory = hall.folder / nulls.MEMORY
    job = marking.job(hall.bench, Entry("solution", right, seed), hall.bench.server.address)
    recording = Recording(replace(job, audience="student"), memory)
    graded = hall.bench.runner.call(record, recording)
    if graded.failure is not None:
        raise InfrastructureError(f"the solution cannot be marked: {graded.failure}", remedy="Run `bareme doctor`.")
    names = [entry.name for entry in hall.order.assignment.file.entry_points]
    return nulls.notebooks(hall.solution, names, hall.folder, memory.read_bytes())


def _marked(hall: _Hall, papers: Sequence[_Paper], title: Text) -> list[tuple[_Paper, list[Timed]]]:
    """Each paper with what it got under each of its seeds."""
    entries = {
        (paper.kind, paper.name, seed): Entry(f"{paper.kind}/{paper.name}/{place}", paper.candidate, seed)
        for paper in papers
        for place, seed in enumerate(paper.seeds)
    }
    results = marking.mark(hall.bench, list(entries.values()), partial(hall.tell, title))
    return [(paper, [results[entries[paper.kind, paper.name, seed].key] for seed in paper.seeds]) for paper in papers]


def _trial(hall: _Hall, paper: _Paper, results: Sequence[Timed]) -> Trial:
    """The worst that `paper` got; for a null, the best."""
    marks = [marking.marked(timed.graded, hall.bench.checks) for timed in results]
    broken = next((mark for mark in marks if mark.points is None), None)
    if paper.kind is Kind.NULL:
        chosen = broken or max(marks, key=lambda mark: mark.points or 0.0)
        fine = chosen.points is not None and chosen.points <= hall.order.assignment.file.audit.nulls * chosen.max_points
    else:
        chosen = broken or min(marks, key=lambda mark: mark.points or 0.0)
        fine = chosen.full
    titles = {
        Kind.SEED: Text(f"Solution, graine {paper.name}", f"Solution, seed {paper.name}"),
        Kind.VARIANT: Text(f"Variante {paper.name}", f"Variant {paper.name}"),
    }
    title = nulls.TITLES[paper.name] if paper.kind is Kind.NULL else titles[paper.kind]
    return Trial(paper.kind, paper.name, title, replace(chosen, wall_s=max(mark.wall_s for mark in marks)), fine)


def _budget(limits: Limits, solved: Sequence[Timed]) -> tuple[Spent, ...]:
    """What the solution used at most; of memory, what its cells took, as where it is run top to bottom."""
    most = {
        "wall_s": max(timed.graded.seconds.executed + timed.graded.seconds.checked for timed in solved),
        "cell_s": max((run.wall_s for timed in solved for run in timed.graded.cells), default=0.0),
        "call_s": max(timed.call_s for timed in solved),
        "memory_bytes": max(timed.graded.peak_memory_bytes for timed in solved),
    }
    return tuple(Spent(name, used, getattr(limits, name)) for name, used in most.items())


def _limits(limits: Limits, solved: Sequence[Timed]) -> Limits:
    used = {spent.limit: spent.used for spent in _budget(limits, solved)}
    del used["memory_bytes"]  # a mutant gets as much as a student
    return tightened(limits, **used)


def _mark_mutants(hall: _Hall, chosen: Sequence[Mutation], solved: Sequence[Timed]) -> dict[str, Marked]:
    """What each mutant got, by id."""
    limits = _limits(hall.order.assignment.file.limits, solved)
    bench = replace(hall.bench, limits=limits, until_lost=not hall.order.thorough)
    (seed,) = seeds_of(hall.order.seed, 1)
    entries = [
        Entry(
            key=one.mutant.id,
            candidate=hall.solution.write(hall.folder, one.mutant.id, _cells(hall, one)),
            seed=seed,
            first=callers(one.mutant, solved[0].called),
        )
        for one in chosen
    ]
    results = marking.mark(bench, entries, partial(hall.tell, Text("Mutants", "Mutants")))
    return {key: marking.marked(timed.graded, bench.checks) for key, timed in results.items()}


def callers(mutant: Mutant, called: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
    """The checks that call the function or class which the fault is in: the likeliest to find it."""
    name = mutant.function.partition(".")[0]
    return tuple(check for check, names in called.items() if name in names)


def _cells(hall: _Hall, mutation: Mutation) -> list[str]:
    return list({**hall.solution.cells, mutation.cell: mutation.text}.values())


def _verdict(assignment: Assignment, mutation: Mutation, marked: Marked) -> Verdict:
    reasons = {equivalent.mutant: equivalent.reason for equivalent in assignment.file.audit.equivalent}
    mutant = mutation.mutant
    if marked.points is None:
        return Verdict(mutant, Fate.UNDECIDED, marked)
    if not marked.full:
        return Verdict(mutant, Fate.KILLED, marked)
    fate = Fate.EQUIVALENT if mutant.id in reasons else Fate.SURVIVED
    return Verdict(mutant, fate, marked, reasons.get(mutant.id))
