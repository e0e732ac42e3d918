"""A whole session: what each end of a check means, what depends on what, and that nothing is left behind."""

import gc
import io
import os
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import checks
from harness.checks import session
from harness.errors import ConfigurationError, InfrastructureError
from harness.records import CellRun, Outcome, StudentError, Visibility

ONE = """
@check(points=2, fr="Doubler", en="Double")
def test_double(submission, oracle, compare):
    compare(submission.double(3), oracle.double(3), exact=True)
"""


def test_a_right_answer_earns_the_points(mark: Any) -> None:
    result = mark(ONE, double=lambda x: 2 * x)["double"]
    assert (result.outcome, result.points, result.max_points, result.message) == (Outcome.PASSED, 2.0, 2.0, None)
    assert result.wall_s > 0


def test_a_wrong_answer_says_what_was_called_and_expected(mark: Any) -> None:
    result = mark(ONE, double=lambda x: x)["double"]
    assert (result.outcome, result.points) == (Outcome.FAILED, 0.0)
    assert result.message.en == "`double(3)`: expected 6, got 3."
    assert result.message.fr == "`double(3)`\u00a0: attendu 6, obtenu 3."


@pytest.mark.parametrize(
    "outcome", [Outcome.TIMEOUT, Outcome.MEMORY, Outcome.CRASHED, Outcome.POLICY, Outcome.FAILED], ids=str
)
def test_every_end_of_a_call_is_kept_apart(mark: Any, ends: Any, outcome: Outcome) -> None:
    result = mark(ONE, double=ends(outcome))["double"]
    assert (result.outcome, result.points) == (outcome, 0.0)
    assert "`double(3)`" in result.message.en
    assert "`double(3)`" in result.message.fr


def test_an_exception_of_the_student_is_quoted_with_its_place(mark: Any) -> None:
    def double(x: int) -> int:
        raise ValueError("\x1b[31mno\x1b[0m\nway" + "!" * 10_000)

    result = mark(ONE, double=double)["double"]
    assert result.outcome is Outcome.ERROR
    assert result.message.en.startswith("`double(3)` raised ValueError: no way!!!")
    assert result.message.en.endswith("(cell 3, line 3).")
    assert "\x1b" not in result.message.en
    assert len(result.message.en) < 600


def test_a_missing_name_suggests_what_is_there(mark: Any) -> None:
    result = mark(ONE.replace("submission.double", "submission.double_it"), doubleIt=lambda x: 2 * x)["double"]
    assert result.outcome is Outcome.MISSING
    assert result.message.en == "`double_it` is not defined in your notebook. Did you mean `doubleIt`?"


@pytest.mark.parametrize(
    ("run", "fr", "en"),
    [
        (
            CellRun(4, Outcome.TIMEOUT, 20.0, StudentError("timeout", "not over after 20.0 s", ()), ""),
            "La première cellule en échec est la cellule 5 : elle ne se termine pas dans le temps accordé.",
            "The first cell that failed is cell 5: it did not finish in the time allowed.",
        ),
        (
            CellRun(0, Outcome.ERROR, 0.1, StudentError("ValueError", "no\nway.", ()), ""),
            "La première cellule en échec est la cellule 1 : elle lève ValueError : no way.",
            "The first cell that failed is cell 1: it raised ValueError: no way.",
        ),
    ],
    ids=["timeout", "error"],
)
def test_where_a_name_is_missing_the_first_cell_that_failed_is_named(mark: Any, run: CellRun, fr: str, en: str) -> None:
    def double(x: int) -> int:
        return 2 * x + table  # noqa: F821

    undefined = mark(ONE, failed=run)["double"]
    assert undefined.outcome is Outcome.MISSING
    assert undefined.message.fr == f"`double` n'est pas défini dans votre notebook. {fr}"
    assert undefined.message.en == f"`double` is not defined in your notebook. {en}"
    needing = mark(ONE, failed=run, double=double)["double"]
    assert needing.outcome is Outcome.ERROR
    assert needing.message.en == f"`double(3)` raised NameError: name 'table' is not defined (cell 3, line 3). {en}"
    assert needing.message.fr.endswith(f" (cellule 3, ligne 3). {fr}")


def test_a_cell_that_failed_is_not_named_where_another_mistake_is_seen(mark: Any, ends: Any) -> None:
    run = CellRun(4, Outcome.TIMEOUT, 20.0, None, "")
    for double in (lambda x: x, lambda x: 1 // 0, ends(Outcome.CRASHED)):
        assert "cell 5" not in mark(ONE, failed=run, double=double)["double"].message.en


def test_an_argument_written_into_fails(mark: Any) -> None:
    def total(values: list[int]) -> int:
        values.append(0)
        return sum(values)

    source = """
    @check(points=1, fr="Somme", en="Sum")
    def test_total(submission, compare):
        compare(submission.total([1, 2]), 3)

    @check(points=1, fr="Sur place", en="In place")
    def test_in_place(submission, compare):
        done = submission.total.in_place([1, 2])
        compare(done.value, 3)
        compare(done.arguments[0], [1, 2, 0], what="the list afterwards")
    """
    results = mark(source, total=total)
    assert results["total"].outcome is Outcome.FAILED
    assert results["total"].message.en == "`total([1, 2])` changes its argument; work on a copy."
    assert results["in_place"].outcome is Outcome.PASSED


def test_objects_stay_and_answer_through_their_methods(mark: Any) -> None:
    class Tokenizer:
        def encode(self, text: str) -> list[int]:
            return [ord(c) for c in text]

    source = """
    @check(points=1, fr="Coder", en="Encode")
    def test_encode(submission, compare):
        tokenizer = submission.make()
        compare(tokenizer.encode("a"), [97])
        compare(submission.length(tokenizer, "abc"), 3)
        compare(tokenizer.encode("b"), [97])
    """
    result = mark(source, make=Tokenizer, length=lambda tokenizer, text: len(tokenizer.encode(text)))["encode"]
    assert result.message.en.startswith("`Tokenizer.encode('b')`: at [0]: expected 97, got 98")


def test_map_is_one_round_trip_and_names_the_call(mark: Any, notebook: Any) -> None:
    source = """
    @check(points=1, fr="Doubler", en="Double")
    def test_double(submission, oracle, compare):
        values = [4, 5, 600]
        for value, answer in zip(values, submission.double.map(values)):
            compare(answer, oracle.double(value))
    """
    book = notebook(double=lambda x: 2 * x + (x > 500))
    result = mark(source, book)["double"]
    assert book.trips == [3]
    assert result.message.en == "`double(600)`: expected 1200, got 1201."


def test_a_plain_assertion_is_the_students(mark: Any) -> None:
    source = """
    @check(points=1, fr="Avec texte", en="With a text")
    def test_text(submission):
        assert submission.double(1) == 2, "two, please"

    @check(points=1, fr="En deux langues", en="In both languages")
    def test_both(submission):
        assert submission.double(1) == 2, Text(fr="deux\u00a0!\\x1b[31m", en="two" + "!" * 10_000)

    @check(points=1, fr="Sans texte", en="Without a text")
    def test_bare(submission):
        assert submission.double(1) == 2
    """
    results = mark(source, double=lambda x: x)
    assert {result.outcome for result in results.values()} == {Outcome.FAILED}
    assert (results["text"].message.fr, results["text"].message.en) == ("two, please",) * 2
    assert (results["both"].message.fr, results["both"].message.en) == ("deux\u00a0!", "two" + "!" * 1997 + "…")
    assert results["bare"].message.en == "This does not hold: `submission.double(1) == 2`."


@pytest.mark.parametrize(
    "body",
    [
        "oracle.absent(1)",
        "oracle.total(submission.double(1))",
        "raise KeyError('checks')",
        "raise SystemExit(0)",
        "np.testing.assert_array_equal(submission.double(1), 3)",
        "pytest.skip('never')",
        "compare(submission.double(1), 2.0, rtol=0.5)",
        "compare(submission.double(1), {1, 2})",
    ],
)
def test_a_fault_of_checks_or_oracle_is_ours(mark: Any, body: str) -> None:
    source = f"""
    @check(points=1, fr="Panne", en="Fault")
    def test_fault(submission, oracle, compare):
        {body}

    @check(points=1, fr="Suite", en="Next")
    def test_next(submission, compare):
        compare(submission.double(1), 2)
    """
    results = mark(source, double=lambda x: 2 * x)
    assert results["fault"].outcome is Outcome.INFRASTRUCTURE
    assert "checks.py" in results["fault"].message.en
    assert results["next"].outcome is Outcome.PASSED


def test_a_broken_fixture_is_ours_and_a_call_in_a_fixture_is_the_students(mark: Any) -> None:
    source = """
    @pytest.fixture
    def doubled(submission):
        return submission.double(1)

    @check(points=1, fr="Par une fixture", en="Through a fixture")
    def test_through(doubled, compare):
        compare(doubled, 2)

    @check(points=1, fr="Inconnue", en="Unknown")
    def test_unknown(no_such_fixture):
        pass
    """
    results = mark(source)
    assert results["through"].outcome is Outcome.MISSING
    assert results["unknown"].outcome is Outcome.INFRASTRUCTURE


def test_a_fault_of_ours_outweighs_a_failure(mark: Any) -> None:
    source = """
    @pytest.fixture
    def table():
        yield
        raise OSError("full disk")

    @check(points=1, fr="Deux pannes", en="Two faults")
    def test_both(table, submission, compare):
        compare(submission.double(1), 2)
    """
    assert mark(source, double=lambda x: x)["both"].outcome is Outcome.INFRASTRUCTURE


@pytest.mark.parametrize("body", ["pass", "submission.double.answers([1])", "submission.double"])
def test_nothing_passes_without_an_answer(mark: Any, body: str) -> None:
    source = f"""
    @check(points=1, fr="Rien", en="Nothing")
    def test_nothing(submission):
        {body}
    """
    assert mark(source)["nothing"].outcome is Outcome.INFRASTRUCTURE


def test_an_infrastructure_error_of_the_kernel_is_ours(mark: Any, notebook: Any) -> None:
    class Broken(type(notebook())):
        def call(self, calls: Any) -> Any:
            raise InfrastructureError("the kernel's host is gone", remedy="Retry.")

    assert mark(ONE, Broken())["double"].outcome is Outcome.INFRASTRUCTURE


CHAIN = """
@check(points=1, fr="Un", en="One", visibility="public")
def test_one(submission, compare):
    compare(submission.one(), 1)

@check(points=1, fr="Deux", en="Two", visibility="hidden", needs=["one"])
def test_two(submission, compare):
    compare(submission.two(), 2)

@check(points=1, fr="Trois", en="Three", visibility="hidden", needs=["two"])
def test_three(submission, compare):
    compare(submission.three(), 3)
"""


def test_what_needs_a_failed_check_is_skipped_with_the_reason(mark: Any, notebook: Any) -> None:
    book = notebook(one=lambda: 0, two=lambda: 2, three=lambda: 3)
    results = mark(CHAIN, book)
    assert [result.outcome for result in results.values()] == [Outcome.FAILED, Outcome.SKIPPED, Outcome.SKIPPED]
    assert results["two"].message.en == "Not run: this check needs “One”, which did not pass."
    assert "«\u00a0Un\u00a0»" in results["two"].message.fr
    assert book.trips == [1]


def test_a_selection_brings_what_it_needs_and_reports_only_itself(mark: Any, notebook: Any) -> None:
    book = notebook(one=lambda: 1, two=lambda: 2, three=lambda: 3)
    assert list(mark(CHAIN, book, select=["two"])) == ["two"]
    assert book.trips == [1, 1]
    assert mark(CHAIN, book, select=["one"])["one"].outcome is Outcome.PASSED
    assert book.trips == [1, 1, 1]


def test_what_is_told_later_runs_before_what_is_never_told(mark: Any) -> None:
    kept: list[int] = []

    def echo(x: int) -> int:
        kept.append(x)
        return sum(kept)

    source = """
    @check(points=1, fr="Caché", en="Hidden", visibility="hidden")
    def test_hidden(submission):
        submission.echo(736100)

    @check(points=1, fr="Après", en="Later", visibility="after_due")
    def test_later(submission, compare):
        compare(submission.echo(20), 0)

    @check(points=1, fr="Public", en="Public", visibility="public")
    def test_public(submission, compare):
        compare(submission.echo(1), 0)
    """
    results = mark(source, echo=echo)
    assert list(results) == ["hidden", "later", "public"]  # in the order of the file
    assert kept == [1, 20, 736100]
    assert "got 21" in results["later"].message.en


def test_an_unknown_selection_is_refused(mark: Any) -> None:
    with pytest.raises(ConfigurationError, match="declares no check 'four'"):
        mark(CHAIN, select=["four"])


def test_a_parametrised_check_is_one_check(mark: Any, notebook: Any) -> None:
    source = """
    @check(points=3, fr="Doubler", en="Double")
    @pytest.mark.parametrize("x", [1, 2, 3])
    def test_double(submission, compare, x):
        compare(submission.double(x), 2 * x)
    """
    right = notebook(double=lambda x: 2 * x)
    assert mark(source, right)["double"].points == 3.0
    assert right.trips == [1, 1, 1]
    wrong = notebook(double=lambda x: x if x > 1 else 2)
    assert mark(source, wrong)["double"].message.en.startswith("`double(2)`")
    assert wrong.trips == [1, 1]


def test_inputs_depend_on_seed_and_check_alone(mark: Any) -> None:
    drawing = """
    @check(points=1, fr="Tirer", en="Draw")
    def test_draw(submission, rng):
        submission.see(int(rng.integers(2**60)))

    @check(points=1, fr="Encore", en="Again")
    def test_again(submission, rng, torch_rng):
        submission.see(int(rng.integers(2**60)), torch_rng.initial_seed())
    """

    def seen(**options: Any) -> list[Any]:
        values: list[Any] = []
        mark(drawing, see=lambda *x: values.append(x), **options)
        return values

    first = seen()
    assert seen() == first
    assert seen(select=["again"]) == first[1:]
    assert not set(seen(seed=2)) & set(first)
    assert first[0][0] != first[1][0]


def test_nothing_stays_between_sessions(write: Any, mark: Any) -> None:
    path = write(
        """
        SEEN = []

        @check(points=1, fr="Neuf", en="Fresh")
        def test_fresh(submission):
            SEEN.append(submission.one())
            assert len(SEEN) == 1
        """
    )

    def state() -> tuple[Any, ...]:
        environment = {key: value for key, value in os.environ.items() if key != "PYTEST_CURRENT_TEST"}  # of this test
        return environment, sorted(path.parent.iterdir()), sorted(Path().iterdir()), sys.modules.get("checks")

    before = state()
    for _ in range(2):
        assert mark(path, one=lambda: 1)["fresh"].outcome is Outcome.PASSED
    assert state() == before
    assert not [module for module in sys.modules.values() if getattr(module, "__file__", None) == str(path)]


FILES = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[1:2]
from conftest import HEADER, MemoryNotebook
from harness import checks

declared = HEADER + '@check(points=1, fr="a", en="a")\\ndef test_length(submission, oracle, differential):\\n'
Path("checks.py").write_text(declared + "    differential(submission.length, oracle.len, st.text())")
select = [spec.id for spec in checks.collect(Path("checks.py"))]
bench = checks.Bench(Path("checks.py"), "builtins", "demo", 1)
results = checks.run(bench, MemoryNotebook(length=len), select=select).checks
print(results[0].outcome, *sorted(map(str, Path().iterdir())))
"""


@pytest.mark.slow
def test_no_file_is_written_by_a_fresh_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FILES, str(Path(__file__).parent)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["passed", "checks.py"]


def test_the_notebook_is_released(mark: Any, notebook: Any) -> None:
    book = notebook(double=lambda x: x)
    gone = weakref.ref(book)
    mark(ONE, book)
    del book
    gc.collect()
    assert gone() is None


def test_foreign_configuration_takes_no_part(
    write: Any, mark: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write(ONE + "    print('loud')\n")
    (path.parent / "conftest.py").write_text("raise RuntimeError('read')")
    (path.parent / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")
    monkeypatch.setenv("PYTEST_PLUGINS", "no_such_module")
    assert mark(path, double=lambda x: 2 * x)["double"].outcome is Outcome.PASSED
    assert capfd.readouterr() == ("", "")
    assert sorted(each.name for each in path.parent.iterdir()) == ["checks.py", "conftest.py", "pytest.ini"]


LOUD = """
@check(points=1, fr="Bruyant", en="Loud")
def test_loud(submission, compare):
    print("loud", file=sys.stderr)
    print("loud")
    sys.stdout = None  # of this session only
    compare(submission.double(1), 2)

@check(points=1, fr="Curieux", en="Curious")
def test_curious(submission, compare):
    compare(submission.double(1), 2, what=input())
"""


def test_the_terminal_is_for_what_is_told_and_not_for_checks(
    write: Any, notebook: Any, oracle: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("typed\n"))
    before = sys.stdin, sys.stdout, sys.stderr
    bench = checks.Bench(write(f"import sys\n{LOUD}"), oracle.__name__, "demo", 1)
    double = notebook(double=lambda x: 2 * x)
    marks = checks.run(bench, double, select=["loud", "curious"], tell=lambda one: print(one.checks[0].id))
    assert capsys.readouterr() == ("loud\ncurious\n", "")
    assert [result.outcome for result in marks.checks] == [Outcome.PASSED, Outcome.INFRASTRUCTURE]  # nothing to read
    assert (sys.stdin, sys.stdout, sys.stderr) == before
    assert sys.stdin.readline() == "typed\n"


def test_why_pytest_refused_is_told(mark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "RUNNING", ("--no-such-option",))
    with pytest.raises(InfrastructureError, match=r"checks\.py: (?s:.*)unrecognized arguments: --no-such-option"):
        mark(ONE)


def test_no_folder_but_the_assignments_own_is_read(write: Any, mark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(ONE)
    read: list[Path] = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: (read.append(Path(folder)), scandir(folder))[1])
    assert mark(path, double=lambda x: 2 * x)["double"].outcome is Outcome.PASSED
    assert set(read) == {path.parent}


def test_a_file_that_has_changed_is_compiled_again(write: Any, mark: Any) -> None:
    path = write(ONE)
    for points in ("2", "3"):
        path.write_text(path.read_text(encoding="utf-8").replace("points=2", f"points={points}"), encoding="utf-8")
        assert mark(path, double=lambda x: 2 * x)["double"].points == float(points)


def test_ctrl_c_ends_the_run(mark: Any) -> None:
    def double(x: int) -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mark(ONE, double=double)


def test_an_unknown_oracle_is_named(write: Any, notebook: Any) -> None:
    bench = checks.Bench(write(ONE), "no.such.oracle", "demo", 1)
    with pytest.raises(ConfigurationError, match=r"no\.such\.oracle"):
        checks.run(bench, notebook(), select=["double"])


def test_visibility_and_order_come_from_the_file(write: Any) -> None:
    specs = checks.collect(write(CHAIN))
    assert [spec.id for spec in specs] == ["one", "two", "three"]
    assert [spec.visibility for spec in specs] == [Visibility.PUBLIC, Visibility.HIDDEN, Visibility.HIDDEN]
    assert specs[1].needs == ("one",)


def test_arrays_and_tensors_cross(mark: Any) -> None:
    torch = pytest.importorskip("torch")
    source = """
    @check(points=1, fr="Tableau", en="Array")
    def test_array(submission, oracle, compare):
        x = np.arange(6.0).reshape(2, 3)
        compare(submission.double(x), oracle.double(x))
    """
    assert mark(source, double=lambda x: torch.tensor(2 * x))["array"].outcome is Outcome.PASSED
    wrong = mark(source, double=lambda x: np.where(x == 4, 0, 2 * x))["array"]
    assert "at [1, 1]: expected 8.0, got 0.0 (1 of 6 values differ; largest difference 8 at [1, 1])" in wrong.message.en


PARTS = """
@check(points=1, fr="Parties", en="Parts")
@pytest.mark.parametrize("x", [1, 2, 3])
def test_parts(submission, compare, x):
    compare(submission.double(x), 2 * x, exact=True)

@check(points=1, fr="Secret", en="Secret", visibility="hidden")
def test_secret(submission, compare):
    compare(submission.double(3), 6, exact=True)

@check(points=1, fr="Après", en="After", needs=["parts"])
def test_after(submission, compare):
    compare(submission.double(3), 6, exact=True)
"""


@pytest.mark.parametrize("wrong", [0, 1, 2, 3])
def test_each_selected_check_is_told_once_as_soon_as_it_is_over(
    write: Any, notebook: Any, oracle: Any, wrong: int
) -> None:
    """Also when a part fails, whichever it is, and when a prerequisite did not pass."""
    asked: list[int] = []

    def double(x: int) -> int:
        asked.append(x)
        return 0 if x == wrong else 2 * x

    told: list[tuple[checks.Marks, list[int]]] = []
    bench = checks.Bench(write(PARTS), oracle.__name__, "demo", 1)
    marks = checks.run(
        bench, notebook(double=double), select=["parts", "after"], tell=lambda one: told.append((one, list(asked)))
    )
    assert tuple(result for one, _ in told for result in one.checks) == marks.checks
    before_parts = told[0][1]
    assert before_parts == [1, 2, 3][: wrong or 3]


def test_whoever_is_told_may_stop_it_all(write: Any, notebook: Any, oracle: Any) -> None:
    def stop(_: checks.Marks) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checks.run(
            checks.Bench(write(ONE), oracle.__name__, "demo", 1),
            notebook(double=lambda x: 2 * x),
            select=["double"],
            tell=stop,
        )


def test_a_prerequisite_that_was_not_asked_for_is_not_told(write: Any, notebook: Any, oracle: Any) -> None:
    told: list[checks.Marks] = []
    bench = checks.Bench(write(PARTS), oracle.__name__, "demo", 1)
    marks = checks.run(bench, notebook(double=lambda x: 2 * x), select=["after"], tell=told.append)
    assert told == [marks]
