"""From what texts cost, and what lm-eval says of them, to measurements with intervals.

Not covered: asking (`scoring`), points (`scale`).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from harness.errors import ConfigurationError, InfrastructureError
from harness.metrics.contract import Measurement
from harness.metrics.perplexity.rows import Array
from harness.metrics.perplexity.scoring import Audited, Scored
from harness.records import Better, Fact, Text
from harness.statistics.ratios import ratio_interval

BITS_PER_BYTE = "bits_per_byte"
TITLE = Text("Bits par octet", "Bits per byte")
AGREEMENT = 1e-9  # relative, between lm-eval's figure and ours: the same sum in another order
DOUBTFUL = 1e-5  # chance of the losses at the audits below which a person looks before a rank is given
AUDITABLE = 0.5  # share of positions below which a person looks at what could not be checked
BLOCKS = 10  # units of a single text that is one window
LEVEL = 0.95

APART = Text(
    "positions prédites par un noyau qui ne voit pas le texte", "positions predicted by a kernel not shown the text"
)
BEFORE = Text("positions prédites avant d'être montrées", "positions predicted before they were shown")
CHOICE_TITLES = {
    "acc": Text("Bonnes réponses", "Accuracy"),
    "acc_norm": Text("Bonnes réponses, par caractère", "Accuracy, normalised by length"),
    "acc_bytes": Text("Bonnes réponses, par octet", "Accuracy, normalised by bytes"),
    "exact_match": Text("Réponses exactes", "Exact match"),
}


def bits_per_byte(
    scored: Sequence[Scored],
    n_bytes: Sequence[int],
    *,
    reported: float,
    audited: Audited | None,
    rng: np.random.Generator,
) -> Measurement:
    """The headline of a text: all bits over all UTF-8 bytes, with an interval over documents.

    Args:
        scored: what each document cost.
        n_bytes: of each, in UTF-8.
        reported: the same figure by lm-eval.
        audited: what the audits said.
        rng: draws the interval's resamples.

    Raises:
        InfrastructureError: lm-eval's figure is another one.
    """
    bits = [math.fsum(one.bits) for one in scored]
    value = math.fsum(bits) / sum(n_bytes)
    if not math.isclose(value, reported, rel_tol=AGREEMENT):
        raise InfrastructureError(
            f"lm-eval finds {reported} bits per byte, its answers say {value}", remedy="Check the task and its version."
        )
    units = _units(scored, n_bytes)
    interval = ratio_interval(*units, rng=rng)
    return Measurement(
        name=BITS_PER_BYTE,
        title=TITLE,
        value=value,
        unit="bits/byte",
        low=max(0.0, float(interval.low)),
        high=float(interval.high),
        better=Better.LOWER,
        facts=(*_facts(scored, n_bytes), *_audit_facts(audited)),
        quarantine=_doubt(audited),
    )


def accuracies(
    figures: Mapping[str, float], samples: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> tuple[Measurement, ...]:
    """Shares of right answers, each with Wilson's interval.

    Args:
        figures: lm-eval's, by "metric,filter".
        samples: what it found about each record.
        names: of the metrics, the headline first.

    Raises:
        ConfigurationError: a metric that is no share of right answers.
    """
    return tuple(_accuracy(name, figures, samples) for name in names)


def shares(names: Sequence[str]) -> list[str]:
    """Those of a task's metrics that are shares of right answers.

    Raises:
        ConfigurationError: there is none.
    """
    known = [name for name in names if name in CHOICE_TITLES]
    if not known:
        raise ConfigurationError(
            f"none of the task's metrics ({', '.join(names)}) is a share of right answers",
            remedy=f"List one of {', '.join(CHOICE_TITLES)}.",
        )
    return known


def _accuracy(name: str, figures: Mapping[str, float], samples: Sequence[Mapping[str, Any]]) -> Measurement:
    key = next(key for key in figures if key.split(",")[0] == name)
    values = [sample[name] for sample in samples if sample["filter"] == key.split(",", 1)[1]]
    if not all(value in (0, 1) for value in values):
        raise ConfigurationError(
            f"the metric {name} is no share of right answers here", remedy="Let each answer be right or wrong."
        )
    right = int(sum(values))
    interval = stats.binomtest(right, len(values)).proportion_ci(LEVEL, method="wilson")
    return Measurement(
        name=name,
        title=CHOICE_TITLES[name],
        value=float(figures[key]),
        unit="",
        low=float(interval.low),
        high=float(interval.high),
        better=Better.HIGHER,
        facts=(Fact(Text("questions", "questions"), len(values)),),
    )


def _units(scored: Sequence[Scored], n_bytes: Sequence[int]) -> tuple[Array, Array]:
    """Bits and bytes of the units of an interval: documents, or windows of a single one, its bytes shared by tokens."""
    if len(scored) > 1:
        return np.array([math.fsum(one.bits) for one in scored]), np.array(n_bytes, dtype=np.float64)
    (one,) = scored
    if len(one.bits) < 2:
        raise ConfigurationError("a single token has no interval", remedy="Give more text.")
    ends = [window.end for window in one.windows[:-1]]
    parts = np.split(one.bits, ends) if ends else np.array_split(one.bits, min(BLOCKS, len(one.bits)))
    tokens = np.array([len(part) for part in parts], dtype=np.float64)
    return np.array([part.sum() for part in parts]), tokens * n_bytes[0] / len(one.bits)


def _facts(scored: Sequence[Scored], n_bytes: Sequence[int]) -> tuple[Fact, ...]:
    bits = np.concatenate([one.bits for one in scored])
    units = Text("unités de l'intervalle", "units of the interval")
    alone = Text("fenêtres d'un seul document", "windows of one document")
    kind = Text("documents", "documents") if len(scored) > 1 else alone
    facts = (
        Fact(
            Text(
                "perplexité par jeton (ne se compare pas d'un tokeniseur à l'autre)",
                "token perplexity (does not compare across tokenizers)",
            ),
            float(np.exp2(min(bits.mean(), 1000.0))),
        ),
        Fact(Text("jetons", "tokens"), len(bits)),
        Fact(Text("octets", "bytes"), sum(n_bytes)),
        Fact(units, kind),
    )
    missing = sum(one.missing for one in scored)
    if not missing:
        return facts
    absent = Text("positions sans réponse, comptées comme uniformes", "positions without an answer, counted as uniform")
    return (*facts, Fact(absent, missing))


def _audit_facts(audited: Audited | None) -> tuple[Fact, ...]:
    if audited is None:
        return ()
    return (
        Fact(APART if audited.apart else BEFORE, audited.positions),
        Fact(Text("bits par jeton à ces positions", "bits per token at these positions"), audited.bits, "bits/token"),
    )


def _doubt(audited: Audited | None) -> Text | None:
    if audited is None:
        return None
    if audited.share < AUDITABLE:
        share = 100 * audited.share
        return Text(
            f"Le tokeniseur du notebook ne laisse vérifier que {share:.0f} % des positions (les débuts de mots) : rien "
            f"ne dit que le modèle ne regarde pas l'avenir aux autres.",
            f"The notebook's tokenizer lets only {share:.0f} % of the positions be checked (beginnings of words): "
            f"nothing says that the model does not look ahead at the others.",
        )
    if audited.chance > DOUBTFUL:
        return None
    return Text(
        f"Aux {audited.positions} positions prédites avant d'être montrées, le modèle perd {audited.bits:.2f} bits par "
        f"jeton, contre {audited.others:.2f} en tout : un hasard de moins d'une chance sur cent mille.",
        f"At the {audited.positions} positions predicted before they were shown, the model loses {audited.bits:.2f} "
        f"bits per token, against {audited.others:.2f} overall: chance does this less than once in 100,000.",
    )
