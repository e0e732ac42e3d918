"""Run every notebook given with nbclient, a fresh kernel each, and save it in `executed`, as a short script would."""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

Path("executed").mkdir()
for path in map(Path, sys.argv[1:]):
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook).execute()
    nbformat.write(notebook, Path("executed", path.name))
