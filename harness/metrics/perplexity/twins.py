"""Two fresh kernels of one notebook, so that what one is shown cannot be known by the other.

Both have been asked the same before. The first is audited: at each sampled position it is given the true text up to it
and a decoy, never the next token, and then it is ended. The second is shown the text. Its row at a sampled position
must be the first one's. So a notebook that looks ahead at a share f of the positions passes n audits with probability
(1 - f)^n: 200 audits notice 10 % all but once in a billion.

That holds whatever state it keeps, and although either kernel may guess what it is for. The audited one does not have
the token that its row would have to be sure of; the other one does not know which positions were sampled. An honest
auditing kernel gives away each cheat of the other at a sampled position, a dishonest one can only add differences.
They live one after the other and share no file, socket or memory, so the positions are not passed on.

An honest model must come out the same twice. Seeds are the same in both kernels, so is the order of sets; a model that
depends on the time, or on a generator that nobody seeded, is refused as unrepeatable.
Not covered: how a kernel is brought to the same state (`checks.history`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from harness.metrics.contract import Asked, Twinned
from harness.metrics.perplexity.cuts import Passage
from harness.metrics.perplexity.models import CalledModel
from harness.metrics.perplexity.tokenizers import AlreadyRead, StudentTokenizer, Tokenizer


def twinned(model: CalledModel, tokenizer: Tokenizer) -> bool:
    """Whether both can be had in a fresh kernel."""
    return all(isinstance(one, Twinned) and one.twinned for one in _functions(model, tokenizer))


@contextmanager
def elsewhere(model: CalledModel, *, apart: bool) -> Iterator[CalledModel]:
    """`model` in a fresh kernel, until the context ends; as it is where it has none."""
    if not apart:
        yield model
        return
    assert isinstance(model.function, Twinned)  # noqa: S101  # by `twinned`
    with model.function.twin() as function:
        yield model.asking(function)


def read_elsewhere(tokenizer: Tokenizer, passages: Sequence[Passage]) -> Tokenizer:
    """The same tokens of `passages`; a student's `encode` reads them in a fresh kernel, which ends then.

    So no kernel that predicts is shown more than the ids before. That these may depend on what follows gains nothing:
    each sequence of ids stands for one text, so the probabilities of all of them add up to 1 at most. The unscored
    context of a choice may give that choice away; it does so for every choice, and tells nothing of the right one.
    """
    if not isinstance(tokenizer, StudentTokenizer):
        return tokenizer
    assert isinstance(tokenizer.asked, Twinned)  # noqa: S101  # by `twinned`
    with tokenizer.asked.twin() as encode:
        return AlreadyRead(tokenizer.asking(encode), [passage.context + passage.text for passage in passages])


def _functions(model: CalledModel, tokenizer: Tokenizer) -> list[Asked]:
    """All of the notebook that is asked while a text is scored."""
    return [model.function, *([tokenizer.asked] if isinstance(tokenizer, StudentTokenizer) else [])]
