"""The encoder–decoder against Marian of transformers: logits, gradients, padding, cache; and its rules at the edges."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers.models.marian.modeling_marian import MarianSinusoidalPositionalEmbedding

from reference.attention import KVCache, padding_mask
from reference.positional import sinusoidal
from reference.transformer import EncoderDecoder, EncoderDecoderConfig

CONFIG = EncoderDecoderConfig(
    vocab_size=11, width=12, n_encoder_layers=2, n_decoder_layers=2, n_heads=3, inner_width=20
)
AGAINST = "transformers MarianMTModel"
LOGITS = 1e-10  # as for GPT-2
CACHED = 1e-12


@pytest.mark.parametrize(
    "changes",
    [{}, {"n_heads": 1}, {"n_heads": 12}, {"vocab_size": 1}, {"n_encoder_layers": 1, "n_decoder_layers": 3}],
    ids=str,
)
@pytest.mark.parametrize(("n_source", "n_target"), [(1, 1), (9, 1), (1, 9), (7, 8)])
def test_logits(twins, draw_ids, proof, changes, n_source, n_target):
    config = replace(CONFIG, **changes)
    pair = twins(config)
    source, target = draw_ids(config.vocab_size, 3, n_source), draw_ids(config.vocab_size, 3, n_target)
    theirs = pair.theirs(source, decoder_input_ids=target).logits
    proof(EncoderDecoder, AGAINST).close(pair.ours(source, target), theirs, within=LOGITS)


def test_padding(twins, draw_ids, proof):
    pair, source, target = twins(CONFIG), draw_ids(11, 3, 7), draw_ids(11, 3, 5)
    mask, real = padding_mask(torch.tensor([7, 1, 4]), 7), padding_mask(torch.tensor([2, 5, 3]), 5)
    theirs = pair.theirs(
        source, mask.long(), decoder_input_ids=target, decoder_attention_mask=real.long()
    ).logits  # padding of the target: ours needs no mask
    ours = pair.ours(source, target, mask)
    proof(EncoderDecoder, f"{AGAINST}, padded").close(ours[real], theirs[real], within=LOGITS)


def test_memory(twins, draw_ids, proof):
    pair, source = twins(CONFIG), draw_ids(11, 3, 7)
    proof(EncoderDecoder, "transformers MarianEncoder").close(
        pair.ours.encode(source), pair.theirs.model.encoder(source).last_hidden_state, within=LOGITS
    )


def test_gradients(twins, draw_ids, proof):
    pair, source, target = twins(CONFIG), draw_ids(11, 3, 7), draw_ids(11, 3, 5)
    mask = padding_mask(torch.tensor([7, 1, 4]), 7)
    cross_entropy(pair.ours(source, target, mask).flatten(0, 1), target.flatten()).backward()
    theirs = pair.theirs(source, mask.long(), decoder_input_ids=target).logits
    cross_entropy(theirs.flatten(0, 1), target.flatten()).backward()
    actual = pair.our_gradients()
    named = dict(pair.theirs.named_parameters(remove_duplicate=False))
    expected = pair.their_gradients()
    assert actual.keys() == expected.keys()
    assert len(named) > len(actual)  # theirs says the one embedding four times
    for name in actual:
        proof(EncoderDecoder, f"{AGAINST}, gradients").close(actual[name], expected[name], within=LOGITS)


def test_their_positions_are_ours_in_another_order():
    """Theirs are rounded to float32: 2^-24 for values up to 1, and angles alike."""
    theirs = MarianSinusoidalPositionalEmbedding(20, 6).create_weight().double()
    ours = sinusoidal(20, 6)
    assert torch.allclose(theirs, torch.cat([ours[:, 0::2], ours[:, 1::2]], dim=1), rtol=0, atol=2**-23)


@pytest.mark.parametrize("steps", [[1] * 9, [4, 5], [0, 3, 0, 6]], ids=str)
def test_cached_equals_uncached(twins, draw_ids, proof, steps):
    pair, source, target = twins(CONFIG), draw_ids(11, 3, 7), draw_ids(11, 3, 9)
    mask, cache = padding_mask(torch.tensor([7, 1, 4]), 7), [KVCache(), KVCache()]
    memory = pair.ours.encode(source, mask)
    parts = [pair.ours.decode(part, memory, mask, cache) for part in target.split(steps, dim=1)]
    proof(EncoderDecoder, "itself without a cache").close(
        torch.cat(parts, dim=1), pair.ours(source, target, mask), within=CACHED
    )


def test_what_stands_at_padding_has_no_say(generator, draw_ids):
    model, target = EncoderDecoder(CONFIG, generator=generator), draw_ids(11, 2, 5)
    mask = padding_mask(torch.tensor([3, 1]), 4)
    one, other = (draw_ids(11, 2, 4) for _ in range(2))
    assert torch.equal(
        model(torch.where(mask, one, 0), target, mask), model(torch.where(mask, one, other), target, mask)
    )


def test_an_empty_source_and_one_of_padding_are_alike(generator, draw_ids):
    """Nothing to gather is gathered as zeros."""
    model, target = EncoderDecoder(CONFIG, generator=generator), draw_ids(11, 2, 5)
    nothing = torch.zeros(2, 0, dtype=torch.int64)
    padding = model(draw_ids(11, 2, 3), target, torch.zeros(2, 3, dtype=torch.bool))
    assert torch.equal(model(nothing, target), padding)
    assert padding.isfinite().all()


@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0, 0)])
def test_nothing_in_nothing_out(generator, shape):
    source, target = torch.zeros(shape[0], 4, dtype=torch.int64), torch.zeros(shape, dtype=torch.int64)
    assert EncoderDecoder(CONFIG, generator=generator)(source, target).shape == (*shape, 11)


def test_what_is_unknown_is_refused(generator, draw_ids):
    model, ids = EncoderDecoder(CONFIG, generator=generator), draw_ids(11, 2, 3)
    with pytest.raises(ValueError, match="source: expected token ids from 0 to 10, got 11"):
        model(ids - ids + 11, ids)
    with pytest.raises(ValueError, match="target: expected token ids from 0 to 10, got -1"):
        model(ids, ids - ids - 1)
    with pytest.raises(ValueError, match="cache: expected 2 layers"):
        model.decode(ids, model.encode(ids), cache=[KVCache()])
    with pytest.raises(TypeError):
        model(ids, ids[:1])


def test_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match="n_heads: expected a divisor of width = 12, got 7"):
        replace(CONFIG, n_heads=7)
    with pytest.raises(ValueError, match="n_encoder_layers: expected 1 or more, got 0"):
        replace(CONFIG, n_encoder_layers=0)
