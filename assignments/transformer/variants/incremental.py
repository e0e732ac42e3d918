# %% [markdown]
# # Le transformer : du bloc résiduel au décodeur entraîné
#
# Le texte est lu jeton par jeton : le décodeur garde les clés et les valeurs déjà calculées dans un cache, sans masque.
# L’encodeur ne garde que les clés des vrais jetons, texte par texte. Les rotations se composent au lieu de se
# recalculer.

# %%
import math
from functools import lru_cache
from pathlib import Path

import numpy as np
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
# ## Les positions : une rotation de plus à chaque ligne


# %%
def sinusoidal(n_positions, width):
    vitesses = 10000.0 ** (-2 * np.arange((width + 1) // 2) / width)
    un_pas = np.cos(vitesses) + 1j * np.sin(vitesses)
    aiguille = np.ones_like(un_pas)
    table = np.zeros((n_positions, width))
    for position in range(n_positions):
        table[position, 0::2] = aiguille.imag
        table[position, 1::2] = aiguille.real[: width // 2]
        aiguille = aiguille * un_pas
    return table


@lru_cache(maxsize=4096)
def rotation(width, base, position):
    """La rotation d’un pas à la puissance `position`, par carrés successifs."""
    if position < 0:
        return rotation(width, base, -position).conj()
    vitesses = base ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    if position == 0:
        return torch.ones_like(vitesses) + 0j
    if position == 1:
        return torch.complex(vitesses.cos(), vitesses.sin())
    moitie = rotation(width, base, position // 2)
    return moitie * moitie * rotation(width, base, position % 2)


def rotary(x, positions, base=10000.0):
    if len(positions) == 0:
        return x.clone()
    width = x.shape[-1]
    tours = torch.stack([rotation(width, base, p) for p in positions.tolist()])
    tourne = torch.complex(x[..., : width // 2], x[..., width // 2 :]) * tours
    return torch.cat([tourne.real, tourne.imag], dim=-1)


# %% [markdown]
# ## Les normalisations
#
# La moyenne et la variance se mettent à jour colonne après colonne (Welford) ; le dénominateur de RMSNorm est une
# hypoténuse.


# %%
def layer_norm(x, weight, bias, eps=1e-05):
    moyenne = torch.zeros(x.shape[:-1], dtype=torch.float64)
    ecarts = torch.zeros(x.shape[:-1], dtype=torch.float64)
    for n, colonne in enumerate(x.unbind(-1), start=1):
        ecart = colonne - moyenne
        moyenne = moyenne + ecart / n
        ecarts = ecarts + ecart * (colonne - moyenne)
    racine = torch.sqrt(ecarts / x.shape[-1] + eps)
    return weight * ((x - moyenne[..., None]) / racine[..., None]) + bias


def rms_norm(x, weight, eps=1e-06):
    longueur = torch.linalg.vector_norm(x, dim=-1, keepdim=True) / math.sqrt(x.shape[-1])
    return weight * x / torch.hypot(longueur, torch.full_like(longueur, math.sqrt(eps)))


def gelu(x):
    return x.double() * torch.special.ndtr(x)


def swiglu(gate, up):
    return gate * (torch.tanh(gate / 2) + 1) / 2 * up


# %% [markdown]
# ## Un jeton de plus


# %%
def lit(x, weights, n_heads, cache):
    """x (B, 1, D) : le vecteur de la position qui suit celles du cache (les clés, les valeurs)."""
    position = torch.tensor([cache[0].shape[2] if cache else 0])
    z = rms_norm(x, weights["attention_norm.weight"])
    q, k, v = (split_heads(z @ weights[f"attention.{nom}_proj.weight"].T, n_heads) for nom in "qkv")
    q, k = rotary(q, position), rotary(k, position)
    cache = (torch.cat([cache[0], k], dim=2), torch.cat([cache[1], v], dim=2)) if cache else (k, v)
    vu = merge_heads(attention(q, *cache, torch.tensor(True)))
    h = x + vu @ weights["attention.o_proj.weight"].T
    z = rms_norm(h, weights["feed_forward_norm.weight"])
    interieur = swiglu(z @ weights["feed_forward.gate_proj.weight"].T, z @ weights["feed_forward.up_proj.weight"].T)
    return h + interieur @ weights["feed_forward.down_proj.weight"].T, cache


def decoder_block(x, weights, n_heads):
    cache, sorties = None, []
    for t in range(x.shape[1]):
        sortie, cache = lit(x[:, t : t + 1], weights, n_heads, cache)
        sorties.append(sortie)
    return torch.cat(sorties, dim=1)


def decoder(ids, weights, n_heads):
    blocs = [part(weights, f"blocks.{i}.") for i in range(count_blocks(weights))]
    caches = [None] * len(blocs)
    sorties = []
    for t in range(ids.shape[1]):
        x = weights["token_embedding.weight"][ids[:, t : t + 1]]
        for i, bloc in enumerate(blocs):
            x, caches[i] = lit(x, bloc, n_heads, caches[i])
        sorties.append(x)
    return rms_norm(torch.cat(sorties, dim=1), weights["final_norm.weight"]) @ weights["lm_head.weight"].T


# %% [markdown]
# ## L’encodeur, texte par texte


# %%
def encode(x, weights, n_heads, vrais):
    """x (1, T, D), vrais : les places des vrais jetons"""

    def norme(x, nom):
        return layer_norm(x, weights[f"{nom}.weight"], weights[f"{nom}.bias"])

    def projette(x, nom):
        return x @ weights[f"{nom}.weight"].T + weights[f"{nom}.bias"]

    z = norme(x, "attention_norm")
    q = split_heads(projette(z, "attention.q_proj"), n_heads)
    k = split_heads(projette(z[:, vrais], "attention.k_proj"), n_heads)
    v = split_heads(projette(z[:, vrais], "attention.v_proj"), n_heads)
    x = x + projette(merge_heads(attention(q, k, v, torch.tensor(True))), "attention.o_proj")
    z = norme(x, "feed_forward_norm")
    return x + projette(gelu(projette(z, "feed_forward.up_proj")), "feed_forward.down_proj")


def encoder(ids, weights, n_heads, mask=None):
    table = weights["token_embedding.weight"]
    signatures = torch.from_numpy(sinusoidal(ids.shape[1], table.shape[1]))
    textes = []
    for numero, texte in enumerate(ids):
        vrais = torch.arange(len(texte)) if mask is None else mask[numero].nonzero().flatten()
        x = (table[texte] + signatures).unsqueeze(0)
        for i in range(count_blocks(weights)):
            x = encode(x, part(weights, f"blocks.{i}."), n_heads, vrais)
        x = layer_norm(x, weights["final_norm.weight"], weights["final_norm.bias"])
        textes.append(x @ table.T + weights["lm_head.bias"])
    return torch.cat(textes)


# %% [markdown]
# ## Cacher des mots
#
# Entre deux positions choisies, l’écart suit une loi géométrique : on saute de l’une à l’autre.


# %%
def corrupt(ids, mask_id, n_tokens, special_ids, seed, fraction=0.15):
    hasard = np.random.default_rng([seed, 15])
    corrompus = ids.numpy().ravel().copy()
    labels = np.full_like(corrompus, -100)
    places = np.flatnonzero(np.isin(corrompus, special_ids, invert=True))
    rang = -1
    while fraction > 0:
        rang += int(hasard.geometric(fraction))
        if rang >= len(places):
            break
        place = places[rang]
        labels[place] = corrompus[place]
        de = hasard.integers(10)
        if de > 1:
            corrompus[place] = mask_id
        elif de == 1:
            corrompus[place] = hasard.integers(n_tokens)
    return corrompus.reshape(ids.shape), labels.reshape(ids.shape)


# %% [markdown]
# ## La perte : ln de la somme des e^(l − l du bon jeton)


# %%
def cross_entropy(logits, targets, ignored=-100):
    lignes, cibles = logits.flatten(0, -2) if logits.ndim > 1 else logits[None], targets.flatten()
    comptent = (cibles != ignored).nonzero().flatten()
    lignes, cibles = lignes[comptent], cibles[comptent]
    return torch.logsumexp(lignes - lignes.gather(1, cibles[:, None]), dim=1).mean()


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
    for poids in weights.values():
        poids.requires_grad_(True)
    optimiseur = torch.optim.Adam(list(weights.values()), lr=RATE)
    for _ in range(steps):
        debuts = torch.randint(0, len(ids) - LENGTH, (BATCH_SIZE,), generator=hasard).tolist()
        entrees = torch.stack([ids[s : s + LENGTH] for s in debuts])
        cibles = torch.stack([ids[s + 1 : s + LENGTH + 1] for s in debuts])
        perte = cross_entropy(decoder(entrees, weights, N_HEADS), cibles)
        optimiseur.zero_grad()
        perte.backward()
        optimiseur.step()
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
