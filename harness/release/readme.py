"""The README of a kit: what is in the folder, how to check one's work, what counts and until when.

Not covered: the statement, which is in the notebook; hidden checks, of which only the points are told.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from harness.course import MIB, Assignment, LateRule
from harness.quantities import grouped
from harness.records import CheckSpec, Language, Text, Visibility
from harness.release.stubs import TO_COMPLETE
from harness.typography import markdown

AGAINST_SOLUTION = frozenset({"energy", "growth", "speed"})  # what is compared with the solution: not in a self-check
HEADINGS = {
    "files": Text("Ce dossier", "This folder"),
    "check": Text("Vérifier son travail", "Check your work"),
    "points": Text("Les points", "Points"),
    "budget": Text("Le budget", "Budget"),
    "due": Text("La date limite", "Due date"),
}
WORK = Text(
    'Complétez chaque fonction du carnet où il est écrit `raise NotImplementedError("{todo}")`, sans changer son nom ni'
    " ses paramètres. Vous pouvez ajouter des cellules et des fonctions.",
    'Complete each function of the notebook that says `raise NotImplementedError("{todo}")`, without changing its name'
    " or its parameters. You may add cells and functions.",
)
CHECK = Text(
    "Cette commande exécute votre carnet du début à la fin, comme il le sera à la correction, puis les vérifications"
    " publiques. Les entrées sont tirées de nouveau chaque fois : une réponse recopiée ne passe pas.",
    "This command runs your notebook from top to bottom, as it will be run when it is marked, then the public"
    " checks. Inputs are drawn anew each time: an answer that was copied does not pass.",
)
DATA = Text(
    "Laissez les fichiers à côté du carnet, qui les lit.", "Leave the files beside the notebook, which reads them."
)
POINTS_HEAD = Text("| vérification publique | points |", "| public check | points |")
POINTS_REST = Text(
    "Total : {public} points sur {total}. Les {rest} autres viennent de vérifications qui ne sont faites qu'à la"
    " correction, sur des cas que l'énoncé annonce.",
    "Total: {public} points out of {total}. The other {rest} come from checks that are made only when the notebook is"
    " marked, on cases that the statement announces.",
)
POINTS_ALL = Text("Total : {public} points.", "Total: {public} points.")
MEASURED = Text(
    "Ce qui se mesure par comparaison avec le corrigé ne l'est qu'à la correction.",
    "What is measured by comparison with the model answer is measured only when the notebook is marked.",
)
BUDGET = (
    Text("carnet et vérifications : {wall_s} s ;", "notebook and checks: {wall_s} s;"),
    Text("une cellule : {cell_s} s ;", "one cell: {cell_s} s;"),
    Text("un appel de vos fonctions : {call_s} s ;", "one call of your functions: {call_s} s;"),
    Text("mémoire : {memory} Mio ;", "memory: {memory} MiB;"),
    Text("bibliothèques : {packages}.", "libraries: {packages}."),
)
DUE = Text("À rendre avant le {date} (UTC{offset}).", "Hand in before {date} (UTC{offset}).")
NO_DUE = Text("Elle est fixée par le cours.", "It is set by the course.")
LATE = Text(
    "Ensuite, chaque jour de retard commencé coûte {percent} % du maximum, {most} % au plus.",
    "After that, each started day costs {percent}% of the maximum, {most}% at most.",
)
NOT_LATE = Text("Un retard ne coûte pas de points.", "Handing in late costs no points.")
GRACE = Text(
    "Les {minutes} premières minutes ne comptent pas.",
    "The first {minutes} minutes do not count.",
)
DATES = Text("%d/%m/%Y à %H:%M", "%Y-%m-%d, %H:%M")


def readme(assignment: Assignment, specs: Iterable[CheckSpec], files: Sequence[str], language: Language) -> bytes:
    """README.md in `language`, for a kit that holds `files` besides it."""
    say = _Words(language)
    file = assignment.file
    blocks = [f"# {say(file.title)}", say(file.description), say.heading("files")]
    blocks.append("\n".join(f"- `{name}`" for name in files))
    blocks += [say(DATA)] if file.data.student else []
    blocks += [say(WORK, todo=say(TO_COMPLETE)), say.heading("check")]
    blocks += [f"```sh\nbareme check {assignment.slug}.ipynb\n```", say(CHECK)]
    blocks += [say.heading("points"), *_points(list(specs), say)]
    blocks += [say.heading("budget"), _budget(assignment, say)]
    blocks += [say.heading("due"), _due(file.due, file.late, say)]
    return (markdown("\n\n".join(blocks), language) + "\n").encode()


class _Words:
    """Sentences and numbers in one language."""

    def __init__(self, language: Language) -> None:
        self._language = language

    def __call__(self, text: Text, **values: str) -> str:
        """`text` in this language, its placeholders filled."""
        words = text.in_language(self._language)
        return words.format(**values) if values else words

    def heading(self, key: str) -> str:
        """A section's first line."""
        return f"## {self(HEADINGS[key])}"

    def number(self, value: float) -> str:
        """A number as it is written in this language."""
        return grouped(value, 2, self._language, trimmed=True)


def _points(specs: Sequence[CheckSpec], say: _Words) -> Iterable[str]:
    public = [spec for spec in specs if spec.visibility is Visibility.PUBLIC]
    rows = [f"| {say(spec.title)} | {say.number(spec.points)} |" for spec in public]
    yield "\n".join([say(POINTS_HEAD), "| --- | --- |", *rows])
    total, shown = (sum(spec.points for spec in some) for some in (specs, public))
    rest = POINTS_REST if total > shown else POINTS_ALL
    yield say(rest, public=say.number(shown), total=say.number(total), rest=say.number(total - shown))
    if any(AGAINST_SOLUTION & set(spec.measures) for spec in public):
        yield say(MEASURED)


def _budget(assignment: Assignment, say: _Words) -> str:
    limits = assignment.file.limits
    seconds = {name: say.number(getattr(limits, name)) for name in ("wall_s", "cell_s", "call_s")}
    memory = say.number(limits.memory_bytes // MIB)
    packages = ", ".join(assignment.file.policy.packages)
    return "\n".join(f"- {say(line, **seconds, memory=memory, packages=packages)}" for line in BUDGET)


def _due(due: datetime | None, late: LateRule, say: _Words) -> str:
    if due is None:
        return say(NO_DUE)
    offset = due.strftime("%z")
    sentences = [say(DUE, date=due.strftime(say(DATES)), offset=f"{offset[:3]}:{offset[3:]}")]
    if late.percent_per_day == 0:
        return " ".join([*sentences, say(NOT_LATE)])
    sentences.append(say(LATE, percent=say.number(late.percent_per_day), most=say.number(late.max_percent)))
    if late.grace_minutes:
        sentences.append(say(GRACE, minutes=say.number(late.grace_minutes)))
    return " ".join(sentences)
