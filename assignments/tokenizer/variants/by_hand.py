# %% [markdown]
# # A byte-pair tokenizer
#
# Nothing is left to a library: neither regular expressions nor Python's decoder. Merging picks, again and again, the
# pair learned earliest, and UTF-8 is read byte by byte.

# %%
from bisect import insort
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

HUGS = {tuple("hug"): 10, tuple("pug"): 5, tuple("pun"): 12, tuple("bun"): 4, tuple("hugs"): 5}
FRENCH = Path("francais.txt").read_text(encoding="utf-8")
ENGLISH = Path("english.txt").read_text(encoding="utf-8")


# %%
def count_pairs(words):
    # sort all places, then measure runs of equal pairs
    places = sorted(((word[i - 1], word[i]), n) for word, n in words.items() for i in range(1, len(word)))
    counts = {}
    i = 0
    while i < len(places):
        pair, total = places[i][0], 0
        while i < len(places) and places[i][0] == pair:
            total += places[i][1]
            i += 1
        counts[pair] = total
    return counts


# %%
def most_frequent_pair(counts):
    ranking = []
    for pair, count in counts.items():
        insort(ranking, (count, pair))
    return ranking.pop()[1] if ranking else None


# %%
def merge_pair(symbols, pair):
    left, right = pair
    stack = []
    fresh = False  # is the top of the stack a merge made just now?
    for symbol in symbols:
        if stack and not fresh and stack[-1] == left and symbol == right:
            stack[-1] = left + right
            fresh = True
        else:
            stack.append(symbol)
            fresh = False
    return stack


# %%
def learn_merges(words, n_merges):
    corpus = [(list(word), n) for word, n in words.items()]
    merges = []
    for _ in range(n_merges):
        counts = {}
        for symbols, n in corpus:
            for pair in pairwise(symbols):
                counts[pair] = counts.get(pair, 0) + n
        best = most_frequent_pair(counts)
        if best is None:
            break
        merges.append(best)
        corpus = [(merge_pair(symbols, best) if best[0] in symbols else symbols, n) for symbols, n in corpus]
    return merges


# %%
def split_chunks(text):
    rest = list(reversed(text))
    chunks = []

    def is_word(character):
        return character == "_" or character.isalnum()

    def take(wanted):
        taken = []
        while rest and wanted(rest[-1]):
            taken.append(rest.pop())
        return "".join(taken)

    while rest:
        space = ""
        if rest[-1] == " " and len(rest) > 1 and not rest[-2].isspace():
            space = rest.pop()
        chunk = take(is_word)
        if chunk:
            if rest and rest[-1] in {"\N{APOSTROPHE}", "\N{RIGHT SINGLE QUOTATION MARK}"}:
                chunk += rest.pop()
        else:
            chunk = take(lambda c: not is_word(c) and not c.isspace()) or take(str.isspace)
        chunks.append(space + chunk)
    return chunks


# %%
def utf8(character):
    """One character in UTF-8, by the definition."""
    code = ord(character)
    if code < 0x80:
        return bytes([code])
    if code < 0x800:
        return bytes([0xC0 | code >> 6, 0x80 | code & 0x3F])
    if code < 0x10000:
        return bytes([0xE0 | code >> 12, 0x80 | code >> 6 & 0x3F, 0x80 | code & 0x3F])
    return bytes([0xF0 | code >> 18, 0x80 | code >> 12 & 0x3F, 0x80 | code >> 6 & 0x3F, 0x80 | code & 0x3F])


def to_bytes(text):
    return b"".join(utf8(character) for character in text)


def train_merges(text, n_merges):
    words = {}
    for chunk in split_chunks(text):
        word = tuple(bytes([value]) for value in to_bytes(chunk))
        words[word] = words.get(word, 0) + 1
    return learn_merges(words, n_merges)


# %%
def encode_chunk(chunk, merges):
    rank = {pair: i for i, pair in reversed(list(enumerate(merges)))}
    return merge_by_rank([bytes([value]) for value in chunk], rank)


def merge_by_rank(tokens, rank):
    """At each step the pair learned earliest, wherever it is leftmost."""
    never = len(rank)
    while len(tokens) > 1:
        earliest, place = min((rank.get(pair, never), i) for i, pair in enumerate(pairwise(tokens)))
        if earliest == never:
            break
        tokens[place : place + 2] = [tokens[place] + tokens[place + 1]]
    return tokens


# %%
def build_vocabulary(merges, special_tokens=()):
    vocabulary = [bytes([value]) for value in range(256)]
    for left, right in merges:
        vocabulary.append(left + right)
    return vocabulary + [to_bytes(token) for token in special_tokens]


# %%
def split_special(text, special_tokens):
    by_first = {}
    for token in special_tokens:
        by_first.setdefault(token[0], []).append(token)
    parts, plain, i = [], [], 0
    while i < len(text):
        here = [token for token in by_first.get(text[i], []) if text[i : i + len(token)] == token]
        if not here:
            plain.append(text[i])
            i += 1
            continue
        if plain:
            parts.append(("".join(plain), False))
            plain = []
        parts.append((max(here, key=len), True))
        i += len(parts[-1][0])
    if plain:
        parts.append(("".join(plain), False))
    return parts


# %%
def encode(text, merges, special_tokens=(), allow_special=False):
    rank = {pair: i for i, pair in enumerate(merges)}
    # the pair that makes a token says its id
    id_of = {bytes([value]): value for value in range(256)}
    id_of.update((left + right, 256 + i) for (left, right), i in rank.items())
    ids = []
    for part, is_special in split_special(text, special_tokens if allow_special else ()):
        if is_special:
            ids.append(256 + len(merges) + list(special_tokens).index(part))
            continue
        for chunk in split_chunks(part):
            tokens = merge_by_rank([bytes([value]) for value in to_bytes(chunk)], rank)
            ids.extend(id_of[token] for token in tokens)
    return ids


# %% [markdown]
# Which bytes may follow a first byte: UTF-8 has neither surrogates, nor forms longer than needed, nor characters above
# U+10FFFF, and all three show in the second byte.


# %%
def continuations(first):
    """Allowed ranges of the bytes that follow a first byte; None if it cannot begin a character."""
    any_byte = (0x80, 0xBF)
    if first < 0x80:
        return []
    if 0xC2 <= first <= 0xDF:
        return [any_byte]
    if 0xE0 <= first <= 0xEF:
        return [{0xE0: (0xA0, 0xBF), 0xED: (0x80, 0x9F)}.get(first, any_byte), any_byte]
    if 0xF0 <= first <= 0xF4:
        return [{0xF0: (0x90, 0xBF), 0xF4: (0x80, 0x8F)}.get(first, any_byte), any_byte, any_byte]
    return None


def decode(ids, vocabulary):
    data = [value for i in ids for value in vocabulary[i]]
    characters = []
    i = 0
    while i < len(data):
        first = data[i]
        ranges = continuations(first)
        i += 1
        if ranges is None:
            characters.append("\N{REPLACEMENT CHARACTER}")
            continue
        code = first if not ranges else first & (0x3F >> len(ranges))
        for low, high in ranges:
            if i == len(data) or not low <= data[i] <= high:
                code = 0xFFFD  # cut short: the byte that does not fit is read again
                break
            code = code << 6 | data[i] & 0x3F
            i += 1
        characters.append(chr(code))
    return "".join(characters)


assert decode([226, 130, 33, 130, 255], build_vocabulary([])) == "\ufffd!\ufffd\ufffd"


# %%
def bytes_per_token(text, merges):
    if not text:
        return 0.0
    return float(Fraction(len(to_bytes(text)), len(encode(text, merges))))


# %%
french_merges = train_merges(FRENCH, 100)
english_merges = train_merges(ENGLISH, 100)
