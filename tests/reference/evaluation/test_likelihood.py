"""Perplexity, bits per byte, windows and multiple choice, against lm-eval asking a tiny GPT-2 with the same weights."""

import math
from functools import partial

import pytest
import torch
from datasets import Dataset, DatasetDict
from hypothesis import given, settings
from hypothesis import strategies as st
from lm_eval.api import metrics
from lm_eval.api.task import ConfigurableTask
from lm_eval.models.huggingface import HFLM
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from reference.evaluation import (
    bits_per_byte,
    choose,
    continuation_log_probabilities,
    perplexity,
    rolling_windows,
    token_log_probabilities,
)

SYMBOLS = "abcdefghij"
CONTEXT = 16


@pytest.fixture(scope="module")
def gpt2() -> GPT2LMHeadModel:
    """Random weights, ten letters and an end-of-text token, double precision."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        config = GPT2Config(
            vocab_size=len(SYMBOLS) + 1,
            n_positions=CONTEXT,
            n_embd=8,
            n_layer=1,
            n_head=2,
            bos_token_id=10,
            eos_token_id=10,
        )
        model = GPT2LMHeadModel(config).double().eval()
        for weights in model.parameters():
            weights.data *= 20  # far from uniform
    return model


@pytest.fixture(scope="module")
def harness(gpt2: GPT2LMHeadModel) -> HFLM:
    """lm-eval's own wrapper around that model, a letter a token."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    vocabulary = {symbol: index for index, symbol in enumerate(SYMBOLS)} | {"<|end|>": 10}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<|end|>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>", bos_token="<|end|>")
    return HFLM(
        pretrained=gpt2, tokenizer=fast, device="cpu", max_length=CONTEXT, batch_size=1, softmax_dtype="float64"
    )


@pytest.fixture
def model(gpt2: GPT2LMHeadModel):
    """From ids to logits, as the oracle takes models."""
    with torch.no_grad():
        yield lambda ids: gpt2(ids).logits


def ids(text: str) -> torch.Tensor:
    return torch.tensor([SYMBOLS.index(symbol) for symbol in text], dtype=torch.int64)


def whole_text(model, text: str) -> torch.Tensor:
    """Log-probabilities of all tokens of a text of any length."""
    windows = rolling_windows(ids(text).tolist(), start=len(SYMBOLS), max_length=CONTEXT)
    parts = [continuation_log_probabilities(model, torch.tensor(seen), torch.tensor(new)) for seen, new in windows]
    return torch.cat(parts)


class Asked:
    """What lm-eval wants to know."""

    def __init__(self, *args: str) -> None:
        self.args = args


def test_log_probabilities_of_a_continuation(model, harness, proof) -> None:
    for context, continuation in (("a", "b"), ("abc", "defg"), ("jjjj", "aaaaaaaaaa")):
        ours = continuation_log_probabilities(model, ids(context), ids(continuation))
        ((theirs, _),) = harness.loglikelihood([Asked(context, continuation)], disable_tqdm=True)
        proof(continuation_log_probabilities, "lm-eval HFLM.loglikelihood").close(ours.sum(), theirs, within=1e-12)


@pytest.mark.parametrize("length", [1, 2, 15, 16, 17, 33, 100])
def test_a_text_longer_than_the_context(model, harness, proof, rng, length) -> None:
    text = "".join(rng.choice(list(SYMBOLS), size=length))
    ours = whole_text(model, text)
    (theirs,) = harness.loglikelihood_rolling([Asked(text)], disable_tqdm=True)
    assert len(ours) == length
    proof(rolling_windows, "lm-eval HFLM.loglikelihood_rolling").close(ours.sum(), theirs, within=1e-10)
    proof(bits_per_byte, "lm-eval bits_per_byte").close(
        bits_per_byte(ours, text), metrics.bits_per_byte([(theirs, len(text.encode()))]), within=1e-12
    )
    proof(perplexity, "lm-eval weighted_perplexity").close(
        perplexity(ours), metrics.weighted_perplexity([(theirs, length)]), within=1e-11
    )


@given(st.lists(st.integers(0, 9), max_size=40), st.integers(1, 9), st.data())
@settings(derandomize=True, deadline=None, max_examples=300)
def test_windows_are_those_of_lm_eval(ids, max_length, data) -> None:
    context = data.draw(st.integers(1, max_length))
    theirs = get_rolling_token_windows(ids, prefix_token=99, max_seq_len=max_length, context_len=context)
    assert rolling_windows(ids, start=99, max_length=max_length, context=context) == [
        make_disjoint_window(pair) for pair in theirs
    ]


@pytest.mark.parametrize(("max_length", "context"), [(0, 1), (4, 0), (4, 5)])
def test_windows_refuse_lengths_that_cannot_be(max_length, context) -> None:
    with pytest.raises(ValueError, match="expected 1"):
        rolling_windows([1], start=0, max_length=max_length, context=context)


def test_log_probabilities_are_torch_s_cross_entropy(proof, generator) -> None:
    scores = 50 * torch.randn(3, 7, 11, generator=generator, dtype=torch.float64)
    targets = torch.randint(11, (3, 7), generator=generator)
    theirs = -torch.nn.functional.cross_entropy(scores.flatten(0, 1), targets.flatten(), reduction="none").view(3, 7)
    proof(token_log_probabilities, "torch cross_entropy").close(
        token_log_probabilities(scores, targets), theirs, within=1e-14
    )


def test_extreme_logits_and_one_token() -> None:
    extreme = torch.tensor([[1e308, -1e308, -torch.inf]], dtype=torch.float64)
    assert token_log_probabilities(extreme, torch.tensor([0])).item() == 0
    assert token_log_probabilities(extreme, torch.tensor([2])).item() == -math.inf
    assert (
        token_log_probabilities(torch.tensor([[7.0]], dtype=torch.float64), torch.tensor([0])).item() == 0
    )  # a vocabulary of one
    assert token_log_probabilities(torch.empty(0, 4, dtype=torch.float64), torch.empty(0, dtype=torch.int64)).shape == (
        0,
    )


@pytest.mark.parametrize(
    ("row", "target", "message"),
    [
        ([0.0, math.nan], 0, "scores: expected finite values or -inf, got nan"),
        ([0.0, math.inf], 0, "scores: expected finite values or -inf, got inf"),
        ([-math.inf, -math.inf], 0, "got a row of -inf"),
        ([0.0, 0.0], 2, "targets: expected token ids from 0 to 1, got 2"),
        ([0.0, 0.0], -1, "targets: expected token ids from 0 to 1, got -1"),
    ],
)
def test_bad_logits_and_targets(row, target, message) -> None:
    with pytest.raises(ValueError, match=message):
        token_log_probabilities(torch.tensor([row], dtype=torch.float64), torch.tensor([target]))


def test_a_uniform_model_of_bytes_needs_eight_bits(proof) -> None:
    text = "Où ça ? 東京 🗼"
    uniform = torch.full((len(text.encode()),), -math.log(256), dtype=torch.float64)
    proof(bits_per_byte, "closed form: 8 bits").close(bits_per_byte(uniform, text), 8.0, within=1e-14)
    proof(perplexity, "closed form: 256").close(perplexity(uniform), 256.0, within=1e-14)


def test_impossible_and_hopeless_tokens() -> None:
    assert perplexity(torch.tensor([-math.inf, -1.0], dtype=torch.float64)) == math.inf
    assert perplexity(torch.tensor([-1e6], dtype=torch.float64)) == math.inf  # beyond float64
    assert bits_per_byte(torch.tensor([-math.inf], dtype=torch.float64), "a") == math.inf


@pytest.mark.parametrize("measure", [perplexity, partial(bits_per_byte, text="abc")])
@pytest.mark.parametrize(
    ("values", "message"),
    [([], "n: expected 1 or more, got 0"), ([-1.0, 0.5], "0 or less, got 0.5"), ([math.nan], "nan")],
)
def test_likelihoods_that_cannot_be(measure, values, message) -> None:
    with pytest.raises(ValueError, match=message):
        measure(torch.tensor(values, dtype=torch.float64))


def test_bits_of_no_text() -> None:
    with pytest.raises(ValueError, match="bytes of text: expected 1 or more, got 0"):
        bits_per_byte(torch.tensor([-1.0], dtype=torch.float64), "")


@pytest.mark.filterwarnings("ignore")
def test_choices_are_those_of_lm_eval(proof, rng) -> None:
    document = {"question": "?", "choices": ["a", "b", "c", "d"], "answer": 0}
    metric_list = [
        {"metric": name, "aggregation": "mean", "higher_is_better": True} for name in ("acc", "acc_norm", "acc_bytes")
    ]
    task = ConfigurableTask(
        config={
            "task": "choices",
            "custom_dataset": lambda **_: DatasetDict(test=Dataset.from_list([document])),
            "test_split": "test",
            "output_type": "multiple_choice",
            "doc_to_text": "{{question}}",
            "doc_to_choice": "{{choices}}",
            "doc_to_target": "{{answer}}",
            "metric_list": metric_list,
        }
    )
    for _ in range(50):
        choices = ["".join(rng.choice(list("abcé 東"), size=rng.integers(1, 9))) for _ in range(4)]
        likelihoods = -10 * rng.random(4)
        found = {
            "acc": choose(torch.tensor(likelihoods)),
            "acc_norm": choose(torch.tensor(likelihoods), torch.tensor([len(choice) for choice in choices])),
            "acc_bytes": choose(torch.tensor(likelihoods), torch.tensor([len(choice.encode()) for choice in choices])),
        }
        for answer in range(4):
            document = {"question": "?", "choices": choices, "answer": answer}
            theirs = task.process_results(document, [(value, False) for value in likelihoods])
            proof(choose, "lm-eval multiple_choice").equal(
                {name: float(one == answer) for name, one in found.items()}, theirs
            )


def test_the_first_of_equal_answers_is_chosen() -> None:
    assert choose(torch.tensor([-2.0, -1.0, -1.0], dtype=torch.float64)) == 1
    assert choose(torch.tensor([-2.0, -1.0], dtype=torch.float64), torch.tensor([2, 1])) == 0
    assert choose(torch.full((3,), -math.inf, dtype=torch.float64)) == 0


@pytest.mark.parametrize(
    ("values", "lengths", "message"),
    [
        ([], None, "C: expected 1 or more, got 0"),
        ([0.5], None, "0 or less, got 0.5"),
        ([math.nan], None, "0 or less, got nan"),
        ([-1.0], [0], "lengths: expected 1 or more, got 0"),
    ],
)
def test_choices_that_cannot_be(values, lengths, message) -> None:
    with pytest.raises(ValueError, match=message):
        choose(torch.tensor(values, dtype=torch.float64), None if lengths is None else torch.tensor(lengths))


def test_an_empty_context_or_continuation(model) -> None:
    assert continuation_log_probabilities(model, ids("a"), ids("")).shape == (0,)
    with pytest.raises(ValueError, match="length of context: expected 1 or more, got 0"):
        continuation_log_probabilities(model, ids(""), ids("a"))


@pytest.mark.gpu
def test_likelihoods_on_a_gpu(generator) -> None:
    scores = torch.randn(3, 7, 11, generator=generator, dtype=torch.float64)
    targets = torch.randint(11, (3, 7), generator=generator)
    there = token_log_probabilities(scores.cuda(), targets.cuda())
    torch.testing.assert_close(there.cpu(), token_log_probabilities(scores, targets), rtol=0, atol=1e-13)
    assert perplexity(there.flatten()) == pytest.approx(perplexity(there.flatten().cpu()), rel=1e-13)
    assert choose(there[0]) == choose(there[0].cpu())


def test_measures_read_log_probabilities_that_require_grad() -> None:
    given = torch.tensor([-1.0, -3.0], dtype=torch.float64, requires_grad=True)
    assert perplexity(given) == math.exp(2)
    assert bits_per_byte(given, "ab") == 2 / math.log(2)


def test_a_certain_text_needs_no_bits_and_the_zero_has_no_sign() -> None:
    assert str(bits_per_byte(torch.zeros(2, dtype=torch.float64), "a")) == "0.0"


@pytest.mark.parametrize("shape", [(1, 3, 4), (2, 2, 4), (1, 1, 4)])
def test_logits_of_other_positions_are_refused(shape: tuple[int, int, int]) -> None:
    context, continuation = torch.tensor([0]), torch.tensor([1, 2])
    with pytest.raises(ValueError, match=r"logits: expected shape \(1, 2, V\)"):
        continuation_log_probabilities(lambda _: torch.zeros(shape, dtype=torch.float64), context, continuation)
