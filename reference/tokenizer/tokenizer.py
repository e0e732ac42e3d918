"""A trained byte-level BPE tokenizer: vocabulary, merges and special tokens; text to ids and back.

Covers encoding at once and as a stream, and decoding. Not covered: training (see `building`), files (see `storage`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from reference.checked import checked
from reference.tokenizer.chunk_ids import ChunkIds
from reference.tokenizer.consistency import hold_consistent
from reference.tokenizer.parts import stream_parts, text_parts
from reference.tokenizer.pretokenization import hold_scalar_values
from reference.tokenizer.special import Finder
from reference.values import known_ids


@dataclass(frozen=True)
class Tokenizer:
    """Turns text into ids and back; every text without lone surrogates comes back as it was.

    `vocabulary` holds each token's bytes at the place of its id: the 256 single bytes, what each merge makes and the
    special tokens as UTF-8, each once, in any order. `merges` are in the order of learning, each of two tokens that are
    single bytes or made before. `special_tokens` are found before anything else, by the rule of `split_special`; one
    that is also an ordinary token shares its id.

    Raises when built: TypeError for a field that is not a tuple of what is said, ValueError for fields that do not fit
    together.

    A pair is fused where it is a merge, as in GPT-2, not where its fusion is any token, as in tiktoken; for merges that
    training has learned both are the same.

    Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners" (GPT-2), section 2.2.

    >>> byte_tokens = tuple(bytes([value]) for value in range(256))
    >>> tokenizer = Tokenizer((*byte_tokens, b"ug", b"<s>"), ((b"u", b"g"),), ("<s>",))
    >>> tokenizer.encode("<s>hug")
    [257, 104, 256]
    """

    vocabulary: tuple[bytes, ...]
    merges: tuple[tuple[bytes, bytes], ...] = ()
    special_tokens: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        hold_consistent(self.vocabulary, self.merges, self.special_tokens)

    @checked
    def encode(self, text: str) -> list[int]:
        """Ids of a text: special tokens are cut out, the rest is cut into chunks, merges are applied to each chunk.

        An empty text has no ids. A chunk ends where a special token begins, so white space before one stays whole.

        Args:
            text: any text without lone surrogates.
        Returns:
            One id a token, in order.
        Raises:
            ValueError: the text has a lone surrogate, which no UTF-8 spells.

        Cost: O(N log L) time for N characters, L of them in the longest chunk.

        >>> from reference.tokenizer import tokenizer_from_merges
        >>> tokenizer_from_merges([(b"u", b"g"), (b"h", b"ug")]).encode("hug gum")
        [257, 32, 103, 117, 109]
        """
        hold_scalar_values("text", text)
        return list(chain.from_iterable(self._ids_of(text_parts(text, self._finder))))

    @checked
    def encode_stream(self, pieces: Iterable[str]) -> Iterator[int]:
        """Ids of a text that comes in pieces, the same as `encode` gives for the joined pieces.

        Ids wait while a special token may still be completed, or a chunk may still grow; what waits is looked at again
        when at least as many characters have come in addition. Pieces may be empty and may end anywhere.

        Args:
            pieces: read as they are needed; each without lone surrogates.
        Returns:
            Ids, in order; reading them raises what is said below.
        Raises:
            TypeError: a piece is not a text.
            ValueError: a piece has a lone surrogate; ids of what came before may have been given.

        Cost: O(N log L) time for N characters, L of them in the longest chunk; O(P + L) memory for a longest piece of P
        characters, however many pieces come.

        >>> from reference.tokenizer import tokenizer_from_merges
        >>> list(tokenizer_from_merges([(b"u", b"g"), (b"h", b"ug")]).encode_stream(["hu", "g g", "um"]))
        [257, 32, 103, 117, 109]
        """
        return chain.from_iterable(self._ids_of(stream_parts(pieces, self._finder)))

    @checked
    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        """Bytes of a sequence of ids, exactly.

        Args:
            ids: any ids of the vocabulary; no ids give no bytes.
        Raises:
            ValueError: an id is negative, or not in the vocabulary.

        Cost: O(N) for N bytes.

        >>> from reference.tokenizer import tokenizer_from_merges
        >>> tokenizer_from_merges([]).decode_bytes([226, 130])
        b'\\xe2\\x82'
        """
        known_ids("ids", ids, n_tokens=len(self.vocabulary))
        return b"".join(self.vocabulary[one] for one in ids)

    @checked
    def decode(self, ids: Sequence[int]) -> str:
        """Text of a sequence of ids, special tokens included.

        Bytes that are no UTF-8 become U+FFFD: one for each longest beginning of a character, or single byte, that
        cannot be continued. So a character cut short is one U+FFFD.

        Args:
            ids: any ids of the vocabulary; no ids give an empty text.
        Raises:
            ValueError: an id is negative, or not in the vocabulary.

        Cost: O(N) for N bytes.

        >>> from reference.tokenizer import tokenizer_from_merges
        >>> tokenizer_from_merges([]).decode([226, 130, 172, 226, 130, 33, 255])      # the euro sign, whole and cut
        '€�!�'
        """
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def _ids_of(self, parts: Iterable[tuple[str, bool]]) -> Iterator[list[int]]:
        """The ids of one part after another, as the parts come."""
        chunk_ids = ChunkIds(self._ranks, self._ids)
        return ([self._ids[part.encode()]] if special else chunk_ids(part) for part, special in parts)

    @cached_property
    def _finder(self) -> Finder:
        return Finder(self.special_tokens)

    @cached_property
    def _ids(self) -> dict[bytes, int]:
        return {token: one for one, token in enumerate(self.vocabulary)}

    @cached_property
    def _ranks(self) -> dict[tuple[bytes, bytes], int]:
        return {pair: rank for rank, pair in enumerate(self.merges)}
