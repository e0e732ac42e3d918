"""What comes back from calls: values, errors, changed arguments, output, handles, repeatable randomness."""

import math

import numpy as np
import pytest

from harness.course import Limits, Policy
from harness.errors import InfrastructureError
from harness.kernel import Call
from harness.kernel.live import LiveNotebook
from harness.records import Outcome, Reading

SOURCES = (
    "import numpy as np\nimport random",
    "def echo(*args, **kwargs):\n    return [*args, kwargs] if kwargs else (args[0] if len(args) == 1 else args)",
    "def fail(x):\n    return helper(x)\n\ndef helper(x):\n    raise ValueError(f'bad {x}')",
    "def spoil(a):\n    a[0] = 9\n    return len(a)",
    "def talk(n):\n    print('x' * n, end='')\n    import sys; sys.stderr.write('!')\n    return n",
    "class Tokenizer:\n    size = 256\n    def __init__(self, text): self.text = text\n"
    "    def encode(self, s): return [ord(c) for c in s]\n"
    "    def same(self, other): return other is self\n    def fail(self): raise KeyError(self.text)",
    "def pair():\n    t = Tokenizer('p')\n    return {'tokenizer': t, 'again': t, 'n': 1}",
    "def count():\n    for i in range(3):\n        yield i",
    "LIMIT = 12\nnothing = None",
    "def draw(): return [random.random(), float(np.random.rand())]",
    "def leave(): raise SystemExit(0)",
    "def stop(): raise KeyboardInterrupt",
    "def out_of_memory(): raise MemoryError('none left')",
    'def allocator(): raise RuntimeError("DefaultCPUAllocator: can\'t allocate memory: you tried")',
    "def huge(): return np.zeros(200_000_000, dtype=np.uint8)",
    "def inner_object(): return {Tokenizer('k'): 1}",
    "def array_of_objects(): return np.array([object()])",
    "async def later(): return 1",
    "def ask(): return input('?')",
    "quit = 4",
)


@pytest.fixture(scope="module")
def notebook(sandbox, make_plan):
    with LiveNotebook(make_plan(*SOURCES), sandbox) as live:
        assert all(cell.outcome is Outcome.PASSED for cell in live.run_cells().cells)
        yield live


def one(notebook, name, *args, **kwargs):
    [answer] = notebook.call([Call(name, args, kwargs)])
    return answer


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -(2**70), 1.5, math.inf, "é€😀\ud800", b"\0\xff", [1, [2]], (1, ("a",)), {"a": 1, 2: (3,)}, {1, 2}],
    ids=repr,
)
def test_plain_values_come_back_as_they_went(notebook, value):
    answer = one(notebook, "echo", value)
    assert (answer.outcome, answer.value, type(answer.value)) == (Outcome.PASSED, value, type(value))
    assert not answer.arguments_changed


def test_arrays_come_back_exactly(notebook):
    array = np.arange(6, dtype=np.int16).reshape(2, 3)
    answer = one(notebook, "echo", array)
    assert answer.value.dtype == array.dtype
    assert np.array_equal(answer.value, array)


def test_keyword_arguments_arrive(notebook):
    assert one(notebook, "echo", 1, b=2).value == [1, {"b": 2}]


def test_an_error_shows_the_students_own_frames_only(notebook):
    answer = one(notebook, "fail", 7)
    assert (answer.outcome, answer.error.name, answer.error.message) == (Outcome.ERROR, "ValueError", "bad 7")
    assert answer.error.traceback == (
        "cell 2, line 2, in fail: return helper(x)",
        "cell 2, line 5, in helper: raise ValueError(f'bad {x}')",
    )
    assert (answer.error.cell, answer.error.line) == (2, 5)


def test_what_is_not_defined_is_missing(notebook):
    assert one(notebook, "no_such_function").outcome is Outcome.MISSING
    assert one(notebook, "len").outcome is Outcome.MISSING


@pytest.mark.parametrize(
    ("name", "outcome", "error"),
    [
        ("leave", Outcome.ERROR, "SystemExit"),
        ("stop", Outcome.ERROR, "KeyboardInterrupt"),
        ("out_of_memory", Outcome.MEMORY, "MemoryError"),
        ("allocator", Outcome.MEMORY, "RuntimeError"),
        ("ask", Outcome.ERROR, "StdinNotImplementedError"),
        ("huge", Outcome.FAILED, "WireError"),
        ("inner_object", Outcome.FAILED, "NotPlain"),
    ],
)
def test_other_ways_to_end_are_told_apart(notebook, name, outcome, error):
    answer = one(notebook, name)
    assert (answer.outcome, answer.error.name, answer.value) == (outcome, error, None)
    assert one(notebook, "echo", 1).value == 1


def test_changed_arguments_are_noticed_and_stay_private(notebook):
    values = [1, 2]
    answer = one(notebook, "spoil", values)
    assert (answer.value, answer.arguments_changed, answer.arguments, values) == (2, True, None, [1, 2])
    array = np.zeros(3)
    assert one(notebook, "spoil", array).arguments_changed
    assert array[0] == 0


def test_a_call_in_place_returns_the_final_arguments(notebook):
    [answer] = notebook.call([Call("spoil", ([1, 2],), in_place=True)])
    assert (answer.arguments, answer.arguments_changed) == (([9, 2],), False)


def test_output_is_captured_with_its_call_and_capped(notebook):
    long, short = notebook.call([Call("talk", (10**6,)), Call("talk", (2,))])
    assert len(long.output) == 65536
    assert short.output == "xx!"


def test_objects_stay_behind_handles(notebook):
    made = one(notebook, "Tokenizer", "t").value
    assert made.type_name == "Tokenizer"
    encoded, same, failed, text, size, unknown = notebook.call(
        [
            Call("encode", ("ab",), target=made),
            Call("same", (made,), target=made),
            Call("fail", target=made),
            Call("text", target=made),
            Call("size", target=made),
            Call("decode", ([1],), target=made),
        ]
    )
    assert (encoded.value, same.value, text.value, size.value) == ([97, 98], True, "t", 256)
    assert (failed.error.name, unknown.error.name) == ("KeyError", "AttributeError")


def test_handles_inside_containers_keep_identity(notebook):
    value = one(notebook, "pair").value
    assert value["n"] == 1
    assert value["tokenizer"] == value["again"]


def test_generators_stay_and_can_be_advanced(notebook):
    generator = one(notebook, "count").value
    assert generator.type_name == "generator"
    answers = notebook.call([Call("__next__", target=generator)] * 4)
    assert [answer.value for answer in answers] == [0, 1, 2, None]
    assert answers[3].error.name == "StopIteration"


def test_a_coroutine_is_not_awaited(notebook):
    assert one(notebook, "later").value.type_name == "coroutine"


def test_a_name_that_cannot_be_called_is_its_own_value(notebook):
    assert one(notebook, "LIMIT").value == 12
    assert one(notebook, "nothing").outcome is Outcome.PASSED
    assert one(notebook, "LIMIT", 1).error.name == "TypeError"
    assert one(notebook, "quit").value == 4


def test_an_array_of_objects_does_not_cross(notebook):
    assert one(notebook, "array_of_objects").value.type_name == "ndarray"


def test_a_batch_of_a_hundred_calls_is_answered_in_order(notebook):
    answers = notebook.call([Call("echo", (number,)) for number in range(100)])
    assert [answer.value for answer in answers] == list(range(100))


def test_more_answers_than_sockets_queue_are_not_lost(notebook):
    answers = notebook.call([Call("echo", (number,)) for number in range(2500)])
    assert [answer.value for answer in answers] == list(range(2500))


def test_no_calls_no_answers(notebook):
    assert notebook.call([]) == ()


def test_a_check_that_passes_what_cannot_cross_is_our_fault(notebook):
    with pytest.raises(InfrastructureError, match="object of type object to echo"):
        one(notebook, "echo", object())
    assert one(notebook, "echo", 1).value == 1


def test_randomness_is_repeatable_and_follows_the_seed(opened):
    def drawn(seed: int) -> list[object]:
        notebook = opened(
            "import random, numpy as np\nfirst = [random.random(), np.random.rand()]", SOURCES[9], seed=seed
        )
        notebook.run_cells()
        return [answer.value for answer in notebook.call([Call("first"), Call("draw"), Call("draw")])]

    once, again, other = drawn(1), drawn(1), drawn(2)
    assert once == again
    assert once[1] != once[2]
    assert all(one != two for one, two in zip(once, other, strict=True))


def test_a_call_draws_the_same_whatever_was_drawn_before(opened):
    def second(before: str) -> object:
        notebook = opened("import random, numpy as np", SOURCES[9], f"def before(): return {before}")
        notebook.run_cells()
        return notebook.call([Call("before"), Call("draw")])[1].value

    assert second("None") == second("[random.random(), np.random.rand(5)] and None")


def test_an_answer_shows_its_array_as_it_was_when_the_call_returned(opened):
    notebook = opened(
        "import numpy as np\nshared = np.zeros(10**6)\ndef get(): return shared\ndef bump(): shared[:] += 1"
    )
    notebook.run_cells()
    answers = notebook.call([Call("get"), Call("bump")] * 5)[::2]
    assert [(answer.value.min(), answer.value.max()) for answer in answers] == [(n, n) for n in range(5)]


def test_sets_of_strings_iterate_alike_in_every_kernel(opened):
    def order() -> object:
        notebook = opened("order = list({'alpha', 'beta', 'gamma', 'delta', 'epsilon', 'zeta'})")
        notebook.run_cells()
        return one(notebook, "order").value

    assert order() == order() == order()


def test_a_notebook_without_arrays_never_imports_numpy_or_torch(cold, make_plan):
    plan = make_plan("import sys\ndef loaded(x): return [n for n in ('numpy', 'torch') if n in sys.modules]")
    with LiveNotebook(plan, cold) as notebook:
        notebook.run_cells()
        assert one(notebook, "loaded", [1.5]).value == []
        assert one(notebook, "loaded", np.zeros(1)).value == ["numpy"]


@pytest.mark.slow
def test_tensors_cross(opened):
    import torch

    notebook = opened(
        "import torch\ndef double(t): return t * 2\nfirst = torch.rand(2)", policy=Policy(packages=("torch", "numpy"))
    )
    notebook.run_cells()
    tensor = torch.arange(4, dtype=torch.bfloat16).reshape(2, 2)
    answer = one(notebook, "double", tensor)
    assert answer.value.dtype is torch.bfloat16
    assert torch.equal(answer.value, tensor * 2)
    again = opened(
        "import torch\nfirst = torch.rand(2)", policy=Policy(packages=("torch", "numpy")), limits=Limits(cell_s=20)
    )
    again.run_cells()
    assert torch.equal(one(again, "first").value, one(notebook, "first").value)


BURN = """
import os, threading, time

def burn(seconds):
    began = time.process_time()
    while time.process_time() < began + seconds:
        pass

def in_a_thread(seconds):
    thread = threading.Thread(target=burn, args=(seconds,))
    thread.start()
    thread.join()

def in_a_child(seconds):
    child = os.fork()
    if child == 0:
        burn(seconds)
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.mark.parametrize("name", ["burn", "in_a_thread", "in_a_child"])
def test_processor_time_is_read_from_outside_wherever_it_was_spent(opened, name):
    notebook = opened(BURN)
    notebook.run_cells()
    notebook.call([Call(name, (0.01,))])
    before = notebook.reading()
    assert notebook.call([Call(name, (0.2,))])[0].outcome is Outcome.PASSED
    after = notebook.reading()
    assert after.start == before.start == 1
    assert after.cpu_s - before.cpu_s >= 0.18  # two ticks less: children that ended are counted so, user and system
    assert (after.ticked_s > before.ticked_s) == (name == "in_a_child")
    assert after.waited_s >= before.waited_s
    assert after.peak_memory_bytes > 0


def test_a_reading_says_which_start_it_is_of(opened):
    notebook = opened("import os\ndef end(): os._exit(1)\ndef one(): return 1")
    assert notebook.reading() == Reading(0.0, 0.0, 0, 0)
    notebook.run_cells()
    notebook.call([Call("end")])
    notebook.call([Call("one")])
    assert notebook.reading().start == 2


HOLD = """
import numpy as np
raised = np.ones(1 << 25)  # 256 MB: lifts an ordinary high-water mark above all that follows
del raised
def hold(megabytes):
    return float(np.ones(megabytes * 131072)[-1])
"""


def test_a_peak_of_memory_belongs_to_the_calls_since_the_last_reading(opened):
    notebook = opened(HOLD)
    notebook.run_cells()
    notebook.call([Call("hold", (1,))])
    notebook.reading()
    rest = notebook.reading().peak_memory_bytes
    held = []
    for megabytes in (64, 8):
        notebook.call([Call("hold", (megabytes,))])
        held.append((notebook.reading().peak_memory_bytes - rest) / 2**20)
    assert 63 < held[0] < 68
    assert 7 < held[1] < 12
