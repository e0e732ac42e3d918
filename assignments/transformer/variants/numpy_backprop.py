# %% [markdown]
# # Le transformer : du bloc résiduel au décodeur entraîné
#
# Tout en NumPy. Comme NumPy ne dérive pas, l’entraînement remonte lui-même le gradient, règle de la chaîne à la
# main, et Adam est écrit ici aussi. PyTorch ne sert qu’à recevoir et à rendre les poids.

# %%
import math
from pathlib import Path

import numpy as np
import torch


# %%
def part(weights, prefix):
    """{"blocks.0.a": 1, "b": 2}, "blocks.0." -> {"a": 1}"""
    return {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}


def count_blocks(weights):
    """{"blocks.0.a": 1, "blocks.1.a": 2} -> 2"""
    return len({name.split(".")[1] for name in weights if name.startswith("blocks.")})


def tableaux(weights):
    return {nom: np.asarray(poids, dtype=np.float64) for nom, poids in weights.items()}


# %% [markdown]
# ## Positions


# %%
def sinusoidal(n_positions, width):
    angles = np.arange(n_positions)[:, None] / 10000.0 ** (np.arange(0, width, 2) / width)
    table = np.empty((n_positions, width))
    table[:, 0::2] = np.sin(angles)
    table[:, 1::2] = np.cos(angles[:, : width // 2])
    return table


def rotary(x, positions, base=10000.0):
    x = np.asarray(x)
    moitie = x.shape[-1] // 2
    angles = np.asarray(positions)[:, None] * float(base) ** (-np.arange(moitie) / moitie)
    cos, sin = np.cos(angles), np.sin(angles)
    u, w = x[..., :moitie], x[..., moitie:]
    return np.concatenate([u * cos - w * sin, u * sin + w * cos], axis=-1)


# %% [markdown]
# ## Normalisations et activations


# %%
def layer_norm(x, weight, bias, eps=1e-05):
    x, weight, bias = np.asarray(x), np.asarray(weight), np.asarray(bias)
    return weight * (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + eps) + bias


def rms_norm(x, weight, eps=1e-06):
    x = np.asarray(x)
    return np.asarray(weight) * x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + eps)


erf = np.vectorize(math.erf, otypes=[np.float64])


def gelu(x):
    x = np.asarray(x)
    return x / 2 * (1 + erf(x / math.sqrt(2)))


def sigmoide(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


def swiglu(gate, up):
    gate = np.asarray(gate)
    return gate * sigmoide(gate) * np.asarray(up)


# %% [markdown]
# ## L’attention


# %%
def tetes(x, n_heads):
    lot, longueur, largeur = x.shape
    return x.reshape(lot, longueur, n_heads, largeur // n_heads).swapaxes(1, 2)


def recolle(x):
    lot, n_heads, longueur, largeur = x.shape
    return x.swapaxes(1, 2).reshape(lot, longueur, n_heads * largeur)


def softmax(scores):
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def attention_numpy(q, k, visible):
    return softmax(np.where(visible, q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1]), -np.inf))


# %% [markdown]
# ## Le bloc et le décodeur
#
# Chaque passage avant rend aussi ce dont le passage arrière aura besoin.


# %%
def bloc_avant(x, poids, n_heads):
    positions = np.arange(x.shape[1])
    r1 = 1 / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-6)
    z1 = x * r1 * poids["attention_norm.weight"]
    q, k, v = (tetes(z1 @ poids[f"attention.{nom}_proj.weight"].T, n_heads) for nom in "qkv")
    q, k = rotary(q, positions), rotary(k, positions)
    a = attention_numpy(q, k, np.tri(len(positions), dtype=bool))
    o = recolle(a @ v)
    h = x + o @ poids["attention.o_proj.weight"].T
    r2 = 1 / np.sqrt((h**2).mean(axis=-1, keepdims=True) + 1e-6)
    z2 = h * r2 * poids["feed_forward_norm.weight"]
    g = z2 @ poids["feed_forward.gate_proj.weight"].T
    u = z2 @ poids["feed_forward.up_proj.weight"].T
    y = h + swiglu(g, u) @ poids["feed_forward.down_proj.weight"].T
    return y, (x, r1, z1, q, k, v, a, o, h, r2, z2, g, u)


def decoder_block(x, weights, n_heads):
    return bloc_avant(np.asarray(x), tableaux(weights), n_heads)[0]


def decodeur_avant(ids, poids, n_heads):
    x, memoires = poids["token_embedding.weight"][ids], []
    for i in range(count_blocks(poids)):
        x, memoire = bloc_avant(x, part(poids, f"blocks.{i}."), n_heads)
        memoires.append(memoire)
    r = 1 / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-6)
    z = x * r * poids["final_norm.weight"]
    return z @ poids["lm_head.weight"].T, (memoires, x, r, z)


def decoder(ids, weights, n_heads):
    return decodeur_avant(np.asarray(ids), tableaux(weights), n_heads)[0]


# %% [markdown]
# ## L’encodeur


# %%
def encoder(ids, weights, n_heads, mask=None):
    poids, ids = tableaux(weights), np.asarray(ids)
    table = poids["token_embedding.weight"]
    visible = np.ones(ids.shape, dtype=bool) if mask is None else np.asarray(mask)
    x = table[ids] + sinusoidal(ids.shape[1], table.shape[1])

    def norme(x, nom):
        return layer_norm(x, poids[f"{nom}.weight"], poids[f"{nom}.bias"])

    def projette(x, nom):
        return x @ poids[f"{nom}.weight"].T + poids[f"{nom}.bias"]

    for i in range(count_blocks(poids)):
        b = f"blocks.{i}."
        z = norme(x, b + "attention_norm")
        q, k, v = (tetes(projette(z, f"{b}attention.{nom}_proj"), n_heads) for nom in "qkv")
        a = attention_numpy(q, k, visible[:, None, None, :])
        x = x + projette(recolle(a @ v), b + "attention.o_proj")
        z = norme(x, b + "feed_forward_norm")
        x = x + projette(gelu(projette(z, b + "feed_forward.up_proj")), b + "feed_forward.down_proj")
    return norme(x, "final_norm") @ table.T + poids["lm_head.bias"]


# %% [markdown]
# ## Cacher des mots


# %%
def corrupt(ids, mask_id, n_tokens, special_ids, seed, fraction=0.15):
    hasard = np.random.default_rng(seed)
    ids = np.asarray(ids)
    choisis = (hasard.random(ids.shape) < fraction) & ~np.isin(ids, special_ids)
    sort = hasard.choice(3, size=ids.shape, p=[0.8, 0.1, 0.1])
    remplacants = np.choose(sort, [np.full(ids.shape, mask_id), hasard.integers(n_tokens, size=ids.shape), ids])
    return np.where(choisis, remplacants, ids), np.where(choisis, ids, -100)


# %% [markdown]
# ## L’entropie croisée


# %%
def cross_entropy(logits, targets, ignored=-100):
    logits, targets = np.asarray(logits), np.asarray(targets)
    lignes, cibles = logits.reshape(-1, logits.shape[-1]), targets.reshape(-1)
    comptent = np.flatnonzero(cibles != ignored)
    lignes, cibles = lignes[comptent], cibles[comptent]
    hauts = lignes.max(axis=1)
    log_sommes = hauts + np.log(np.exp(lignes - hauts[:, None]).sum(axis=1))
    return float(np.mean(log_sommes - lignes[np.arange(len(cibles)), cibles]))


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


# %% [markdown]
# ## Le gradient, à la main
#
# Pour $n = x r$ avec $r = (\overline{x^2} + \varepsilon)^{-1/2}$ : $dx = r\,(dn - n\,\overline{dn \cdot n})$.


# %%
def par_projection(entree, dsortie, projection):
    """Les gradients de l’entrée et de W pour sortie = entrée @ W.T"""
    dw = dsortie.reshape(-1, dsortie.shape[-1]).T @ entree.reshape(-1, entree.shape[-1])
    return dsortie @ projection, dw


def par_norme(x, r, dz, echelle):
    n, dn = x * r, dz * echelle
    return r * (dn - n * (dn * n).mean(axis=-1, keepdims=True)), (dz * n).sum(axis=(0, 1))


def bloc_arriere(dy, poids, n_heads, memoire):
    x, r1, z1, q, k, v, a, o, h, r2, z2, g, u = memoire
    d = {}
    s = sigmoide(g)
    dm, d["feed_forward.down_proj.weight"] = par_projection(g * s * u, dy, poids["feed_forward.down_proj.weight"])
    dg, du = dm * u * s * (1 + g * (1 - s)), dm * g * s
    dz2, d["feed_forward.gate_proj.weight"] = par_projection(z2, dg, poids["feed_forward.gate_proj.weight"])
    autre, d["feed_forward.up_proj.weight"] = par_projection(z2, du, poids["feed_forward.up_proj.weight"])
    dh, d["feed_forward_norm.weight"] = par_norme(h, r2, dz2 + autre, poids["feed_forward_norm.weight"])
    dh += dy
    do, d["attention.o_proj.weight"] = par_projection(o, dh, poids["attention.o_proj.weight"])
    do = tetes(do, n_heads)
    da, dv = do @ v.swapaxes(-1, -2), a.swapaxes(-1, -2) @ do
    ds = a * (da - (da * a).sum(axis=-1, keepdims=True)) / math.sqrt(q.shape[-1])
    retour = -np.arange(x.shape[1])  # l’inverse d’une rotation tourne dans l’autre sens
    dq, dk = rotary(ds @ k, retour), rotary(ds.swapaxes(-1, -2) @ q, retour)
    dz1 = 0
    for nom, gradient in (("q", dq), ("k", dk), ("v", dv)):
        nom = f"attention.{nom}_proj.weight"  # noqa: PLW2901
        dz, d[nom] = par_projection(z1, recolle(gradient), poids[nom])
        dz1 = dz1 + dz
    dx, d["attention_norm.weight"] = par_norme(x, r1, dz1, poids["attention_norm.weight"])
    return dx + dh, d


def gradients(entrees, cibles, poids):
    logits, (memoires, x, r, z) = decodeur_avant(entrees, poids, N_HEADS)
    dlogits = softmax(logits)
    dlogits[np.arange(len(cibles))[:, None], np.arange(LENGTH), cibles] -= 1
    dlogits /= cibles.size
    d = {}
    dz, d["lm_head.weight"] = par_projection(z, dlogits, poids["lm_head.weight"])
    dx, d["final_norm.weight"] = par_norme(x, r, dz, poids["final_norm.weight"])
    for i in reversed(range(len(memoires))):
        dx, dbloc = bloc_arriere(dx, part(poids, f"blocks.{i}."), N_HEADS, memoires[i])
        d |= {f"blocks.{i}.{nom}": gradient for nom, gradient in dbloc.items()}
    d["token_embedding.weight"] = np.zeros_like(poids["token_embedding.weight"])
    np.add.at(d["token_embedding.weight"], entrees, dx)
    return d


# %%
def train_decoder(ids, n_tokens, seed, steps=200):
    premiers = initial_weights(n_tokens, torch.Generator().manual_seed(seed))
    poids = {nom: w.numpy().copy() for nom, w in premiers.items()}
    moyennes = {nom: np.zeros_like(w) for nom, w in poids.items()}
    carres = {nom: np.zeros_like(w) for nom, w in poids.items()}
    hasard, ids = np.random.default_rng(seed), np.asarray(ids)
    for pas in range(1, steps + 1):
        debuts = hasard.integers(0, len(ids) - LENGTH, size=(BATCH_SIZE, 1))
        fenetres = ids[debuts + np.arange(LENGTH + 1)]
        for nom, gradient in gradients(fenetres[:, :-1], fenetres[:, 1:], poids).items():
            moyennes[nom] = 0.9 * moyennes[nom] + 0.1 * gradient
            carres[nom] = 0.999 * carres[nom] + 0.001 * gradient**2
            moyenne, carre = moyennes[nom] / (1 - 0.9**pas), carres[nom] / (1 - 0.999**pas)
            poids[nom] = poids[nom] - RATE * moyenne / (np.sqrt(carre) + 1e-8)
    return {nom: torch.from_numpy(w) for nom, w in poids.items()}


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
round(nats / math.log(2) / n_bytes, 3)
