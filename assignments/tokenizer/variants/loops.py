# %% [markdown]
# # A byte-pair tokenizer
#
# Plain loops over plain lists and dictionaries.

# %%
import time
from pathlib import Path

HUGS = {tuple("hug"): 10, tuple("pug"): 5, tuple("pun"): 12, tuple("bun"): 4, tuple("hugs"): 5}

FRENCH = Path("francais.txt").read_text(encoding="utf-8")
ENGLISH = Path("english.txt").read_text(encoding="utf-8")


# %%
def count_pairs(words):
    counts = {}
    for word, occurrences in words.items():
        for i in range(len(word) - 1):
            pair = (word[i], word[i + 1])
            if pair not in counts:
                counts[pair] = 0
            counts[pair] += occurrences
    return counts


# %%
def most_frequent_pair(counts):
    best = None
    for pair in counts:
        if best is None or counts[pair] > counts[best]:
            best = pair
        elif counts[pair] == counts[best]:
            best = max(best, pair)
    return best


# %%
def merge_pair(symbols, pair):
    merged = []
    i = 0
    while i < len(symbols):
        if i + 1 < len(symbols) and symbols[i] == pair[0] and symbols[i + 1] == pair[1]:
            merged.append(symbols[i] + symbols[i + 1])
            i += 2
        else:
            merged.append(symbols[i])
            i += 1
    return merged


# %%
def learn_merges(words, n_merges):
    merges = []
    while len(merges) < n_merges:
        pair = most_frequent_pair(count_pairs(words))
        if pair is None:
            break
        merges.append(pair)
        # a new dictionary each round: the caller's own stays as it was
        next_words = {}
        for word, occurrences in words.items():
            next_words[tuple(merge_pair(word, pair))] = occurrences
        words = next_words
    return merges


learn_merges(HUGS, 100)


# %%
def is_word_character(character):
    return character.isalnum() or character == "_"


def is_other_character(character):
    return not is_word_character(character) and not character.isspace()


def end_of_run(text, start, belongs):
    """The first place from `start` on whose character does not belong."""
    end = start
    while end < len(text) and belongs(text[end]):
        end += 1
    return end


def end_of_chunk(text, start):
    after_space = start + 1 if text[start] == " " else start
    end = end_of_run(text, after_space, is_word_character)
    if end > after_space:
        if end < len(text) and text[end] in "'’":
            end += 1
        return end
    end = end_of_run(text, after_space, is_other_character)
    if end > after_space:
        return end
    return end_of_run(text, start, str.isspace)


def split_chunks(text):
    chunks = []
    start = 0
    while start < len(text):
        end = end_of_chunk(text, start)
        chunks.append(text[start:end])
        start = end
    return chunks


split_chunks("Aujourd'hui, l’œuvre  coûte 12 € !")


# %%
def train_merges(text, n_merges):
    words = {}
    for chunk in split_chunks(text):
        word = ()
        for value in chunk.encode("utf-8"):
            word += (bytes([value]),)
        if word in words:
            words[word] += 1
        else:
            words[word] = 1
    return learn_merges(words, n_merges)


start = time.perf_counter()
french_merges = train_merges(FRENCH, 100)
duration = time.perf_counter() - start


# %%
def encode_chunk(chunk, merges):
    tokens = []
    for i in range(len(chunk)):
        tokens += [chunk[i : i + 1]]
    for pair in merges:
        tokens = merge_pair(tokens, pair)
    return tokens


# %%
def build_vocabulary(merges, special_tokens=()):
    vocabulary = []
    for value in range(256):
        vocabulary += [bytes([value])]
    for left, right in merges:
        vocabulary += [left + right]
    for token in special_tokens:
        vocabulary += [token.encode("utf-8")]
    return vocabulary


# %%
def longest_special_at(text, place, special_tokens):
    longest = ""
    for token in special_tokens:
        if text.startswith(token, place) and len(token) > len(longest):
            longest = token
    return longest


def split_special(text, special_tokens):
    parts = []
    ordinary_from = 0
    place = 0
    while place < len(text):
        token = longest_special_at(text, place, special_tokens)
        if token == "":
            place += 1
            continue
        if place > ordinary_from:
            parts.append((text[ordinary_from:place], False))
        parts.append((token, True))
        place += len(token)
        ordinary_from = place
    if ordinary_from < len(text):
        parts.append((text[ordinary_from:], False))
    return parts


# %%
def encode(text, merges, special_tokens=(), allow_special=False):
    vocabulary = build_vocabulary(merges, special_tokens)
    id_of = {}
    for i in range(len(vocabulary)):
        id_of[vocabulary[i]] = i
    parts = split_special(text, special_tokens) if allow_special else [(text, False)]
    ids = []
    for part, is_special in parts:
        if is_special:
            ids.append(id_of[part.encode("utf-8")])
            continue
        for chunk in split_chunks(part):
            for token in encode_chunk(chunk.encode("utf-8"), merges):
                ids += [id_of[token]]
    return ids


# %%
def decode(ids, vocabulary):
    data = bytearray()
    for i in ids:
        data += vocabulary[i]
    return data.decode("utf-8", errors="replace")


# %%
def bytes_per_token(text, merges):
    if text == "":
        return 0.0
    return len(text.encode("utf-8")) / len(encode(text, merges))


# %%
english_merges = train_merges(ENGLISH, 100)
sentence = "L’hiver dernier, la bibliothécaire a retrouvé un volume oublié près du poêle."
translation = "Last winter, the librarian found a forgotten volume near the stove."
table = []
for merges in ([], french_merges, english_merges):
    table += [(bytes_per_token(sentence, merges), bytes_per_token(translation, merges))]
