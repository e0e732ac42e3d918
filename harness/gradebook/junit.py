"""junit.xml: one suite a student, one case a check, for the pages of CI services.

Each suite begins with a case `notebook` that passes only when the submission was marked: a notebook that could not be
read, all its checks skipped, must not look green. Hidden checks show their outcome alone, others what they measured.
Not covered: writing the file (`exports`).
"""

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from harness.records import CheckResult, Cohort, Graded, Language, Metric, Outcome, Status, Text
from harness.visible import CATEGORIES, for_student

# element in which an outcome is reported: "failure" is a wrong answer, "error" no answer
ELEMENTS = {
    Outcome.FAILED: "failure",
    Outcome.MISSING: "failure",
    Outcome.POLICY: "failure",
    Outcome.ERROR: "error",
    Outcome.TIMEOUT: "error",
    Outcome.MEMORY: "error",
    Outcome.CRASHED: "error",
    Outcome.INFRASTRUCTURE: "error",
    Outcome.SKIPPED: "skipped",
}
STATUSES = {
    Status.POLICY: ("failure", CATEGORIES[Outcome.POLICY]),
    Status.UNREADABLE: ("failure", Text("Ce n'est pas un notebook lisible.", "This is not a readable notebook.")),
    Status.INFRASTRUCTURE: ("error", CATEGORIES[Outcome.INFRASTRUCTURE]),
}
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2


def junit_xml(cohort: Cohort, results: Sequence[Graded], language: Language, *, after_due: bool) -> bytes:
    """The content of junit.xml for the attempts of `cohort` that count, one for each student."""
    root = Element("testsuites", name=_xml(cohort.run.assignment))
    for graded in results:
        _suite(root, for_student(graded, after_due=after_due, overrides=cohort.overrides), language)
    for element in (root, *root):
        _count(element)
    indent(root)
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _suite(root: Element, graded: Graded, language: Language) -> None:
    suite = SubElement(root, "testsuite", name=_xml(graded.candidate.student))
    notebook = _case(suite, "notebook", graded.seconds.executed)
    if graded.status in STATUSES:
        kind, sentence = STATUSES[graded.status]
        SubElement(notebook, kind, type=graded.status.value, message=sentence.in_language(language))
    for check in graded.checks:
        case = _case(suite, check.id, check.wall_s)
        _measured(case, [(name, metric) for name, metric in graded.metrics.items() if metric.check == check.id])
        if check.outcome is not Outcome.PASSED:
            _report(case, check, language)


def _case(suite: Element, name: str, wall_s: float) -> Element:
    return SubElement(suite, "testcase", classname=suite.attrib["name"], name=_xml(name), time=f"{wall_s:.3f}")


def _measured(case: Element, metrics: Sequence[tuple[str, Metric]]) -> None:
    """Each metric as a property: value, 95 % interval, unit."""
    if not metrics:
        return
    properties = SubElement(case, "properties")
    for name, metric in metrics:
        value = f"{metric.value:.6g} [{metric.low:.6g}, {metric.high:.6g}] {metric.unit}".rstrip()
        SubElement(properties, "property", name=_xml(name), value=_xml(value))


def _report(case: Element, check: CheckResult, language: Language) -> None:
    message = check.message or CATEGORIES[check.outcome]
    sentence = _xml(message.in_language(language))
    element = SubElement(case, ELEMENTS[check.outcome], type=check.outcome.value, message=sentence)
    if check.counterexample is not None:
        element.text = _xml(check.counterexample)


def _count(element: Element) -> None:
    """How many cases there are, and of each kind, as readers of the format expect."""
    element.set("tests", str(len(element.findall(".//testcase"))))
    for kind, name in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        element.set(name, str(len(element.findall(f".//{kind}"))))


def _xml(text: str) -> str:
    return NOT_XML.sub("", text)
