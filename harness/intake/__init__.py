"""From what was handed in to a `Submission`: finding, reading and repairing notebooks, static policy."""
