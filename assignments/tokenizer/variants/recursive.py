# %% [markdown]
# # A byte-pair tokenizer
#
# Each function reduces its problem to a smaller one of the same kind.

# %%
import re
import sys
from pathlib import Path

HUGS = {tuple("hug"): 10, tuple("pug"): 5, tuple("pun"): 12, tuple("bun"): 4, tuple("hugs"): 5}
FRENCH = Path("francais.txt").read_text(encoding="utf-8")
ENGLISH = Path("english.txt").read_text(encoding="utf-8")

# some functions go one call deeper for each chunk, or for each merge
sys.setrecursionlimit(100_000)


# %%
def add_counts(first, second):
    return {pair: first.get(pair, 0) + second.get(pair, 0) for pair in first.keys() | second.keys()}


def count_in_word(word, occurrences):
    """Halves of the word, and the pair that straddles them."""
    if len(word) < 2:
        return {}
    if len(word) == 2:
        return {tuple(word): occurrences}
    middle = len(word) // 2
    halves = add_counts(count_in_word(word[:middle], occurrences), count_in_word(word[middle:], occurrences))
    return add_counts(halves, {(word[middle - 1], word[middle]): occurrences})


def count_in_words(items):
    if not items:
        return {}
    if len(items) == 1:
        return count_in_word(*items[0])
    middle = len(items) // 2
    return add_counts(count_in_words(items[:middle]), count_in_words(items[middle:]))


def count_pairs(words):
    return count_in_words(list(words.items()))


# %%
def better(first, second):
    return first if first[1] > second[1] or (first[1] == second[1] and first[0] > second[0]) else second


def best(items):
    """A knock-out tournament."""
    if len(items) == 1:
        return items[0]
    middle = len(items) // 2
    return better(best(items[:middle]), best(items[middle:]))


def most_frequent_pair(counts):
    return best(list(counts.items()))[0] if counts else None


# %%
def find_pair(symbols, pair, start):
    """The first place from `start` on where the pair begins, or the end."""
    while start < len(symbols) and (symbols[start], *symbols[start + 1 : start + 2]) != tuple(pair):
        start += 1
    return start


def merge_from(symbols, pair, start):
    place = find_pair(symbols, pair, start)
    if place == len(symbols):
        return symbols[start:]
    return [*symbols[start:place], pair[0] + pair[1], *merge_from(symbols, pair, place + 2)]


def merge_pair(symbols, pair):
    return merge_from(list(symbols), pair, 0)


# %%
def learn_merges(words, n_merges):
    counts = count_pairs(words) if n_merges > 0 else {}
    if not counts:
        return []
    pair = most_frequent_pair(counts)
    rest = {tuple(merge_pair(word, pair)): occurrences for word, occurrences in words.items()}
    return [pair, *learn_merges(rest, n_merges - 1)]


# %%
CHUNK = re.compile(r"( ?\w+['’]?)|( ?[^\w\s]+)|(\s+)")


def gather_chunks(text, start):
    if start >= len(text):
        return []
    chunk = CHUNK.match(text, start)[0]
    rest = gather_chunks(text, start + len(chunk))
    rest.insert(0, chunk)
    return rest


def split_chunks(text):
    return gather_chunks(text, 0)


# %%
def bytes_of(data):
    if len(data) < 2:
        return [data] if data else []
    middle = len(data) // 2
    return bytes_of(data[:middle]) + bytes_of(data[middle:])


def train_merges(text, n_merges):
    chunks = split_chunks(text)
    return learn_merges({tuple(bytes_of(chunk.encode())): chunks.count(chunk) for chunk in set(chunks)}, n_merges)


# %%
def encode_chunk(chunk, merges):
    """The last merge, applied to what the merges before it give."""

    def after(n):
        return merge_pair(after(n - 1), merges[n - 1]) if n else bytes_of(chunk)

    return after(len(merges))


# %%
def build_vocabulary(merges, special_tokens=()):
    if special_tokens:
        return [*build_vocabulary(merges, special_tokens[:-1]), special_tokens[-1].encode()]
    if merges:
        return [*build_vocabulary(merges[:-1]), merges[-1][0] + merges[-1][1]]
    return bytes_of(bytes(range(256)))


# %%
def split_special(text, special_tokens):
    """Cut at the first special token; the rest is a smaller text."""
    found = [(text.find(token), -len(token), token) for token in special_tokens if token in text]
    if not found:
        return [(text, False)] if text else []
    place, _, token = min(found)
    before = [(text[:place], False)] if place else []
    return [*before, (token, True), *split_special(text[place + len(token) :], special_tokens)]


# %%
def encode(text, merges, special_tokens=(), allow_special=False):
    ids = {token: i for i, token in enumerate(build_vocabulary(merges, special_tokens))}
    if not allow_special:
        known = {chunk: encode_chunk(chunk.encode(), merges) for chunk in set(split_chunks(text))}
        return [ids[token] for chunk in split_chunks(text) for token in known[chunk]]
    parts = split_special(text, special_tokens)
    coded = ([ids[part.encode()]] if is_special else encode(part, merges) for part, is_special in parts)
    return [i for some in coded for i in some]


# %%
def join(pieces):
    if len(pieces) < 2:
        return pieces[0] if pieces else b""
    middle = len(pieces) // 2
    return join(pieces[:middle]) + join(pieces[middle:])


def decode(ids, vocabulary):
    return join([vocabulary[i] for i in ids]).decode(errors="replace")


# %%
def bytes_per_token(text, merges):
    return len(text.encode()) / len(encode(text, merges)) if text else 0.0


# %%
french_merges = train_merges(FRENCH, 100)
english_merges = train_merges(ENGLISH, 100)
