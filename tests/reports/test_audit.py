"""The page of an audit: what it says in both languages, and that nothing of what it shows is obeyed by a browser."""

from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import pytest

from harness.audit.findings import Fate, Findings, Kind, Lost, Marked, Mutant, Spent, Trial, Verdict
from harness.course import MIB, Audit, Limits
from harness.records import CheckSpec, Language, Outcome, Text, Visibility
from reports.audit import audit_page, write_audit

NOW = datetime(2026, 11, 21, 14, 5, tzinfo=UTC)
FULL = Marked(points=20.0, max_points=20.0, lost=(), wall_s=1.2)
REASON = Text("`sorted` trie déjà ce qui l'est.", "`sorted` sorts what is sorted already.")
CHECKS = (
    CheckSpec("counts", Text("Compter", "Counting"), 12.0, Visibility.PUBLIC),
    CheckSpec("edges", Text("Cas limites", "Edge cases"), 8.0, Visibility.HIDDEN),
)


def lost(*checks: str, outcome: Outcome = Outcome.FAILED) -> Marked:
    return replace(FULL, points=0.0, lost=tuple(Lost(check, outcome) for check in checks))


def verdict(number: int, fate: Fate, marked: Marked, *, diff: str = "", reason: Text | None = None) -> Verdict:
    text = diff or "--- cell\n+++ cell\n@@ -1,2 +1,2 @@\n def count(xs):\n-    return len(xs)\n+    return len(xs) - 1"
    return Verdict(Mutant(f"cell/term/{number:08x}", "cell", "term", "count", text), fate, marked, reason)


def trial(kind: Kind, name: str, marked: Marked, *, fine: bool = True) -> Trial:
    return Trial(kind, name, Text(f"Essai {name}", f"Trial {name}"), marked, fine)


@pytest.fixture
def findings() -> Findings:
    return Findings(
        assignment="ngram",
        title=Text("Modèles n-grammes", "N-gram models"),
        seed=0,
        asked=Audit(mutants=4, killed=0.5),
        limits=Limits(cell_s=2.0, call_s=2.0, wall_s=12.0),
        thorough=True,
        checks=CHECKS,
        operators={"term": Text("Terme oublié", "Term forgotten"), "sign": Text("Signe oublié", "Sign forgotten")},
        made=4,
        verdicts=(
            verdict(1, Fate.KILLED, lost("counts")),
            verdict(2, Fate.KILLED, lost("counts", "edges", outcome=Outcome.TIMEOUT)),
            verdict(3, Fate.SURVIVED, FULL),
            verdict(4, Fate.EQUIVALENT, FULL, reason=REASON),
        ),
        stale=(),
        trials=(
            trial(Kind.VARIANT, "loops.py", FULL),
            trial(Kind.NULL, "zeros", replace(FULL, points=0.0)),
            trial(Kind.SEED, "1", FULL),
        ),
        budget=(Spent("cell_s", 2.5, 10.0), Spent("memory_bytes", 640 * MIB, 1024 * MIB)),
        wall_s=61.0,
        jobs=2,
    )


def page(findings: Findings, folder: Path, language: Language = "en") -> str:
    return unescape(write_audit(findings, folder / "audit.html", language=language, now=NOW).read_text("utf-8"))


def test_it_shows_survivors_as_diffs_and_equivalents_with_their_reason(findings: Findings, tmp_path: Path) -> None:
    html = page(findings, tmp_path)
    assert "1 survivor<" in html
    assert '<span class="added">+    return len(xs) - 1</span>' in html
    assert '<span class="removed">-    return len(xs)</span>' in html
    assert "--- cell" not in html
    assert "<code>sorted</code> sorts what is sorted already." in html
    assert "Everything that the assignment asks for is reached." in html


def test_it_speaks_french(findings: Findings, tmp_path: Path) -> None:
    html = page(findings, tmp_path, "fr")
    assert '<html lang="fr">' in html
    assert "1 survivant<" in html
    assert "66,7\u202f%" in html
    assert "Terme oublié" in html


def test_it_says_what_the_solution_used_of_its_budget(findings: Findings, tmp_path: Path) -> None:
    html = page(findings, tmp_path)
    assert "it may use at most 67% of each limit" in html
    cell, memory = ('<td class="numeric">' + row for row in ("2.5\xa0s", "640\xa0MiB"))
    assert f'{cell}</td><td class="numeric">10\xa0s</td><td class="numeric">25%</td>' in html
    assert f'{memory}</td><td class="numeric">1,024\xa0MiB</td><td class="numeric">62%</td>' in html


def test_what_is_below_is_said_first(findings: Findings, tmp_path: Path) -> None:
    html = page(replace(findings, asked=Audit(mutants=5, killed=0.9), stale=("cell/sign/0",)), tmp_path)
    assert "4 mutants, at least 5 are asked for" in html
    assert "66.7% of mutants are found (1 survive), 90% are asked for" in html
    assert "“cell/sign/0” is listed as equivalent" in html
    assert "Everything that the assignment asks for" not in html
    assert html.index("at least 5") < html.index("1 survivor<")


def test_a_failure_on_our_side_is_not_a_verdict(findings: Findings, tmp_path: Path) -> None:
    broken = replace(FULL, points=None, failure="checks.py raised")
    failed = replace(findings, verdicts=(*findings.verdicts, verdict(5, Fate.UNDECIDED, broken)))
    html = page(failed, tmp_path)
    assert "cell/term/00000005: checks.py raised" in html
    assert "Everything that the assignment asks for" not in html


def test_a_variant_that_loses_points_tells_where(findings: Findings, tmp_path: Path) -> None:
    wrong = replace(lost("edges"), points=12.0)
    html = page(replace(findings, trials=(trial(Kind.VARIANT, "recursion.py", wrong, fine=False),)), tmp_path)
    assert "Trial recursion.py: 60.0% of the points" in html
    assert "<code>edges</code>" in html


def test_only_seeds_that_went_wrong_are_listed(findings: Findings) -> None:
    wrong = trial(Kind.SEED, "2", replace(FULL, points=19.0), fine=False)
    seeds = audit_page(replace(findings, trials=(*findings.trials, wrong))).groups[-1]
    assert (seeds.fine, seeds.number, seeds.trials) == (1, 2, (wrong,))


def test_candidates_are_named_where_mutants_were_marked_to_the_end(findings: Findings, tmp_path: Path) -> None:
    assert page(findings, tmp_path).count("never alone in finding a fault") == 1  # edges
    assert "never alone" not in page(replace(findings, thorough=False), tmp_path)


def test_it_counts_what_the_clock_stopped(findings: Findings) -> None:
    assert audit_page(findings).by_clock == 1


def test_code_is_shown_and_never_obeyed(findings: Findings, tmp_path: Path) -> None:
    hostile = verdict(6, Fate.SURVIVED, FULL, diff='--- a\n+++ a\n+<script>alert("x")</script>')
    write_audit(replace(findings, verdicts=(hostile,)), tmp_path / "audit.html", language="en", now=NOW)
    html = (tmp_path / "audit.html").read_text("utf-8")
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_an_audit_of_nothing_can_be_shown(findings: Findings, tmp_path: Path) -> None:
    html = page(replace(findings, made=0, verdicts=(), trials=(), checks=()), tmp_path, "fr")
    assert "0 survivant<" in html
