"""In a worker that is ended, as the grader ends its own: nothing is left behind that the system must collect."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import multiprocessing, time

def work(pipe):
    from harness.metrics.perplexity import controls
    controls.check()
    pipe.send("done")
    time.sleep(100)

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    mine, its = context.Pipe()
    worker = context.Process(target=work, args=(its,))
    worker.start()
    mine.recv()
    worker.kill()
    worker.join()
"""


@pytest.mark.slow
def test_a_worker_that_is_ended_leaves_nothing_behind(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=True)
    assert done.stderr == ""
