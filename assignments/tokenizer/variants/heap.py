# %% [markdown]
# # A byte-pair tokenizer
#
# Counts are corrected, never taken again: the symbols of all words form one doubly linked list, each pair knows where
# it stands, and a heap hands out the best pair. Encoding works the same way, with the rank of a merge as priority.

# %%
import heapq
import re
from collections import defaultdict
from pathlib import Path

HUGS = {tuple("hug"): 10, tuple("pug"): 5, tuple("pun"): 12, tuple("bun"): 4, tuple("hugs"): 5}
FRENCH = Path("francais.txt").read_text(encoding="utf-8")
ENGLISH = Path("english.txt").read_text(encoding="utf-8")


# %%
class Candidate:
    """A pair and its count when it entered the heap; the smallest is the one to merge first."""

    __slots__ = ("count", "pair")

    def __init__(self, count, pair):
        self.count, self.pair = count, pair

    def __lt__(self, other):
        return (self.count, self.pair) > (other.count, other.pair)


class Chain:
    """Symbols of one or more words, linked to their neighbours; None is the end of a word."""

    def __init__(self):
        self.symbols, self.before, self.after, self.weights = [], [], [], []

    def add_word(self, symbols, weight=1):
        first = len(self.symbols)
        last = first + len(symbols) - 1
        for place, symbol in enumerate(symbols, start=first):
            self.symbols.append(symbol)
            self.before.append(place - 1 if place > first else None)
            self.after.append(place + 1 if place < last else None)
            self.weights.append(weight)

    def pair_at(self, place):
        """The pair whose left symbol stands at this place, or None."""
        if place is None or self.symbols[place] is None or self.after[place] is None:
            return None
        return self.symbols[place], self.symbols[self.after[place]]

    def join(self, place):
        """Merge the symbol at this place with the one after it, which is gone from then on."""
        gone = self.after[place]
        self.symbols[place] += self.symbols[gone]
        self.symbols[gone] = None
        self.after[place] = self.after[gone]
        if self.after[gone] is not None:
            self.before[self.after[gone]] = place


# %%
class PairIndex:
    """Where each pair of a chain stands, and how much that weighs."""

    def __init__(self, chain):
        self.chain = chain
        self.counts = defaultdict(int)
        self.places = defaultdict(set)
        for place in range(len(chain.symbols)):
            self.add(place)

    def add(self, place):
        pair = self.chain.pair_at(place)
        if pair is not None:
            self.counts[pair] += self.chain.weights[place]
            self.places[pair].add(place)
        return pair

    def remove(self, place):
        pair = self.chain.pair_at(place)
        if pair is not None:
            self.counts[pair] -= self.chain.weights[place]
            self.places[pair].discard(place)
        return pair

    def merge(self, pair):
        """Merge a pair wherever it stands; returns the pairs whose counts have changed."""
        changed = set()
        for place in sorted(self.places[pair]):
            if self.chain.pair_at(place) != pair:
                continue  # its left half was taken by the merge before
            around = (self.chain.before[place], place, self.chain.after[place])
            changed.update(self.remove(other) for other in around)
            self.chain.join(place)
            changed.update(self.add(other) for other in around[:2])
        changed.discard(None)
        return changed


def index_of(words):
    chain = Chain()
    for word, occurrences in words.items():
        chain.add_word(word, occurrences)
    return PairIndex(chain)


def count_pairs(words):
    return index_of(words).counts


# %%
def most_frequent_pair(counts):
    candidates = [Candidate(count, pair) for pair, count in counts.items()]
    heapq.heapify(candidates)
    return candidates[0].pair if candidates else None


# %%
def merge_pair(symbols, pair):
    chain = Chain()
    chain.add_word(symbols)
    PairIndex(chain).merge(tuple(pair))
    return [symbol for symbol in chain.symbols if symbol is not None]


# %%
def learn_merges(words, n_merges):
    index = index_of(words)
    candidates = [Candidate(count, pair) for pair, count in index.counts.items()]
    heapq.heapify(candidates)
    merges = []
    while candidates and len(merges) < n_merges:
        best = heapq.heappop(candidates)
        if index.counts[best.pair] != best.count:
            continue  # an entry out of date; the right one is in the heap too
        merges.append(best.pair)
        for pair in index.merge(best.pair):
            if index.counts[pair] > 0:
                heapq.heappush(candidates, Candidate(index.counts[pair], pair))
    return merges


assert learn_merges(HUGS, 100)[4:] == [("p", "ug"), ("hug", "s"), ("b", "un")]


# %%
def split_chunks(text):
    return re.findall(r"[ ]?\w+['\u2019]?|[ ]?[^\w\s]+|\s+", text)


def train_merges(text, n_merges):
    words = defaultdict(int)
    for chunk in split_chunks(text):
        words[tuple(value.to_bytes(1, "little") for value in chunk.encode("utf-8"))] += 1
    return learn_merges(words, n_merges)


# %%
def encode_chunk(chunk, merges):
    return encode_ranked(chunk, {pair: rank for rank, pair in enumerate(merges)})


def encode_ranked(chunk, ranks):
    chain = Chain()
    chain.add_word([value.to_bytes(1, "little") for value in chunk])
    todo = []

    def push(place):
        pair = chain.pair_at(place)
        if pair in ranks:
            heapq.heappush(todo, (ranks[pair], place, pair))

    for place in range(len(chunk)):
        push(place)
    while todo:
        _, place, pair = heapq.heappop(todo)
        if chain.pair_at(place) == pair:
            chain.join(place)
            push(chain.before[place])
            push(place)
    return [symbol for symbol in chain.symbols if symbol is not None]


# %%
def build_vocabulary(merges, special_tokens=()):
    vocabulary = [value.to_bytes(1, "little") for value in range(256)]
    vocabulary.extend(left + right for left, right in merges)
    vocabulary.extend(token.encode("utf-8") for token in special_tokens)
    return vocabulary


# %%
def split_special(text, special_tokens):
    # every place where a special token begins, earliest first, longest first at the same place
    begins = [
        (place, -len(token), token)
        for token in special_tokens
        for place in range(len(text))
        if text.startswith(token, place)
    ]
    heapq.heapify(begins)
    parts, done = [], 0
    while begins:
        place, _, token = heapq.heappop(begins)
        if place < done:
            continue
        parts += [(text[done:place], False), (token, True)]
        done = place + len(token)
    parts.append((text[done:], False))
    return [part for part in parts if part[0]]


# %%
def encode(text, merges, special_tokens=(), allow_special=False):
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    ids = {token: i for i, token in enumerate(build_vocabulary(merges, special_tokens))}
    out = []
    for part, is_special in split_special(text, special_tokens if allow_special else []):
        if is_special:
            out.append(ids[part.encode("utf-8")])
        else:
            for chunk in split_chunks(part):
                out += [ids[token] for token in encode_ranked(chunk.encode("utf-8"), ranks)]
    return out


# %%
def decode(ids, vocabulary):
    return b"".join([vocabulary[i] for i in ids]).decode("utf-8", errors="replace")


# %%
def bytes_per_token(text, merges):
    tokens = encode(text, merges)
    return len(text.encode("utf-8")) / len(tokens) if tokens else 0.0


# %%
french_merges = train_merges(FRENCH, 100)
english_merges = train_merges(ENGLISH, 100)
