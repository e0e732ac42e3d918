"""Two small languages with real words whose sentences come with exact probabilities: `FRENCH` and `ENGLISH`.

`FRENCH.sample(rng, documents=…, length=…)` draws texts of `length` sentences, one a line;
`FRENCH.log_probability(text)` is the exact ln p of one, in about 2 s for 100 kB. Verbs agree with their subjects across
relative clauses, French participles and adjectives in gender too. The rules are in `fr.toml` and `en.toml`, in the
notation of `notation`. Not covered: meaning (mice draw owls), questions, negation, and any person but the third.
"""

from pathlib import Path

from assignments.grammars.notation import read_rules
from harness.metrics.sources import GrammarSource

FOLDER = Path(__file__).parent

FRENCH = GrammarSource(read_rules(FOLDER / "fr.toml", start="PHRASE"), start="PHRASE")
ENGLISH = GrammarSource(read_rules(FOLDER / "en.toml", start="SENTENCE"), start="SENTENCE")

__all__ = ["ENGLISH", "FRENCH"]
