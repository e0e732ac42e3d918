"""Byte-level BPE as in GPT-2: training, encoding, decoding, special tokens, streams, files; and BPE on words.

Covers exact rules for ties, overlaps and broken text, fast twins of training and encoding, and the same step by step
(`pairs`, and `plain`, which has a shorter pre-tokenisation). Not covered: other pre-tokenisations, WordPiece and
Unigram, dropout of merges, the files of other libraries.

Letters of the costs: N bytes or characters of the input, M merges, V tokens of the vocabulary, L characters of the
longest chunk, P characters of the longest piece of a stream or pairs of symbols, S characters of the special tokens
together.
"""

from reference.tokenizer.building import tokenizer_from_merges, train_tokenizer
from reference.tokenizer.encoding import encode_chunk, encode_chunk_heap
from reference.tokenizer.incremental import train_bpe_incremental
from reference.tokenizer.pairs import count_pairs, learn_merges, merge_pair, most_frequent_pair
from reference.tokenizer.plain import (
    build_vocabulary,
    bytes_per_token,
    decode,
    encode,
    split_chunks,
    train_merges,
)
from reference.tokenizer.pretokenization import pretokenize
from reference.tokenizer.special import split_special
from reference.tokenizer.storage import load_tokenizer, save_tokenizer
from reference.tokenizer.tokenizer import Tokenizer
from reference.tokenizer.training import train_bpe
from reference.tokenizer.words import encode_word, train_word_bpe

__all__ = [
    "Tokenizer",
    "build_vocabulary",
    "bytes_per_token",
    "count_pairs",
    "decode",
    "encode",
    "encode_chunk",
    "encode_chunk_heap",
    "encode_word",
    "learn_merges",
    "load_tokenizer",
    "merge_pair",
    "most_frequent_pair",
    "pretokenize",
    "save_tokenizer",
    "split_chunks",
    "split_special",
    "tokenizer_from_merges",
    "train_bpe",
    "train_bpe_incremental",
    "train_merges",
    "train_tokenizer",
    "train_word_bpe",
]
