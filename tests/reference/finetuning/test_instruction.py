"""The chat format against transformers' chat templates, its loss against transformers' Llama, and the written rules."""

import re

import pytest
import tokenizers
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, models, pre_tokenizers
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from reference.finetuning import answer_loss, encode_messages, render

MARKERS = {"<|system|>": 0, "<|user|>": 1, "<|assistant|>": 2, "<|end|>": 3}
LETTERS = "abc \n<|>"
TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>"
    "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|end|>{% endgeneration %}"
    "{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

contents = st.text(LETTERS.replace("<", ""), max_size=4)
exchanges = st.lists(st.tuples(contents, contents), min_size=1, max_size=3)


def encode(text):
    return [4 + LETTERS.index(letter) for letter in text]


def conversation(pairs, system=None):
    messages = [] if system is None else [("system", system)]
    for question, answer in pairs:
        messages += [("user", question), ("assistant", answer)]
    return messages


@pytest.fixture(scope="module")
def tokenizer():
    vocabulary = MARKERS | {letter: 4 + index for index, letter in enumerate(LETTERS)}
    backend = tokenizers.Tokenizer(models.WordLevel(vocabulary))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    backend.add_special_tokens(list(MARKERS))
    fast = PreTrainedTokenizerFast(tokenizer_object=backend)
    fast.chat_template = TEMPLATE
    return fast


def test_tokens_and_mask_are_those_of_a_chat_template(tokenizer, proof) -> None:
    @settings(derandomize=True, deadline=None, max_examples=60)
    @given(exchanges, st.none() | contents)
    def held(pairs, system) -> None:
        messages = conversation(pairs, system)
        as_dicts = [{"role": role, "content": content} for role, content in messages]
        theirs = tokenizer.apply_chat_template(as_dicts, return_dict=True, return_assistant_tokens_mask=True)
        ids, mask = encode_messages(messages, encode, MARKERS)
        authority = "transformers apply_chat_template"
        proof(encode_messages, authority).equal(ids, theirs["input_ids"])
        proof(encode_messages, authority).equal([int(one) for one in mask], theirs["assistant_masks"])
        proof(render, authority).equal(render(messages), tokenizer.apply_chat_template(as_dicts, tokenize=False))
        asked = {"add_generation_prompt": True, "tokenize": False}
        proof(render, authority).equal(
            render(messages[:-1], open_answer=True), tokenizer.apply_chat_template(as_dicts[:-1], **asked)
        )

    held()


@settings(derandomize=True, deadline=None, max_examples=60)
@given(exchanges, st.none() | contents, st.integers(0, 30))
def test_the_rules_hold_for_every_conversation(pairs, system, limit) -> None:
    messages = conversation(pairs, system)
    ids, mask = encode_messages(messages, encode, MARKERS)
    learned = [token for token, learn in zip(ids, mask, strict=True) if learn]
    assert learned == [token for _, answer in pairs for token in [*encode(answer), 3]]  # answers and their ends alone
    assert encode_messages(messages, encode, MARKERS, max_length=limit) == (ids[:limit], mask[:limit])
    prompt, unmarked = encode_messages(messages[:-1], encode, MARKERS, open_answer=True)
    assert ids == [*prompt, *encode(pairs[-1][1]), 3]  # what is asked is what was trained on
    assert len(unmarked) == len(prompt)
    assert not unmarked[-1]
    assert "".join(_text(token) for token in ids) == render(messages)


def _text(token):
    return LETTERS[token - 4] if token >= 4 else list(MARKERS)[token]


def test_an_empty_answer_teaches_to_stop() -> None:
    ids, mask = encode_messages([("user", "a"), ("assistant", "")], encode, MARKERS)
    assert [token for token, learn in zip(ids, mask, strict=True) if learn] == [3]


def test_a_cut_answer_does_not_teach_to_stop() -> None:
    messages = [("user", "a"), ("assistant", "bc")]
    assert encode_messages(messages, encode, MARKERS, max_length=5) == ([1, 4, 3, 2, 5], [False] * 4 + [True])
    assert not any(encode_messages(messages, encode, MARKERS, max_length=4)[1])
    assert encode_messages(messages, encode, MARKERS, max_length=0) == ([], [])
    assert encode_messages(messages, encode, MARKERS, max_length=7) == encode_messages(messages, encode, MARKERS)


def test_text_that_looks_like_a_marker_stays_text() -> None:
    ids, _ = encode_messages([("user", "<|>"), ("assistant", "")], encode, MARKERS)
    assert ids == [1, *encode("<|>"), 3, 2, 3]
    with pytest.raises(ValueError, match=r"encode: expected no id of a marker, got 3 for 'a'"):
        encode_messages([("user", "a"), ("assistant", "")], lambda text: [3] * len(text), MARKERS)
    with pytest.raises(ValueError, match=re.escape("expected contents without markers, got '<|end|>' in 'a<|end|>'")):
        render([("user", "a<|end|>"), ("assistant", "b")])


@pytest.mark.parametrize(
    ("roles", "open_answer", "message"),
    [
        ([], False, "expected 'assistant' to be last, got 'no message'"),
        (["system"], False, "expected 'assistant' to be last, got 'system'"),
        (["user"], False, "expected 'assistant' to be last, got 'user'"),
        (["user", "assistant"], True, "expected 'user' to be last, got 'assistant'"),
        (["assistant"], False, "expected role 'user' as turn 0, got 'assistant'"),
        (["user", "user"], False, "expected role 'assistant' as turn 1, got 'user'"),
        (["user", "system", "assistant"], False, "expected role 'assistant' as turn 1, got 'system'"),
        (["system", "system", "user", "assistant"], False, "expected role 'user' as turn 0, got 'system'"),
        (["user", "tool"], False, "expected role 'assistant' as turn 1, got 'tool'"),
    ],
)
def test_roles_out_of_turn(roles, open_answer, message) -> None:
    messages = [(role, "a") for role in roles]
    with pytest.raises(ValueError, match=message):
        render(messages, open_answer)
    with pytest.raises(ValueError, match=message):
        encode_messages(messages, encode, MARKERS, open_answer=open_answer)


@pytest.mark.parametrize(
    ("markers", "message"),
    [
        ({}, "marker_ids: expected an id for '<|system|>', got none"),
        (MARKERS | {"<|end|>": 2}, "marker_ids: expected four different ids of 0 or more, got [0, 1, 2, 2]"),
        (MARKERS | {"<|end|>": -1}, "marker_ids: expected four different ids of 0 or more, got [0, 1, 2, -1]"),
    ],
)
def test_bad_markers(markers, message) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        encode_messages([("user", "a"), ("assistant", "b")], encode, markers)


def test_a_negative_length() -> None:
    with pytest.raises(ValueError, match="max_length: expected 0 or more, got -1"):
        encode_messages([("user", "a"), ("assistant", "b")], encode, MARKERS, max_length=-1)


def test_the_loss_is_llamas_with_other_labels_ignored(generator, proof) -> None:
    config = LlamaConfig(
        hidden_size=8, intermediate_size=12, num_hidden_layers=1, num_attention_heads=2, vocab_size=len(LETTERS) + 4
    )
    model = LlamaForCausalLM(config).double()
    for parameter in model.parameters():
        nn.init.normal_(parameter, generator=generator)
    first = encode_messages([("user", "abc"), ("assistant", "cab")], encode, MARKERS)
    second = encode_messages([("user", "a"), ("assistant", "")], encode, MARKERS)
    ids, mask = (
        torch.nn.utils.rnn.pad_sequence([torch.tensor(one) for one in pair], batch_first=True)
        for pair in zip(first, second, strict=True)
    )
    labels = ids.masked_fill(~mask, -100)
    theirs = model(ids, labels=labels)
    ours = answer_loss(theirs.logits, ids, mask)
    # transformers takes its loss in float32: a dozen roundings of 2⁻²⁴
    proof(answer_loss, "transformers Llama, labels -100, in float32").close(ours, theirs.loss, within=1e-6)
    expected = nn.functional.cross_entropy(theirs.logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
    proof(answer_loss, "torch cross_entropy, labels -100").close(ours, expected, within=1e-14)


@pytest.mark.parametrize("sizes", [(1, 2, 1), (1, 2, 5), (3, 6, 7)])
def test_the_loss_by_loops_and_its_gradient(sizes, generator, proof) -> None:
    b, t, v = sizes
    logits = torch.randn(sizes, generator=generator, dtype=torch.float64).requires_grad_()
    ids = torch.randint(v, (b, t), generator=generator)
    mask = torch.rand((b, t), generator=generator) < 0.5
    mask[:, 0], mask[0, 1] = False, True
    loss = answer_loss(logits, ids, mask)
    loss.backward()
    terms, gradient = [], torch.zeros(sizes, dtype=torch.float64)
    for row in range(b):
        for step in range(1, t):
            if mask[row, step]:
                p = torch.softmax(logits[row, step - 1].detach(), dim=-1)
                terms.append(-p[ids[row, step]].log().item())
                gradient[row, step - 1] = p - nn.functional.one_hot(ids[row, step], v)
    proof(answer_loss, "brute force").close(loss, sum(terms) / len(terms), within=1e-13)
    proof(answer_loss, "p - one-hot").close(logits.grad, gradient / len(terms), within=1e-13)


def test_what_is_not_marked_changes_nothing(generator) -> None:
    logits = torch.randn((1, 4, 3), generator=generator, dtype=torch.float64)
    ids, mask = torch.tensor([[0, 1, 2, 0]]), torch.tensor([[False, False, True, False]])
    expected = answer_loss(logits, ids, mask)
    logits[:, [0, 2, 3]] = 1e300  # the token at 2 is predicted at 1
    assert answer_loss(logits, ids, mask) == expected
    assert answer_loss(logits, torch.tensor([[2, 0, 2, 2]]), mask) == expected


def test_a_certain_model_pays_nothing_and_a_wrong_one_what_it_claimed() -> None:
    logits = torch.tensor([[[1000.0, 0.0], [0.0, 0.0]]], dtype=torch.float64)
    mask = torch.tensor([[False, True]])
    assert answer_loss(logits, torch.tensor([[0, 0]]), mask) == 0.0
    assert answer_loss(logits, torch.tensor([[0, 1]]), mask) == 1000.0


@pytest.mark.parametrize(
    ("ids", "mask", "value", "message"),
    [
        ([[0, 1]], [[True, True]], 0.0, "mask: expected false at the first token"),
        ([[0, 1]], [[False, False]], 0.0, "mask: expected at least one token to learn, got none"),
        ([[0, 4]], [[False, True]], 0.0, "ids: expected token ids from 0 to 3, got 4"),
        ([[0, -100]], [[False, False]], 0.0, "ids: expected token ids from 0 to 3, got -100"),
        ([[0, 1]], [[False, True]], torch.nan, "logits: expected finite values, got nan"),
        ([[0, 1]], [[False, True]], -torch.inf, "logits: expected finite values, got -inf"),
    ],
)
def test_bad_batches(ids, mask, value, message) -> None:
    with pytest.raises(ValueError, match=message):
        answer_loss(torch.full((1, 2, 4), value, dtype=torch.float64), torch.tensor(ids), torch.tensor(mask))


def test_no_rows_or_no_positions_have_nothing_to_learn() -> None:
    for shape in ((0, 3), (2, 0)):
        empty = torch.zeros(shape, dtype=torch.int64)
        with pytest.raises(ValueError, match="expected at least one token to learn"):
            answer_loss(torch.zeros(*shape, 4, dtype=torch.float64), empty, empty.bool())


@pytest.mark.gpu
def test_the_loss_on_gpu(generator) -> None:
    logits = torch.randn((2, 4, 5), generator=generator, dtype=torch.float64)
    ids, mask = torch.zeros(2, 4, dtype=torch.int64), torch.arange(4).repeat(2, 1) > 1
    loss = answer_loss(logits.cuda(), ids.cuda(), mask.cuda())
    assert loss.is_cuda
    torch.testing.assert_close(loss.cpu(), answer_loss(logits, ids, mask), rtol=0, atol=1e-14)
