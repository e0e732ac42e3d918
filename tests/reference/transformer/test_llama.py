"""Llama and Mistral against transformers: logits, gradients, cache, window; and their rules at the edges."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from reference.transformer import Attention, Llama, LlamaConfig

CONFIG = LlamaConfig(vocab_size=11, context_length=9, width=16, n_layers=2, n_heads=4, n_groups=2, inner_width=20)
AGAINST = {None: "transformers LlamaForCausalLM"}
MISTRAL = "transformers MistralForCausalLM"
LOGITS = 1e-10  # as for GPT-2
CACHED = 1e-12


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tied": True},
        {"n_groups": 1},
        {"n_groups": 4},
        {"n_heads": 1, "n_groups": 1},
        {"n_heads": 8, "n_groups": 8},
        {"vocab_size": 1},
        {"rotary_base": 500000},
        {"n_layers": 1, "epsilon": 1e-2},
        {"window": 1},
        {"window": 3},
        {"window": 3, "n_groups": 1, "tied": True},
        {"window": 9},
        {"window": 100},
    ],
    ids=str,
)
@pytest.mark.parametrize("length", [1, 2, 9])
def test_logits(twins, draw_ids, proof, changes, length):
    config = replace(CONFIG, **changes)
    pair = twins(config)
    ids = draw_ids(config.vocab_size, 3, length)
    against = AGAINST.get(config.window, MISTRAL)
    proof(Llama, against).close(pair.ours(ids), pair.theirs(ids).logits, within=LOGITS)


@pytest.mark.parametrize("changes", [{"tied": True}, {"window": 3}], ids=str)
def test_gradients(twins, draw_ids, proof, changes):
    pair, ids = twins(replace(CONFIG, **changes)), draw_ids(11, 3, 9)
    cross_entropy(pair.ours(ids)[:, :-1].flatten(0, 1), ids[:, 1:].flatten()).backward()
    cross_entropy(pair.theirs(ids).logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten()).backward()
    ours, theirs = pair.our_gradients(), pair.their_gradients()
    assert ours.keys() == theirs.keys()
    against = AGAINST.get(changes.get("window"), MISTRAL)
    for name in ours:
        proof(Llama, f"{against}, gradients").close(ours[name], theirs[name], within=LOGITS)


def test_long_texts(twins, draw_ids, proof):
    pair, ids = twins(replace(CONFIG, context_length=300)), draw_ids(11, 1, 300)
    proof(Llama, AGAINST[None]).close(pair.ours(ids), pair.theirs(ids).logits, within=LOGITS)


def test_padding_at_the_end_changes_nothing_before_it(twins, draw_ids, proof):
    pair, ids = twins(CONFIG), draw_ids(11, 2, 9)
    mask = torch.arange(9) < torch.tensor([[4], [9]])
    theirs = pair.theirs(ids, attention_mask=mask.long()).logits
    proof(Llama, f"{AGAINST[None]}, padded").close(pair.ours(ids)[mask], theirs[mask], within=LOGITS)


def test_hidden_is_what_their_body_gives(twins, draw_ids, proof):
    pair, ids = twins(CONFIG), draw_ids(11, 2, 9)
    theirs = pair.theirs.model(ids).last_hidden_state
    proof(Llama, "transformers LlamaModel").close(pair.ours.hidden(ids), theirs, within=LOGITS)


def test_a_window_of_the_whole_text_is_no_window(twins, draw_ids):
    pair, ids = twins(CONFIG), draw_ids(11, 2, 9)
    windowed = Llama(replace(CONFIG, window=9), generator=torch.Generator())
    windowed.load_state_dict(pair.ours.state_dict())
    assert torch.equal(windowed(ids), pair.ours(ids))


@pytest.mark.parametrize("window", [None, 1, 3])
@pytest.mark.parametrize("steps", [[1] * 9, [4, 5], [0, 3, 0, 6], [8, 1]], ids=str)
def test_cached_equals_uncached(twins, draw_ids, proof, window, steps):
    pair, ids = twins(replace(CONFIG, window=window)), draw_ids(11, 3, 9)
    cache = pair.ours.new_cache()
    logits = torch.cat([pair.ours(part, cache) for part in ids.split(steps, dim=1)], dim=1)
    proof(Llama, "itself without a cache").close(logits, pair.ours(ids), within=CACHED)


@pytest.mark.parametrize("window", [None, 2])
def test_cached_equals_their_cache(twins, draw_ids, proof, window):
    pair, ids = twins(replace(CONFIG, window=window)), draw_ids(11, 2, 7)
    cache, kept = pair.ours.new_cache(), None
    for step in ids.split([3, 1, 1, 2], dim=1):
        theirs = pair.theirs(step, past_key_values=kept, use_cache=True)
        kept = theirs.past_key_values
        against = f"{AGAINST.get(window, MISTRAL)}, cached"
        proof(Llama, against).close(pair.ours(step, cache), theirs.logits, within=LOGITS)


@pytest.mark.parametrize("window", [None, 2])
@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0, 0)])
def test_nothing_in_nothing_out(generator, window, shape):
    model = Llama(replace(CONFIG, window=window), generator=generator)
    assert model(torch.zeros(shape, dtype=torch.int64)).shape == (*shape, 11)


def test_extreme_weights(twins, draw_ids, proof):
    """Logits above 1e4, attention that looks at one position alone."""
    pair, ids = twins(CONFIG), draw_ids(11, 3, 9)
    with torch.no_grad():
        for weight in (*pair.ours.parameters(), *pair.theirs.parameters()):
            weight *= 100
    assert pair.ours(ids).abs().max() > 1e4
    proof(Llama, AGAINST[None]).close(pair.ours(ids), pair.theirs(ids).logits, within=LOGITS)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.parametrize("name", ["token_embedding", "blocks.1.attention.k_proj", "blocks.0.feed_forward.down_proj"])
def test_weights_that_are_not_finite_are_noticed(generator, name, bad):
    model = Llama(CONFIG, generator=generator)
    model.get_submodule(name).weight.data[0, 0] = bad
    with pytest.raises(ValueError, match="expected finite"):
        model(torch.tensor([[0, 1]]))


@pytest.mark.parametrize("bad", [11, -1])
def test_unknown_ids_are_refused(generator, bad):
    with pytest.raises(ValueError, match=f"ids: expected token ids from 0 to 10, got {bad}"):
        Llama(CONFIG, generator=generator)(torch.tensor([[0, bad]]))


def test_texts_beyond_the_context_are_refused(generator, draw_ids):
    model = Llama(CONFIG, generator=generator)
    with pytest.raises(ValueError, match="ids: expected a context of 9 tokens or less, got 10"):
        model(draw_ids(11, 1, 10))
    cache = model.new_cache()
    model(draw_ids(11, 1, 9), cache)
    with pytest.raises(ValueError, match="got 10"):
        model(draw_ids(11, 1, 1), cache)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_heads": 3}, "n_heads: expected a divisor of width = 16, got 3"),
        ({"n_groups": 3}, "n_groups: expected a divisor of n_heads = 4, got 3"),
        ({"n_heads": 16, "n_groups": 1}, "width / n_heads: expected an even number for rotary positions, got 1"),
        ({"window": 0}, "window: expected 1 or more, got 0"),
        ({"rotary_base": 0.0}, "rotary_base: expected a finite number above 0, got 0"),
        ({"epsilon": -1.0}, "epsilon: expected a finite number above 0, got -1"),
    ],
)
def test_impossible_sizes_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(CONFIG, **changes)


@pytest.mark.parametrize("base", [0.5, 10**400])
def test_a_rotary_base_that_rotation_refuses_is_refused_at_once(base, generator):
    with pytest.raises(ValueError, match="rotary_base: expected a finite number, 1 or more, got"):
        replace(CONFIG, rotary_base=base)
    with pytest.raises(ValueError, match="rotary_base: expected a finite number, 1 or more, got"):
        Attention(4, 2, rotary_base=base, generator=generator)
