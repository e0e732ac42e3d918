"""French as it is printed, wherever a text is words; everything else as it was typed."""

import pytest

from harness.typography import markdown

NO_BREAK, NARROW = "\u00a0", "\u202f"


@pytest.mark.parametrize(
    ("typed", "printed"),
    [
        ("Oui : non ; quoi ? là ! 5 %", f"Oui{NO_BREAK}: non{NARROW}; quoi{NARROW}? là{NARROW}! 5{NARROW}%"),
        ("dit « oui »", f"dit «{NO_BREAK}oui{NO_BREAK}»"),
        (
            f"Oui{NARROW}: non{NO_BREAK}; quoi{NO_BREAK}? là{NO_BREAK}! 5{NO_BREAK}% «{NARROW}a{NARROW}»",
            f"Oui{NO_BREAK}: non{NARROW}; quoi{NARROW}? là{NARROW}! 5{NARROW}% «{NO_BREAK}a{NO_BREAK}»",
        ),
        ("à 12:30, quoi?", "à 12:30, quoi?"),
        ("l'oracle d'aujourd'hui", "l’oracle d’aujourd’hui"),
        ("l'**ordre**, d'_un_ et l'*autre*", "l’**ordre**, d’_un_ et l’*autre*"),
        ("l'« un », l'[aide](a.md)", f"l’«{NO_BREAK}un{NO_BREAK}», l’[aide](a.md)"),
        ("l'`un'`, d'$x'$, l'**`oracle`**", "l’`un'`, d’$x'$, l’**`oracle`**"),
        ("'un', *'deux'* et 'trois'.", "'un', *'deux'* et 'trois'."),
        ("'un'\n\n```\nl'autre\n```", "'un'\n\n```\nl'autre\n```"),
        ("« `a : b` » : `c ; d`", f"«{NO_BREAK}`a : b`{NO_BREAK}»{NO_BREAK}: `c ; d`"),
        ("``l'un ` : deux`` ; fin", f"``l'un ` : deux``{NARROW}; fin"),
        ("$f : x$ ; $$a ! \\\\ b ?$$ !", f"$f : x${NARROW}; $$a ! \\\\ b ?$${NARROW}!"),
        (
            "Voir :\n\n```python\nx = 'l'un' : y\n```\n\nFin !",
            f"Voir{NO_BREAK}:\n\n```python\nx = 'l'un' : y\n```\n\nFin{NARROW}!",
        ),
        ("[l'aide : ici](aide :l'un.md) !", f"[l’aide{NO_BREAK}: ici](aide :l'un.md){NARROW}!"),
        ("https://example.org/l'un?a=b ; fin", f"https://example.org/l'un?a=b{NARROW}; fin"),
        ("Voir ![l'image](a.png)", "Voir ![l’image](a.png)"),
        ("| a : b | c |\n| --- | :-- |\n| :---: | : - |", f"| a{NO_BREAK}: b | c |\n| --- | :-- |\n| :---: | : - |"),
        ("un <span title='a : b'>mot</span> :", f"un <span title='a : b'>mot</span>{NO_BREAK}:"),
    ],
)
def test_french_is_set_in_words_only(typed: str, printed: str) -> None:
    assert markdown(typed, "fr") == printed


def test_what_is_set_stays_as_it_is() -> None:
    printed = markdown("L'un : « deux » ; `x : y` !", "fr")
    assert markdown(printed, "fr") == printed


def test_english_is_left_alone() -> None:
    typed = "It's so : « really » ! 5 %"
    assert markdown(typed, "en") == typed
