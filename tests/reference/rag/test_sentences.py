"""Sentences: prose put together from known sentences, nltk's Punkt with our abbreviations, and each rule by example."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer

from reference.rag import ABBREVIATIONS, sentence_spans

ENGLISH = [
    "Mr. Smith paid 3.14 dollars to Dr. No.",
    "Cats sleep, e.g. on mats.",
    "J. Verne wrote it in 1870!",
    "Is it true?",
    "See bareme.py and reference.rag for more.",
    "He stayed at home.",
]
FRENCH = [
    "M. Seguin avait 3,14 francs et J.-J. Rousseau 2.5.",
    "« Où vas-tu ? Reste ! » dit Mme. Seguin.",
    "Il répondit : « Je pars. Adieu. »",
    "Vraiment\u202f?",
    "Voyez art. 5, p. 12 et p. ex. Paris, cf. Littré.",
    "Elle hésita…",
    "Le Dr. Pr. MM. Dupont (qui dormait.) revint, av. J.-C. peut-être.[1, 2]",
    "“Stop it. Now!” cria-t-il.",
    "Non ! répondit-il.",
]


def cut(text: str, language: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text, language=language)]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("language", "known"), [("en", ENGLISH), ("fr", FRENCH)])
def test_known_sentences_come_apart_again(seed: int, language: str, known: list[str], proof) -> None:
    drawn = random.Random(seed).choices(known, k=40)
    gaps = random.Random(seed).choices([" ", "  ", "\n", "\n\n", " \n \n"], k=40)
    text = "".join(sentence + gap for sentence, gap in zip(drawn, gaps, strict=True))
    proof(sentence_spans, "prose of known sentences").equal(cut(text, language), drawn)


@pytest.mark.parametrize("seed", range(5))
def test_english_prose_equals_punkt(seed: int, proof) -> None:
    parameters = PunktParameters()
    parameters.abbrev_types = {abbreviation.lower() for abbreviation in ABBREVIATIONS["en"]}
    text = " ".join(random.Random(seed).choices([*ENGLISH[1:], "Mr. Smith paid 3.14 dollars to Dr. Jones."], k=40))
    expected = PunktSentenceTokenizer(parameters).tokenize(text)
    proof(sentence_spans, "nltk PunktSentenceTokenizer").equal(cut(text, "en"), expected)


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("fr", "", []),
        ("fr", " \n\n ", []),
        ("fr", "a", ["a"]),
        ("fr", "... Fin", ["...", "Fin"]),
        ("fr", "Titre\n\nLe texte.", ["Titre", "Le texte."]),
        ("fr", "Une ligne\nse suit. Puis", ["Une ligne\nse suit.", "Puis"]),
        ("fr", "Des vers, etc. Puis rien.", ["Des vers, etc.", "Puis rien."]),
        ("fr", "Des vers, etc. puis rien.", ["Des vers, etc. puis rien."]),
        ("fr", "5 mm. Il pleut.", ["5 mm.", "Il pleut."]),
        ("fr", "MM. Dupont et Durand.", ["MM. Dupont et Durand."]),
        ("fr", "Un art. Il dort. L'art. 5 aussi.", ["Un art.", "Il dort.", "L'art. 5 aussi."]),
        ("fr", "« Il part. Elle reste. » Puis rien.", ["« Il part. Elle reste. »", "Puis rien."]),
        ("fr", "« Il part. Elle reste.", ["« Il part.", "Elle reste."]),  # never closed
        ("fr", "« Il part. Elle\n\nreste. » Fin.", ["« Il part.", "Elle", "reste. »", "Fin."]),  # closed too late
        ("fr", "Il vit M... Puis rien.", ["Il vit M...", "Puis rien."]),
        ("fr", "Il part . Elle reste.", ["Il part .", "Elle reste."]),
        ("fr", "Ah ! — dit-il. — Oui.", ["Ah ! — dit-il.", "— Oui."]),
        ("fr", "Vrai.[1] Faux. [2, 3] Rien [4].", ["Vrai.[1]", "Faux. [2, 3]", "Rien [4]."]),
        ("fr", "Cf. Littré. M. X. Y. Zola.", ["Cf. Littré.", "M. X. Y. Zola."]),
        ("en", "So do I. He left.", ["So do I.", "He left."]),
        ("fr", "So do I. He left.", ["So do I. He left."]),
        ("en", "Oh no. Wait. See no. 5.", ["Oh no.", "Wait.", "See no. 5."]),
        ("en", 'He said "Stop." Then (later.) Bye.', ['He said "Stop."', "Then (later.)", "Bye."]),
        ("en", "It costs $3.50. 5 left.", ["It costs $3.50.", "5 left."]),
        ("en", "The U.S. Army left.", ["The U.S. Army left."]),
        ("en", "Really?! Yes.", ["Really?!", "Yes."]),
        ("en", "Mr. Smith", ["Mr. Smith"]),
        ("fr", "Mr. Smith", ["Mr.", "Smith"]),
    ],
)
def test_each_rule(language: str, text: str, expected: list[str]) -> None:
    assert cut(text, language) == expected


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.text('aA.?… \n«»")[1]-', max_size=30), st.sampled_from(["en", "fr"]))
def test_every_character_but_white_space_is_in_one_sentence(text: str, language: str) -> None:
    spans = sentence_spans(text, language=language)
    assert "".join("".join(text[start:end].split()) for start, end in spans) == "".join(text.split())
    assert all(text[start:end].strip() == text[start:end] != "" for start, end in spans)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))


@pytest.mark.parametrize("piece", [".", "«", "« ", ". ", "\n", " ", "[1", ".\u202f»", '."', "A."])
def test_long_runs_take_no_longer_than_they_should(piece: str) -> None:
    text = piece * 20_000  # minutes, if anything were quadratic
    assert len(sentence_spans(text + "a", language="fr")) <= 20_001


def test_other_languages_are_refused() -> None:
    with pytest.raises(TypeError, match="language"):
        sentence_spans("Hallo.", language="de")
