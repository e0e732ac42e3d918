"""BERT against transformers: both heads, gradients, padding, segments; and its rules at the edges."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from reference.attention import padding_mask
from reference.transformer import Bert, BertConfig

CONFIG = BertConfig(vocab_size=11, context_length=9, width=12, n_layers=2, n_heads=3, inner_width=20)
AGAINST = "transformers BertForPreTraining"
LOGITS = 1e-10  # as for GPT-2


def held(proof, ours, theirs):
    words, next_sentence = ours
    proof(Bert, AGAINST).close(words, theirs.prediction_logits, within=LOGITS)
    proof(Bert, AGAINST).close(next_sentence, theirs.seq_relationship_logits, within=LOGITS)


@pytest.mark.parametrize(
    "changes",
    [{}, {"n_heads": 1}, {"vocab_size": 1}, {"n_segments": 1}, {"n_segments": 3, "epsilon": 1e-2}, {"n_layers": 1}],
    ids=str,
)
@pytest.mark.parametrize("length", [1, 2, 9])
def test_logits(twins, draw_ids, proof, changes, length):
    config = replace(CONFIG, **changes)
    pair = twins(config)
    ids, segments = draw_ids(config.vocab_size, 3, length), draw_ids(config.n_segments, 3, length)
    held(proof, pair.ours(ids, segments), pair.theirs(ids, token_type_ids=segments))


def test_without_segments_all_are_the_first(twins, draw_ids, proof):
    pair, ids = twins(CONFIG), draw_ids(11, 3, 9)
    held(proof, pair.ours(ids), pair.theirs(ids))


def test_padding(twins, draw_ids, proof):
    pair, ids, segments = twins(CONFIG), draw_ids(11, 4, 9), draw_ids(2, 4, 9)
    mask = padding_mask(torch.tensor([9, 1, 4, 8]), 9)
    held(proof, pair.ours(ids, segments, mask), pair.theirs(ids, mask.long(), token_type_ids=segments))


def test_padding_in_front_and_between(twins, draw_ids, proof):
    pair, ids = twins(CONFIG), draw_ids(11, 2, 4)
    mask = torch.tensor([[False, True, True, True], [True, False, True, False]])
    held(proof, pair.ours(ids, None, mask), pair.theirs(ids, mask.long()))


def test_gradients(twins, draw_ids, proof):
    pair, ids, mask = twins(CONFIG), draw_ids(11, 3, 9), padding_mask(torch.tensor([9, 2, 5]), 9)
    (words, next_sentence), theirs = pair.ours(ids, None, mask), pair.theirs(ids, mask.long())
    for first, second in ((words, next_sentence), (theirs.prediction_logits, theirs.seq_relationship_logits)):
        (cross_entropy(first[mask], ids[mask]) + cross_entropy(second, ids[:, 0] % 2)).backward()
    expected, actual = pair.their_gradients(), pair.our_gradients()
    assert actual.keys() == expected.keys()
    for name in actual:
        proof(Bert, f"{AGAINST}, gradients").close(actual[name], expected[name], within=LOGITS)


def test_hidden_is_what_their_body_gives(twins, draw_ids, proof):
    pair, ids = twins(CONFIG), draw_ids(11, 2, 9)
    proof(Bert, "transformers BertModel").close(
        pair.ours.hidden(ids), pair.theirs.bert(ids).last_hidden_state, within=LOGITS
    )


def test_a_text_that_is_all_padding_gathers_zeros(twins, draw_ids):
    """Theirs looks everywhere then; ours nowhere, so that what stands at padding has no say."""
    pair, mask = twins(CONFIG), torch.zeros(1, 3, dtype=torch.bool)
    one = pair.ours.hidden(torch.tensor([[4, 5, 6]]), None, mask)
    other = pair.ours.hidden(torch.tensor([[4, 7, 8]]), None, mask)
    assert one.isfinite().all()
    assert torch.equal(one[:, 0], other[:, 0])


def test_empty_batches(generator):
    words, next_sentence = Bert(CONFIG, generator=generator)(torch.zeros(0, 3, dtype=torch.int64))
    assert (words.shape, next_sentence.shape) == ((0, 3, 11), (0, 2))


def test_no_token_has_no_next_sentence(generator):
    model, nothing = Bert(CONFIG, generator=generator), torch.zeros(2, 0, dtype=torch.int64)
    assert model.hidden(nothing).shape == (2, 0, 12)
    with pytest.raises(ValueError, match="ids: expected 1 token or more"):
        model(nothing)


def test_what_is_unknown_or_too_long_is_refused(generator, draw_ids):
    model, ids = Bert(CONFIG, generator=generator), draw_ids(11, 2, 3)
    with pytest.raises(ValueError, match="ids: expected token ids from 0 to 10, got 11"):
        model(ids + 11 - ids)
    with pytest.raises(ValueError, match="segments: expected token ids from 0 to 1, got 2"):
        model(ids, torch.full_like(ids, 2))
    with pytest.raises(ValueError, match="ids: expected a context of 9 tokens or less, got 10"):
        model(draw_ids(11, 1, 10))
    with pytest.raises(TypeError):
        model(ids, ids[:, :2])
    with pytest.raises(TypeError):
        model(ids, None, ids)


def test_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match="n_heads: expected a divisor of width = 12, got 7"):
        replace(CONFIG, n_heads=7)
    with pytest.raises(ValueError, match="n_segments: expected 1 or more, got 0"):
        replace(CONFIG, n_segments=0)
