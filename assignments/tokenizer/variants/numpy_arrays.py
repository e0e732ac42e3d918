# %% [markdown]
# # A byte-pair tokenizer
#
# All words lie one after another in a single array of integers, with -1 between two words: counting, merging and
# cutting are then operations on whole arrays.

# %%
from itertools import pairwise
from pathlib import Path

import numpy as np

HUGS = {tuple("hug"): 10, tuple("pug"): 5, tuple("pun"): 12, tuple("bun"): 4, tuple("hugs"): 5}
FRENCH = Path("francais.txt").read_text(encoding="utf-8")
ENGLISH = Path("english.txt").read_text(encoding="utf-8")

BORDER = -1


# %%
def flatten(words, number_of):
    """Symbols as numbers, a border after each word; new symbols are added to `number_of`."""
    flat = []
    for word in words:
        flat.extend(number_of.setdefault(symbol, len(number_of)) for symbol in word)
        flat.append(BORDER)
    return np.array(flat, dtype=np.int64)


def tally(flat, weights, base):
    """Distinct pairs, as left * base + right, and their counts."""
    inside = (flat[:-1] != BORDER) & (flat[1:] != BORDER)
    codes = (flat[:-1] * base + flat[1:])[inside]
    distinct, which = np.unique(codes, return_inverse=True)
    totals = np.zeros(len(distinct), dtype=np.int64)
    np.add.at(totals, which, weights[:-1][inside])
    return distinct, totals


def spread(words):
    """The number of occurrences of a word, at each place that `flatten` gives it."""
    occurrences = np.fromiter(words.values(), dtype=np.int64, count=len(words))
    lengths = np.fromiter((len(word) + 1 for word in words), dtype=np.int64, count=len(words))
    return np.repeat(occurrences, lengths)


def count_pairs(words):
    number_of = {}
    flat = flatten(words, number_of)
    symbols = list(number_of)
    distinct, totals = tally(flat, spread(words), max(len(symbols), 1))
    lefts, rights = np.divmod(distinct, max(len(symbols), 1))
    return {(symbols[i], symbols[j]): n for i, j, n in zip(lefts, rights, totals, strict=True)}


# %%
def most_frequent_pair(counts):
    if not counts:
        return None
    pairs = list(counts)
    totals = np.array([counts[pair] for pair in pairs])
    return max(pairs[i] for i in np.flatnonzero(totals == totals.max()))


# %%
def first_of_each(hits):
    """Places to merge among the places where the pair is found: every other one of a run of neighbours."""
    places = np.flatnonzero(hits)
    begins = np.ones(len(places), dtype=bool)
    begins[1:] = np.diff(places) > 1
    order = np.arange(len(places))
    since = order - np.maximum.accumulate(np.where(begins, order, 0))
    return places[since % 2 == 0]


def merge_numbers(flat, left, right, new):
    places = first_of_each((flat[:-1] == left) & (flat[1:] == right))
    merged = flat.copy()
    merged[places] = new
    return np.delete(merged, places + 1), places


def merge_pair(symbols, pair):
    left = np.array([symbol == pair[0] for symbol in symbols], dtype=bool)
    right = np.array([symbol == pair[1] for symbol in symbols], dtype=bool)
    places = first_of_each(left[:-1] & right[1:])
    merged = np.empty(len(symbols), dtype=object)
    for i, symbol in enumerate(symbols):
        merged[i] = symbol
    for place in places:
        merged[place] = pair[0] + pair[1]
    return list(np.delete(merged, places + 1))


# %%
def learn_merges(words, n_merges):
    number_of = {}
    flat, weights = flatten(words, number_of), spread(words)
    symbols = list(number_of)
    merges = []
    for _ in range(n_merges):
        distinct, totals = tally(flat, weights, len(symbols) + 1)
        if distinct.size == 0:
            break
        lefts, rights = np.divmod(distinct[totals == totals.max()], len(symbols) + 1)
        left, right = max(zip(lefts, rights, strict=True), key=lambda pair: (symbols[pair[0]], symbols[pair[1]]))
        merges.append((symbols[left], symbols[right]))
        flat, places = merge_numbers(flat, left, right, len(symbols))
        weights = np.delete(weights, places + 1)
        symbols.append(symbols[left] + symbols[right])
    return merges


# %%
WHITE, WORD, OTHER = 0, 1, 2


def split_chunks(text):
    if not text:
        return []
    characters = np.array(list(text))
    word = np.array([c.isalnum() or c == "_" for c in text])
    white = np.array([c.isspace() for c in text])
    kind = np.where(white, WHITE, np.where(word, WORD, OTHER))

    # an apostrophe right after a word character closes the word
    closing = np.isin(characters, ["'", "’"])
    closing[0] = False
    closing[1:] &= word[:-1]
    kind[closing] = WORD

    starts = np.ones(len(text), dtype=bool)
    starts[1:] = (kind[1:] != kind[:-1]) | closing[:-1]
    # a single ordinary space joins what follows it
    lone = (characters == " ")[:-1] & starts[:-1] & starts[1:]
    starts[1:] &= ~lone

    borders = np.append(np.flatnonzero(starts), len(text))
    return [text[a:b] for a, b in pairwise(borders)]


# %%
SINGLE_BYTES = [bytes([value]) for value in range(256)]


def train_merges(text, n_merges):
    chunks, occurrences = np.unique(np.array([*split_chunks(text)], dtype=object), return_counts=True)
    words = {
        tuple(SINGLE_BYTES[value] for value in chunk.encode("utf-8")): int(n)
        for chunk, n in zip(chunks, occurrences, strict=True)
    }
    return learn_merges(words, n_merges)


# %%
def replay(flat, merges):
    """Merge all of a text at once: no merge crosses a border, since no token is a border."""
    number_of = {token: value for value, token in enumerate(SINGLE_BYTES)}
    for new, (left, right) in enumerate(merges, start=256):
        if left in number_of and right in number_of:
            flat, _ = merge_numbers(flat, number_of[left], number_of[right], new)
        number_of[left + right] = new
    return flat


def encode_chunk(chunk, merges):
    vocabulary = build_vocabulary(merges)
    return [vocabulary[i] for i in replay(np.frombuffer(chunk, dtype=np.uint8).astype(np.int64), merges)]


# %%
def build_vocabulary(merges, special_tokens=()):
    return [*SINGLE_BYTES, *(left + right for left, right in merges), *(token.encode() for token in special_tokens)]


# %%
def split_special(text, special_tokens):
    # the length of the longest special token that begins at each place
    longest = np.zeros(len(text), dtype=np.int64)
    for token in special_tokens:
        place = text.find(token)
        while place >= 0:
            longest[place] = max(longest[place], len(token))
            place = text.find(token, place + 1)
    parts, done = [], 0
    for place in np.flatnonzero(longest):
        if place < done:
            continue
        if place > done:
            parts.append((text[done:place], False))
        parts.append((text[place : place + longest[place]], True))
        done = place + longest[place]
    if done < len(text):
        parts.append((text[done:], False))
    return parts


# %%
def encode(text, merges, special_tokens=(), allow_special=False):
    special_tokens = list(special_tokens)
    flat = []
    for part, is_special in split_special(text, special_tokens if allow_special else []):
        if is_special:
            # a number that no merge touches
            flat.append(256 + len(merges) + special_tokens.index(part))
            continue
        for chunk in split_chunks(part):
            flat.extend([*chunk.encode("utf-8"), BORDER])
    ids = replay(np.array(flat, dtype=np.int64), merges)
    return list(ids[ids != BORDER])


# %%
def decode(ids, vocabulary):
    table = np.array(vocabulary, dtype=object)
    return b"".join(table[np.asarray(ids, dtype=np.int64)]).decode("utf-8", errors="replace")


# %%
def bytes_per_token(text, merges):
    return np.float64(len(text.encode("utf-8"))) / len(encode(text, merges)) if text else 0.0


# %%
french_merges = train_merges(FRENCH, 100)
english_merges = train_merges(ENGLISH, 100)
table = np.array(
    [[bytes_per_token(text, merges) for text in (FRENCH, ENGLISH)] for merges in ([], french_merges, english_merges)]
)
