"""What perplexity costs beside the model: `python benchmarks/perplexity.py`, about a minute.

100,000 bytes of text, byte by byte, through a real kernel that returns rows computed beforehand. Reported is the wall
time of the whole measurement less the time inside the notebook's function: sending, reading, checking, audits, lm-eval.
Then what the two further kernels add, in which a submission's model is audited and scored.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness.checks.history import History
from harness.checks.proxy import Conversation, Submission
from harness.course import Limits, Policy
from harness.kernel.contract import Answer, Call
from harness.kernel.live import LiveNotebook
from harness.kernel.starts import Plan
from harness.metrics.perplexity import Bytes, measure
from harness.records import Cell
from harness.sandbox.bubblewrap import Bubblewrap

BYTES = 100_000
CONTEXTS = (256, 1024)
REPEATS = 5
NOTEBOOK = """
import numpy as np
TABLE = np.random.default_rng(0).normal(size=(256, 256)).astype(np.float32)
def model(ids):
    return TABLE[np.array(ids)]
"""


class Metered:
    """A notebook that adds up the time spent inside its functions."""

    def __init__(self, notebook: LiveNotebook) -> None:
        self.notebook = notebook
        self.inside_s = 0.0
        self.calls = 0

    def call(self, calls: Sequence[Call]) -> tuple[Answer, ...]:
        answers = self.notebook.call(calls)
        self.inside_s += sum(answer.wall_s for answer in answers)
        self.calls += len(answers)
        return answers


def own_seconds(notebook: LiveNotebook, text: str | list[str], context: int) -> tuple[float, float, int]:
    """Wall time beside the model, time inside it, calls."""
    metered = Metered(notebook)
    model = Submission(Conversation(metered)).model
    start = perf_counter()
    measure(model, rng=np.random.default_rng(1), tokenizer=Bytes(), documents=text, context=context)
    return perf_counter() - start - metered.inside_s, metered.inside_s, metered.calls


def with_twins(notebook: LiveNotebook, plan: Plan, text: str) -> float:
    """Seconds of a whole measurement in two kernels more."""

    def opened() -> LiveNotebook:
        twin = LiveNotebook(plan, Bubblewrap())
        twin.run_cells()
        return twin

    model = Submission(Conversation(notebook, History(opened))).model
    start = perf_counter()
    measure(model, rng=np.random.default_rng(1), tokenizer=Bytes(), documents=text, context=CONTEXTS[0])
    return perf_counter() - start


def main() -> None:
    letters = np.random.default_rng(2).choice(list("etaoin shrdlu\n"), size=BYTES)
    text = "".join(letters)
    texts = {"one document": text, "500 documents": [text[at : at + 200] for at in range(0, BYTES, 200)]}
    plan = Plan(
        (Cell(0, "cell-0", NOTEBOOK),),
        {},
        Limits(cell_s=60, call_s=60, wall_s=3600, cpu_s=3600),
        Policy(packages=("numpy",)),
        "cpu",
        7,
    )
    with LiveNotebook(plan, Bubblewrap()) as notebook:
        notebook.run_cells()
        own_seconds(notebook, "imports lm-eval, once in a marking run", 64)
        for name, documents in texts.items():
            for context in CONTEXTS:
                found = [own_seconds(notebook, documents, context) for _ in range(REPEATS)]
                own = sorted(seconds for seconds, _, _ in found)
                print(
                    f"{name}, context {context}: {median(own):.2f} s beside the model ({own[0]:.2f} to {own[-1]:.2f}, "
                    f"{REPEATS} runs), {found[0][2]} calls"
                )
        alone = [sum(own_seconds(notebook, text, CONTEXTS[0])[:2]) for _ in range(REPEATS)]
        apart = [with_twins(notebook, plan, text) for _ in range(REPEATS)]
        print(f"one document in two kernels more: {median(apart):.2f} s in all, in one kernel {median(alone):.2f} s")


if __name__ == "__main__":
    main()
