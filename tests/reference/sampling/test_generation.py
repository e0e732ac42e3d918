"""Generated texts against transformers' `generate`, exact distributions by enumeration, and cached against uncached."""

import itertools
import math
from collections import Counter
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from transformers import GPT2LMHeadModel

from reference.sampling import (
    Stop,
    Strategy,
    generate,
    generate_cached,
    generation_distribution,
    greedy,
    next_distribution,
)
from reference.transformer import GPT2, GPT2Config, Llama, LlamaConfig

N_TOKENS = 11
SAMPLED = Strategy(temperature=0.9, top_k=7, top_p=0.9, penalty=1.2)


def lists(rows: list[Tensor]) -> list[list[int]]:
    return [row.tolist() for row in rows]


def prompts(batch_size: int, length: int, n_tokens: int = N_TOKENS) -> Tensor:
    return torch.randint(n_tokens, (batch_size, length), generator=torch.Generator().manual_seed(length))


def theirs(model: GPT2LMHeadModel, ids: Tensor, stops: tuple[int, ...], **settings: object) -> list[list[int]]:
    """New tokens of transformers' generate, each row up to its first stop token."""
    given = model.generate(
        ids, attention_mask=torch.ones_like(ids), eos_token_id=list(stops) or None, pad_token_id=0, **settings
    )
    rows = given[:, ids.shape[1] :].tolist()
    ends = [next((i for i, token in enumerate(row) if token in stops), len(row)) for row in rows]
    return [row[: end + 1] for row, end in zip(rows, ends, strict=True)]


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (20, 2)])
@pytest.mark.parametrize("stops", [(), (7,), (0, 5, 8)])
@pytest.mark.parametrize("penalty", [1.0, 1.7])
def test_greedy_texts_equal_transformers(
    proof, gpt2: GPT2LMHeadModel, logits_of, shape: tuple[int, int], stops: tuple[int, ...], penalty: float
) -> None:
    ids = prompts(*shape)
    expected = theirs(gpt2, ids, stops, do_sample=False, max_new_tokens=12, repetition_penalty=penalty)
    ours = generate(logits_of, ids, max_new=12, strategy=Strategy(penalty=penalty), stop=Stop(ids=stops))
    proof(generate, "transformers generate, greedy").equal(lists(ours), expected)


def test_the_model_stops_rows_at_different_lengths(logits_of) -> None:
    """Else the comparison above would show little."""
    rows = generate(logits_of, prompts(20, 2), max_new=12, stop=Stop(ids=(0, 5, 8)))
    assert len({len(row) for row in rows}) > 3


@pytest.mark.parametrize("strategy", [SAMPLED, Strategy(temperature=2.0, top_p=0.6), Strategy(temperature=1, top_k=3)])
def test_distributions_on_the_way_equal_transformers(
    proof, gpt2: GPT2LMHeadModel, logits_of, strategy: Strategy
) -> None:
    """What transformers draws from at each step, whose parts come in its own order."""
    ids = prompts(6, 3)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        drawn = gpt2.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            pad_token_id=0,
            do_sample=True,
            max_new_tokens=8,
            temperature=float(strategy.temperature),
            top_k=strategy.top_k or 0,
            top_p=strategy.top_p,
            repetition_penalty=strategy.penalty,
            return_dict_in_generate=True,
            output_scores=True,
        )
    for length, scores in enumerate(drawn.scores, start=3):
        history = drawn.sequences[:, :length]
        ours = next_distribution(logits_of(history)[:, -1], history, strategy)
        theirs = torch.softmax(scores.double(), -1)
        assert torch.equal(ours > 0, theirs > 0)
        # their logits are float32 of size up to about 30, divided by 0.9: 30 / 0.9 · 2^-24 ≈ 2e-6
        proof(next_distribution, "transformers generate, scores in float32").close(ours, theirs, within=4e-6)


def brute_force(model: Callable, prompt: list[int], max_new: int, strategy: Strategy, stops: list[tuple[int, ...]]):
    """All texts of `max_new` tokens by the chain rule, each counted as what is left of it after its first stop."""
    found: Counter[tuple[int, ...]] = Counter()
    for text in itertools.product(range(3), repeat=max_new):
        mass = 1.0
        for i, token in enumerate(text):
            ids = torch.tensor([[*prompt, *text[:i]]])
            mass *= next_distribution(model(ids)[:, -1], ids, strategy)[0, token].item()
        ends = [n for n in range(1, max_new + 1) for stop in stops if text[max(0, n - len(stop)) : n] == stop]
        found[text[: min(ends, default=max_new)]] += mass
    return {text: mass for text, mass in found.items() if mass > 0}


def tiny(seed: int = 0) -> Callable[[Tensor], Tensor]:
    """Logits over 3 tokens that depend on all that stands before and on where it stands."""
    weights = torch.randn(2, 3, generator=torch.Generator().manual_seed(seed)).double()

    def model(ids: Tensor) -> Tensor:
        past = ((ids + 1) * torch.arange(1, ids.shape[1] + 1).sqrt()).cumsum(dim=1)
        return 3 * torch.sin(past[..., None] * weights[0] + weights[1])

    return model


STOPS = [Stop(), Stop(ids=(0,)), Stop(sequences=((1, 2),)), Stop(ids=(0,), sequences=((1, 2), (2, 2, 1)))]


@pytest.mark.parametrize("stop", STOPS, ids=str)
@pytest.mark.parametrize(
    "strategy", [Strategy(temperature=1), Strategy(temperature=2, top_k=2, penalty=1.5), Strategy()]
)
@pytest.mark.parametrize("max_new", [1, 3])
def test_exact_distribution_equals_enumeration(proof, stop: Stop, strategy: Strategy, max_new: int) -> None:
    model, prompt = tiny(), [1]
    ours = generation_distribution(model, torch.tensor(prompt), max_new=max_new, strategy=strategy, stop=stop)
    ends = [*((token,) for token in stop.ids), *stop.sequences]
    expected = brute_force(model, prompt, max_new, strategy, ends)
    assert ours.keys() == expected.keys()
    assert math.fsum(ours.values()) == pytest.approx(1, abs=1e-14)
    for component in (generation_distribution, Stop):
        proof(component, "brute force").close(
            [ours[text] for text in sorted(ours)], [expected[text] for text in sorted(ours)], within=1e-15
        )


@pytest.mark.parametrize(
    "strategy", [Strategy(temperature=1), Strategy(temperature=2, top_k=2, top_p=0.8, penalty=1.5)]
)
def test_drawn_texts_have_their_exact_frequencies(proof, generator: torch.Generator, strategy: Strategy) -> None:
    model, stop, n_texts = tiny(), STOPS[-1], 4_000
    exact = generation_distribution(model, torch.tensor([1, 2]), max_new=4, strategy=strategy, stop=stop)
    ids = torch.tensor([[1, 2]]).expand(n_texts, -1)
    drawn = Counter(
        tuple(row) for row in lists(generate(model, ids, max_new=4, strategy=strategy, stop=stop, generator=generator))
    )
    assert drawn.keys() <= exact.keys()
    # Hoeffding: off by more than this with probability below 1e-9 for each text
    bound = math.sqrt(math.log(2e9) / (2 * n_texts))
    proof(generate, "exact distribution, statistical").close(
        [drawn[text] / n_texts for text in exact], list(exact.values()), within=bound
    )


def test_greedy_distribution_is_the_greedy_text(proof, logits_of) -> None:
    ids = prompts(1, 3)[0]
    exact = generation_distribution(logits_of, ids, max_new=6)
    proof(generation_distribution, "generate, greedy").equal(
        exact, {tuple(lists(generate(logits_of, ids[None], max_new=6))[0]): 1.0}
    )


def test_a_row_does_not_depend_on_when_others_stop(generator: torch.Generator, logits_of) -> None:
    ids = prompts(6, 2)
    state = generator.get_state()
    whole = generate(logits_of, ids, max_new=10, strategy=SAMPLED, generator=generator)
    generator.set_state(state)
    stopped = generate(logits_of, ids, max_new=10, strategy=SAMPLED, generator=generator, stop=Stop(ids=(5, 7)))
    for long, short in zip(lists(whole), lists(stopped), strict=True):
        assert long[: len(short)] == short
        assert len(short) == 10 or short[-1] in (5, 7)
        assert not {5, 7} & set(short[:-1])


def models() -> list[tuple[str, object]]:
    """Decoders of the oracle, with weights that make what came before matter."""
    sizes = {"vocab_size": N_TOKENS, "context_length": 32, "width": 8, "n_layers": 2, "n_heads": 4, "inner_width": 16}
    generator = torch.Generator().manual_seed(0)
    made = [
        ("GPT2", GPT2(GPT2Config(**sizes), generator=generator)),
        ("Llama", Llama(LlamaConfig(**sizes, n_groups=2), generator=generator)),
        ("Mistral", Llama(LlamaConfig(**sizes, n_groups=1, window=3), generator=generator)),
    ]
    with torch.no_grad():
        for parameter in (parameter for _, model in made for parameter in model.parameters()):
            parameter.add_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return made


decoders = pytest.mark.parametrize("decoder", [model for _, model in models()], ids=[name for name, _ in models()])


@decoders
@pytest.mark.parametrize("strategy", [Strategy(), SAMPLED], ids=["greedy", "sampled"])
@pytest.mark.parametrize("shape", [(1, 1), (4, 1), (3, 5)])
@pytest.mark.parametrize("stop", [Stop(), Stop(ids=(0, 3, 8), sequences=((1, 2), (10, 10)))], ids=["whole", "stopped"])
def test_cached_texts_equal_uncached(proof, decoder, strategy: Strategy, shape: tuple[int, int], stop: Stop) -> None:
    ids = prompts(*shape)
    texts = [
        lists(one(decoder, ids, max_new=12, strategy=strategy, stop=stop, generator=torch.Generator().manual_seed(9)))
        for one in (generate_cached, generate)
    ]
    proof(generate_cached, "generate, without a cache").equal(texts[0], texts[1])


@decoders
def test_texts_follow_the_logits_of_a_single_pass(proof, decoder) -> None:
    """Each greedy token is the best one after all that stands before it, read at once."""
    ids = prompts(3, 4)
    new = torch.stack(generate_cached(decoder, ids, max_new=9))
    whole = decoder(torch.cat([ids, new], dim=1))
    proof(generate_cached, "greedy over one pass").equal(new.tolist(), greedy(whole[:, 3:-1]).tolist())


class Recording:
    """A decoder that notes the shape of what it is given to read."""

    def __init__(self, decoder: GPT2) -> None:
        self.decoder, self.read = decoder, []

    def new_cache(self) -> object:
        return self.decoder.new_cache()

    def __call__(self, ids: Tensor, cache: object = None) -> Tensor:
        self.read.append(tuple(ids.shape))
        return self.decoder(ids, cache)


def test_each_step_reads_one_position(proof) -> None:
    cached, uncached = (Recording(models()[0][1]) for _ in range(2))
    generate_cached(cached, prompts(2, 5), max_new=4)
    generate(uncached, prompts(2, 5), max_new=4)
    assert cached.read == [(2, 5), (2, 1), (2, 1), (2, 1)]
    assert uncached.read == [(2, 5), (2, 6), (2, 7), (2, 8)]


@pytest.mark.parametrize("batch_size", [0, 1, 3])
def test_no_new_tokens(batch_size: int) -> None:
    for one in (generate, generate_cached):
        recording = Recording(models()[0][1])
        rows = one(recording, prompts(batch_size, 2), max_new=0)
        assert lists(rows) == [[]] * batch_size
        assert recording.read == []


def test_no_rows() -> None:
    recording = Recording(models()[0][1])
    assert generate(recording, prompts(0, 2, 3), max_new=5) == []
    assert recording.read == []


def test_the_model_is_not_called_once_all_rows_have_stopped() -> None:
    recording = Recording(models()[0][1])
    rows = generate(recording, prompts(2, 3), max_new=9, stop=Stop(ids=tuple(range(N_TOKENS))))
    assert [len(row) for row in rows] == [1, 1]
    assert recording.read == [(2, 3)]


def test_stop_at_the_first_token(logits_of) -> None:
    ids = prompts(1, 3)
    first = lists(generate(logits_of, ids, max_new=1))[0]
    for stop in (Stop(ids=(first[0],)), Stop(sequences=((first[0],),))):
        assert lists(generate(logits_of, ids, max_new=9, stop=stop)) == [first]


def test_a_sequence_that_begins_in_the_prompt_does_not_stop() -> None:
    def counting(ids: Tensor) -> Tensor:
        return torch.nn.functional.one_hot((ids + 1) % 7, 7).double()

    stop = Stop(sequences=((2, 3),))
    assert lists(generate(counting, torch.tensor([[2], [0]]), max_new=4, stop=stop)) == [[3, 4, 5, 6], [1, 2, 3]]


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [([], False), ([5], True), ([5, 1], False), ([1, 2], True), ([2, 1, 2], True), ([1, 2, 3], False), ([2], False)],
)
def test_what_stops(tokens: list[int], expected: bool) -> None:
    assert Stop(ids=(5,), sequences=((1, 2), (3, 1, 2))).reached(tokens) is expected


def test_gradients_are_not_tracked(logits_of) -> None:
    seen = []

    def watching(ids: Tensor) -> Tensor:
        seen.append(logits_of(ids).requires_grad)
        return logits_of(ids)

    generate(watching, prompts(1, 2), max_new=1)
    generation_distribution(watching, prompts(1, 2)[0], max_new=1)
    assert seen == [False, False]


def test_a_vocabulary_of_one_token(generator: torch.Generator) -> None:
    def single(ids: Tensor) -> Tensor:
        return torch.zeros(*ids.shape, 1, dtype=torch.float64)

    ids = torch.zeros(2, 1, dtype=torch.int64)
    rows = generate(single, ids, max_new=3, strategy=Strategy(temperature=1), generator=generator)
    assert lists(rows) == [[0, 0, 0]] * 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_new": -1}, "max_new: expected 0 or more, got -1"),
        ({"ids": torch.zeros(1, 0, dtype=torch.int64)}, "length of the prompt: expected 1 or more, got 0"),
        ({"stop": Stop(ids=(3,))}, "stop: expected token ids from 0 to 2, got 3"),
        ({"strategy": Strategy(temperature=1)}, "generator: expected one"),
        ({"strategy": Strategy(top_k=4)}, "k: expected 1 to 3"),
        ({"model": lambda ids: torch.full((*ids.shape, 3), math.nan, dtype=torch.float64)}, "logits: expected finite"),
        ({"model": lambda ids: torch.zeros(*ids.shape, 0, dtype=torch.float64)}, "stop|vocabulary"),
    ],
)
def test_bad_input_is_refused(settings: dict, message: str) -> None:
    arguments = {"model": tiny(), "ids": torch.tensor([[0, 1]]), "max_new": 2} | settings
    model, ids = arguments.pop("model"), arguments.pop("ids")
    with pytest.raises(ValueError, match=message):
        generate(model, ids, **arguments)
    if "strategy" not in settings:
        with pytest.raises(ValueError, match=message):
            generation_distribution(model, ids[0], **arguments)


@pytest.mark.parametrize("bad", [{"sequences": ((),)}, {"ids": (-1,)}, {"sequences": ((0, -2),)}])
def test_stops_that_are_none_are_refused(bad: dict) -> None:
    with pytest.raises(ValueError, match=r"expected (one token or more|token ids of 0 or more)"):
        Stop(**bad)


@pytest.mark.parametrize(
    "bad",
    [
        {"sequences": ([1, 1],)},
        {"sequences": ((1,), [0, 1])},
        {"sequences": ((1, 2.0),)},
        {"sequences": (1, 2)},
        {"sequences": ("ab",)},
        {"ids": [1]},
        {"ids": (1.0,)},
        {"ids": 1},
        {"ids": "ab"},
    ],
)
def test_stops_of_wrong_types_are_refused(bad: dict) -> None:
    with pytest.raises(TypeError, match="stop: expected tuples of integers"):
        Stop(**bad)


def test_a_text_below_the_least_float_has_no_key() -> None:
    def skewed(ids: Tensor) -> Tensor:
        return torch.tensor([0.0, -460.0], dtype=torch.float64).expand(*ids.shape, 2)

    found = generation_distribution(skewed, torch.tensor([0]), max_new=2, strategy=Strategy(temperature=1))
    assert list(found) == [(0, 0), (0, 1), (1, 0)]
    assert min(found.values()) > 0


@pytest.mark.parametrize(
    "model",
    [
        lambda ids: torch.zeros(*ids.shape, 3),
        lambda ids: torch.zeros(ids.shape[0], 3, dtype=torch.float64),
        lambda ids: torch.zeros(ids.shape[0], ids.shape[1] + 1, 3, dtype=torch.float64),
    ],
)
def test_models_of_another_shape_are_refused(model: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(TypeError):
        generate(model, torch.tensor([[0, 1]]), max_new=1)


@pytest.mark.gpu
def test_gpu_generates_the_same_texts() -> None:
    decoder, ids = models()[0][1], prompts(3, 4)
    settings = {"max_new": 10, "strategy": SAMPLED}
    here = generate_cached(decoder, ids, **settings, generator=torch.Generator().manual_seed(1))
    there = generate_cached(decoder.cuda(), ids.cuda(), **settings, generator=torch.Generator().manual_seed(1))
    assert lists(here) == lists(there)
