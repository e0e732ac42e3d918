"""Known values through the whole path: uniform bytes, the oracle's n-grams, every shape of model, fresh text."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from harness.errors import ConfigurationError
from harness.metrics.perplexity import (
    BytePairs,
    Bytes,
    Characters,
    StudentTokenizer,
    Words,
    controls,
    measure,
)
from harness.metrics.sources import MarkovSource
from reference.ngram import AddK, counts_by_order, transition_array

ALPHABET = "\n abcdefghijklmnopqrstuvwxyz."
DOCUMENTS = ["the cat sat on the mat.", "a dog ran after the cat.", "the sun set."] * 4


def uniform(size: int) -> Callable[[list[int]], np.ndarray]:
    return lambda ids: np.zeros((len(ids), size), dtype=np.float32)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_the_controls_come_out() -> None:
    controls.check()


@pytest.mark.parametrize("kind", ["logits", "log_probabilities", "probabilities"])
@pytest.mark.parametrize("documents", ["é" * 47, ["Où ça ? 東京 🗼", "x"], "a" * 700])
def test_a_uniform_model_of_bytes_needs_exactly_eight_bits(bits, kind, documents) -> None:
    entry = {"logits": 3.0, "log_probabilities": -math.log(256), "probabilities": 1 / 256}[kind]
    found = bits(lambda ids: np.full((len(ids), 256), entry), documents, kind=kind)
    assert found.value == 8
    assert (found.low, found.high) == (8, 8)
    facts = {fact.name.en: fact.value for fact in found.facts}
    assert facts["bytes"] == len("".join(documents).encode())
    assert facts["token perplexity (does not compare across tokenizers)"] == 256


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_oracle_s_n_gram_has_the_oracle_s_figure(asked, rng, order) -> None:
    """By table, by mapping and by calls; text longer than a table's block, so that no context is cut."""
    letters = "abc.\n"
    text = "".join(rng.choice(list(letters), p=[0.4, 0.3, 0.2, 0.05, 0.05], size=2500))
    model = AddK(counts_by_order([text[:500]], order=order), letters, k=0.5)
    oracle = -np.log2(model.probabilities(text, context=letters[0] * (order - 1))).sum() / len(text.encode())
    array = transition_array(model)
    keys = [() if order == 1 else key for key in np.ndindex(array.shape[:-1])]
    mapping = {key: array[key] for key in keys}

    def rows(ids):
        padded = [0] * (order - 1) + ids
        return array[tuple(np.array(padded[at : at + len(ids)], dtype=np.int64) for at in range(1, order))] + np.zeros(
            (len(ids), 1)
        )

    for subject in (array, torch.tensor(array), array.tolist(), mapping, asked(rows)):
        options = {"context": 4096} if callable(subject) else {}
        (found,) = measure(
            subject, rng=rng, tokenizer=Characters(letters), documents=text, kind="probabilities", **options
        )
        assert found.value == pytest.approx(oracle, abs=1e-6)


class Perceptron:
    """Embeddings of the last three ids, one hidden layer: a fixed window, the next row alone."""

    def __init__(self, size: int) -> None:
        generator = torch.Generator().manual_seed(2)
        self.embedding = torch.randn(size, 8, generator=generator)
        self.hidden = torch.randn(24, 16, generator=generator) / 5
        self.out = torch.randn(16, size, generator=generator)

    def __call__(self, ids):
        last = ([0, 0, *[int(token) for token in ids]])[-3:]
        return torch.tanh(self.embedding[last].flatten() @ self.hidden) @ self.out


class Transformer:
    """One causal layer of PyTorch's own, whole rows."""

    def __init__(self, size: int) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(3)
            self.embedding = torch.nn.Embedding(size, 16)
            self.layer = torch.nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True).eval()
            self.out = torch.nn.Linear(16, size)

    @torch.no_grad()
    def __call__(self, ids):
        mask = torch.nn.Transformer.generate_square_subsequent_mask(len(ids))
        states = self.layer(self.embedding(torch.as_tensor(ids))[None], mask, is_causal=True)
        return torch.log_softmax(self.out(states)[0], dim=-1)


def bigrams(size: int) -> np.ndarray:
    return np.random.default_rng(6).dirichlet(np.ones(size), size=size)


TOKENIZERS = {
    "characters": Characters(ALPHABET),
    "bytes": Bytes(),
    "words": Words([*" .abcdefghijklmnopqrstuvwxyz", " the", " cat", "the"]),
    "byte pairs": BytePairs([*(bytes([byte]) for byte in range(256)), b"th", b"the", b" the", b"at"]),
}


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize("model", ["n-gram", "perceptron", "transformer"])
def test_every_kind_of_model_with_every_kind_of_tokenizer(asked, rng, tokenizer, model) -> None:
    chosen = TOKENIZERS[tokenizer]
    size = chosen.vocabulary_size
    subject, options = {
        "n-gram": (bigrams(size), {"kind": "probabilities"}),
        "perceptron": (asked(Perceptron(size)), {"rows": "last"}),
        "transformer": (asked(Transformer(size)), {"kind": "log_probabilities", "ids": "tensor"}),
    }[model]
    (found,) = measure(subject, rng=rng, tokenizer=chosen, documents=DOCUMENTS, context=64, **options)
    n_bytes = len("".join(DOCUMENTS))
    expected = 0.0
    for document in DOCUMENTS:
        ids = [0, *chosen.encode(document)]
        for at, target in enumerate(ids[1:]):
            row = subject[ids[at]] if model == "n-gram" else np.asarray(subject(ids[: at + 1]), dtype=np.float64)
            row = row[-1] if row.ndim == 2 else row
            p = row if model == "n-gram" else np.exp(row - row.max()) / np.exp(row - row.max()).sum()
            expected -= np.log2((1 - 1e-6) * p[target] + 1e-6 / size)
    assert found.value == pytest.approx(expected / n_bytes, rel=1e-5)
    assert found.low < found.value < found.high


def test_long_texts_are_cut_into_the_windows_of_lm_eval(asked, rng) -> None:
    """Each row tells how far back it reads: bits are then known from the windows alone."""
    from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

    def depth(ids):
        rows = np.full((len(ids), 4), 0.25)
        certainty = 1 - 0.5 / np.arange(1, len(ids) + 1)
        rows[:, 1:] = (1 - certainty[:, None]) / 3
        rows[:, 0] = certainty
        return rows

    text = "a" * 50
    for context, stride in ((16, 16), (16, 5), (7, 1), (64, 64)):
        (found,) = measure(
            asked(depth), rng=rng, tokenizer=Characters("abcd"), documents=text, kind="probabilities",
            context=context, stride=stride,
        )  # fmt: skip
        pairs = get_rolling_token_windows(
            [0] * 50, prefix_token=0, max_seq_len=context, context_len=context - stride + 1
        )
        expected = 0.0
        for seen, predicted in map(make_disjoint_window, pairs):
            reads = len(seen) + np.arange(len(predicted))
            expected -= np.log2(1 - 0.5 / reads).sum()
        assert found.value == pytest.approx(expected / 50, abs=2e-6)


def test_fresh_text_stands_beside_its_floor(asked, rng) -> None:
    source = MarkovSource.random(np.random.default_rng(0), alphabet="abcdefgh", order=1)
    tokenizer = Characters("abcdefgh")
    table = np.asarray(source.transitions)
    (true,) = measure(table, rng=rng, tokenizer=tokenizer, source=source, kind="probabilities", sampled=(30, 200))
    (flat,) = measure(asked(uniform(8)), rng=rng, tokenizer=tokenizer, source=source, sampled=(30, 200))
    assert flat.value == 3
    assert true.oracle is not None
    assert flat.oracle is not None
    assert 0 < true.value - true.oracle < 0.05  # the first symbol of each text is the table's only disadvantage
    assert flat.oracle < 2.5
    assert any("floor" in fact.name.en for fact in true.facts)
    assert true.oracle != flat.oracle  # each time another text


def test_the_interval_covers_where_one_text_is_cut_into_windows(asked, rng) -> None:
    table = bigrams(8)
    tokenizer = Characters("abcdefgh")
    text = "".join(rng.choice(list("abcdefgh"), size=2000))
    (found,) = measure(table, rng=rng, tokenizer=tokenizer, documents=text, kind="probabilities")
    truth = -np.log2(table).mean()
    assert found.low < truth < found.high
    assert found.high - found.low < 0.5
    assert {fact.name.en: fact.value for fact in found.facts}["units of the interval"].en == "windows of one document"


def test_the_same_seed_gives_the_same_figures(asked) -> None:
    found = [
        measure(
            bigrams(256), rng=np.random.default_rng(3), tokenizer=Bytes(), documents=DOCUMENTS, kind="probabilities"
        )
        for _ in range(2)
    ]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "one kind of text"),
        ({"documents": "a", "source": MarkovSource("ab", np.full((2, 2), 0.5))}, "one kind of text"),
        ({"documents": []}, "no texts"),
        ({"documents": ["a", ""]}, "no texts"),
        ({"documents": [3]}, "no texts"),
        ({"documents": "é"}, "holds what the vocabulary does not"),
        ({"documents": "a", "kind": "scores"}, "kind='scores'"),
        ({"documents": "a", "contxt": 3}, "contxt is no option"),
        ({"documents": "a", "stride": 300}, "stride=300"),
        ({"documents": "a", "start": 40}, "start=40"),
        ({"documents": "a", "audits": 10}, "audits=10"),
        ({"documents": "a", "context": 10_000_000}, "do not fit into one answer"),
        ({"documents": "a", "vocabulary_size": 3}, "vocabulary_size=3"),
        ({"documents": "a"}, "a single token has no interval"),
    ],
)
def test_what_cannot_be_measured_names_what_is_wrong(asked, rng, options, problem) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        measure(asked(uniform(len(ALPHABET))), rng=rng, tokenizer=Characters(ALPHABET), **options)


def test_a_grader_s_tokenizer_that_loses_text_is_a_mistake_of_the_assignment(asked, rng) -> None:
    class Small(Characters):
        def encode(self, text):
            return super().encode(text.lower())

    with pytest.raises(ConfigurationError, match="does not give back the text"):
        measure(asked(uniform(len(ALPHABET))), rng=rng, tokenizer=Small(ALPHABET), documents="A b.")


WORD_PIECES = [*(bytes([byte]) for byte in range(256)), b"th", b" th", b" the", b"at", b"cat", b" cat"]


def test_a_student_s_tokenizer_is_audited_at_words_and_says_how_little_that_is(asked, rng) -> None:
    trained = BytePairs(WORD_PIECES, pattern=r" ?\p{L}+|\s|.")
    own = StudentTokenizer(
        asked(trained.encode), asked(lambda ids: WORD_PIECES[ids[0]]), vocabulary_size=len(WORD_PIECES)
    )
    size = len(WORD_PIECES)
    texts = [f"{text} " * 12 for text in DOCUMENTS]
    table = bigrams(size)
    (ours,) = measure(table, rng=rng, tokenizer=trained, documents=texts[:3], kind="probabilities")
    for rows, function in (("all", lambda ids: table[ids]), ("last", lambda ids: table[ids[-1]])):
        options = {"kind": "probabilities", "context": 600, "rows": rows}
        (theirs,) = measure(asked(function), rng=rng, tokenizer=own, documents=texts[:3], **options)
        assert theirs.value == pytest.approx(ours.value, rel=1e-12)
        assert theirs.quarantine is not None
        assert "only 3" in theirs.quarantine.en  # a third of the tokens begin a word


def test_windows_under_a_student_s_tokenizer_are_held_only_against_themselves(asked, rng, words) -> None:
    """The rows depend on the place in the window, and a decoy's last window begins elsewhere than the text's."""
    trained = BytePairs(WORD_PIECES, pattern=r" ?\p{L}+|\s|.")
    size = len(WORD_PIECES)
    table = bigrams(size)
    own = StudentTokenizer(asked(trained.encode), asked(lambda ids: WORD_PIECES[ids[0]]), vocabulary_size=size)
    model = asked(lambda ids: table[(np.array(ids) + np.arange(len(ids))) % size])
    found = [
        measure(
            model,
            rng=np.random.default_rng(seed),
            tokenizer=tokenizer,
            documents=[words[:400], words[400:900]],
            kind="probabilities",
            context=60,
            stride=50,
        )[0].value
        for seed in range(3)
        for tokenizer in (own, trained)
    ]
    assert len(set(found)) == 1
