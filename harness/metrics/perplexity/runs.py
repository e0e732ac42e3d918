"""One measurement for each kind of text: documents, fresh ones from a source, a task of lm-eval.

lm-eval is imported when it is needed, so that a self-check starts without it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from harness.errors import ConfigurationError, MissingExtra
from harness.metrics import alarm
from harness.metrics.contract import Measurement
from harness.metrics.perplexity import measured
from harness.metrics.perplexity.models import CalledModel, TableModel
from harness.metrics.perplexity.rules import Rules
from harness.metrics.perplexity.scoring import Scored, Scorer
from harness.metrics.perplexity.tokenizers import PrefixCode, StudentTokenizer, Tokenizer
from harness.metrics.sources import Source

TABLE_BLOCK = 1024  # predictions looked up at a time


def scorer_of(model: Any, tokenizer: Tokenizer, rules: Rules, rng: np.random.Generator) -> Scorer:
    """What asks `model`; the vocabulary is fixed here, by a first call on the start token, before any text is shown.

    Raises:
        Refused: the first answer has not one number per token.
        ConfigurationError: the vocabulary and the rules do not go together.
    """
    if isinstance(tokenizer, StudentTokenizer):
        tokenizer.prepare()
        tokenizer = PrefixCode.of(tokenizer.pieces) or tokenizer
    if callable(model):
        called = CalledModel(model, rules, rules.width(tokenizer.vocabulary_size))
        list(called.ask([[rules.start]]))
        return Scorer(called, tokenizer, rules, rng)
    short = replace(rules, context=1, stride=None)
    table = TableModel(model, rules, short.width(tokenizer.vocabulary_size))
    reach = TABLE_BLOCK + table.order - 1  # each prediction has all the ids before it that the table reads
    return Scorer(table, tokenizer, replace(rules, context=reach, stride=TABLE_BLOCK), rng)


def of_documents(scorer: Scorer, documents: object, *, rng: np.random.Generator) -> Measurement:
    """Bits per byte of texts.

    Raises:
        ConfigurationError: they are no texts, or empty.
    """
    return _documents(scorer, _texts(documents), rng)[0]


def of_source(scorer: Scorer, source: Source, *, rng: np.random.Generator, sampled: tuple[int, int]) -> Measurement:
    """Bits per byte of fresh text, beside the floor, with the alarm.

    Raises:
        Refused: seen_text.
    """
    documents = source.sample(rng, documents=sampled[0], length=sampled[1])
    found, scored = _documents(scorer, documents, rng)
    log_p = [source.log_probability(document) for document in documents]
    log_q = [-math.fsum(one.bits) * math.log(2) for one in scored]
    tokens = [len(one.bits) for one in scored]
    # No charge for a student's tokens: their pieces were fixed before, none is empty, and they add up to the text. Of
    # two token sequences of documents none continues the other, so that the probabilities of all add up to 1 at most.
    verdict = alarm.check(log_q, log_p, tokens, own_tokenizer=False)
    n_bytes = sum(len(document.encode()) for document in documents)
    floor = -math.fsum(log_p) / math.log(2) / n_bytes
    return replace(found, oracle=floor, facts=(*found.facts, *verdict.facts(n_bytes)))


def of_task(scorer: Scorer, task: str | Path, records: object, *, rng: np.random.Generator) -> tuple[Measurement, ...]:
    """What lm-eval finds: bits per byte of a task of texts, shares of right answers of others.

    Raises:
        ConfigurationError: the task cannot be used.
        InfrastructureError: its data cannot be fetched.
    """
    lm, tasks = _lm_eval()
    loaded = tasks.load(task, None if records is None else _records(records))
    if loaded.OUTPUT_TYPE == "loglikelihood_rolling":
        return (_rolling(scorer, loaded, rng)[0],)
    names = measured.shares(tasks.metrics(loaded))
    figures, samples = tasks.evaluate(loaded, lm.ScoredLM(scorer))
    return measured.accuracies(figures, samples, names)


def _documents(scorer: Scorer, documents: Sequence[str], rng: np.random.Generator) -> tuple[Measurement, list[Scored]]:
    _, tasks = _lm_eval()
    return _rolling(scorer, tasks.of_documents(documents), rng)


def _rolling(scorer: Scorer, task: Any, rng: np.random.Generator) -> tuple[Measurement, list[Scored]]:
    """A task of texts; bytes are those that lm-eval counts, of the text before a task's own changes to it."""
    lm, tasks = _lm_eval()
    model = lm.ScoredLM(scorer)
    figures, samples = tasks.evaluate(task, model)
    reported, n_bytes = tasks.bits_per_byte(figures, samples)
    found = measured.bits_per_byte(model.scored, n_bytes, reported=reported, audited=scorer.audited, rng=rng)
    return found, model.scored


def _lm_eval() -> tuple[ModuleType, ModuleType]:
    """The two modules that import lm-eval.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        from harness.metrics.perplexity import lm, tasks
    except ImportError as error:
        raise MissingExtra((error.name or str(error)).partition(".")[0]) from error
    return lm, tasks


def _texts(documents: object) -> list[str]:
    texts = [documents] if isinstance(documents, str) else documents
    if not isinstance(texts, Sequence) or not texts or not all(isinstance(text, str) and text for text in texts):
        raise ConfigurationError("documents are no texts, or one is empty", remedy="Give one text or several.")
    return list(texts)


def _records(records: object) -> list[Mapping[str, Any]]:
    if not isinstance(records, Sequence) or not records or not all(isinstance(one, Mapping) for one in records):
        raise ConfigurationError("documents are no records of a task", remedy="Give dictionaries, one a question.")
    return list(records)
