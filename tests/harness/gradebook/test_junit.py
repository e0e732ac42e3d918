"""junit.xml, as a CI service reads it."""

import math
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from harness.gradebook.junit import junit_xml
from harness.records import Cohort, Graded, Outcome, RunInfo, Status, Text, Visibility

KINDS = {
    Outcome.PASSED: None,
    Outcome.FAILED: "failure",
    Outcome.ERROR: "error",
    Outcome.TIMEOUT: "error",
    Outcome.MEMORY: "error",
    Outcome.CRASHED: "error",
    Outcome.POLICY: "failure",
    Outcome.MISSING: "failure",
    Outcome.SKIPPED: "skipped",
    Outcome.INFRASTRUCTURE: "error",
}
Document = Callable[..., ET.Element]


@pytest.fixture
def document(make_run: Callable[..., RunInfo]) -> Document:
    def make(*results: Graded, language: Any = "en") -> ET.Element:
        cohort = Cohort(make_run(), results, ())
        return ET.fromstring(junit_xml(cohort, results, language, after_due=False))

    return make


@pytest.mark.parametrize("outcome", Outcome)
def test_each_outcome_is_reported_as_its_kind(
    outcome: Outcome, document: Document, make_graded: Callable[..., Graded], make_check: Callable[..., Any]
) -> None:
    root = document(make_graded(checks=(make_check(outcome=outcome),)))
    case = root.findall("testsuite/testcase")[1]
    assert case.get("name") == "counts"
    assert [element.tag for element in case] == ([KINDS[outcome]] if KINDS[outcome] else [])
    if KINDS[outcome]:
        assert (case[0].get("type"), case[0].get("message"), case[0].text) == (outcome, "expected 3", "counts(['a'])")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (Status.MARKED, None),
        (Status.POLICY, "failure"),
        (Status.UNREADABLE, "failure"),
        (Status.INFRASTRUCTURE, "error"),
    ],
)
def test_what_was_not_marked_is_never_green(
    status: Status, kind: str | None, document: Document, make_graded: Callable[..., Graded]
) -> None:
    notebook = document(make_graded(status=status, checks=())).find("testsuite/testcase[@name='notebook']")
    assert notebook is not None
    assert [element.tag for element in notebook] == ([kind] if kind else [])


def test_the_counts_add_up(
    document: Document, make_graded: Callable[..., Graded], make_check: Callable[..., Any]
) -> None:
    checks = tuple(make_check(f"check_{outcome}", outcome=outcome) for outcome in Outcome)
    root = document(make_graded("alma", checks=checks), make_graded("basil", checks=checks[:2]))
    counts = [[element.get(name) for name in ("tests", "failures", "errors", "skipped")] for element in (root, *root)]
    assert counts == [["14", "4", "5", "1"], ["11", "3", "5", "1"], ["3", "1", "0", "0"]]
    assert [suite.get("name") for suite in root] == ["alma", "basil"]


def test_messages_come_in_the_language_asked_for(document: Document, make_graded: Callable[..., Graded]) -> None:
    failure = document(make_graded(), language="fr").find(".//failure")
    assert failure is not None
    assert failure.get("message") == "attendu 3"


def test_hidden_checks_show_their_category_alone(
    document: Document, make_graded: Callable[..., Graded], make_check: Callable[..., Any]
) -> None:
    hidden = make_check(visibility=Visibility.HIDDEN, message=Text("canary", "canary"), counterexample="canary")
    text = ET.tostring(document(make_graded(checks=(hidden,))), encoding="unicode")
    assert "canary" not in text
    assert "details of this check stay hidden" in text


def test_a_failure_without_a_sentence_gets_that_of_its_category(
    document: Document, make_graded: Callable[..., Graded], make_check: Callable[..., Any]
) -> None:
    failure = document(make_graded(checks=(make_check(message=None),))).find(".//failure")
    assert failure is not None
    assert failure.get("message") == "The answer is not the one expected."


def test_it_parses_whatever_students_write(
    document: Document, make_graded: Callable[..., Graded], make_check: Callable[..., Any]
) -> None:
    anything = "".join(map(chr, range(0x100))) + "\ud800\udfff\ufffe\uffff</testsuite><!--]]>&lol;\U0001f600"
    check = make_check(anything, message=Text(anything, anything), counterexample=anything)
    root = document(make_graded(anything, checks=(check,)))
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    shown = failure.get("message") or ""
    assert shown.endswith("</testsuite><!--]]>&lol;\U0001f600")
    assert not set(shown) & set(map(chr, [0, 8, 0x1B, 0xD800, 0xFFFE]))


def test_what_a_check_measured_is_a_property_of_its_case(
    document: Document,
    make_graded: Callable[..., Graded],
    make_check: Callable[..., Any],
    make_metric: Callable[..., Any],
) -> None:
    hidden = make_check("hidden", visibility=Visibility.HIDDEN)
    metrics = {
        "counts": make_metric(2.4613),
        "counts.\0": make_metric(math.inf, unit="\ud800J"),
        "hidden": make_metric(7361.0, "hidden"),
    }
    other = make_check("other", outcome=Outcome.PASSED)
    root = document(make_graded(checks=(make_check(), hidden, other), metrics=metrics))
    case = root.find("testsuite/testcase[@name='counts']")
    assert case is not None
    assert [element.tag for element in case] == ["properties", "failure"]
    assert [(item.get("name"), item.get("value")) for item in case[0]] == [
        ("counts", "2.4613 [2.4, 2.6] bits/byte"),
        ("counts.", "inf [2.4, 2.6] J"),
    ]
    assert len(root.findall(".//properties")) == 1
    assert "7361" not in ET.tostring(root, encoding="unicode")
