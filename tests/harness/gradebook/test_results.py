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
    CellRun,
    CheckResult,
    Cohort,
    Graded,
    Metric,
    Notice,
    Outcome,
    RunInfo,
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
def cohort(make_run: Callable[..., RunInfo], make_graded: Callable[..., Graded], make_check: Maker) -> Cohort:
    hidden = make_check("hidden", visibility=Visibility.HIDDEN, message=Text(SECRET, SECRET), counterexample=SECRET)
    later = make_check("later", visibility=Visibility.AFTER_DUE, message=Text("bientôt", "soon"))
    metric = Metric(2.5, "bits/byte", 2.4, math.inf, 8.0, None, 1.0, 2.0)
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


def test_any_reader_of_json_takes_it(cohort: Cohort, make_graded: Callable[..., Graded]) -> None:
    odd = make_graded("\udcff\0\u2028</script>", metrics={"\ud800": Metric(math.nan, "s", 0, 0, None, None, 0, 0)})
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
