"""Is what a notebook retrieves any good? Rankings against relevance judgments, neighbours against the nearest ones.

`measure` is one system's nDCG@10, recall and RR@10; `compare` says whether one system is better than another; `ann` is
recall against queries per second; `BM25` is the formula for the statement; `check` are the controls of every run.
Not covered: generated answers, and how many words of context a retriever hands on.
"""

from harness.metrics.retrieval.approximate import ann
from harness.metrics.retrieval.bm25 import BM25
from harness.metrics.retrieval.comparison import compare
from harness.metrics.retrieval.controls import check
from harness.metrics.retrieval.neighbours import Neighbours
from harness.metrics.retrieval.quality import measure

__all__ = ["BM25", "Neighbours", "ann", "check", "compare", "measure"]
