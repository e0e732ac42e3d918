"""What a measured check records and earns; the metric is a stand-in here, real ones are in tests/harness/metrics."""

import sys
from types import ModuleType

import numpy as np
import pytest

from harness import checks
from harness.checks.measuring import HELD, METRICS
from harness.checks.proxy import Conversation, Submission
from harness.errors import MissingExtra
from harness.metrics.contract import Measurement, Refused
from harness.records import Better, Outcome, Text

SLOW = Text("Trop beau pour être vrai : une personne va regarder.", "Too good to be true: a person will look.")


DRAWN = []  # by the stand-in, one number a measurement


def measure(answer, *, rng, also=(), quarantine=False):
    """Two measurements of what the student's function returns."""
    if answer == "liar":
        raise Refused("liar", Text("Vos réponses se contredisent.", "Your answers contradict each other."))
    DRAWN.append(float(rng.random()))
    title = Text("Une mesure", "A measurement")
    headline = Measurement(
        "bits",
        title,
        answer,
        "bits/byte",
        answer - 0.1,
        answer + 0.1,
        Better.LOWER,
        quarantine=SLOW if quarantine else None,
        timed=True,
    )
    others = [Measurement(name, title, 2.0 * answer, "bits", 0.0, 9.0, Better.LOWER) for name in also]
    return headline, *others


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    module = ModuleType("checks_test_metric")
    module.measure = measure
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(METRICS, "perplexity", module.__name__)


BITS = """
    from harness.checks import Scale

    @check(points=4, fr="Bits par octet", en="Bits per byte")
    def test_bits(submission, perplexity):
        perplexity(submission.model(), scale=Scale.between(baseline=3.0, oracle=2.0){options})

    @check(points=1, fr="Ensuite", en="Afterwards", needs=["bits"])
    def test_after(submission):
        assert submission.model()
"""


@pytest.fixture
def marks(write, oracle, notebook):
    def marks(source: str, answer, *, seed=1, select=None):
        path = write(source)
        every = [spec.id for spec in checks.collect(path)]
        bench = checks.Bench(path, oracle.__name__, "demo", seed)
        return checks.run(bench, notebook(model=lambda: answer), select=select or every)

    return marks


def bits(**options):
    return BITS.format(options="".join(f", {key}={value!r}" for key, value in options.items()))


@pytest.mark.parametrize(
    ("value", "points"), [(2.5, 2.0), (2.75, 1.0), (2.0, 4.0), (1.0, 4.0), (2.9, 0.4), (2.999, 0.0)]
)
def test_a_check_earns_its_share_of_the_points_in_hundredths(marks, value, points):
    found = marks(bits(), value)
    assert found.checks[0].outcome is Outcome.PASSED
    assert found.checks[0].points == points
    assert found.metrics["bits"].points == points
    assert found.metrics["bits"].max_points == 4.0


def test_the_record_is_whole(marks):
    metric = marks(bits(), 2.5).metrics["bits"]
    assert (metric.value, metric.unit, metric.low, metric.high) == (2.5, "bits/byte", 2.4, 2.6)
    assert metric.check == "bits"
    assert metric.title == Text("Bits par octet", "Bits per byte")
    assert metric.better is Better.LOWER
    assert (metric.timed, metric.logarithmic) == (True, False)
    assert [(anchor.name.en, anchor.value, anchor.share) for anchor in metric.anchors] == [
        ("baseline", 3.0, 0.0),
        ("oracle", 2.0, 1.0),
    ]


def test_the_record_says_that_its_scale_is_logarithmic(marks):
    metrics = marks(bits(also=("tokens",)).replace("oracle=2.0", "oracle=2.0, logarithmic=True"), 2.5).metrics
    assert [(metric.timed, metric.logarithmic) for metric in metrics.values()] == [(True, True), (False, False)]


def test_what_earns_nothing_has_failed_and_says_where_points_start(marks):
    found = marks(bits(), 3.5)
    assert [result.outcome for result in found.checks] == [Outcome.FAILED, Outcome.SKIPPED]
    assert found.checks[0].message == Text(
        "Mesuré : 3,5\u00a0bits/octet. Pour gagner des points, faites mieux que 3\u00a0bits/octet (référence).",
        "Measured: 3.5\u00a0bits/byte. To earn points, do better than 3\u00a0bits/byte (baseline).",
    )
    assert found.metrics["bits"].points == 0.0
    assert found.metrics["bits"].value == 3.5


@pytest.mark.parametrize(
    ("scale", "value", "words"),
    [
        ("Scale.between(baseline=3.0, oracle=2.0)", 3.00001, "Measured: 3.00001 bits/byte. To earn points, "),
        (
            "Scale.between(baseline=3.0, oracle=2.0)",
            3.0,
            "Measured: 3 bits/byte. To earn points, do better than 3 bits/byte (",
        ),
        (  # nothing is earned from the floor to the baseline: points do not start at the first anchor
            'Scale.of([(Text("plancher", "floor"), 8.0, 0.0), (Text("r", "b"), 3.0, 0.0), (Text("s", "o"), 2.0, 1.0)])',
            4.0,
            "do better than 3 bits/byte (b)",
        ),
    ],
)
def test_where_points_start_is_told_truly(marks, scale, value, words):
    source = "\n    from harness.records import Text" + bits().replace("Scale.between(baseline=3.0, oracle=2.0)", scale)
    result = marks(source, value).checks[0]
    assert result.outcome is Outcome.FAILED
    assert words in result.message.en.replace("\u00a0", " ")


def test_what_is_no_number_is_a_fault_of_ours_and_of_this_check_alone(marks):
    both = bits() + bits().split("    @check", 2)[1].join(["\n    @check", ""]).replace("test_bits", "test_more")
    results = marks(
        both.replace("submission.model(), scale", "float('nan') * submission.model(), scale", 1), 2.5
    ).checks
    assert [result.outcome for result in results] == [Outcome.INFRASTRUCTURE, Outcome.SKIPPED, Outcome.PASSED]
    assert "was measured as nan" in results[0].message.en
    unscaled = bits().replace(", scale=Scale.between(baseline=3.0, oracle=2.0)", "")
    assert marks(unscaled, float("nan")).checks[0].outcome is Outcome.INFRASTRUCTURE  # and not every point there is


def test_a_scale_that_goes_the_wrong_way_is_refused(marks):
    result = marks(bits().replace("baseline=3.0, oracle=2.0", "baseline=2.0, oracle=3.0"), 2.5).checks[0]
    assert result.outcome is Outcome.INFRASTRUCTURE
    assert "lower is better" in result.message.en


def test_what_a_person_must_look_at_first_earns_nothing_yet(marks):
    found = marks(bits(quarantine=True), 2.0)
    assert (found.checks[0].outcome, found.checks[0].points, found.checks[0].message) == (Outcome.FAILED, 0.0, HELD)
    assert found.metrics["bits"].quarantine == SLOW


def test_further_measurements_are_shown_beside_the_headline_and_earn_nothing(marks):
    metrics = marks(bits(also=("tokens", "energy")), 2.5).metrics
    assert list(metrics) == ["bits", "bits.tokens", "bits.energy"]
    assert (metrics["bits.energy"].max_points, metrics["bits.energy"].anchors) == (0.0, ())
    assert metrics["bits.energy"].title == Text("Une mesure", "A measurement")


def test_what_cannot_be_scored_fails_with_its_reason_and_records_nothing(marks):
    found = marks(bits(), "liar")
    assert found.checks[0].outcome is Outcome.FAILED
    assert found.checks[0].message == Text("Vos réponses se contredisent.", "Your answers contradict each other.")
    assert found.metrics == {}


def test_without_a_scale_a_measured_check_earns_everything(marks):
    source = bits().replace(", scale=Scale.between(baseline=3.0, oracle=2.0)", "")
    found = marks(source, 9.0)
    assert found.checks[0].points == 4.0
    assert found.metrics["bits"].max_points == 0.0


def test_a_check_that_fails_after_its_measurement_keeps_the_value_and_earns_nothing(marks):
    source = bits().replace("baseline=3.0, oracle=2.0))", "baseline=3.0, oracle=2.0))\n        assert False, 'no'")
    found = marks(source, 2.0)
    assert (found.checks[0].outcome, found.checks[0].points) == (Outcome.FAILED, 0.0)
    assert (found.metrics["bits"].value, found.metrics["bits"].points) == (2.0, 0.0)


@pytest.mark.parametrize(
    ("again", "problem"),
    [
        ("perplexity(submission.model(), also=['x'])", "measures 'bits.bits' twice"),
        ("perplexity(submission.model(), scale=Scale.between(baseline=1.0, oracle=0.0))", "has two scales"),
    ],
)
def test_what_an_instructor_cannot_mean_is_said(marks, again, problem):
    second = f"\n        perplexity(submission.model())\n        {again}" if "also" in again else f"\n        {again}"
    source = bits().replace("oracle=2.0))", f"oracle=2.0)){second}")
    result = marks(source, 2.0).checks[0]
    assert result.outcome is Outcome.INFRASTRUCTURE
    assert problem in result.message.en


def test_a_spec_says_what_its_check_measures(write):
    source = (
        bits()
        + """
    @check(points=1, fr="Vite", en="Fast", visibility="hidden")
    @pytest.mark.parametrize("n", [1, 2])
    def test_fast(submission, baseline, speed, energy, n):
        pass
    """
    )
    assert [spec.measures for spec in checks.collect(write(source))] == [("perplexity",), (), ("speed", "energy")]


def test_randomness_follows_the_run_s_seed_and_the_check(marks):
    DRAWN.clear()
    for seed in (1, 1, 2):
        marks(bits(), 2.5, seed=seed)
    assert DRAWN[0] == DRAWN[1] != DRAWN[2]


def test_only_metrics_of_selected_checks_are_handed_out(marks):
    found = marks(bits(), 2.5, select=["after"])
    assert [result.id for result in found.checks] == ["after"]
    assert found.metrics == {}


def test_without_a_solution_what_compares_with_it_is_skipped_with_that_reason(marks):
    source = """
    @check(points=1, fr="Vite", en="Fast")
    def test_fast(submission, baseline, speed):
        speed(submission.model, baseline.model)
    """
    result = marks(source, np.float64(1.0)).checks[0]
    assert result.outcome is Outcome.SKIPPED
    assert "when it is marked" in result.message.en


def test_large_arrays_are_not_kept_for_messages(notebook):
    conversation = Conversation(notebook(large=lambda: np.zeros(2**18), small=lambda: np.zeros(8)))
    large, small = Submission(conversation).large(), Submission(conversation).small()
    assert conversation.subject(small) == "small()"
    assert conversation.subject(large) is None
    assert not [one for one in conversation._made if one.value.size > 8]


def test_objects_that_stay_in_the_kernel_are_no_arrays(notebook):
    class Model:
        nbytes = 2**40

    conversation = Conversation(notebook(model=Model))
    assert conversation.subject(Submission(conversation).model()) == "model()"


def test_retrieval_has_further_measurements_as_attributes(write, oracle, notebook, monkeypatch):
    monkeypatch.setattr(sys.modules[METRICS["perplexity"]], "ann", lambda *, rng: measure(1.0, rng=rng), raising=False)
    monkeypatch.setitem(METRICS, "retrieval", METRICS["perplexity"])
    path = write(
        """
        @check(points=1, fr="Voisins", en="Neighbours")
        def test_near(submission, retrieval):
            submission.model()
            retrieval.ann()
        """
    )
    found = checks.run(checks.Bench(path, oracle.__name__, "demo", 1), notebook(model=lambda: 1), select=["near"])
    assert found.metrics["near"].value == 1.0


def test_anchors_that_the_assignment_names_are_the_baseline_and_the_oracle(marks):
    metric = marks(bits(), 2.5).metrics["bits"]
    assert (metric.baseline, metric.oracle) == (3.0, 2.0)


def test_without_the_extra_a_self_check_skips_what_is_measured_and_says_how_to_add_it(marks, monkeypatch):
    def missing(*_, **__):
        raise MissingExtra("lm-eval")

    monkeypatch.setattr(sys.modules[METRICS["perplexity"]], "measure", missing)
    result = marks(bits(), 2.5).checks[0]
    assert result.outcome is Outcome.SKIPPED
    assert "pip install 'bareme[metrics]'" in result.message.en
