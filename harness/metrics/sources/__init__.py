"""Texts whose exact distribution the grader knows: drawn anew in each run, with the floor that no honest model passes.

`MarkovSource` is what an n-gram can learn completely; `GrammarSource` has agreement at a distance, for which it takes
more. Not covered: comparing a model with its source (`alarm`), and natural text (`perplexity`).
"""

from harness.metrics.sources.grammar import GrammarSource
from harness.metrics.sources.markov import MarkovSource
from harness.metrics.sources.source import Source, bits_per_byte

__all__ = ["GrammarSource", "MarkovSource", "Source", "bits_per_byte"]
