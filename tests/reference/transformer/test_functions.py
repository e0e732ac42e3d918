"""`reference.transformer_functions` against transformers, torch and loops: the same models from dictionaries."""

import math

import pytest
import torch
from torch import Tensor, nn

from reference.attention import causal_mask
from reference.transformer import LlamaConfig
from reference.transformer_functions import corrupt, decoder, decoder_block, encoder, train_decoder

CONFIG = LlamaConfig(vocab_size=11, context_length=9, width=16, n_layers=2, n_heads=4, n_groups=4, inner_width=20)
LOGITS = 1e-10  # as for Llama
SUMS = 1e-12  # some ten sums of ten terms of size 1 to 10
STEPS = 1e-9  # of training: Adam divides by the root of small squares
N_IDS = 60_000
# Hoeffding: a share of n draws is off by more than √(ln(2/α) / 2n) with probability below α = 1e-9
BOUND = math.sqrt(math.log(2e9) / (2 * N_IDS))


def of_block(weights: dict[str, Tensor], number: int) -> dict[str, Tensor]:
    prefix = f"blocks.{number}."
    return {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}


@pytest.mark.parametrize("length", [1, 2, 9])
def test_decoder(twins, draw_ids, proof, length) -> None:
    pair, ids = twins(CONFIG), draw_ids(11, 3, length)
    ours = decoder(ids, pair.ours.state_dict(), 4)
    proof(decoder, "transformers LlamaForCausalLM").close(ours, pair.theirs(ids).logits, within=LOGITS)


def test_decoder_block(twins, normal, proof) -> None:
    pair, x = twins(CONFIG), normal(2, 5, 16)
    turns = pair.theirs.model.rotary_emb(x, torch.arange(5)[None])
    hidden = torch.zeros(1, 1, 5, 5, dtype=torch.float64).masked_fill(~causal_mask(5), -math.inf)
    for number, theirs in enumerate(pair.theirs.model.layers):
        ours = decoder_block(x, of_block(pair.ours.state_dict(), number), 4)
        made = theirs(x, attention_mask=hidden, position_embeddings=turns)
        proof(decoder_block, "transformers LlamaDecoderLayer").close(ours, made, within=LOGITS)


def test_gradients_reach_the_weights_that_are_given(twins, draw_ids) -> None:
    weights = {name: weight.clone().requires_grad_() for name, weight in twins(CONFIG).ours.state_dict().items()}
    decoder(draw_ids(11, 3, 9), weights, 4).sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().max() > 0 for weight in weights.values())


def encoder_and_weights(generator: torch.Generator, n_layers: int) -> tuple[nn.TransformerEncoder, dict[str, Tensor]]:
    """Torch's encoder with weights that are nowhere small, and the same weights under our names."""
    sizes = {"dim_feedforward": 9, "dropout": 0.0, "activation": "gelu", "norm_first": True, "batch_first": True}
    layer = nn.TransformerEncoderLayer(6, 2, dtype=torch.float64, **sizes)
    theirs = nn.TransformerEncoder(
        layer, n_layers, norm=nn.LayerNorm(6, dtype=torch.float64), enable_nested_tensor=False
    )
    with torch.no_grad():
        for weight in theirs.parameters():
            weight.normal_(0.0, 0.5, generator=generator)
    weights = {f"final_norm.{kind}": getattr(theirs.norm, kind) for kind in ("weight", "bias")}
    for number, block in enumerate(theirs.layers):
        parts = {
            "attention_norm": block.norm1,
            "feed_forward_norm": block.norm2,
            "attention.o_proj": block.self_attn.out_proj,
            "feed_forward.up_proj": block.linear1,
            "feed_forward.down_proj": block.linear2,
        }
        for kind in ("weight", "bias"):
            weights |= {f"blocks.{number}.{name}.{kind}": getattr(part, kind) for name, part in parts.items()}
            thirds = getattr(block.self_attn, f"in_proj_{kind}").chunk(3)
            weights |= {
                f"blocks.{number}.attention.{name}_proj.{kind}": third
                for name, third in zip("qkv", thirds, strict=True)
            }
    return theirs, weights


@pytest.mark.parametrize("n_layers", [1, 3])
@pytest.mark.parametrize("padded", [False, True])
def test_encoder(draw_ids, normal, generator, proof, n_layers, padded) -> None:
    theirs, weights = encoder_and_weights(generator, n_layers)
    embedding, bias = normal(7, 6), normal(7)
    weights |= {"token_embedding.weight": embedding, "lm_head.bias": bias}
    ids, mask = draw_ids(7, 3, 5), torch.arange(5) < torch.tensor([[5], [1], [3]])
    table = torch.tensor(
        [
            [(math.sin, math.cos)[column % 2](at / 10000 ** (column // 2 * 2 / 6)) for column in range(6)]
            for at in range(5)
        ],
        dtype=torch.float64,
    )
    made = theirs(embedding[ids] + table, src_key_padding_mask=~mask if padded else None) @ embedding.T + bias
    ours = encoder(ids, weights, 2, mask if padded else None)
    proof(encoder, "torch.nn.TransformerEncoder").close(ours, made, within=SUMS)


def test_corruption_follows_its_two_numbers(proof) -> None:
    ids = torch.randint(20, (20, 50), generator=torch.Generator().manual_seed(1))
    hidden, labels = corrupt(ids, 4, 20, [0, 1, 2], 7, 0.6)
    generator = torch.Generator().manual_seed(7)
    chance, fate = (torch.rand(ids.shape, generator=generator, dtype=torch.float64) for _ in range(2))
    replacement = torch.randint(20, ids.shape, generator=generator)
    expected_hidden, expected_labels = ids.clone(), torch.full_like(ids, -100)
    for at in torch.cartesian_prod(torch.arange(20), torch.arange(50)).unbind():
        i, j = at.tolist()
        if ids[i, j] > 2 and chance[i, j] < 0.6:
            expected_labels[i, j] = ids[i, j]
            if fate[i, j] < 0.9:
                expected_hidden[i, j] = 4 if fate[i, j] < 0.8 else replacement[i, j]
    ours, expected = (
        (one[0].tolist(), one[1].tolist()) for one in ((hidden, labels), (expected_hidden, expected_labels))
    )
    proof(corrupt, "brute force").equal(ours, expected)


def test_corruption_has_the_shares_of_the_paper(proof) -> None:
    hidden, labels = corrupt(torch.full((N_IDS,), 7), 4, 20, [0], 3)
    shares = [(labels != -100).double().mean(), (hidden == 4).double().mean()]
    expected = [0.15, 0.15 * (0.8 + 0.1 / 20)]
    proof(corrupt, "exact probabilities, statistical").close(torch.stack(shares), expected, within=BOUND)


def test_training(proof) -> None:
    ids = torch.randint(5, (300,), generator=torch.Generator().manual_seed(1))
    weights = {name: weight.requires_grad_() for name, weight in train_decoder(ids, 5, 3, steps=0).items()}
    generator = torch.Generator().manual_seed(3)
    for name, weight in weights.items():  # the draws that made them come before those of the windows
        if "norm" not in name:
            torch.randn(weight.shape, generator=generator, dtype=torch.float64)
    optimizer = torch.optim.Adam(weights.values(), lr=0.01)
    for _ in range(4):
        starts = torch.randint(300 - 64, (8,), generator=generator).tolist()
        windows = torch.stack([ids[start : start + 65] for start in starts])
        logits = decoder(windows[:, :-1], weights, 2)
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten()).backward()
        optimizer.step()
    made = train_decoder(ids, 5, 3, steps=4)
    assert list(made) == list(weights)
    for name, weight in made.items():
        proof(train_decoder, "torch.optim.Adam, cross_entropy").close(weight, weights[name], within=STEPS)


def test_training_learns_what_comes_next() -> None:
    ids = torch.arange(200) % 5
    weights = train_decoder(ids, 5, 0, steps=40)
    assert torch.equal(decoder(ids[None, :9], weights, 2).argmax(dim=-1)[0], ids[1:10])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: weights.pop("lm_head.weight"), r"missing \['lm_head.weight'\], unknown \[\]"),
        (lambda weights: weights.update(more=torch.zeros(1, dtype=torch.float64)), r"unknown \['more'\]"),
        (lambda weights: weights.pop("token_embedding.weight"), "expected 'token_embedding.weight'"),
    ],
)
def test_other_names_are_refused(change, message) -> None:
    weights = train_decoder(torch.arange(100) % 3, 3, 0, steps=0)
    change(weights)
    with pytest.raises(ValueError, match=message):
        decoder(torch.tensor([[0, 1]]), weights, 2)


def test_bad_input_is_refused(generator) -> None:
    ids = torch.arange(100) % 3
    weights = train_decoder(ids, 3, 0, steps=0)
    with pytest.raises(ValueError, match="n_heads: expected a divisor of width = 32, got 3"):
        decoder(ids[None], weights, 3)
    with pytest.raises(RuntimeError, match="shape"):
        decoder(ids[None], weights | {"lm_head.weight": torch.zeros(3, 31, dtype=torch.float64)}, 2)
    with pytest.raises(ValueError, match="steps: expected 0 or more"):
        train_decoder(ids, 3, 0, steps=-1)
    with pytest.raises(ValueError, match="tokens: expected 65 or more"):
        train_decoder(ids[:64], 3, 0)
    _, of_encoder = encoder_and_weights(generator, 1)
    of_encoder |= {"token_embedding.weight": torch.zeros(3, 6, dtype=torch.float64)}
    of_encoder |= {"lm_head.bias": torch.zeros(3, dtype=torch.float64)}
    with pytest.raises(ValueError, match="ids: expected token ids from 0 to 2, got 3"):
        encoder(torch.tensor([[3]]), of_encoder, 2)
