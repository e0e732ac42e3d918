"""Masked words: the shares against exact probabilities and transformers' collator, every position against a loop."""

import math
from collections import Counter

import pytest
import torch
from tokenizers import Tokenizer, models
from torch import Tensor
from transformers import DataCollatorForLanguageModeling, PreTrainedTokenizerFast

from reference.training import IGNORED, corrupt

N_TOKENS, MASK, SPECIAL = 20, 4, {0, 1, 2, 3, 4}
N_IDS = 100_000
# Hoeffding: a share of n draws is off by more than √(ln(2/α) / 2n) with probability below α = 1e-9
BOUND = math.sqrt(math.log(2e9) / (2 * N_IDS))


def corrupted(ids: Tensor, generator: torch.Generator, **settings: object) -> tuple[Tensor, Tensor]:
    arguments = {"mask_id": MASK, "n_tokens": N_TOKENS, "special_ids": SPECIAL, "generator": generator} | settings
    return corrupt(ids, **arguments)


def shares(ids: Tensor, hidden: Tensor, labels: Tensor) -> list[float]:
    """Of all positions: chosen and masked, chosen and another token, chosen and the same."""
    kinds = Counter()
    for before, after, label in zip(ids.flatten().tolist(), hidden.flatten().tolist(), labels.flatten(), strict=True):
        if label != IGNORED:
            kinds["masked" if after == MASK else "same" if after == before else "other"] += 1
    return [kinds[kind] / ids.numel() for kind in ("masked", "other", "same")]


def exact_shares(fraction: float) -> list[float]:
    """A random token is the mask or the token itself once in V times each."""
    v = N_TOKENS
    return [fraction * share for share in (0.8 + 0.1 / v, 0.1 * (v - 2) / v, 0.1 + 0.1 / v)]


@pytest.mark.parametrize("fraction", [0.15, 0.5, 1])
def test_shares_are_those_of_the_paper(proof, generator: torch.Generator, fraction: float) -> None:
    ids = torch.randint(5, N_TOKENS, (N_IDS,), generator=generator)
    hidden, labels = corrupted(ids, generator, fraction=fraction)
    proof(corrupt, "exact probabilities, statistical").close(
        shares(ids, hidden, labels), exact_shares(fraction), within=BOUND
    )


@pytest.mark.slow
def test_shares_are_those_of_transformers(proof, generator: torch.Generator) -> None:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{i}" for i in range(N_TOKENS - 5))]
    vocabulary = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    names = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=vocabulary, **{f"{name}_token": word for name, word in names.items()}
    )
    collate = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15, return_tensors="np", seed=3)
    ids = torch.randint(5, N_TOKENS, (100, N_IDS // 100), generator=generator)
    batch = collate([row.tolist() for row in ids])
    theirs = shares(ids, torch.from_numpy(batch["input_ids"]), torch.from_numpy(batch["labels"]))
    ours = shares(ids, *corrupted(ids, generator))
    proof(corrupt, "transformers DataCollatorForLanguageModeling, statistical").close(ours, theirs, within=2 * BOUND)


def test_replacements_are_uniform_over_the_vocabulary(generator: torch.Generator) -> None:
    ids = torch.full((N_IDS,), 19)
    hidden, _ = corrupted(ids, generator, fraction=1)
    for token in range(19):
        share = (hidden == token).double().mean().item()
        expected = 0.1 / N_TOKENS + (0.8 if token == MASK else 0.0)
        assert share == pytest.approx(expected, abs=BOUND)


def test_every_position_follows_its_two_numbers(proof, generator: torch.Generator) -> None:
    ids = torch.randint(N_TOKENS, (20, 50), generator=generator)
    state = generator.get_state()
    hidden, labels = corrupted(ids, generator, fraction=0.6)
    generator.set_state(state)
    chance = torch.rand(ids.shape, generator=generator, dtype=torch.float64)
    fate = torch.rand(ids.shape, generator=generator, dtype=torch.float64)
    replacement = torch.randint(N_TOKENS, ids.shape, generator=generator)
    expected_hidden, expected_labels = ids.clone(), torch.full_like(ids, IGNORED)
    for at in torch.cartesian_prod(torch.arange(20), torch.arange(50)).unbind():
        i, j = at.tolist()
        if ids[i, j].item() in SPECIAL or chance[i, j] >= 0.6:
            continue
        expected_labels[i, j] = ids[i, j]
        if fate[i, j] < 0.8:
            expected_hidden[i, j] = MASK
        elif fate[i, j] < 0.9:
            expected_hidden[i, j] = replacement[i, j]
    proof(corrupt, "brute force").equal(
        (hidden.tolist(), labels.tolist()), (expected_hidden.tolist(), expected_labels.tolist())
    )


def test_fifteen_percent_are_chosen_by_default() -> None:
    ids = torch.full((N_IDS,), 7)
    unsaid, said = (corrupted(ids, torch.Generator().manual_seed(1), **one) for one in ({}, {"fraction": 0.15}))
    assert torch.equal(unsaid[1], said[1])


def test_special_tokens_are_never_chosen(generator: torch.Generator) -> None:
    ids = torch.tensor([sorted(SPECIAL)] * 100)
    hidden, labels = corrupted(ids, generator, fraction=1)
    assert torch.equal(hidden, ids)
    assert (labels == IGNORED).all()


def test_only_chosen_positions_change_and_the_input_never(generator: torch.Generator) -> None:
    ids = torch.randint(N_TOKENS, (500,), generator=generator)
    kept = ids.clone()
    hidden, labels = corrupted(ids, generator)
    assert torch.equal(ids, kept)
    assert torch.equal(hidden[labels == IGNORED], ids[labels == IGNORED])
    assert torch.equal(labels[labels != IGNORED], ids[labels != IGNORED])


def test_the_same_state_gives_the_same_result() -> None:
    ids = torch.randint(5, N_TOKENS, (99,), generator=torch.Generator().manual_seed(1))
    first, second, other = (corrupted(ids, torch.Generator().manual_seed(seed)) for seed in (5, 5, 6))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert not torch.equal(first[1], other[1])


@pytest.mark.parametrize("shape", [(0,), (1,), (2, 0), ()])
def test_empty_and_single(generator: torch.Generator, shape: tuple[int, ...]) -> None:
    hidden, labels = corrupted(torch.full(shape, 7), generator, fraction=1)
    assert hidden.shape == labels.shape == shape
    assert (labels == 7).all()


def test_nothing_is_chosen_at_fraction_zero(generator: torch.Generator) -> None:
    assert (corrupted(torch.full((99,), 7), generator, fraction=0)[1] == IGNORED).all()


def test_a_vocabulary_of_one_token(generator: torch.Generator) -> None:
    ids = torch.zeros(50, dtype=torch.int64)
    hidden, labels = corrupt(ids, mask_id=0, n_tokens=1, special_ids=[], generator=generator, fraction=1)
    assert torch.equal(hidden, ids)
    assert torch.equal(labels, ids)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fraction": 1.1}, "fraction: expected a probability from 0 to 1, got 1.1"),
        ({"fraction": -0.1}, "fraction"),
        ({"fraction": math.nan}, "fraction"),
        ({"mask_id": N_TOKENS}, "mask_id: expected token ids from 0 to 19, got 20"),
        ({"mask_id": -1}, "mask_id"),
        ({"special_ids": {99}}, "special_ids: expected token ids from 0 to 19, got 99"),
        ({"n_tokens": 7}, "ids: expected token ids from 0 to 6, got 7"),
        ({"n_tokens": 0}, "n_tokens: expected 1 or more"),
    ],
)
def test_bad_input_is_refused(generator: torch.Generator, settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        corrupted(torch.tensor([5, 6, 7]), generator, **settings)


@pytest.mark.gpu
def test_gpu_gives_the_same_with_the_same_generator() -> None:
    ids = torch.randint(N_TOKENS, (999,), generator=torch.Generator().manual_seed(1))
    here = corrupted(ids, torch.Generator().manual_seed(5))
    there = corrupted(ids.cuda(), torch.Generator().manual_seed(5))
    assert all(torch.equal(ours, theirs.cpu()) for ours, theirs in zip(here, there, strict=True))
