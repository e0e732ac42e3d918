# %% [markdown]
# # Le transformer : du bloc résiduel au décodeur entraîné
#
# Tout se rappelle soi-même : les sommes par moitiés, les têtes et les blocs l’un après l’autre, les pas par moitiés.

# %%
import math
import random
from pathlib import Path

import torch


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
# ## Les positions
#
# Pour un tableau deux fois plus long, on tourne la première moitié.


# %%
def tourne(sinus, cosinus, angles):
    return sinus * angles.cos() + cosinus * angles.sin(), cosinus * angles.cos() - sinus * angles.sin()


def aiguilles(n_positions, vitesses):
    if n_positions == 0:
        return vitesses.new_zeros(0, len(vitesses)), vitesses.new_zeros(0, len(vitesses))
    if n_positions == 1:
        return torch.zeros_like(vitesses)[None], torch.ones_like(vitesses)[None]
    moitie = (n_positions + 1) // 2
    sinus, cosinus = aiguilles(moitie, vitesses)
    reste = n_positions - moitie
    suite = tourne(sinus[:reste], cosinus[:reste], moitie * vitesses)
    return torch.cat([sinus, suite[0]]), torch.cat([cosinus, suite[1]])


def sinusoidal(n_positions, width):
    vitesses = torch.tensor([10000 ** (-2 * i / width) for i in range((width + 1) // 2)], dtype=torch.float64)
    sinus, cosinus = aiguilles(n_positions, vitesses)
    table = torch.zeros(n_positions, width, dtype=torch.float64)
    table[:, ::2] = sinus
    table[:, 1::2] = cosinus[:, : width // 2]
    return table


sinusoidal(2, 4)


# %% [markdown]
# Une dimension de tête à la fois, jusqu’à la matrice (T, d).


# %%
def rotary(x, positions, base=10000.0):
    if x.ndim > 2:
        tranches = [rotary(tranche, positions, base) for tranche in x]
        return torch.stack(tranches) if tranches else x.clone()
    moitie = x.shape[1] // 2
    vitesses = torch.tensor([base ** (-i / moitie) for i in range(moitie)], dtype=torch.float64)
    angles = positions.double()[:, None] * vitesses
    w, u = tourne(x[:, moitie:], x[:, :moitie], angles)  # u est un cosinus, w un sinus
    return torch.cat([u, w], dim=1)


# %% [markdown]
# ## Les sommes, par moitiés


# %%
def somme(x):
    """La somme de la dernière dimension, qui devient de longueur 1."""
    n = x.shape[-1]
    if n == 1:
        return x
    moitie = n // 2
    pliee = x[..., :moitie] + x[..., moitie : 2 * moitie]
    return somme(pliee if n % 2 == 0 else torch.cat([pliee, x[..., -1:]], dim=-1))


def log_somme(x):
    """ln(e^a + e^b + ...) de la dernière dimension, sans jamais sortir des logarithmes."""
    n = x.shape[-1]
    if n == 1:
        return x[..., 0]
    moitie = n // 2
    pliee = torch.logaddexp(x[..., :moitie], x[..., moitie : 2 * moitie])
    return log_somme(pliee if n % 2 == 0 else torch.cat([pliee, x[..., -1:]], dim=-1))


def moyenne(x):
    return somme(x) / x.shape[-1]


def layer_norm(x, weight, bias, eps=1e-05):
    centre = x - moyenne(x)
    return weight * centre / (moyenne(centre * centre) + eps) ** 0.5 + bias


def rms_norm(x, weight, eps=1e-06):
    return weight * x / (moyenne(x * x) + eps) ** 0.5


def gelu(x):
    return x * torch.erfc(-x / 2**0.5) / 2


def swiglu(gate, up):
    return gate * torch.exp(-torch.logaddexp(torch.zeros_like(gate), -gate)) * up


# %% [markdown]
# ## Les têtes : la première, puis les autres


# %%
def regarde(q, k, v, n_heads, visible, place):
    """q, k, v (B, T, largeur des têtes qui restent)"""
    d = q.shape[-1] // n_heads
    chances = (place(q[..., :d]) @ place(k[..., :d]).mT / d**0.5).masked_fill(~visible, -math.inf).softmax(-1)
    premiere = chances @ v[..., :d]
    if n_heads == 1:
        return premiere
    autres = regarde(q[..., d:], k[..., d:], v[..., d:], n_heads - 1, visible, place)
    return torch.cat([premiere, autres], dim=-1)


def decoder_block(x, weights, n_heads):
    positions = torch.arange(x.shape[1])
    visible = positions.unsqueeze(1) >= positions
    z = rms_norm(x, weights["attention_norm.weight"])
    q, k, v = (z @ weights[f"attention.{nom}_proj.weight"].T for nom in "qkv")
    vu = regarde(q, k, v, n_heads, visible, lambda y: rotary(y, positions))
    h = x + vu @ weights["attention.o_proj.weight"].T
    z = rms_norm(h, weights["feed_forward_norm.weight"])
    passe = swiglu(z @ weights["feed_forward.gate_proj.weight"].T, z @ weights["feed_forward.up_proj.weight"].T)
    return h + passe @ weights["feed_forward.down_proj.weight"].T


def traverse(x, weights, bloc, numero=0):
    if numero == count_blocks(weights):
        return x
    return traverse(bloc(x, part(weights, f"blocks.{numero}.")), weights, bloc, numero + 1)


def decoder(ids, weights, n_heads):
    x = traverse(weights["token_embedding.weight"][ids], weights, lambda x, poids: decoder_block(x, poids, n_heads))
    return rms_norm(x, weights["final_norm.weight"]) @ weights["lm_head.weight"].T


# %%
def encoder(ids, weights, n_heads, mask=None):
    if mask is None:
        return encoder(ids, weights, n_heads, torch.full(ids.shape, True))
    table = weights["token_embedding.weight"]

    def norme(x, poids, nom):
        return layer_norm(x, poids[f"{nom}.weight"], poids[f"{nom}.bias"])

    def projette(x, poids, nom):
        return x @ poids[f"{nom}.weight"].T + poids[f"{nom}.bias"]

    def bloc(x, poids):
        z = norme(x, poids, "attention_norm")
        q, k, v = (projette(z, poids, f"attention.{nom}_proj") for nom in "qkv")
        x = x + projette(regarde(q, k, v, n_heads, mask[:, None, :], lambda y: y), poids, "attention.o_proj")
        interieur = gelu(projette(norme(x, poids, "feed_forward_norm"), poids, "feed_forward.up_proj"))
        return x + projette(interieur, poids, "feed_forward.down_proj")

    x = traverse(table[ids] + sinusoidal(ids.shape[1], table.shape[1]), weights, bloc)
    return norme(x, weights, "final_norm") @ table.T + weights["lm_head.bias"]


# %% [markdown]
# ## Cacher des mots
#
# Dimension après dimension, jusqu’au jeton ; chaque jeton a son propre hasard, qui dépend de la graine et de sa place.


# %%
def corrupt(ids, mask_id, n_tokens, special_ids, seed, fraction=0.15):
    def jeton(token, place):
        hasard = random.Random(f"{seed} {place}")  # noqa: S311
        if token in special_ids or hasard.random() >= fraction:
            return token, -100
        sort = hasard.random()
        return (mask_id if sort < 0.8 else hasard.randrange(n_tokens) if sort < 0.9 else token), token

    def descend(tranche, place):
        if tranche.ndim == 0:
            return torch.tensor(jeton(tranche.item(), place))
        if len(tranche) == 0:
            return tranche.new_zeros(*tranche.shape, 2)
        return torch.stack([descend(dessous, (*place, i)) for i, dessous in enumerate(tranche)])

    return descend(ids, ()).unbind(-1)


# %% [markdown]
# ## La perte et l’entraînement


# %%
def cross_entropy(logits, targets, ignored=-100):
    compte = targets != ignored
    lignes, cibles = logits[compte], targets[compte]
    return somme(log_somme(lignes) - lignes.gather(1, cibles[:, None])[:, 0])[0] / len(cibles)


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
def train_decoder(ids, n_tokens, seed, steps=200):
    hasard = torch.Generator().manual_seed(seed)
    weights = initial_weights(n_tokens, hasard)
    for weight in weights.values():
        weight.requires_grad_()
    adam = torch.optim.Adam(weights.values(), lr=RATE)

    def fenetres(combien):
        if combien == 0:
            return []
        debut = torch.randint(len(ids) - LENGTH, (), generator=hasard).item()
        return [ids[debut : debut + LENGTH + 1], *fenetres(combien - 1)]

    def avance(pas):
        if pas > 1:
            avance(pas // 2)
            avance(pas - pas // 2)
        elif pas == 1:
            lot = torch.stack(fenetres(BATCH_SIZE))
            adam.zero_grad()
            cross_entropy(decoder(lot[:, :-1], weights, N_HEADS), lot[:, 1:]).backward()
            adam.step()

    avance(steps)
    return {nom: poids.detach() for nom, poids in weights.items()}


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
round(float(nats) / math.log(2) / n_bytes, 3)
