# %% [markdown]
# # Le transformer : du bloc résiduel au décodeur entraîné
#
# Chaque pièce est un `nn.Module` ; les modules portent les noms du dictionnaire, si bien que `load_state_dict` lit
# les poids donnés tels quels.

# %%
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset, RandomSampler


# %%
def attention(q, k, v, mask):
    """q (B, H, T, d), k (B, H, S, d), v (B, H, S, d), mask (..., T, S) -> (B, H, T, d)"""
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    return torch.softmax(scores.masked_fill(~mask, -math.inf), dim=-1) @ v


def split_heads(x, n_heads):
    """(B, T, D) -> (B, H, T, D/H)"""
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)


def merge_heads(x):
    """(B, H, T, D/H) -> (B, T, D)"""
    return x.transpose(1, 2).flatten(start_dim=2)


def part(weights, prefix):
    """{"blocks.0.a": 1, "b": 2}, "blocks.0." -> {"a": 1}"""
    return {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}


def count_blocks(weights):
    """{"blocks.0.a": 1, "blocks.1.a": 2} -> 2"""
    return len({name.split(".")[1] for name in weights if name.startswith("blocks.")})


# %% [markdown]
# ## Les pièces


# %%
class Horloge:
    """Les angles de chaque position : une aiguille par paire de colonnes."""

    def __init__(self, width, base):
        rangs = torch.arange((width + 1) // 2, dtype=torch.float64)
        self.vitesses = torch.pow(torch.tensor(base, dtype=torch.float64), -2 * rangs / width)

    def angles(self, positions):
        return torch.outer(positions.to(torch.float64), self.vitesses)


class LayerNorm(nn.Module):
    def __init__(self, width, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width, dtype=torch.float64))
        self.bias = nn.Parameter(torch.zeros(width, dtype=torch.float64))
        self.eps = eps

    def forward(self, x):
        return layer_norm(x, self.weight, self.bias, self.eps)


class RMSNorm(nn.Module):
    def __init__(self, width, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width, dtype=torch.float64))
        self.eps = eps

    def forward(self, x):
        return rms_norm(x, self.weight, self.eps)


class Attention(nn.Module):
    def __init__(self, width, n_heads, bias):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj = nn.Linear(width, width, bias=bias, dtype=torch.float64)
        self.k_proj = nn.Linear(width, width, bias=bias, dtype=torch.float64)
        self.v_proj = nn.Linear(width, width, bias=bias, dtype=torch.float64)
        self.o_proj = nn.Linear(width, width, bias=bias, dtype=torch.float64)

    def place(self, x):
        return x

    def forward(self, x, mask):
        q = self.place(split_heads(self.q_proj(x), self.n_heads))
        k = self.place(split_heads(self.k_proj(x), self.n_heads))
        v = split_heads(self.v_proj(x), self.n_heads)
        return self.o_proj(merge_heads(attention(q, k, v, mask)))


class RotaryAttention(Attention):
    def place(self, x):
        return rotary(x, torch.arange(x.shape[-2]))


class GatedFeedForward(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.gate_proj = nn.Linear(width, inner, bias=False, dtype=torch.float64)
        self.up_proj = nn.Linear(width, inner, bias=False, dtype=torch.float64)
        self.down_proj = nn.Linear(inner, width, bias=False, dtype=torch.float64)

    def forward(self, x):
        return self.down_proj(swiglu(self.gate_proj(x), self.up_proj(x)))


class FeedForward(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.up_proj = nn.Linear(width, inner, dtype=torch.float64)
        self.down_proj = nn.Linear(inner, width, dtype=torch.float64)

    def forward(self, x):
        return self.down_proj(gelu(self.up_proj(x)))


class Block(nn.Module):
    """Deux corrections : chacune part du vecteur normalisé et s’ajoute au vecteur tel quel."""

    def forward(self, x, mask):
        x = x + self.attention(self.attention_norm(x), mask)
        return x + self.feed_forward(self.feed_forward_norm(x))


class DecoderBlock(Block):
    def __init__(self, width, inner, n_heads):
        super().__init__()
        self.attention_norm = RMSNorm(width)
        self.attention = RotaryAttention(width, n_heads, bias=False)
        self.feed_forward_norm = RMSNorm(width)
        self.feed_forward = GatedFeedForward(width, inner)


class EncoderBlock(Block):
    def __init__(self, width, inner, n_heads):
        super().__init__()
        self.attention_norm = LayerNorm(width)
        self.attention = Attention(width, n_heads, bias=True)
        self.feed_forward_norm = LayerNorm(width)
        self.feed_forward = FeedForward(width, inner)


class Head(nn.Module):
    """Un biais par jeton ; la projection est prêtée par la table des plongements."""

    def __init__(self, n_tokens):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(n_tokens, dtype=torch.float64))

    def forward(self, x, table):
        return F.linear(x, table, self.bias)


class Model(nn.Module):
    def __init__(self, weights, n_heads, block):
        super().__init__()
        n_tokens, width = weights["token_embedding.weight"].shape
        inner = len(weights["blocks.0.feed_forward.up_proj.weight"])
        self.token_embedding = nn.Embedding(n_tokens, width, dtype=torch.float64)
        self.blocks = nn.ModuleList(block(width, inner, n_heads) for _ in range(count_blocks(weights)))

    def run(self, x, mask):
        for block in self.blocks:
            x = block(x, mask)
        return self.final_norm(x)


class Decoder(Model):
    def __init__(self, weights, n_heads):
        super().__init__(weights, n_heads, DecoderBlock)
        n_tokens, width = weights["token_embedding.weight"].shape
        self.final_norm = RMSNorm(width)
        self.lm_head = nn.Linear(width, n_tokens, bias=False, dtype=torch.float64)
        self.load_state_dict(weights)

    def forward(self, ids):
        causal = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()
        return self.lm_head(self.run(self.token_embedding(ids), causal))


class Encoder(Model):
    def __init__(self, weights, n_heads):
        super().__init__(weights, n_heads, EncoderBlock)
        n_tokens, width = weights["token_embedding.weight"].shape
        self.final_norm = LayerNorm(width)
        self.lm_head = Head(n_tokens)
        self.load_state_dict(weights)

    def forward(self, ids, mask):
        table = self.token_embedding.weight
        x = self.token_embedding(ids) + sinusoidal(ids.shape[1], table.shape[1])
        return self.lm_head(self.run(x, mask), table)


# %% [markdown]
# ## Les fonctions demandées


# %%
def sinusoidal(n_positions, width):
    angles = Horloge(width, 10000.0).angles(torch.arange(n_positions))
    return torch.stack([angles.sin(), angles.cos()], dim=2).reshape(n_positions, 2 * angles.shape[1])[:, :width]


def rotary(x, positions, base=10000.0):
    angles = Horloge(x.shape[-1], base).angles(positions)
    u, w = x.tensor_split(2, dim=-1)
    return torch.cat((u * angles.cos() - w * angles.sin(), u * angles.sin() + w * angles.cos()), dim=-1)


def layer_norm(x, weight, bias, eps=1e-05):
    variance, moyenne = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
    return torch.addcmul(bias, weight, (x - moyenne) / (variance + eps).sqrt())


def rms_norm(x, weight, eps=1e-06):
    return weight * (x / torch.sqrt(x.pow(2).mean(dim=-1, keepdim=True) + eps))


def gelu(x):
    normale = torch.distributions.Normal(torch.tensor(0.0).double(), torch.tensor(1.0).double())
    return x * normale.cdf(x)


def swiglu(gate, up):
    return gate * F.sigmoid(gate) * up


def decoder_block(x, weights, n_heads):
    block = DecoderBlock(x.shape[-1], len(weights["feed_forward.up_proj.weight"]), n_heads)
    block.load_state_dict(weights)
    return block(x, torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril())


def decoder(ids, weights, n_heads):
    return Decoder(weights, n_heads)(ids)


def encoder(ids, weights, n_heads, mask=None):
    visible = torch.ones(ids.shape, dtype=torch.bool) if mask is None else mask
    return Encoder(weights, n_heads)(ids, visible[:, None, None, :])


# %%
class Corruption:
    """Une loi à trois issues, tirée pour chaque position à part."""

    MASQUE, HASARD = 0, 1

    def __init__(self, mask_id, n_tokens, special_ids, fraction):
        self.mask_id, self.n_tokens, self.fraction = mask_id, n_tokens, fraction
        self.special = set(special_ids)

    def __call__(self, ids, generator):
        ordinaire = torch.tensor([token not in self.special for token in ids.flatten().tolist()], dtype=torch.float64)
        choisi = torch.bernoulli(self.fraction * ordinaire, generator=generator).bool().reshape(ids.shape)
        issues = torch.tensor([0.8, 0.1, 0.1], dtype=torch.float64)
        n = int(choisi.sum())
        corrompu, labels = ids.clone(), torch.full_like(ids, -100)
        labels[choisi] = ids[choisi]
        if n:
            sort = torch.multinomial(issues, n, replacement=True, generator=generator)
            nouveau = ids[choisi]
            nouveau[sort == self.MASQUE] = self.mask_id
            hasard = sort == self.HASARD
            nouveau[hasard] = torch.randint(self.n_tokens, (int(hasard.sum()),), generator=generator)
            corrompu[choisi] = nouveau
        return corrompu, labels


def corrupt(ids, mask_id, n_tokens, special_ids, seed, fraction=0.15):
    return Corruption(mask_id, n_tokens, special_ids, fraction)(ids, torch.Generator().manual_seed(seed))


# %%
def cross_entropy(logits, targets, ignored=-100):
    return Loss(ignored)(logits, targets)


class Loss(nn.Module):
    def __init__(self, ignored):
        super().__init__()
        self.ignored = ignored

    def forward(self, logits, targets):
        comptent = targets != self.ignored
        log_p = F.log_softmax(logits[comptent], dim=-1)
        return -log_p.gather(-1, targets[comptent].unsqueeze(-1)).mean()


# %%
WIDTH, N_HEADS, INNER_WIDTH = 32, 2, 64  # D, H, F
BATCH_SIZE, LENGTH = 8, 64
RATE = 0.01


def initial_weights(n_tokens, generator):
    shapes = {"token_embedding": (n_tokens, WIDTH)}
    shapes |= {f"blocks.0.attention.{name}_proj": (WIDTH, WIDTH) for name in "qkvo"}
    shapes |= {f"blocks.0.feed_forward.{name}_proj": (INNER_WIDTH, WIDTH) for name in ("gate", "up")}
    shapes |= {"blocks.0.feed_forward.down_proj": (WIDTH, INNER_WIDTH), "lm_head": (n_tokens, WIDTH)}
    weights = {}
    for name, shape in shapes.items():
        weights[f"{name}.weight"] = 0.02 * torch.randn(shape, generator=generator, dtype=torch.float64)
    for name in ("blocks.0.attention_norm", "blocks.0.feed_forward_norm", "final_norm"):
        weights[f"{name}.weight"] = torch.ones(WIDTH, dtype=torch.float64)
    return weights


# %%
class Windows(Dataset):
    def __init__(self, ids):
        self.ids = ids

    def __len__(self):
        return len(self.ids) - LENGTH

    def __getitem__(self, start):
        return self.ids[start : start + LENGTH], self.ids[start + 1 : start + LENGTH + 1]


def train_decoder(ids, n_tokens, seed, steps=200):
    generator = torch.Generator().manual_seed(seed)
    model = Decoder(initial_weights(n_tokens, generator), N_HEADS)
    if steps == 0:
        return model.state_dict()
    windows = Windows(ids)
    sampler = RandomSampler(windows, replacement=True, num_samples=steps * BATCH_SIZE, generator=generator)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    criterion = Loss(ignored=-100)
    for inputs, targets in DataLoader(windows, batch_size=BATCH_SIZE, sampler=sampler, generator=generator):
        optimizer.zero_grad()
        criterion(model(inputs), targets).backward()
        optimizer.step()
    return model.state_dict()


# %%
text = Path("phrases.txt").read_text(encoding="utf-8")
alphabet = "\n" + "".join(sorted(set(text) - {"\n"}))
ids = torch.tensor([alphabet.index(character) for character in text])
learned, unseen = ids[: len(ids) * 9 // 10], ids[len(ids) * 9 // 10 :]
weights = train_decoder(learned, len(alphabet), seed=1)

windows = unseen[: (len(unseen) - 1) // LENGTH * LENGTH + 1]
inputs, targets = windows[:-1].view(-1, LENGTH), windows[1:].view(-1, LENGTH)
n_bytes = len("".join(alphabet[i] for i in targets.flatten().tolist()).encode())
nats = cross_entropy(decoder(inputs, weights, N_HEADS), targets) * targets.numel()
round(nats.item() / math.log(2) / n_bytes, 3)
