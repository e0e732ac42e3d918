"""Beam search against transformers' `generate`, against all texts where the beam is wide enough, and against a loop."""

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from transformers import GPT2LMHeadModel

from reference.sampling import Beam, beam_search, generate, log_probabilities

N_TOKENS = 11


def prompt(length: int, seed: int, n_tokens: int = N_TOKENS) -> Tensor:
    return torch.randint(n_tokens, (length,), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("n_beams", [2, 4])
@pytest.mark.parametrize("end_id", [None, 7])
@pytest.mark.parametrize("length_penalty", [-1.0, 0.0, 0.7, 1.0, 3.0])
def test_beams_equal_transformers(
    proof, gpt2: GPT2LMHeadModel, logits_of, n_beams: int, end_id: int | None, length_penalty: float
) -> None:
    for seed in range(3):
        ids = prompt(1 + seed, seed)
        theirs = gpt2.generate(
            ids[None],
            attention_mask=torch.ones_like(ids[None]),
            num_beams=n_beams,
            num_return_sequences=n_beams,
            max_new_tokens=8,
            eos_token_id=end_id,
            pad_token_id=0,
            length_penalty=length_penalty,
            early_stopping="never",
            do_sample=False,
            return_dict_in_generate=True,
            output_scores=True,
        )
        rows = theirs.sequences[:, len(ids) :].tolist()
        expected = [tuple(row[: row.index(end_id) + 1] if end_id in row else row) for row in rows]
        ours = beam_search(logits_of, ids, n_beams=n_beams, max_new=8, end_id=end_id, length_penalty=length_penalty)
        proof(beam_search, "transformers generate, beam search").equal([beam.ids for beam in ours], expected)
        # theirs are sums of 8 float32 numbers of size up to about 10, where ours are float64: 8 · 10 · 2^-24 ≈ 5e-6
        proof(Beam, "transformers generate, scores in float32").close(
            [beam.score for beam in ours], theirs.sequences_scores, within=5e-6
        )


def tiny(seed: int = 0) -> Callable[[Tensor], Tensor]:
    """Logits over 3 tokens that depend on all that stands before and on where it stands."""
    weights = torch.randn(2, 3, generator=torch.Generator().manual_seed(seed)).double()

    def model(ids: Tensor) -> Tensor:
        past = ((ids + 1) * torch.arange(1, ids.shape[1] + 1).sqrt()).cumsum(dim=1)
        return 3 * torch.sin(past[..., None] * weights[0] + weights[1])

    return model


def log_probability(model: Callable[[Tensor], Tensor], ids: Tensor, text: tuple[int, ...]) -> float:
    total = 0.0
    for i, token in enumerate(text):
        history = torch.cat([ids, torch.tensor(text[:i], dtype=torch.int64)])
        total += log_probabilities(model(history[None])[0, -1])[token].item()
    return total


def complete(max_new: int, n_tokens: int, end_id: int | None) -> list[tuple[int, ...]]:
    """All texts that end in `end_id`, or nowhere within `max_new` tokens."""
    texts = {
        text[: text.index(end_id) + 1] if end_id in text else text
        for text in itertools.product(range(n_tokens), repeat=max_new)
    }
    return sorted(texts)


@pytest.mark.parametrize("end_id", [None, 0, 2])
@pytest.mark.parametrize("length_penalty", [-0.5, 0, 1, 2.5])
def test_a_beam_that_holds_all_texts_finds_the_best(proof, end_id: int | None, length_penalty: float) -> None:
    model, ids = tiny(seed=1), torch.tensor([1])
    texts = complete(4, 3, end_id)
    scored = [(text, log_probability(model, ids, text)) for text in texts]
    expected = sorted(scored, key=lambda one: -one[1] / len(one[0]) ** length_penalty)
    ours = beam_search(model, ids, n_beams=81, max_new=4, end_id=end_id, length_penalty=length_penalty)
    against = proof(beam_search, "all texts, by brute force")
    against.equal([beam.ids for beam in ours], [text for text, _ in expected])
    against.close([beam.log_probability for beam in ours], [total for _, total in expected], within=1e-14)
    against.close(
        [beam.score for beam in ours], [total / len(text) ** length_penalty for text, total in expected], within=1e-14
    )


def plain_search(
    model: Callable, ids: Tensor, n_beams: int, max_new: int, end_id: int | None, length_penalty: float
) -> list[tuple[int, ...]]:
    """The rules as written, over tuples, without ending early."""
    running, finished = [((), 0.0)], []
    for length in range(1, max_new + 1):
        extensions = []
        for rank, (text, total) in enumerate(running):
            history = torch.cat([ids, torch.tensor(text, dtype=torch.int64)])
            for token, log_p in enumerate(log_probabilities(model(history[None])[0, -1]).tolist()):
                if log_p > -math.inf:
                    extensions.append((-(total + log_p), rank, token, (*text, token)))
        extensions.sort()
        for minus, _, token, text in extensions[:n_beams]:
            if token == end_id or length == max_new:
                finished.append((minus / length**length_penalty, len(finished), text))
        running = [(text, -minus) for minus, _, token, text in extensions if token != end_id][:n_beams]
    return [text for *_, text in sorted(finished)[:n_beams]]


@pytest.mark.parametrize("n_beams", [1, 2, 3, 7])
@pytest.mark.parametrize("end_id", [None, 0])
@pytest.mark.parametrize("length_penalty", [-1, 0, 1, 4])
def test_narrow_beams_equal_a_loop(proof, n_beams: int, end_id: int | None, length_penalty: int) -> None:
    for seed in range(6):
        model, ids = tiny(seed), prompt(2, seed, 3)
        ours = beam_search(model, ids, n_beams=n_beams, max_new=6, end_id=end_id, length_penalty=length_penalty)
        proof(beam_search, "brute force").equal(
            [beam.ids for beam in ours], plain_search(model, ids, n_beams, 6, end_id, length_penalty)
        )


def uniform(ids: Tensor) -> Tensor:
    return torch.zeros(*ids.shape, 3, dtype=torch.float64)


@pytest.mark.parametrize("n_beams", [1, 2, 4, 5])
@pytest.mark.parametrize("end_id", [None, 0, 1, 2])
@pytest.mark.parametrize("length_penalty", [0, 1, 2])
def test_ties_equal_a_loop(proof, n_beams: int, end_id: int | None, length_penalty: int) -> None:
    ids = torch.tensor([0])
    ours = beam_search(uniform, ids, n_beams=n_beams, max_new=3, end_id=end_id, length_penalty=length_penalty)
    proof(beam_search, "brute force, ties").equal(
        [beam.ids for beam in ours], plain_search(uniform, ids, n_beams, 3, end_id, length_penalty)
    )


def test_ties_by_hand() -> None:
    """Lower tokens first; the text that ended first, before its equals of the same score."""
    two = beam_search(uniform, torch.tensor([0]), n_beams=2, max_new=2)
    assert [beam.ids for beam in two] == [(0, 0), (0, 1)]
    ended = beam_search(uniform, torch.tensor([0]), n_beams=2, max_new=2, end_id=1)
    assert [beam.ids for beam in ended] == [(1,), (0, 0)]


def test_a_single_beam_is_greedy(proof, logits_of) -> None:
    for seed in range(5):
        ids = prompt(2, seed)
        greedily = generate(logits_of, ids[None], max_new=8)[0].tolist()
        beams = beam_search(logits_of, ids, n_beams=1, max_new=8)
        proof(beam_search, "generate, greedy").equal([list(beam.ids) for beam in beams], [greedily])


def counting(model: Callable[[Tensor], Tensor], calls: list[int]) -> Callable[[Tensor], Tensor]:
    def counted(ids: Tensor) -> Tensor:
        calls.append(len(ids))
        return model(ids)

    return counted


def test_the_search_ends_when_nothing_can_be_better() -> None:
    """Token 0 ends with probability 0.98, and a text of two tokens can only be less probable."""
    logits = torch.tensor([0.98, 0.01, 0.01], dtype=torch.float64).log()
    calls: list[int] = []
    model = counting(lambda ids: logits.expand(*ids.shape, 3), calls)
    beams = beam_search(model, torch.tensor([1]), n_beams=1, max_new=50, end_id=0, length_penalty=0)
    assert [beam.ids for beam in beams] == [(0,)]
    assert calls == [1]


def test_no_new_tokens() -> None:
    calls: list[int] = []
    assert beam_search(counting(uniform, calls), torch.tensor([1]), n_beams=3, max_new=0) == [Beam((), 0.0, 0.0)]
    assert calls == []


def test_end_at_the_first_token() -> None:
    def ending(ids: Tensor) -> Tensor:
        return torch.tensor([-math.inf, -math.inf, 0.0], dtype=torch.float64).expand(*ids.shape, 3)

    assert beam_search(ending, torch.tensor([0]), n_beams=4, max_new=9, end_id=2) == [Beam((2,), 0.0, 0.0)]


def test_texts_of_probability_zero_are_never_kept() -> None:
    def narrow(ids: Tensor) -> Tensor:
        return torch.tensor([-math.inf, 0.0, 0.0], dtype=torch.float64).expand(*ids.shape, 3)

    beams = beam_search(narrow, torch.tensor([0]), n_beams=9, max_new=2)
    assert sorted(beam.ids for beam in beams) == [(1, 1), (1, 2), (2, 1), (2, 2)]


def test_a_vocabulary_of_one_token() -> None:
    def single(ids: Tensor) -> Tensor:
        return torch.zeros(*ids.shape, 1, dtype=torch.float64)

    assert beam_search(single, torch.tensor([0]), n_beams=2, max_new=3) == [Beam((0, 0, 0), 0.0, 0.0)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_beams": 0}, "n_beams: expected 1 or more, got 0"),
        ({"max_new": -1}, "max_new: expected 0 or more, got -1"),
        ({"end_id": 3}, "end_id: expected a token id from 0 to 2, got 3"),
        ({"end_id": -1}, "end_id"),
        ({"end_id": -1, "max_new": 0}, "end_id: expected 0 or more, got -1"),
        ({"length_penalty": math.nan}, "length_penalty"),
        ({"length_penalty": math.inf}, "length_penalty"),
        ({"length_penalty": 10**400}, "length_penalty: expected a power of 2 within float64"),
        ({"length_penalty": -2000}, "length_penalty: expected a power of 2 within float64, got -2000"),
        ({"ids": torch.zeros(0, dtype=torch.int64)}, "length of the prompt: expected 1 or more, got 0"),
        ({"model": lambda ids: torch.full((*ids.shape, 3), math.nan, dtype=torch.float64)}, "logits: expected finite"),
        ({"model": lambda ids: torch.zeros(*ids.shape, 0, dtype=torch.float64)}, "vocabulary: expected 1 token"),
    ],
)
def test_bad_input_is_refused(settings: dict, message: str) -> None:
    arguments = {"model": uniform, "ids": torch.tensor([0]), "n_beams": 2, "max_new": 2} | settings
    with pytest.raises(ValueError, match=message):
        beam_search(arguments.pop("model"), arguments.pop("ids"), **arguments)


def test_a_model_of_another_shape_is_refused() -> None:
    with pytest.raises(TypeError):
        beam_search(lambda ids: uniform(ids)[:, 0], torch.tensor([0]), n_beams=1, max_new=1)


def test_logits_that_rounding_makes_equal_tie() -> None:
    def model(ids: Tensor) -> Tensor:
        return torch.tensor([0.0, 1e-17], dtype=torch.float64).expand(*ids.shape, 2)

    (beam,) = beam_search(model, torch.tensor([0]), n_beams=1, max_new=1)
    assert beam.ids == (0,)
    assert generate(model, torch.tensor([[0]]), max_new=1)[0].tolist() == [1]
