# %% [markdown]
# # Un tokeniseur par paires d'octets
#
# Une idée : donner à chaque symbole un caractère à lui. Un mot devient une chaîne, et fusionner une paire n'est plus
# qu'un `str.replace`, qui remplace justement de gauche à droite et sans recouvrement.

# %%
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

HUGS = {tuple("hug"): 10, tuple("pug"): 5, tuple("pun"): 12, tuple("bun"): 4, tuple("hugs"): 5}
FRENCH, ENGLISH = (Path(name).read_text(encoding="utf-8") for name in ("francais.txt", "english.txt"))


# %%
def alphabet(symbols):
    """Symbole -> caractère ; les caractères sont pris dans l'ordre des symboles."""
    return {symbol: chr(i) for i, symbol in enumerate(sorted(set(symbols)))}


def count_pairs(words):
    counts = Counter()
    for word, n in words.items():
        for pair in pairwise(word):
            counts[pair] += n
    return dict(counts)


def most_frequent_pair(counts):
    # deux tris : le second ne change pas l'ordre des ex æquo
    pairs = sorted(sorted(counts), key=counts.get)
    return pairs[-1] if pairs else None


def merge_pair(symbols, pair):
    code = alphabet([*symbols, *pair])
    new = chr(len(code))
    word = "".join(code[s] for s in symbols).replace(code[pair[0]] + code[pair[1]], new)
    back = {c: s for s, c in code.items()} | {new: pair[0] + pair[1]}
    return [back[c] for c in word]


def learn_merges(words, n_merges):
    code = alphabet(s for word in words for s in word)
    table = list(code)  # table[ord(caractère)] est le symbole
    # tous les mots de même nombre d'occurrences tiennent dans une seule chaîne, séparés par un caractère à part
    border = chr(0x10FFFF)
    lines = {}
    for word, n in words.items():
        lines[n] = lines.get(n, "") + "".join(code[s] for s in word) + border
    merges = []
    while len(merges) < n_merges:
        counts = Counter()
        for n, line in lines.items():
            for two, k in Counter(map("".join, pairwise(line))).items():
                if border not in two:
                    counts[two] += n * k
        if not counts:
            break
        best = max(counts, key=lambda two: (counts[two], table[ord(two[0])], table[ord(two[1])]))
        left, right = (table[ord(c)] for c in best)
        merges.append((left, right))
        lines = {n: line.replace(best, chr(len(table))) for n, line in lines.items()}
        table.append(left + right)
    return merges


# %%
def split_chunks(text):
    return [m.group() for m in re.finditer(r"(?: ?\w+(?:'|’)?)|(?: ?(?:(?!\w)\S)+)|\s+", text)]


def train_merges(text, n_merges):
    words = Counter(chunk.encode() for chunk in split_chunks(text))
    return learn_merges({tuple(bytes([b]) for b in word): n for word, n in words.items()}, n_merges)


# %%
def replay(word, merges):
    """`word` : des caractères de numéro < 256, un par octet ; la fusion i a pour caractère chr(256 + i)."""
    code = {bytes([b]): chr(b) for b in range(256)}
    for i, (left, right) in enumerate(merges, 256):
        if left in code and right in code:
            word = word.replace(code[left] + code[right], chr(i))
        code[left + right] = chr(i)
    return word


def encode_chunk(chunk, merges):
    vocabulary = build_vocabulary(merges)
    return [vocabulary[ord(c)] for c in replay(chunk.decode("latin-1"), merges)]


def build_vocabulary(merges, special_tokens=()):
    return [
        *(bytes([b]) for b in range(256)),
        *(left + right for left, right in merges),
        *(token.encode() for token in special_tokens),
    ]


# %%
def split_special(text, special_tokens):
    if not special_tokens:
        return [(text, False)] if text else []
    either = "|".join(re.escape(token) for token in sorted(special_tokens, key=len)[::-1])
    parts, end = [], 0
    for m in re.finditer(either, text):
        parts += [(text[end : m.start()], False), (m.group(), True)]
        end = m.end()
    return [part for part in [*parts, (text[end:], False)] if part[0]]


def encode(text, merges, special_tokens=(), allow_special=False):
    # le texte entier devient une seule chaîne : ses morceaux sont séparés par un caractère qu'aucune fusion ne touche
    border = chr(0x10FFFF)
    first = 256 + len(merges)
    ids = []
    for part, special in split_special(text, special_tokens) if allow_special else [(text, False)]:
        if special:
            ids.append(first + [*special_tokens].index(part))
        else:
            line = border.join(chunk.encode().decode("latin-1") for chunk in split_chunks(part))
            ids += [ord(c) for c in replay(line, merges) if c != border]
    return ids


# %%
def decode(ids, vocabulary):
    return str(b"".join(vocabulary[i] for i in ids), "utf-8", "replace")


def bytes_per_token(text, merges):
    return len(text.encode()) / max(1, len(encode(text, merges)))


# %%
french_merges, english_merges = train_merges(FRENCH, 100), train_merges(ENGLISH, 100)
assert decode(encode(FRENCH, english_merges), build_vocabulary(english_merges)) == FRENCH
