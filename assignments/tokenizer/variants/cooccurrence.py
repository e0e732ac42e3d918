# %% [markdown]
# # A byte-pair tokenizer
#
# Counting pairs is a product of matrices: with a row for each place and a column for each symbol, the counts are
# $L^\top \mathrm{diag}(n)\, R$. While learning, the matrix is kept and only rows and columns of changed words move.

# %%
from itertools import pairwise
from pathlib import Path

import numpy as np

HUGS = {tuple("hug"): 10, tuple("pug"): 5, tuple("pun"): 12, tuple("bun"): 4, tuple("hugs"): 5}
FRENCH = Path("francais.txt").read_text(encoding="utf-8")
ENGLISH = Path("english.txt").read_text(encoding="utf-8")


# %%
def neighbours(words, column):
    """Columns of left and right symbols of all pairs, and how often each place counts."""
    rows = [(column[a], column[b], n) for word, n in words.items() for a, b in pairwise(word)]
    return np.array(rows, dtype=np.int64).reshape(-1, 3).T


def count_pairs(words):
    symbols = sorted({symbol for word in words for symbol in word})
    left, right, n = neighbours(words, {symbol: i for i, symbol in enumerate(symbols)})
    one_hot = np.eye(len(symbols), dtype=np.int64)
    matrix = np.einsum("p,pa,pb->ab", n, one_hot[left], one_hot[right], optimize=True)
    return {(symbols[a], symbols[b]): int(matrix[a, b]) for a, b in np.argwhere(matrix)}


# %%
def most_frequent_pair(counts):
    if not counts:
        return None
    lefts = sorted({left for left, _ in counts})
    rights = sorted({right for _, right in counts})
    matrix = np.zeros((len(lefts), len(rights)), dtype=np.int64)
    for (left, right), n in counts.items():
        matrix[lefts.index(left), rights.index(right)] = n
    # symbols are in order, so that the last of the largest entries is the greatest pair
    a, b = np.argwhere(matrix == matrix.max())[-1]
    return lefts[a], rights[b]


# %%
def merge_pair(symbols, pair):
    left, right = pair
    merged, skip = [], False
    for this, following in pairwise([*symbols, None]):
        if skip:
            skip = False
        elif this == left and following == right:
            merged.append(left + right)
            skip = True
        else:
            merged.append(this)
    return merged


# %%
def learn_merges(words, n_merges):
    symbols = sorted({symbol for word in words for symbol in word})
    column = {symbol: i for i, symbol in enumerate(symbols)}
    # a merge takes away at least one symbol of some word
    n_merges = min(n_merges, sum(len(word) for word in words))
    matrix = np.zeros((len(symbols) + n_merges,) * 2, dtype=np.int64)

    def change(some, sign):
        left, right, n = neighbours(some, column)
        np.add.at(matrix, (left, right), sign * n)

    words = dict(words)
    change(words, +1)
    merges = []
    for _ in range(n_merges):
        size = len(symbols)
        block = matrix[:size, :size]
        most = block.max(initial=0)
        if most == 0:
            break
        pair = max((symbols[a], symbols[b]) for a, b in np.argwhere(block == most))
        merges.append(pair)
        symbols.append(pair[0] + pair[1])
        column[pair[0] + pair[1]] = size
        touched = {word: n for word, n in words.items() if pair in pairwise(word)}
        replaced = {tuple(merge_pair(word, pair)): n for word, n in touched.items()}
        change(touched, -1)
        change(replaced, +1)
        words = {word: n for word, n in words.items() if word not in touched} | replaced
    return merges


# %% [markdown]
# Chunks come from a finite automaton. Its input is the kind of a character: ordinary space, other white space, word
# character, apostrophe, anything else. A state and a kind that are not in `CONTINUES` begin a new chunk.

# %%
SPACE, WHITE, WORD, APOSTROPHE, ELSE = range(5)
LONE_SPACE, BLANK, IN_WORD, CLOSED, IN_OTHER = range(5)

AFRESH = {SPACE: LONE_SPACE, WHITE: BLANK, WORD: IN_WORD, APOSTROPHE: IN_OTHER, ELSE: IN_OTHER}
CONTINUES = {
    (LONE_SPACE, SPACE): BLANK,
    (LONE_SPACE, WHITE): BLANK,
    (LONE_SPACE, WORD): IN_WORD,
    (LONE_SPACE, APOSTROPHE): IN_OTHER,
    (LONE_SPACE, ELSE): IN_OTHER,
    (BLANK, SPACE): BLANK,
    (BLANK, WHITE): BLANK,
    (IN_WORD, WORD): IN_WORD,
    (IN_WORD, APOSTROPHE): CLOSED,
    (IN_OTHER, APOSTROPHE): IN_OTHER,
    (IN_OTHER, ELSE): IN_OTHER,
}


def kind_of(character):
    if character in "'’":
        return APOSTROPHE
    if character.isalnum() or character == "_":
        return WORD
    if character.isspace():
        return SPACE if character == " " else WHITE
    return ELSE


def split_chunks(text):
    borders, state = [], None
    for i, character in enumerate(text):
        kind = kind_of(character)
        if (state, kind) in CONTINUES:
            state = CONTINUES[state, kind]
        else:
            borders.append(i)
            state = AFRESH[kind]
    return [text[a:b] for a, b in pairwise([*borders, len(text)])]


# %%
def train_merges(text, n_merges):
    words = {}
    for chunk in split_chunks(text):
        key = pieces(chunk.encode())
        words[key] = words.get(key, 0) + 1
    return learn_merges(words, n_merges)


def pieces(data):
    return tuple(data[i : i + 1] for i in range(len(data)))


# %%
def encode_chunk(chunk, merges):
    tokens = list(pieces(chunk))
    for pair in merges:
        if len(tokens) > 1:
            tokens = merge_pair(tokens, pair)
    return tokens


# %%
def build_vocabulary(merges, special_tokens=()):
    table = dict(enumerate(pieces(bytes(range(256)))))
    for left, right in merges:
        table[len(table)] = left + right
    for token in special_tokens:
        table[len(table)] = token.encode("utf-8")
    return list(table.values())


# %%
def split_special(text, special_tokens):
    """Dynamic programming from the right: where the token that begins at each place ends."""
    ends = [max((i + len(t) for t in special_tokens if text.startswith(t, i)), default=i) for i in range(len(text))]
    parts, i = [], 0
    while i < len(text):
        if ends[i] > i:
            parts.append((text[i : ends[i]], True))
            i = ends[i]
        else:
            j = i
            while j < len(text) and ends[j] == j:
                j += 1
            parts.append((text[i:j], False))
            i = j
    return parts


# %%
def encode(text, merges, special_tokens=(), allow_special=False):
    number = {token: i for i, token in enumerate(build_vocabulary(merges, special_tokens))}
    memory = {}

    def numbers(chunk):
        if chunk not in memory:
            memory[chunk] = [number[token] for token in encode_chunk(chunk.encode(), merges)]
        return memory[chunk]

    ids = []
    for part, special in split_special(text, special_tokens) if allow_special else [(text, False)]:
        if special:
            ids.append(number[part.encode()])
        else:
            ids.extend(i for chunk in split_chunks(part) for i in numbers(chunk))
    return ids


# %%
def decode(ids, vocabulary):
    return b"".join(vocabulary[i] for i in ids).decode("utf-8", errors="replace")


# %%
def bytes_per_token(text, merges):
    if not text:
        return 0.0
    # the mean length of the tokens
    vocabulary = build_vocabulary(merges)
    return np.mean([len(vocabulary[i]) for i in encode(text, merges)])


# %%
french_merges = train_merges(FRENCH, 100)
english_merges = train_merges(ENGLISH, 100)
