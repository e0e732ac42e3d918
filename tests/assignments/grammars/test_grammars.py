"""`FRENCH` and `ENGLISH`: sentences are well formed, probabilities are those of the rules computed by hand."""

import math
import re
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from assignments.grammars import ENGLISH, FRENCH
from harness.metrics.sources import GrammarSource, bits_per_byte

BOTH = pytest.mark.parametrize("grammar", [FRENCH, ENGLISH], ids=["french", "english"])
SENTENCES = 4000

# The gender of nouns and the initial sounds, written down a second time: what the files say is held against it.
MASCULINE = {
    "chat", "garçon", "professeur", "voisin", "chien", "boulanger", "élève", "ami", "oiseau", "livre", "gâteau",
    "cahier", "vélo", "arbre", "ordinateur", "jardin", "parc", "marché", "atelier", "champ",
}  # fmt: skip
FEMININE = {
    "fille", "voisine", "chercheuse", "souris", "boulangère", "amie", "étudiante", "hirondelle", "lettre", "pomme",
    "fenêtre", "image", "orange", "plage", "gare", "bibliothèque", "école", "rue",
}  # fmt: skip
NOUNS = MASCULINE | FEMININE
DETERMINERS = dict.fromkeys(["le", "un", "ce", "cet", "du", "au"], "ms")
DETERMINERS |= dict.fromkeys(["la", "une", "cette", "ma"], "fs") | dict.fromkeys(["les", "des", "ces", "mes"], "p")
SINGULAR = {"cat", "girl", "fox", "mouse", "owl", "artist", "book", "box", "apple", "envelope"}
PLURAL = {"cats", "girls", "foxes", "mice", "owls", "artists", "books", "boxes", "apples", "envelopes"}
NUMBERS = dict.fromkeys(["a", "an", "this"], "s")
NUMBERS |= dict.fromkeys(["these", "those", "two", "three", "many", "some"], "p")
VOWELS = "aeiouyâàéèêîôûœh"  # no h is aspirated here


@cache
def sentences(grammar: GrammarSource) -> list[str]:
    [text] = grammar.sample(np.random.default_rng(2026), documents=1, length=SENTENCES)
    return text.removesuffix("\n").split("\n")


def singular(word: str) -> str:
    return word if word == "souris" else re.sub(r"(?<=eau)x$|s$", "", word)


@BOTH
def test_the_probabilities_of_each_symbol_add_up_to_one(grammar: GrammarSource) -> None:
    for alternatives in grammar.rules.values():
        assert math.fsum(probability for probability, _ in alternatives) == pytest.approx(1, abs=1e-12)


@BOTH
def test_vocabularies_are_of_the_size_of_a_small_lesson(grammar: GrammarSource) -> None:
    assert 150 <= len({word.lower() for word in grammar.words}) <= 300


@BOTH
def test_sentences_are_spaced_and_punctuated(grammar: GrammarSource) -> None:
    for sentence in sentences(grammar):
        assert re.fullmatch(r"[A-ZÀ-Ý][\w']*,?( [a-zà-ÿœ][\w']*,?)*\.", sentence), sentence
        assert not re.search(r",\.|,[^ ]", sentence), sentence


def test_french_words_elide_before_vowels_and_only_there() -> None:
    for sentence in sentences(FRENCH):
        text = sentence.lower()
        assert not re.search(rf"\b(le|la|de|que|ce|ma|du|au) [{VOWELS}]", text), sentence
        assert not re.search(rf"'[^{VOWELS}]", text), sentence
        assert not re.search(rf"\bcet [^{VOWELS}]", text), sentence
        assert not re.search(r"\b(de|à) les?\b", text), sentence


def test_french_nouns_agree_with_what_stands_before_them() -> None:
    met = set()
    for sentence in sentences(FRENCH):
        words = re.findall(r"\w+'?", sentence.lower())
        for determiner, noun in pairwise(words):
            if determiner not in DETERMINERS or singular(noun) not in NOUNS:
                continue  # an adjective, a verb after a pronoun
            number = "p" if singular(noun) != noun else "s"
            gender = "m" if singular(noun) in MASCULINE else "f"
            assert DETERMINERS[determiner] in (gender + number, number) or noun == "souris", sentence
            met.add((gender, number))
    assert met == {("m", "s"), ("m", "p"), ("f", "s"), ("f", "p")}


def test_english_articles_fit_the_sound() -> None:
    for sentence in sentences(ENGLISH):
        assert not re.search(r"\ba [aeiou]|\ban (?!hon)[^aeiou]", sentence.lower()), sentence


def test_english_nouns_agree_with_what_stands_before_them() -> None:
    met = set()
    for sentence in sentences(ENGLISH):
        for determiner, noun in pairwise(re.findall(r"[\w']+", sentence.lower())):
            if determiner in NUMBERS and noun in SINGULAR | PLURAL:
                number = "s" if noun in SINGULAR else "p"
                assert NUMBERS[determiner] == number, sentence
                met.add((determiner, number))
    assert len(met) == len(NUMBERS)


@pytest.mark.parametrize(
    ("grammar", "right", "wrong"),
    [
        (FRENCH, "Le chat que les filles regardent dort.", "Le chat que les filles regardent dorment."),
        (FRENCH, "Elle voit des pommes vertes.", "Elle voit des pommes verts."),
        (FRENCH, "Il voit la lettre que le chat a cherchée.", "Il voit la lettre que le chat a cherché."),
        (FRENCH, "Les filles qui ont vu le chien sont arrivées.", "Les filles qui ont vu le chien sont arrivés."),
        (FRENCH, "Il faut que l'élève dorme.", "Il faut que l'élève dort."),
        (FRENCH, "Il faut qu'elle dorme.", "Il faut que elle dorme."),
        (FRENCH, "Parfois, mon amie est calme.", "Parfois, ma amie est calme."),
        (FRENCH, "La souris est heureuse.", "La souris est heureux."),
        (FRENCH, "Le chat dort près du jardin.", "Le chat dort près de le jardin."),
        (ENGLISH, "The cat that the girls follow sleeps.", "The cat that the girls follow sleep."),
        (ENGLISH, "An owl has found the old box.", "A owl has found the old box."),
        (ENGLISH, "An old cat sleeps.", "A old cat sleeps."),
        (ENGLISH, "These mice have slept.", "These mice has slept."),
        (ENGLISH, "There are two books in the garden.", "There is two books in the garden."),
        (ENGLISH, "She saw the owl's letters.", "She saw the owls's letters."),
    ],
)  # fmt: skip
def test_what_agrees_is_possible_and_what_does_not_is_not(grammar: GrammarSource, right: str, wrong: str) -> None:
    assert math.isfinite(grammar.log_probability(f"{right}\n"))
    assert grammar.log_probability(f"{wrong}\n") == -math.inf


@pytest.mark.parametrize(
    ("grammar", "sentence", "probability"),
    [
        # il faut · qu' · one of (m, f) × (s, p) · elles · an intransitive verb · the second of three
        (FRENCH, "Il faut qu'elles rient.", 0.1 * 0.3 / 4 * 1.0 * 0.15 * (1 / 2) / (1 + 1 / 2 + 1 / 3)),
        # a clause · consonant · (m, s, composé) of 12 · le N · a bare noun · the fifth of six · être · the first of two
        (
            FRENCH,
            "Le chien est arrivé.",
            0.5 * 0.7 / 12 * 0.25 * 0.6 * (1 / 5) / (1 + 1 / 2 + 1 / 3 + 1 / 4 + 1 / 5 + 1 / 6) * 0.1 * (1 / 1.5),
        ),
        # a clause · singular, past · pronoun · she · no place · the fourth of five
        (
            ENGLISH,
            "She laughed.",
            0.5 / 2 / 4 * 0.2 * (1 / 1.5) * 0.25 * (1 / 4) / (1 + 1 / 2 + 1 / 3 + 1 / 4 + 1 / 5),
        ),
        # an opening · the third of four · plural, future · they · feeling · the first of five
        (
            ENGLISH,
            "In summer, they will be happy.",
            0.15 * 0.25 / 2 / 4 * 0.2 * 0.1 / (1 + 1 / 2 + 1 / 3 + 1 / 4 + 1 / 5),
        ),
    ],
)
def test_the_probability_of_a_sentence_is_that_of_its_rules(
    grammar: GrammarSource, sentence: str, probability: float
) -> None:
    assert math.exp(grammar.log_probability(f"{sentence}\n")) == pytest.approx(probability, rel=1e-12)


def expected(grammar: GrammarSource, of_rule: dict[str, list[float]]) -> float:
    """The expected sum, over the rules used in a sentence, of what `of_rule` gives to each; solved, not drawn."""
    place = {symbol: number for number, symbol in enumerate(grammar.rules)}
    offspring, here = np.zeros((len(place), len(place))), np.zeros(len(place))
    for symbol, alternatives in grammar.rules.items():
        for (probability, parts), value in zip(alternatives, of_rule[symbol], strict=True):
            here[place[symbol]] += probability * value
            for part in parts:
                if part in place:
                    offspring[place[symbol], place[part]] += probability
    return float(np.linalg.solve(np.eye(len(place)) - offspring, here)[place[grammar.start]])


@pytest.mark.slow
@BOTH
def test_bits_per_byte_are_the_entropy_of_the_rules(grammar: GrammarSource) -> None:
    bits = {symbol: [-math.log2(p) for p, _ in options] for symbol, options in grammar.rules.items()}
    sizes = {
        symbol: [sum(len(f"{part} ".encode()) for part in parts if part not in grammar.rules) for _, parts in options]
        for symbol, options in grammar.rules.items()
    }
    of_derivations = expected(grammar, bits) / (
        expected(grammar, sizes) + 1
    )  # a space for each word but the last; ".\n"
    documents = grammar.sample(np.random.default_rng(1), documents=100, length=20)
    # nearly every sentence has one derivation, and 2000 sentences come within 2 % of the expectation
    assert bits_per_byte(grammar, documents) == pytest.approx(of_derivations, rel=0.02)
    print(f"{of_derivations:.4f} bits per byte")
