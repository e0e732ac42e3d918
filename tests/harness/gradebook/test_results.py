"""results.json: its shape, what it never says, and the same bytes for the same run."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from harness import gradebook
from harness.gradebook.results import comparable, encode, results
from harness.records import (
    Anchor,
    CellRun,
    CheckResult,
    Cohort,
    Fact,
    Notice,
    Outcome,
    Override,
    Seconds,
    Status,
    StudentError,
    Text,
    Visibility,
)

SCHEMA = json.loads(Path(gradebook.__file__).with_name("results.schema.json").read_text(encoding="utf-8"))
SECRET = "canary-7361"
Maker = Callable[..., Any]


@pytest.fixture
def cohort(make_run: Maker, make_graded: Maker, make_check: Maker, make_metric: Maker) -> Cohort:
    hidden = make_check(
        "hidden", 0.0, visibility=Visibility.HIDDEN, message=Text(SECRET, SECRET), counterexample=SECRET
    )
    later = make_check("later", 0.0, visibility=Visibility.AFTER_DUE, message=Text("bientôt", "soon"))
    metric = make_metric(high=math.inf)
    full = make_graded(
        "éloïse",
        checks=(make_check(), hidden, later, make_check("done", outcome=Outcome.PASSED)),
        metrics={"perplexity": metric, "energy": metric},
        cells=(CellRun(0, Outcome.ERROR, 0.1, StudentError("E", SECRET, (SECRET,)), SECRET),),
        policy=(Notice("import", Text("interdit", "forbidden"), cell=2),),
    )
    broken = make_graded("zoé", status=Status.INFRASTRUCTURE, score=None, checks=(), failure=SECRET)
    return Cohort(make_run(seed=0xC0FFEE_123456789), (full, broken), ())


@pytest.mark.parametrize("after_due", [False, True])
def test_it_keeps_the_published_schema(cohort: Cohort, after_due: bool) -> None:
    content = results(cohort, after_due=after_due)
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(json.loads(encode(content)))
    content["submissions"][0]["seed"] = 1
    with pytest.raises(ValidationError):
        Draft202012Validator(SCHEMA).validate(content)


def test_it_says_what_was_found(cohort: Cohort) -> None:
    content = json.loads(encode(results(cohort, after_due=False)))
    assert content["run"] == {
        "id": cohort.run.id,
        "seed_id": "f00d",
        "started": "2027-01-31T13:00:00+00:00",
        "bareme_version": "0.1.0",
        "environment": {"python": "3.11", "sandbox": "bubblewrap"},
        "device": "cpu",
        "jobs": 2,
    }
    first, second = content["submissions"]
    assert (first["student"], first["status"], first["score"], first["max_score"]) == ("éloïse", "marked", 1.0, 8.0)
    assert first["checks"][0] == {
        "id": "counts",
        "title": {"fr": "Compter", "en": "Counting"},
        "visibility": "public",
        "points": 1.0,
        "max_points": 4.0,
        "status": "failed",
        "message": {"fr": "attendu 3", "en": "expected 3"},
        "counterexample": "counts(['a'])",
        "seconds": 0.25,
    }
    assert list(first["metrics"]) == ["energy", "perplexity"]
    assert first["metrics"]["energy"]["high"] is None
    assert first["policy"] == [
        {"code": "import", "text": {"fr": "interdit", "en": "forbidden"}, "cell": 2, "line": None}
    ]
    assert (second["status"], second["score"]) == ("infrastructure", None)


def test_a_metric_says_all_that_is_known_of_it(cohort: Cohort, make_metric: Maker) -> None:
    metric = make_metric(
        anchors=(Anchor(Text("plancher", "floor"), 8.0, 0.0), Anchor(Text("solution", "oracle"), 2.0, 1.0)),
        facts=(
            Fact(Text("Appareil", "Device"), "H100"),
            Fact(Text("Tokens", "Tokens"), math.inf, "tokens"),
            Fact(Text("Horloge", "Clock"), Text("inconnue", "unknown")),
        ),
        quarantine=Text("trop beau", "too good"),
        timed=True,
    )
    full = replace(cohort.results[0], metrics={"counts": metric})
    content = json.loads(encode(results(replace(cohort, results=(full,)), after_due=False)))
    Draft202012Validator(SCHEMA).validate(content)
    found = content["submissions"][0]["metrics"]["counts"]
    assert list(found)[:8] == ["value", "unit", "low", "high", "baseline", "oracle", "points", "max_points"]
    assert found == {
        "value": 2.5,
        "unit": "bits/byte",
        "low": 2.4,
        "high": 2.6,
        "baseline": 8.0,
        "oracle": None,
        "points": 1.0,
        "max_points": 4.0,
        "check": "counts",
        "title": {"fr": "Perplexité", "en": "Perplexity"},
        "better": "lower",
        "anchors": [
            {"name": {"fr": "plancher", "en": "floor"}, "value": 8.0, "share": 0.0},
            {"name": {"fr": "solution", "en": "oracle"}, "value": 2.0, "share": 1.0},
        ],
        "facts": [
            {"name": {"fr": "Appareil", "en": "Device"}, "value": "H100", "unit": ""},
            {"name": {"fr": "Tokens", "en": "Tokens"}, "value": None, "unit": "tokens"},
            {"name": {"fr": "Horloge", "en": "Clock"}, "value": {"fr": "inconnue", "en": "unknown"}, "unit": ""},
        ],
        "quarantine": {"fr": "trop beau", "en": "too good"},
        "timed": True,
        "logarithmic": False,
    }


def test_what_hidden_checks_measured_is_not_published(cohort: Cohort, make_check: Maker, make_metric: Maker) -> None:
    hidden = make_check("bits", 3.217, Outcome.PASSED, visibility=Visibility.HIDDEN)
    metrics = {"bits": make_metric(0.7361, "bits"), "counts": make_metric()}
    graded = replace(cohort.results[0], checks=(make_check(), hidden), metrics=metrics, score=4.217)
    one = Override("éloïse", "bits", 3.456, "", "instructor", cohort.run.started)
    (told,) = results(replace(cohort, results=(graded,)), after_due=True)["submissions"]
    assert list(told["metrics"]) == ["counts"]
    assert (told["checks"][1]["points"], told["score"]) == (3.2, 4.2)
    (told,) = results(replace(cohort, results=(graded,), overrides=(one,)), after_due=True)["submissions"]
    assert told["checks"][1]["points"] == 3.217  # a decision is told as it was made


@pytest.mark.parametrize("after_due", [False, True])
def test_it_tells_no_secret(cohort: Cohort, after_due: bool) -> None:
    text = encode(results(cohort, after_due=after_due)).decode()
    assert SECRET not in text
    for seed in (str(cohort.run.seed), f"{cohort.run.seed:x}"):
        assert seed not in text
    assert str(cohort.results[0].candidate.location) not in text


def test_checks_held_back_are_told_after_the_due_date(cohort: Cohort) -> None:
    before, after = (results(cohort, after_due=due)["submissions"][0]["checks"][2] for due in (False, True))
    assert before["counterexample"] is None
    assert before["message"]["fr"] != "bientôt"
    assert (after["counterexample"], after["message"]["fr"]) == ("counts(['a'])", "bientôt")


def test_any_reader_of_json_takes_it(cohort: Cohort, make_graded: Maker, make_metric: Maker) -> None:
    odd = make_graded("\udcff\0\u2028</script>", metrics={"\ud800": make_metric(math.nan)})
    content = encode(results(replace(cohort, results=(odd,)), after_due=False))
    (submission,) = json.loads(content.decode("utf-8"), parse_constant=pytest.fail)["submissions"]
    assert submission["student"] == "\\udcff\0\u2028</script>"
    assert submission["metrics"]["\\ud800"]["value"] is None


def test_the_same_run_gives_the_same_bytes(cohort: Cohort) -> None:
    run = replace(cohort.run, environment=dict(reversed(list(cohort.run.environment.items()))))
    graded = replace(cohort.results[0], metrics=dict(reversed(list(cohort.results[0].metrics.items()))))
    again = replace(cohort, run=run, results=(graded, cohort.results[1]))
    assert encode(results(again, after_due=False)) == encode(results(cohort, after_due=False))


def test_two_runs_compare_but_for_times_and_ids(cohort: Cohort, make_check: Callable[..., CheckResult]) -> None:
    run = replace(cohort.run, id="other", started=cohort.run.started + timedelta(days=1))
    slow = tuple(replace(check, wall_s=9.0) for check in cohort.results[0].checks)
    first = replace(cohort.results[0], checks=slow, seconds=Seconds(9, 9, 9, 9))
    again = replace(cohort, run=run, results=(first, cohort.results[1]))
    one, two = (results(item, after_due=False) for item in (cohort, again))
    assert one != two
    assert comparable(one) == comparable(two)
    assert "seconds" in one["submissions"][0]  # the original is not touched
    other = replace(first, checks=(make_check(points=1.5), *slow[1:]))
    three = results(replace(again, results=(other, cohort.results[1])), after_due=False)
    assert comparable(three) != comparable(one)


@pytest.mark.parametrize("timed", [False, True])
def test_two_runs_compare_but_for_what_a_clock_measured(
    timed: bool, cohort: Cohort, make_check: Maker, make_metric: Maker
) -> None:
    def run(value: float, points: float, outcome: Outcome) -> dict[str, Any]:
        checks = (make_check("speed", points, outcome), make_check())
        ratio = make_metric(value, "speed", unit="")  # of the same check, so of the same clock
        speed = make_metric(value, "speed", timed=timed, low=value, high=value, points=points)
        metrics = {"speed": speed, "speed.ratio": ratio, "counts": make_metric()}
        graded = replace(cohort.results[0], checks=checks, metrics=metrics, score=1 + points)
        return comparable(results(replace(cohort, results=(graded,)), after_due=False))

    once, again = run(1.9, 3.1, Outcome.PASSED), run(2.1, 0.0, Outcome.FAILED)
    assert (once == again) == timed
    (submission,) = once["submissions"]
    assert submission["checks"][1]["points"] == 1.0  # the other check is compared, and what it measured
    assert submission["metrics"]["counts"]["value"] == 2.5
