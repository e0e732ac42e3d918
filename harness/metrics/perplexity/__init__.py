"""Perplexity: how well a model predicts a text, in bits per UTF-8 byte, and the tasks of lm-eval.

    perplexity(submission.logits, tokenizer=Characters(ALPHABET), documents=DOCUMENTS, context=64, scale=…)

The model returns whole next-token distributions; the grader looks up what each token cost. By docs/protocols.md.
docs/metrics/perplexity.md says how it is used. Not covered: vocabularies whose rows are too large to send
(`commitment`), and where known sources come from (`sources`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import ConfigurationError
from harness.metrics.contract import Measurement
from harness.metrics.perplexity.rules import Rules, rules_of
from harness.metrics.perplexity.runs import of_documents, of_source, of_task, scorer_of
from harness.metrics.perplexity.tokenizers import BytePairs, Bytes, Characters, StudentTokenizer, Tokenizer, Words
from harness.metrics.sources import Source

__all__ = ["BytePairs", "Bytes", "Characters", "Rules", "StudentTokenizer", "Tokenizer", "Words", "measure"]


def measure(
    model: Any,
    *,
    rng: np.random.Generator,
    tokenizer: Tokenizer,
    documents: str | Sequence[str] | Sequence[Mapping[str, Any]] | None = None,
    source: Source | None = None,
    task: str | Path | None = None,
    **rules: Any,
) -> tuple[Measurement, ...]:
    """How well `model` predicts text that it has not seen.

    Exactly one kind of text: `documents`; or fresh ones from `source`, whose own figure is the floor; or a `task` of
    lm-eval, by the path of its YAML file or its published name, with `documents` as its records where they are given.

    Args:
        model: a function of the notebook from ids to distributions (see `Rules`), or an n-gram table fetched from it.
        rng: secret; draws the audited positions, their decoys, the text of a source and the interval's resamples.
        tokenizer: the grader's own, or `StudentTokenizer(submission.encode, submission.decode, vocabulary_size=V)`.
        documents: texts to be predicted, each alone; of a task, its records.
        source: a generator of texts whose distribution is known.
        task: what lm-eval asks.
        rules: fields of `Rules`.

    Returns:
        Bits per byte; of a task of choices or exact answers, its accuracies, the first one named in its file first.

    Raises:
        Refused: the answers break the protocol, or the model has seen the text.
        ConfigurationError: what is asked cannot be measured, or lm-eval is missing.
        InfrastructureError: a published task's data cannot be fetched.
    """
    kinds = [source is not None, task is not None, documents is not None and task is None]
    if sum(kinds) != 1:
        raise ConfigurationError(
            "perplexity needs one kind of text",
            remedy="Give documents, or a source, or a task (with or without documents as its records).",
        )
    fixed = rules_of(rules)
    scorer = scorer_of(model, tokenizer, fixed, rng)
    if source is not None:
        return (of_source(scorer, source, rng=rng, sampled=fixed.sampled),)
    if task is not None:
        return of_task(scorer, task, documents, rng=rng)
    return (of_documents(scorer, documents, rng=rng),)
