"""Mark every notebook given with Otter-Grader's own function, in one process; a file of points each in `results`."""

import json
import sys
from pathlib import Path

from otter.api import grade_submission

for path in map(Path, sys.argv[1:]):
    results = grade_submission(str(path), ag_path="autograder.zip", quiet=True)
    points = {name: {"name": name, "score": result.score} for name, result in results.results.items()}
    Path("results", path.stem, "results.json").write_text(json.dumps({"tests": list(points.values())}))
