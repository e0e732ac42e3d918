"""Texts and tokenizers that several proofs share."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent))  # tests have no packages
from tokenizer_authorities import random_texts

from reference.tokenizer import Tokenizer, train_tokenizer

SPECIAL = ("<|endoftext|>", "<s>", "[INST]", "a b", " 'll ", "👍🏽", "\n\n\n")  # none begins another


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """Ten thousand hard texts, special tokens and beginnings of them among the rest."""
    return random_texts(np.random.default_rng(5), 10_000, special=SPECIAL)


@pytest.fixture(scope="session")
def tokenizer(texts: list[str]) -> Tokenizer:
    """Trained on some of the texts, with special tokens."""
    return train_tokenizer("".join(texts[:3000]), vocabulary_size=1500, special_tokens=SPECIAL)
