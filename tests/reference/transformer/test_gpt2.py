"""GPT-2 against transformers: logits, gradients, cache; and its rules at the edges."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from reference.attention import KVCache
from reference.transformer import GPT2, GPT2Config

CONFIG = GPT2Config(vocab_size=11, context_length=9, width=12, n_layers=2, n_heads=3, inner_width=20)
AGAINST = "transformers GPT2LMHeadModel"
# a few dozen sums of some ten terms, of size 1 to 100: far below
LOGITS = 1e-10
CACHED = 1e-12


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tied": False},
        {"n_heads": 1},
        {"n_heads": 12},
        {"vocab_size": 1},
        {"n_layers": 1, "epsilon": 1e-2},
        {"width": 1, "n_heads": 1, "inner_width": 1},
    ],
    ids=str,
)
@pytest.mark.parametrize("length", [1, 2, 9])
def test_logits(twins, draw_ids, proof, changes, length):
    config = replace(CONFIG, **changes)
    pair = twins(config)
    ids = draw_ids(config.vocab_size, 3, length)
    proof(GPT2, AGAINST).close(pair.ours(ids), pair.theirs(ids).logits, within=LOGITS)


@pytest.mark.parametrize("tied", [True, False])
def test_gradients(twins, draw_ids, proof, tied):
    pair, ids = twins(replace(CONFIG, tied=tied)), draw_ids(11, 3, 9)
    cross_entropy(pair.ours(ids)[:, :-1].flatten(0, 1), ids[:, 1:].flatten()).backward()
    cross_entropy(pair.theirs(ids).logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten()).backward()
    ours, theirs = pair.our_gradients(), pair.their_gradients()
    assert ours.keys() == theirs.keys()
    for name in ours:
        proof(GPT2, f"{AGAINST}, gradients").close(ours[name], theirs[name], within=LOGITS)


def test_padding_at_the_end_changes_nothing_before_it(twins, draw_ids, proof):
    pair, ids = twins(CONFIG), draw_ids(11, 2, 9)
    mask = torch.arange(9) < torch.tensor([[4], [9]])
    theirs = pair.theirs(ids, attention_mask=mask.long()).logits
    proof(GPT2, f"{AGAINST}, padded").close(pair.ours(ids)[mask], theirs[mask], within=LOGITS)


def test_hidden_is_what_their_body_gives(twins, draw_ids, proof):
    pair, ids = twins(CONFIG), draw_ids(11, 2, 9)
    proof(GPT2, "transformers GPT2Model").close(
        pair.ours.hidden(ids), pair.theirs.transformer(ids).last_hidden_state, within=LOGITS
    )


@pytest.mark.parametrize("steps", [[1] * 9, [4, 5], [9], [0, 3, 0, 6], [8, 1]], ids=str)
def test_cached_equals_uncached(twins, draw_ids, proof, steps):
    pair, ids = twins(CONFIG), draw_ids(11, 3, 9)
    cache = pair.ours.new_cache()
    logits = torch.cat([pair.ours(part, cache) for part in ids.split(steps, dim=1)], dim=1)
    assert [layer.length for layer in cache] == [9, 9]
    proof(GPT2, "itself without a cache").close(logits, pair.ours(ids), within=CACHED)


def test_cached_equals_their_cache(twins, draw_ids, proof):
    pair, ids = twins(CONFIG), draw_ids(11, 2, 5)
    cache = pair.ours.new_cache()
    first = pair.theirs(ids[:, :3], use_cache=True)
    pair.ours(ids[:, :3], cache)
    second = pair.theirs(ids[:, 3:], past_key_values=first.past_key_values, use_cache=True)
    proof(GPT2, f"{AGAINST}, cached").close(pair.ours(ids[:, 3:], cache), second.logits, within=LOGITS)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0, 0)])
def test_nothing_in_nothing_out(generator, shape):
    model = GPT2(CONFIG, generator=generator)
    assert model(torch.zeros(shape, dtype=torch.int64)).shape == (*shape, 11)


def test_extreme_weights(twins, draw_ids, proof):
    """Logits above 1e4, attention that looks at one position alone."""
    pair, ids = twins(CONFIG), draw_ids(11, 3, 9)
    with torch.no_grad():
        for weight in (*pair.ours.parameters(), *pair.theirs.parameters()):
            weight *= 100
    assert pair.ours(ids).abs().max() > 1e4
    proof(GPT2, AGAINST).close(pair.ours(ids), pair.theirs(ids).logits, within=LOGITS)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.parametrize("name", ["token_embedding", "blocks.1.attention.k_proj", "blocks.0.feed_forward.down_proj"])
def test_weights_that_are_not_finite_are_noticed(generator, name, bad):
    model = GPT2(CONFIG, generator=generator)
    model.get_submodule(name).weight.data[0, 0] = bad
    with pytest.raises(ValueError, match="expected finite"):
        model(torch.tensor([[0, 1]]))


@pytest.mark.parametrize("bad", [11, -1])
def test_unknown_ids_are_refused(generator, bad):
    with pytest.raises(ValueError, match=f"ids: expected token ids from 0 to 10, got {bad}"):
        GPT2(CONFIG, generator=generator)(torch.tensor([[0, bad]]))


def test_texts_beyond_the_context_are_refused(generator, draw_ids):
    model = GPT2(CONFIG, generator=generator)
    with pytest.raises(ValueError, match="ids: expected a context of 9 tokens or less, got 10"):
        model(draw_ids(11, 1, 10))
    cache = model.new_cache()
    model(draw_ids(11, 1, 9), cache)
    with pytest.raises(ValueError, match="got 10"):
        model(draw_ids(11, 1, 1), cache)
    assert [layer.length for layer in cache] == [9, 9]  # what is refused leaves no trace


def test_a_cache_of_another_model_or_batch_is_refused(generator, draw_ids):
    model = GPT2(CONFIG, generator=generator)
    with pytest.raises(ValueError, match="cache: expected 2 layers of one length, got 1"):
        model(draw_ids(11, 1, 2), [KVCache()])
    cache = model.new_cache()
    model(draw_ids(11, 1, 2), cache)
    with pytest.raises(ValueError, match="of lengths"):
        model(draw_ids(11, 1, 2), [cache[0], KVCache()])
    with pytest.raises(ValueError, match="expected shape"):
        model(draw_ids(11, 2, 2), cache)


def test_float_ids_are_refused(generator):
    with pytest.raises(TypeError):
        GPT2(CONFIG, generator=generator)(torch.zeros(1, 2))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_heads": 5}, "n_heads: expected a divisor of width = 12, got 5"),
        ({"n_heads": 0}, "n_heads: expected 1 or more, got 0"),
        ({"vocab_size": 0}, "vocab_size: expected 1 or more, got 0"),
        ({"n_layers": -1}, "n_layers: expected 1 or more, got -1"),
        ({"epsilon": 0.0}, "epsilon: expected a finite number above 0, got 0"),
        ({"epsilon": float("nan")}, "epsilon: expected a finite number above 0, got nan"),
    ],
)
def test_impossible_sizes_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(CONFIG, **changes)


def test_sizes_of_a_wrong_type_are_refused():
    with pytest.raises(TypeError):
        replace(CONFIG, width="12")


def test_a_cache_that_two_layers_share_is_refused(generator):
    """As in `[KVCache()] * 2`: with one token at a time the second layer would quietly see the first one's keys."""
    shared = [KVCache()] * 2
    with pytest.raises(ValueError, match="cache: expected one of its own for each layer, got one twice"):
        GPT2(replace(CONFIG, n_layers=2), generator=generator)(torch.tensor([[1]]), shared)
    assert shared[0].length == 0


def test_what_is_no_cache_is_refused(generator):
    model = GPT2(replace(CONFIG, n_layers=2), generator=generator)
    for _ in range(20):  # one item of a list is looked at, drawn by chance
        with pytest.raises(TypeError):
            model(torch.tensor([[1]]), [KVCache(), 3])


def test_false_is_no_size():
    with pytest.raises(ValueError, match="n_layers: expected 1 or more, got False"):
        replace(CONFIG, n_layers=False)


def test_layers_of_several_batches_are_refused_before_any_appends(generator):
    """The first layer fits, the second does not."""
    model = GPT2(replace(CONFIG, n_layers=2), generator=generator)
    one, two = model.new_cache(), model.new_cache()
    model(torch.tensor([[1]]), one)
    model(torch.tensor([[1], [2]]), two)
    mixed = [one[0], two[1]]
    with pytest.raises(ValueError, match="cache: expected layers of one shape"):
        model(torch.tensor([[3]]), mixed)
    assert [layer.length for layer in mixed] == [1, 1]
