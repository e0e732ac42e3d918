"""Cohorts made by hand: every outcome, every status, and the names and outputs that pages must survive."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.records import (
    Anchor,
    Better,
    Candidate,
    CellRun,
    CheckResult,
    Cohort,
    Fact,
    Graded,
    Metric,
    Notice,
    Outcome,
    Override,
    RunInfo,
    Seconds,
    Status,
    StudentError,
    Text,
    Visibility,
)

NOW = datetime(2026, 11, 21, 14, 5, tzinfo=UTC)
HIDDEN_SECRET = "the hidden input was 'zoë'"
AFTER_DUE_SECRET = "the input kept until the due date"
FAILURE_SECRET = "OSError: no space left on device"

HOSTILE = (
    "<script>alert(1)</script>"
    "\"><img src=x onerror=alert(2)> ' onmouseover='alert(3) {{ 7 * 7 }} {% raw %} --></style></pre></code>"
    "\x1b[31mred\x1b[0m\x1b]8;;http://evil.example/\x07link\x1b]8;;\x07"
    "\x00\x08\x9b\u202e\u2066gnp.exe\u2028\ud800\udfff\ufffe"
)

CHECKS = (
    ("bigram_counts", "Compter les bigrammes", "Count the bigrams", Visibility.PUBLIC, 4.0),
    ("bigram_probabilities", "Lisser les bigrammes", "Smooth the bigrams", Visibility.PUBLIC, 3.0),
    ("trigram_counts", "Compter les trigrammes", "Count the trigrams", Visibility.PUBLIC, 3.0),
    ("average_nll", "Log-vraisemblance négative moyenne", "Average negative log-likelihood", Visibility.HIDDEN, 5.0),
    ("sample_names", "Échantillonner des prénoms", "Sample names", Visibility.AFTER_DUE, 5.0),
)
MESSAGES = {
    Outcome.FAILED: Text(
        "bigram_counts(['aa'])\nattendu : 2 à la position (1, 1)\nobtenu : 1",
        "bigram_counts(['aa'])\nexpected: 2 at position (1, 1)\ngot: 1",
    ),
    Outcome.ERROR: Text("IndexError : l’indice 40 sort du tableau", "IndexError: index 40 is out of bounds"),
}
SECRETS = {Visibility.HIDDEN: HIDDEN_SECRET, Visibility.AFTER_DUE: AFTER_DUE_SECRET}


def make_checks(*outcomes: Outcome) -> tuple[CheckResult, ...]:
    """The five checks with these outcomes; hidden ones carry their secret in message and counterexample."""
    results = []
    for (name, fr, en, visibility, points), outcome in zip(CHECKS, outcomes, strict=True):
        passed = outcome is Outcome.PASSED
        secret = SECRETS.get(visibility)
        message = Text(secret, secret) if secret else MESSAGES.get(outcome)
        results.append(
            CheckResult(
                id=name,
                title=Text(fr, en),
                visibility=visibility,
                points=points if passed else 0.0,
                max_points=points,
                outcome=outcome,
                message=None if passed else message,
                counterexample=(secret or "['aa']") if outcome is Outcome.FAILED else None,
                wall_s=0.125,
            )
        )
    return tuple(results)


def make_graded(student: str, *outcomes: Outcome, attempt: int = 1, **changes: object) -> Graded:
    """A marked submission; without outcomes, all checks pass."""
    checks = make_checks(*(outcomes or (Outcome.PASSED,) * len(CHECKS)))
    graded = Graded(
        candidate=Candidate(
            student=student,
            notebook=f"{student}/ngram.ipynb",
            location=Path("submissions"),
            member=None,
            sha256="5f" * 32,
            submitted_at=datetime(2026, 11, 20, 21, 30, tzinfo=UTC),
            attempt=attempt,
        ),
        status=Status.MARKED,
        score=sum(check.points for check in checks),
        max_score=20.0,
        late_s=0.0,
        penalty=0.0,
        checks=checks,
        metrics={},
        cells=(CellRun(0, Outcome.PASSED, 0.02, None, ""), CellRun(2, Outcome.PASSED, 0.31, None, "40 symboles\n")),
        notices=(),
        policy=(),
        output_truncated=False,
        seconds=Seconds(1.0, 0.07, 0.33, 0.9),
        peak_memory_bytes=212 * 2**20,
    )
    return replace(graded, **changes)  # type: ignore[arg-type]  # field names and values are the caller's


def make_metric(value: float, **changes: object) -> Metric:
    """What the first check measured, within 0.05, on a scale of three anchors; `changes` are fields."""
    anchors = (
        Anchor(Text("plancher", "floor"), 8.0, 0.0),
        Anchor(Text("référence", "baseline"), 3.1, 0.25),
        Anchor(Text("solution", "oracle"), 2.2, 1.0),
    )
    metric = Metric(
        value=value,
        unit="bits/byte",
        low=value - 0.05,
        high=value + 0.05,
        baseline=None,
        oracle=None,
        points=2.0,
        max_points=4.0,
        check="bigram_counts",
        title=Text("Perplexité", "Perplexity"),
        better=Better.LOWER,
        anchors=anchors,
        facts=(Fact(Text("Jetons évalués", "Tokens scored"), 12345, "tokens"),),
    )
    return replace(metric, **changes)  # type: ignore[arg-type]  # field names and values are the caller's


def make_cohort(*results: Graded, overrides: tuple[Override, ...] = ()) -> Cohort:
    """A run over `results`."""
    run = RunInfo(
        id="9a3c51e07b2d",
        course="prenoms",
        assignment="ngram",
        title=Text("Modèles n-grammes de prénoms", "N-gram models of first names"),
        seed=424242424242,
        seed_id="b1946ac9",
        started=datetime(2026, 11, 21, 9, 3, tzinfo=UTC),
        bareme_version="0.1.0",
        environment={"python": "3.11.2", "torch": "2.13.0", "sandbox": "bubblewrap"},
        device="cpu",
        jobs=2,
    )
    return Cohort(run, tuple(results), overrides)


def _error_cell() -> CellRun:
    frames = ("cell 5, line 12, in <module>\n    counts = bigram_counts(names)", "cell 5, line 7, in bigram_counts")
    return CellRun(4, Outcome.ERROR, 1.25, StudentError("IndexError", "index 40 is out of bounds", frames, 4, 7), "…\n")


def make_full_cohort() -> Cohort:
    """All outcomes, statuses, visibilities, overrides, lateness, attempts, hostile text."""
    o = Outcome
    violation = Notice("forbidden", Text("torch.softmax est interdit", "torch.softmax is forbidden"), cell=3, line=2)
    repair = Notice("magic", Text("« !pip install » a été retiré", "“!pip install” was removed"), cell=1)
    metric = make_metric(2.4613, baseline=3.9, points=3.5)
    hidden = make_metric(73.61, check="average_nll", facts=(Fact(Text("Secret", "Secret"), HIDDEN_SECRET),))
    looked_at = replace(metric, value=0.1, quarantine=Text("trop beau", "too good"))
    hostile_cell = CellRun(
        1, o.ERROR, 0.1, StudentError(HOSTILE, HOSTILE, (HOSTILE,) * 20, 1, 1), HOSTILE + "x" * 1_000_000
    )
    hostile_note = Notice("note", Text(HOSTILE, HOSTILE), cell=1)
    word = Text(HOSTILE, HOSTILE)
    hostile_metric = replace(
        metric,
        unit=HOSTILE,
        title=word,
        anchors=(Anchor(word, 3.0, 0.0), Anchor(word, 2.0, 1.0)),
        facts=(Fact(word, HOSTILE, HOSTILE), Fact(word, math.nan, HOSTILE)),
        quarantine=word,
    )
    results = (
        make_graded("anaïs", metrics={"bigram_counts": metric, "average_nll": hidden}),
        make_graded("bilal", o.PASSED, o.FAILED, o.PASSED, o.FAILED, o.PASSED, notices=(repair,)),
        make_graded("chloé", o.PASSED, o.PASSED, o.ERROR, o.PASSED, o.FAILED, late_s=93_600.0, penalty=2.0, score=11.0),
        make_graded("driss", o.FAILED, o.SKIPPED, o.MISSING, o.ERROR, o.MISSING, cells=(_error_cell(),)),
        make_graded("élise", o.PASSED, o.PASSED, o.PASSED, o.TIMEOUT, o.PASSED, late_s=600.0),
        make_graded("farid", o.PASSED, o.PASSED, o.MEMORY, o.CRASHED, o.SKIPPED, output_truncated=True),
        make_graded("gaël", checks=(), score=0.0, status=Status.POLICY, policy=(violation,), cells=()),
        make_graded("hana", checks=(), score=0.0, status=Status.UNREADABLE, cells=()),
        make_graded("inès", checks=(), score=None, status=Status.INFRASTRUCTURE, failure=FAILURE_SECRET, cells=()),
        make_graded("joão", o.PASSED, o.PASSED, o.PASSED, o.INFRASTRUCTURE, o.PASSED),
        make_graded("kenza", o.PASSED, o.PASSED, o.PASSED, o.PASSED, o.POLICY, attempt=1),
        make_graded("kenza", attempt=2, metrics={"bigram_counts": looked_at}),
        make_graded("ليلى", score=14.5),
        make_graded(
            HOSTILE,
            *(o.FAILED,) * 5,
            metrics={"bigram_counts": hostile_metric, HOSTILE: hostile_metric},
            cells=(hostile_cell,),
            notices=(hostile_note,),
            policy=(hostile_note,),
            score=0.0,
        ),
    )
    overrides = (
        Override("bilal", "average_nll", 2.5, "Raisonnement juste, faute de signe.", "instructor", NOW),
        Override("ليلى", None, 14.5, "Très bien rédigé.", "instructor", NOW),
        Override(HOSTILE, None, None, HOSTILE, HOSTILE, NOW),
    )
    return make_cohort(*results, overrides=overrides)


@pytest.fixture
def full_cohort() -> Cohort:
    return make_full_cohort()


@pytest.fixture
def samples() -> SimpleNamespace:
    """The builders and constants above, for tests: modules of tests do not import each other."""
    return SimpleNamespace(
        graded=make_graded,
        cohort=make_cohort,
        metric=make_metric,
        CHECK_IDS=[name for name, *_ in CHECKS],
        HOSTILE=HOSTILE,
        NOW=NOW,
        SECRETS=(HIDDEN_SECRET, AFTER_DUE_SECRET, FAILURE_SECRET),
    )
