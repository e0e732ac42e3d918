"""What an audit has found: what pages and exports are made from. Frozen dataclasses and what follows from them alone.

Not covered: how any of it is found (`examine`), written (`export`) or shown (`reports`, `table`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.course import Audit, Limits
from harness.records import CheckSpec, Outcome, Text

LISTED = 4  # checks that a sentence names; the page names them all


class Fate(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"  # it lost points
    SURVIVED = "survived"  # it kept them all
    EQUIVALENT = "equivalent"  # it kept them all, and assignment.toml says why that is right
    UNDECIDED = "undecided"  # a failure on our side, twice: no verdict


@dataclass(frozen=True, slots=True)
class Mutant:
    """The solution with one fault in it."""

    id: str  # CELL/OPERATOR/HASH
    cell: str  # id of the cell
    operator: str  # the kind of the fault
    function: str  # qualified name, empty outside of functions
    diff: str  # unified, of the cell


@dataclass(frozen=True, slots=True)
class Lost:
    """A check that did not give all its points."""

    check: str  # id
    outcome: Outcome
    message: Text | None = None


@dataclass(frozen=True, slots=True)
class Marked:
    """What the checks said of one notebook."""

    points: float | None  # None: a failure on our side
    max_points: float
    lost: tuple[Lost, ...]  # in the order in which checks run; those that were not run are not among them
    wall_s: float
    failure: str | None = None  # what broke on our side

    @property
    def full(self) -> bool:
        """Whether it earned every point."""
        return self.points is not None and self.points >= self.max_points


@dataclass(frozen=True, slots=True)
class Verdict:
    """A mutant, and what became of it."""

    mutant: Mutant
    fate: Fate
    marked: Marked
    reason: Text | None = None  # why it is equivalent


class Kind(StrEnum):
    """What else is marked beside mutants."""

    VARIANT = "variant"  # another right solution
    NULL = "null"  # a notebook that does no work
    SEED = "seed"  # the solution under one more seed


@dataclass(frozen=True, slots=True)
class Trial:
    """A notebook whose marks are known beforehand."""

    kind: Kind
    name: str  # file of the variant, id of the null, number of the seed
    title: Text
    marked: Marked
    fine: bool  # whether the marks are what they should be


@dataclass(frozen=True, slots=True)
class Spent:
    """What the solution used of one limit, at most, under all its seeds."""

    limit: str  # its name in assignment.toml
    used: float
    allowed: float

    @property
    def share(self) -> float:
        """Of what is allowed."""
        return self.used / self.allowed


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of mutants of one kind."""

    mutants: int
    killed: int
    equivalent: int

    @property
    def survived(self) -> int:
        """Neither killed nor equivalent."""
        return self.mutants - self.killed - self.equivalent


@dataclass(frozen=True, slots=True)
class CheckTally:
    """What one check does to mutants."""

    spec: CheckSpec
    first: int  # mutants that it is the first to find
    killed: int  # mutants that lose its points
    alone: int | None  # mutants that lose points nowhere else; None: not known, see `Findings.thorough`

    @property
    def idle(self) -> bool:
        """Whether it is known that every mutant that it kills dies without it as well."""
        return self.alone == 0


@dataclass(frozen=True, slots=True)
class Findings:
    """All that one audit has found."""

    assignment: str  # slug
    title: Text
    seed: int  # what all seeds follow from
    asked: Audit
    limits: Limits  # what each mutant was allowed
    thorough: bool  # whether mutants were marked to the end
    checks: tuple[CheckSpec, ...]
    operators: Mapping[str, Text]  # name -> title
    made: int  # mutants there are
    verdicts: tuple[Verdict, ...]  # of those that were marked: all, or a sample
    stale: tuple[str, ...]  # ids listed as equivalent that are killed or do not exist
    trials: tuple[Trial, ...]
    budget: tuple[Spent, ...]
    wall_s: float
    jobs: int

    def of_fate(self, fate: Fate) -> tuple[Verdict, ...]:
        """The mutants that met it."""
        return tuple(verdict for verdict in self.verdicts if verdict.fate is fate)

    def of_kind(self, kind: Kind) -> tuple[Trial, ...]:
        """The trials of one kind."""
        return tuple(trial for trial in self.trials if trial.kind is kind)

    @property
    def share(self) -> float:
        """Of the mutants that are not equivalent, the share that is killed; 0 where there are none."""
        killed, survived = len(self.of_fate(Fate.KILLED)), len(self.of_fate(Fate.SURVIVED))
        return killed / (killed + survived) if killed + survived else 0.0

    @property
    def infrastructure(self) -> tuple[str, ...]:
        """What failed on our side, each with its mutant or notebook."""
        named = [(verdict.mutant.id, verdict.marked) for verdict in self.verdicts]
        named += [(f"{trial.kind} {trial.name}", trial.marked) for trial in self.trials]
        return tuple(f"{name}: {marked.failure}" for name, marked in named if marked.failure is not None)

    @property
    def shortcomings(self) -> tuple[Text, ...]:
        """What is below the thresholds of assignment.toml, one sentence each; nothing: the audit holds."""
        found = (self._mutation_shortcomings(), self._trial_shortcomings(), self._budget_shortcomings())
        return tuple(shortcoming for each in found for shortcoming in each)

    def by_operator(self) -> dict[str, Tally]:
        """How the mutants of each operator fared, in the order of the registry."""
        fates = Counter((verdict.mutant.operator, verdict.fate) for verdict in self.verdicts)
        marked = Counter(verdict.mutant.operator for verdict in self.verdicts)
        return {
            name: Tally(marked[name], fates[name, Fate.KILLED], fates[name, Fate.EQUIVALENT])
            for name in self.operators
            if marked[name]
        }

    def by_check(self) -> tuple[CheckTally, ...]:
        """What each check does, in the order of the file."""
        lost = [[one.check for one in verdict.marked.lost] for verdict in self.of_fate(Fate.KILLED)]
        first = Counter(checks[0] for checks in lost if checks)
        killed = Counter(check for checks in lost for check in checks)
        alone = Counter(checks[0] for checks in lost if len(checks) == 1)
        return tuple(
            CheckTally(spec, first[spec.id], killed[spec.id], alone[spec.id] if self.thorough else None)
            for spec in self.checks
        )

    def _mutation_shortcomings(self) -> list[Text]:
        found: list[Text] = []
        if self.made < self.asked.mutants:
            found.append(
                Text(
                    f"{self.made} mutants, il en faut au moins {self.asked.mutants}",
                    f"{self.made} mutants, at least {self.asked.mutants} are asked for",
                )
            )
        if self.made and not self.verdicts:
            found.append(
                Text(
                    "aucun mutant n'a été corrigé, car la solution elle-même perd des points",
                    "no mutant was marked, since the solution itself loses points",
                )
            )
        elif self.share < self.asked.killed:
            survived = len(self.of_fate(Fate.SURVIVED))
            found.append(
                Text(
                    f"{100 * self.share:.1f} % des mutants sont trouvés ({survived} survivent), il en faut "
                    f"{100 * self.asked.killed:g} %".replace(".", ","),
                    f"{100 * self.share:.1f}% of mutants are found ({survived} survive), {100 * self.asked.killed:g}% "
                    "are asked for",
                )
            )
        found += [
            Text(
                f"« {mutant} » figure parmi les équivalents, mais coûte des points ou n'existe plus",
                f"“{mutant}” is listed as equivalent, but costs points or no longer exists",
            )
            for mutant in self.stale
        ]
        return found

    def _trial_shortcomings(self) -> list[Text]:
        found = []
        for trial in self.trials:
            if not trial.fine and trial.marked.points is not None:
                share = 100 * trial.marked.points / trial.marked.max_points
                checks = "" if trial.kind is Kind.NULL else _listed([lost.check for lost in trial.marked.lost])
                found.append(
                    Text(
                        f"{trial.title.fr} : " + f"{share:.1f} % des points".replace(".", ",") + checks,
                        f"{trial.title.en}: {share:.1f}% of the points{checks}",
                    )
                )
        return found

    def _budget_shortcomings(self) -> list[Text]:
        most = 100 * self.asked.budget
        return [
            Text(
                f"la solution emploie {100 * spent.share:.0f} % de {spent.limit}, {most:.0f} % au plus sont admis",
                f"the solution uses {100 * spent.share:.0f}% of {spent.limit}, at most {most:.0f}% are allowed",
            )
            for spent in self.budget
            if spent.share > self.asked.budget
        ]


def _listed(checks: Sequence[str]) -> str:
    """The first few of `checks`, to stand at the end of a sentence."""
    more = ", …" if len(checks) > LISTED else ""
    return f" ({', '.join(checks[:LISTED])}{more})" if checks else ""
