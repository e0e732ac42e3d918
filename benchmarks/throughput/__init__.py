"""Parts of benchmarks/throughput.py: the cohort, the tools that mark it, and how a run is measured."""
