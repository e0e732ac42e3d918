# %% [markdown]
# # Un tokeniseur par paires d'octets
#
# Rien n'est modifié : des expressions, des générateurs, `reduce`. Les suites renvoyées sont des tuples.

# %%
import re
from collections import Counter
from functools import cache, partial, reduce
from itertools import chain, groupby, islice, pairwise
from operator import itemgetter
from pathlib import Path

HUGS = {tuple("hug"): 10, tuple("pug"): 5, tuple("pun"): 12, tuple("bun"): 4, tuple("hugs"): 5}
FRENCH = Path("francais.txt").read_text(encoding="utf-8")
ENGLISH = Path("english.txt").read_text(encoding="utf-8")


# %%
def count_pairs(words):
    places = sorted((pair, n) for word, n in words.items() for pair in pairwise(word))
    return {pair: sum(n for _, n in same) for pair, same in groupby(places, key=itemgetter(0))}


# %%
def most_frequent_pair(counts):
    return max(((n, pair) for pair, n in counts.items()), default=(0, None))[1]


# %%
def merge_pair(symbols, pair):
    # une fusion est plus longue que `pair[0]` : elle ne peut donc pas servir de gauche à la même paire
    return tuple(
        reduce(
            lambda done, symbol: (
                [*done[:-1], done[-1] + symbol] if done and (done[-1], symbol) == pair else [*done, symbol]
            ),
            symbols,
            [],
        )
    )


# %%
def rounds(words):
    pair = most_frequent_pair(count_pairs(words))
    while pair is not None:
        yield pair
        words = {merge_pair(word, pair): n for word, n in words.items()}
        pair = most_frequent_pair(count_pairs(words))


def learn_merges(words, n_merges):
    return tuple(islice(rounds(words), n_merges))


# %%
CHUNKS = re.compile(r" ?\w+['’]?| ?[^\w\s]+|\s+")


def split_chunks(text):
    return tuple(map(itemgetter(0), CHUNKS.finditer(text)))


# %%
def symbols_of(data):
    return tuple(map(bytes, zip(data, strict=False)))


def train_merges(text, n_merges):
    return learn_merges({symbols_of(chunk.encode()): n for chunk, n in Counter(split_chunks(text)).items()}, n_merges)


# %%
def encode_chunk(chunk, merges):
    return reduce(merge_pair, merges, symbols_of(chunk))


# %%
def build_vocabulary(merges, special_tokens=()):
    return tuple(chain(symbols_of(range(256)), map(b"".join, merges), map(str.encode, special_tokens)))


# %%
def split_special(text, special_tokens):
    longest_first = "|".join(map(re.escape, sorted(special_tokens, key=len, reverse=True)))
    # sans jeton spécial, un motif qui ne convient nulle part
    pieces = re.split(f"({longest_first or '(?!)'})", text)
    return tuple((piece, i % 2 == 1) for i, piece in enumerate(pieces) if piece)


# %%
def encode(text, merges, special_tokens=(), allow_special=False):
    id_of = {token: i for i, token in enumerate(build_vocabulary(merges, special_tokens))}
    tokens_of = cache(partial(encode_chunk, merges=merges))
    parts = split_special(text, special_tokens if allow_special else ())
    tokens = chain.from_iterable(
        (part.encode(),)
        if is_special
        else chain.from_iterable(tokens_of(chunk.encode()) for chunk in split_chunks(part))
        for part, is_special in parts
    )
    return tuple(map(id_of.__getitem__, tokens))


# %%
def decode(ids, vocabulary):
    return b"".join(vocabulary[i] for i in ids).decode(errors="replace")


# %%
def bytes_per_token(text, merges):
    return len(text.encode()) / len(encode(text, merges)) if text else 0.0


# %%
french_merges, english_merges = (train_merges(text, 100) for text in (FRENCH, ENGLISH))
assert learn_merges(HUGS, 3) == (("u", "g"), ("u", "n"), ("h", "ug"))
