"""Byte-level BPE as in GPT-2: training, encoding, decoding, special tokens, streams, files; and BPE on words.

Covers exact rules for ties, overlaps and broken text, and fast twins of training and encoding. Not covered: other
pre-tokenisations, WordPiece and Unigram, dropout of merges, the files of other libraries.

Letters of the costs: N bytes or characters of the input, M merges, V tokens of the vocabulary, L characters of the
longest chunk, P characters of the longest piece of a stream, S characters of the special tokens together.
"""

from reference.tokenizer.building import tokenizer_from_merges, train_tokenizer
from reference.tokenizer.encoding import encode_chunk, encode_chunk_heap
from reference.tokenizer.incremental import train_bpe_incremental
from reference.tokenizer.pretokenization import pretokenize
from reference.tokenizer.special import split_special
from reference.tokenizer.storage import load_tokenizer, save_tokenizer
from reference.tokenizer.tokenizer import Tokenizer
from reference.tokenizer.training import train_bpe
from reference.tokenizer.words import encode_word, train_word_bpe

__all__ = [
    "Tokenizer",
    "encode_chunk",
    "encode_chunk_heap",
    "encode_word",
    "load_tokenizer",
    "pretokenize",
    "save_tokenizer",
    "split_special",
    "tokenizer_from_merges",
    "train_bpe",
    "train_bpe_incremental",
    "train_tokenizer",
    "train_word_bpe",
]
