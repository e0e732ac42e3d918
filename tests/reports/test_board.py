"""The leaderboard's page: what it says in both languages, offline, escaped, and readable without eyes or a mouse."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from harness.errors import InfrastructureError
from harness.leaderboard import Leaderboard, Section
from harness.leaderboard.records import Aside, Board, Entry, Front, Measure, Point, Reason, Split
from harness.records import Better, Language, Text
from reports import render
from reports.board import board_page, write_board

NOW = datetime(2026, 11, 21, 14, 5, tzinfo=UTC)
LANGUAGES: tuple[Language, ...] = ("fr", "en")
VOID = {"meta", "line", "circle", "polygon", "polyline"}
ALLOWED = VOID | {
    "html", "head", "title", "style", "body", "main", "header", "footer", "section", "article", "p", "span", "strong",
    "bdi", "h1", "h2", "h3", "h4", "ul", "li", "div", "table", "thead", "tbody", "tr", "th", "td", "svg", "text",
}  # fmt: skip
HOSTILE = (
    "<script>alert(1)</script>\"><img src=x onerror=alert(2)> ' onmouseover='x {{ 7 * 7 }} --></style></svg>"
    "\x1b[31mred\x00\u202egnp\u2066\ud800"
)
BITS = Measure("bits", Text("Bits par octet", "Bits per byte"), "bits/byte", Better.LOWER, 0.01)
ENERGY = Measure("energy", Text("Énergie", "Energy"), "J", Better.LOWER, None)


class Page(HTMLParser):
    """Elements, attributes and text of a page; fails on what is not well-formed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text.append(data)

    def said(self) -> str:
        return " ".join(" ".join(self.text).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]


def entry(name: str, value: float, rank: int, *, shared: bool = False) -> Entry:
    return Entry(name, f"student of {name}", rank, shared, value, value - 0.02, value + 0.02, notebooks=3, runs=2)


def a_board(n: int, *, asides: tuple[Aside, ...] = (), names: tuple[str, ...] = ()) -> Board:
    entries = tuple(
        entry(name, 2.0 + 0.05 * i, i + 1, shared=i == 1)
        for i, name in enumerate((*names, *map("Vega {}".format, range(n))))
    )
    return Board(Text("Texte frais", "Fresh text"), BITS, Split.PUBLIC, 3.0, 1.9, entries, asides)


def a_front(n: int) -> Front:
    points = [Point(f"Mira {i}", f"s{i}", 2.0 + i / 10, 9.0 / (1 + i), i > 2, 3.25) for i in range(n)]
    return Front(Text("Qualité et énergie", "Quality and energy"), BITS, ENERGY, tuple(points))


def of(*boards: Board, fronts: tuple[Front, ...] = (), final: bool = False, withheld: int = 0) -> Leaderboard:
    section = Section("ngram", Text("Modèles n-grammes", "N-gram models"), bool(withheld), withheld, boards, fronts)
    return Leaderboard("llm", final, (section,))


@pytest.fixture
def written(tmp_path: Path) -> Page:
    """A page with everything on it, in French."""
    asides = tuple(Aside(f"Algol {reason}", "who", reason) for reason in Reason)
    board = of(a_board(25, asides=asides), fronts=(a_front(8),), withheld=2)
    return Page(write_board(board.anonymous(), tmp_path / "leaderboard.html", language="fr", now=NOW))


def test_it_says_rank_value_interval_terms_and_counts(written: Page) -> None:
    said = written.said().replace("\u00a0", " ").replace("\u202f", " ")
    for words in (
        "En bits/octet plus c’est bas, mieux c’est données publiques ; les données cachées décideront pas : 0,01",
        "référence : 3,00 solution : 1,90",
        "1 Vega 0 2,00 1,98 – 2,02 3",
        "ex æquo 2 Vega 1 2,05 2,03 – 2,07 3",
        "1 Mira 0 2,00 9,000 3,250 sur le front",
        "— Mira 3 2,30 2,250 3,250 dominé",
        "2 classements ne sont pas encore montrés",
    ):
        assert words in said


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_has_words(reason: Reason, language: Language, tmp_path: Path) -> None:
    page = Page(
        write_board(
            of(a_board(1, asides=(Aside("Algol", None, reason),))), tmp_path / "b.html", language=language, now=NOW
        )
    )
    rows = re.findall(
        r"<th scope=\"row\"><bdi>Algol</bdi></th>\s*(?:<td.*?</td>\s*)?<td>(.+?)</td>\s*<td>(.+?)</td>", page.source
    )
    assert len(rows) == 1
    assert ("corrigé de nouveau" in rows[0][1] or "marked again" in rows[0][1]) is (reason is Reason.INFRASTRUCTURE)


def test_it_is_one_page_without_script_that_asks_for_nothing(written: Page) -> None:
    assert {tag for tag, _ in written.elements} <= ALLOWED
    attributes = {name for _, attrs in written.elements for name in attrs}
    assert not attributes & {"src", "href", "style", "xlink:href"}
    assert not [name for name in attributes if name.startswith("on")]
    policy = next(attrs["content"] for attrs in written.all("meta") if "http-equiv" in attrs)
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[\w+/=]+'; base-uri 'none'; form-action 'none'", policy or ""
    )


def test_structure_is_accessible(written: Page) -> None:
    levels = [int(tag[1]) for tag, _ in written.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all(attrs.get("scope") in {"row", "col"} for attrs in written.all("th"))
    ids = [attrs["id"] for _, attrs in written.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    labels = [attrs["aria-labelledby"] for _, attrs in written.elements if "aria-labelledby" in attrs]
    assert set(labels) <= set(ids)
    assert all(attrs.get("aria-hidden") == "true" or attrs.get("role") == "img" for attrs in written.all("svg"))


def test_figures_have_their_numbers_in_words(written: Page) -> None:
    """A row's figure repeats the columns beside it; the front's says its points, and its table all of them."""
    title = re.search(r"<title id=\"front-1-1-text\">(.*?)</title>", written.source, re.DOTALL)
    assert title
    said = title[1].replace("\u00a0", " ")
    assert "Bits par octet selon Énergie" in said
    assert "1. Mira 0 : 2,00 pour 9,000." in said
    assert "Mira 3" not in said
    assert len(written.all("polyline")) == 1
    dots = [attrs["class"] for attrs in written.all("circle")]
    assert (dots.count("behind"), dots.count("dot")) == (5, 3 + 25)


def test_lines_of_baseline_and_oracle_run_through_every_row(written: Page) -> None:
    lines = [attrs["class"] for attrs in written.all("line")]
    assert (lines.count("baseline"), lines.count("oracle"), lines.count("whisker")) == (25, 25, 25)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("names", [False, True])
def test_only_the_instructors_page_has_names(names: bool, language: Language, tmp_path: Path) -> None:
    full = of(a_board(3, asides=(Aside("Algol", "student of Algol", Reason.POLICY),)), fronts=(a_front(2),))
    page = Page(write_board(full if names else full.anonymous(), tmp_path / "b.html", language=language, now=NOW))
    assert page.said().count("student of") == (4 if names else 0)
    assert ("Not for publishing" in page.said() or "À ne pas publier" in page.said()) is names


@pytest.mark.parametrize("language", LANGUAGES)
def test_hostile_names_are_shown_and_never_obeyed(language: Language, tmp_path: Path) -> None:
    """Pseudonyms like these are refused before; names, titles and units come from elsewhere."""
    hostile = Text(HOSTILE, HOSTILE)
    board = a_board(0, names=(HOSTILE, "x" * 500), asides=(Aside(HOSTILE, HOSTILE, Reason.REFUSED),))
    board = replace(board, title=hostile, measure=replace(BITS, unit=HOSTILE, title=hostile))
    point = Point(HOSTILE, HOSTILE, 2.0, 3.0, dominated=False, cost_per_point=None)
    front = replace(a_front(1), title=hostile, quality=replace(BITS, title=hostile, unit=HOSTILE), points=(point,))
    page = Page(write_board(of(board, fronts=(front,)), tmp_path / "b.html", language=language, now=NOW))
    assert {tag for tag, _ in page.elements} <= ALLOWED
    assert page.said().count("<script>alert(1)</script>") >= 9
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page.source)
    assert "x" * 80 in page.said()
    assert "x" * 81 not in page.said()


def test_both_languages_have_the_same_structure(tmp_path: Path) -> None:
    asides = tuple(Aside(f"Algol {reason}", None, reason) for reason in Reason)
    board = of(
        a_board(4, asides=asides),
        replace(a_board(0), measure=replace(BITS, better=None, unit="")),
        fronts=(a_front(3),),
    )
    pages = [
        Page(write_board(board, tmp_path / f"{language}.html", language=language, now=NOW)) for language in LANGUAGES
    ]
    shapes = [[(tag, attrs.get("class")) for tag, attrs in page.elements] for page in pages]
    assert shapes[0] == shapes[1]
    assert [page.elements[0] for page in pages] == [("html", {"lang": "fr"}), ("html", {"lang": "en"})]


@pytest.mark.parametrize("n", [0, 1, 3, 200])
@pytest.mark.parametrize("language", LANGUAGES)
def test_boards_of_any_size(n: int, language: Language, tmp_path: Path) -> None:
    path = write_board(of(a_board(n), fronts=(a_front(n),)), tmp_path / "b.html", language=language, now=NOW)
    page = Page(path)
    assert len(re.findall(r'class="numeric rank"', page.source)) == n
    assert ("Nobody has been measured yet" in page.said() or "Personne n’a encore été mesuré" in page.said()) is (
        n == 0
    )
    sheet = Path(render.__file__).parent / "static" / render.STYLE_SHEET  # which all pages share, and hold
    assert path.stat().st_size < sheet.stat().st_size + 6_200 + 1_500 * n


@pytest.mark.parametrize("final", [False, True])
def test_it_says_which_standing_it_is(final: bool, tmp_path: Path) -> None:
    page = Page(write_board(of(a_board(2), final=final), tmp_path / "b.html", language="en", now=NOW))
    assert ("provisional" in page.said()) is not final
    assert ("The standing that counts" in page.said()) is final


@pytest.mark.parametrize(
    ("step", "decimals"), [(0.01, 2), (0.25, 2), (1.0, 0), (5.0, 0), (0.1, 1), (1e-05, 5), (1e-30, 9), (None, 3)]
)
def test_numbers_have_the_decimals_that_the_step_or_the_interval_warrants(step: float | None, decimals: int) -> None:
    board = replace(a_board(3), measure=replace(BITS, step=step))
    assert board_page(of(board)).sections[0].boards[0].decimals == decimals


def test_a_page_that_cannot_be_written_names_it(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(InfrastructureError, match=r"cannot write .*leaderboard\.html"):
        write_board(of(a_board(1)), tmp_path / "folder" / "leaderboard.html", language="fr", now=NOW)
