"""The notation of the grammars: rules with variables, and marks that stick to the word beside them.

    [variables]
    n = ["s", "p"]                          # what {n} stands for: one rule is written for singular and plural

    [rules."SUJET.{n}"]                     # a symbol begins with a capital; anything else is a word
    "DÉT.{n} NOM.{n}" = 0.75                # an alternative and its probability
    "DÉT.{n} NOM.{n} , qui VERBE.{n} ," = 0.25

    [words]
    "NOM.s" = "chat chien"                  # in order of frequency: word r has a share in proportion to 1/r

- A variable of an alternative that its symbol does not have takes each of its values with the same probability.
- `,` and `'s` stick to the word before them; what ends in an apostrophe (`l'`, `qu'`) sticks to the word after it.
- `^X` is X with a capital at its beginning: of a word, or of whatever word comes first in a symbol.

Not covered: drawing sentences and weighing them (`harness.metrics.sources`).
Source: Zipf 1949, Human Behavior and the Principle of Least Effort, for the shares of words.
"""

import tomllib
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import NamedTuple

CAPITAL = "^"
ELISION = "'"
STICKS_TO_THE_WORD_BEFORE = (",", "'s")


class Item(NamedTuple):
    """A symbol or a word of an alternative, and what sticks to its first and to its last word."""

    name: str
    before: str = ""
    after: str = ""


Alternatives = list[tuple[float, list[Item]]]
Rules = dict[str, list[tuple[float, tuple[str, ...]]]]


def read_rules(path: Path, *, start: str) -> Rules:
    """The rules of the file `path` without variables and marks, as `GrammarSource` takes them.

    Raises:
        ValueError: an alternative names a symbol that has no rule, or no sentence uses a rule.
    """
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    written = dict(_rules(document["rules"], document["variables"])) | dict(_words(document["words"]))
    made: Rules = {}
    used = {start}
    waiting = [Item(start)]
    while waiting:
        item = waiting.pop()
        if _symbol(item) not in made:
            edged = [(probability, _edged(items, item)) for probability, items in written[item.name]]
            made[_symbol(item)] = [(p, tuple(_made(part, written) for part in parts)) for p, parts in edged]
            waiting += [part for _, parts in edged for part in parts if part.name in written]
            used |= {part.name for part in waiting}
    if unused := written.keys() - used:
        raise ValueError(f"rules: no sentence uses {sorted(unused)}")
    return made


def _rules(
    rules: Mapping[str, dict[str, float]], variables: Mapping[str, list[str]]
) -> Iterator[tuple[str, Alternatives]]:
    """Each symbol with its alternatives, all variables replaced."""
    for pattern, patterns in rules.items():
        for bound in _values(pattern, variables):
            alternatives: Alternatives = []
            for alternative, probability in patterns.items():
                texts = [_filled(alternative, bound | free) for free in _values(_filled(alternative, bound), variables)]
                alternatives += [(probability / len(texts), _items(text)) for text in texts]
            yield _filled(pattern, bound), alternatives


def _words(words: Mapping[str, str]) -> Iterator[tuple[str, Alternatives]]:
    for symbol, listed in words.items():
        shares = [1 / rank for rank in range(1, len(listed.split()) + 1)]
        yield symbol, [(share / sum(shares), [Item(word)]) for share, word in zip(shares, listed.split(), strict=True)]


def _values(text: str, variables: Mapping[str, list[str]]) -> list[dict[str, str]]:
    """Every way of giving values to the variables in `text`; one way, without any, where it has none."""
    names = [name for name in variables if _place(name) in text]
    return [dict(zip(names, values, strict=True)) for values in product(*(variables[name] for name in names))]


def _filled(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(_place(name), value)
    return text


def _place(name: str) -> str:
    return f"{{{name}}}"


def _items(alternative: str) -> list[Item]:
    items: list[Item] = []
    waiting = ""
    for token in alternative.split():
        if token in STICKS_TO_THE_WORD_BEFORE:
            items[-1] = items[-1]._replace(after=items[-1].after + token)
        elif token.endswith(ELISION):
            waiting += token
        else:
            capital = CAPITAL if token.startswith(CAPITAL) else ""
            items.append(Item(token.removeprefix(CAPITAL), before=capital + waiting))
            waiting = ""
    return items


def _edged(items: list[Item], whole: Item) -> list[Item]:
    """`items` with what sticks to the `whole` that they take the place of."""
    edged = [*items]
    edged[0] = edged[0]._replace(before=whole.before + edged[0].before)
    edged[-1] = edged[-1]._replace(after=edged[-1].after + whole.after)
    return edged


def _made(item: Item, written: Mapping[str, Alternatives]) -> str:
    """What stands for `item` in a rule: a symbol of its own, or a word."""
    if item.name in written:
        return _symbol(item)
    if item.name[0].isupper():
        raise ValueError(f"rules: {item.name!r} has no rule")
    word = item.before.removeprefix(CAPITAL) + item.name + item.after
    return word[0].upper() + word[1:] if item.before.startswith(CAPITAL) else word


def _symbol(item: Item) -> str:
    return item.before + item.name + item.after
