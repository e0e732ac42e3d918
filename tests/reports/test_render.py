"""Pages as files: well-formed, offline, escaped, the same in both languages, written whole or not at all."""

import base64
import hashlib
import math
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

import reports
from harness.errors import ExitCode, InfrastructureError
from harness.records import Better, Cohort, Language, Metric, Outcome, Text
from reports.names import safe_name
from reports.render import write, write_demo_index

VOID = {"meta", "rect", "line", "circle", "path", "br", "img", "link", "input"}  # shapes close themselves
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "main", "header", "footer", "nav", "section", "article",
    "div", "p", "span", "strong", "bdi", "a", "h1", "h2", "h3", "h4", "ul", "ol", "li", "dl", "dt", "dd", "table",
    "thead", "tbody", "tr", "th", "td", "pre", "code", "details", "summary", "svg", "rect", "line", "circle",
    "path", "text", "desc",
}  # fmt: skip
LANGUAGES: tuple[Language, ...] = ("fr", "en")


class Page(HTMLParser):
    """A page's elements and attributes; fails on anything that is not well-formed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.isolated: list[tuple[str, bool]] = []  # each text, and whether its direction stays its own
        self.open: list[str] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, names)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text.append(data)
            self.isolated.append((data, bool({"bdi", "title"} & set(self.open))))

    def attributes(self, name: str) -> list[str]:
        return [attrs[name] or "" for _, attrs in self.elements if name in attrs]

    def named(self, tag: str) -> str:
        """The text of the last element `tag`."""
        return self.source.rsplit(f"</{tag}>", 1)[0].rsplit(">", 1)[1]

    def said(self) -> str:
        return " ".join(" ".join(self.text).split())


def pages(out: Path) -> dict[str, Page]:
    return {path.relative_to(out).as_posix(): Page(path) for path in sorted(out.rglob("*.html"))}


@pytest.fixture(params=LANGUAGES)
def written(request: pytest.FixtureRequest, full_cohort: Cohort, samples: SimpleNamespace, tmp_path: Path) -> Path:
    """The full cohort's pages in each language."""
    write(full_cohort, tmp_path, language=request.param, now=samples.NOW)
    return tmp_path


def test_every_submission_has_both_pages_and_the_index_links_them(written: Path, full_cohort: Cohort) -> None:
    found = pages(written)
    links = {link for link in found["index.html"].attributes("href") if not link.startswith("#")}

    assert len(links) == 2 * len(full_cohort.results)
    assert links == set(found) - {"index.html"}


def test_pages_use_known_elements_and_no_script(written: Path) -> None:
    for name, page in pages(written).items():
        assert {tag for tag, _ in page.elements} <= ALLOWED, name
        handlers = [attr for _, attrs in page.elements for attr in attrs if attr.startswith("on") or attr == "style"]
        assert handlers == [], name


def test_pages_ask_for_nothing_outside(written: Path) -> None:
    for name, page in pages(written).items():
        assert page.attributes("src") == []
        for href in page.attributes("href"):
            assert re.fullmatch(r"#[\w@.-]+|(\.\./)?(students/|instructor/)?[\w@.-]+\.html", href), (name, href)
        style = re.search(r"<style>(.*?)</style>", page.source, re.DOTALL)
        assert style
        assert "url(" not in style[1]
        assert "@import" not in style[1]


def test_the_policy_allows_this_style_sheet_and_nothing_else(written: Path) -> None:
    for page in pages(written).values():
        style = re.search(r"<style>(.*?)</style>", page.source, re.DOTALL)
        assert style
        digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
        policy = next(attrs["content"] for _, attrs in page.elements if "http-equiv" in attrs)
        assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_hostile_text_is_shown_and_never_obeyed(written: Path, samples: SimpleNamespace) -> None:
    found = pages(written)
    file = f"{safe_name(samples.HOSTILE)}.html"
    shown = "<script>alert(1)</script>\"><img src=x onerror=alert(2)> ' onmouseover='alert(3) {{ 7 * 7 }} {% raw %}"

    for name in (f"students/{file}", f"instructor/{file}"):
        assert found[name].said().count(shown) >= 5
    for page in found.values():
        assert "<script" not in page.source
        assert "<img" not in page.source
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe]", page.source)


def test_a_megabyte_of_output_is_cut_and_the_page_says_so(written: Path, samples: SimpleNamespace) -> None:
    page = written / "students" / f"{safe_name(samples.HOSTILE)}.html"

    assert page.stat().st_size < 60_000
    assert re.search(r"99\d[ ,]\d{3} (more characters are not shown|caractères de plus ne sont)", Page(page).said())


def test_structure_is_accessible(written: Path) -> None:
    for name, page in pages(written).items():
        levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
        assert levels.count(1) == 1, name
        assert levels[0] == 1, name
        assert all(after - before <= 1 for before, after in pairwise(levels)), (name, levels)
        assert all(attrs.get("scope") in {"row", "col"} for tag, attrs in page.elements if tag == "th")
        ids = page.attributes("id")
        assert len(ids) == len(set(ids)), name
        for references in page.attributes("aria-labelledby"):
            assert set(references.split()) <= set(ids), name


def test_a_name_keeps_its_direction_to_itself(written: Path) -> None:
    texts = [text for page in pages(written).values() for text in page.isolated if "ليلى" in text[0]]

    assert len(texts) >= 4
    assert [text for text in texts if not text[1]] == []


def test_outcomes_are_told_by_words_not_by_colour_alone(written: Path) -> None:
    for page in pages(written).values():
        signs = len(re.findall(r'<span class="sign ', page.source))
        heard = page.source.count('class="for-ears"')
        assert heard >= signs - 1  # the alert's own sign stands beside its sentence


def test_both_languages_have_the_same_structure(full_cohort: Cohort, samples: SimpleNamespace, tmp_path: Path) -> None:
    structures = []
    for language in LANGUAGES:
        write(full_cohort, tmp_path / language, language=language, now=samples.NOW)
        found = pages(tmp_path / language)
        structures.append(
            {name: [(tag, attrs.get("class")) for tag, attrs in page.elements] for name, page in found.items()}
        )
        assert all(page.elements[0] == ("html", {"lang": language}) for page in found.values())

    assert structures[0] == structures[1]


def test_the_same_cohort_gives_the_same_bytes(full_cohort: Cohort, samples: SimpleNamespace, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write(full_cohort, tmp_path / folder, language="fr", now=samples.NOW)
    one, two = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.html")}
        for folder in (tmp_path / "one", tmp_path / "two")
    )

    assert one == two


def test_students_see_no_secret_and_instructors_see_all(written: Path, samples: SimpleNamespace) -> None:
    students = "".join(path.read_text() for path in (written / "students").iterdir())
    instructors = "".join(path.read_text() for path in (written / "instructor").iterdir())
    everything = students + instructors + (written / "index.html").read_text()

    for secret in samples.SECRETS:
        as_html = secret.replace("'", "&#39;")
        assert as_html not in students
        assert as_html in instructors
    assert "424242424242" not in everything


def test_after_the_due_date_students_see_what_waited_for_it(samples: SimpleNamespace, tmp_path: Path) -> None:
    cohort = samples.cohort(samples.graded("a", *(Outcome.FAILED,) * 5))
    hidden, waiting, _ = (secret.replace("'", "&#39;") for secret in samples.SECRETS)
    write(cohort, tmp_path, language="fr", now=samples.NOW, after_due=True)
    page = (tmp_path / "students" / "a.html").read_text()

    assert waiting in page
    assert hidden not in page


def test_a_students_page_says_what_happened_and_what_to_do(samples: SimpleNamespace, tmp_path: Path) -> None:
    graded = samples.graded("a", Outcome.FAILED, *(Outcome.PASSED,) * 4, late_s=90_000.0, penalty=1.5, score=14.5)
    write(samples.cohort(graded), tmp_path, language="fr", now=samples.NOW)
    said = Page(tmp_path / "students" / "a.html").said()

    for sentence in (
        "14,5 / 20",
        "4 vérifications réussies sur 5",
        "Rendu en retard de 1 jour 1 h",
        "déjà comptée dans la note : 1,5 point",
        "attendu : 2 à la position (1, 1)",
        "La plus petite entrée qui montre la différence ['aa']",
        "Appelez votre fonction sur cette entrée",
    ):
        assert sentence in said


def page_of(
    samples: SimpleNamespace, out: Path, language: Language, *, instructor: bool = False, **metrics: Metric
) -> Page:
    """The page of a student with these metrics."""
    write(samples.cohort(samples.graded("a", metrics=metrics)), out, language=language, now=samples.NOW)
    return Page(out / ("instructor" if instructor else "students") / "a.html")


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        (
            "fr",
            [
                "Perplexité 2,46 bits/octet entre 2,41 et 2,51, 19 fois sur 20 plus c’est bas, mieux c’est",
                "solution : 2,2 → 4 points vous : 2,46 → 3,13 points référence : 3,1 → 1 point plancher : 8 → 0 point",
                "Jetons évalués 12 345 jetons",
                "À examiner. trop beau Une personne va regarder",
                "Rappel à 100 0,8100 sans incertitude, plus c’est haut, mieux c’est, référence 0,5",
            ],
        ),
        (
            "en",
            [
                "Perplexity 2.46 bits/byte between 2.41 and 2.51, 19 times out of 20 lower is better",
                "oracle: 2.2 → 4 points you: 2.46 → 3.13 points baseline: 3.1 → 1 point floor: 8 → 0 points",
                "Tokens scored 12,345 tokens",
                "To be looked at. too good A person will look at this value",
                "Recall@100 0.81 without uncertainty, higher is better, baseline 0.5",
            ],
        ),
    ],
)
def test_what_a_check_measured_stands_with_its_scale_and_facts(
    language: Language, sentences: list[str], samples: SimpleNamespace, tmp_path: Path
) -> None:
    metric = samples.metric(2.4613, points=3.13, quarantine=Text("trop beau", "too good"))
    recall = samples.metric(
        0.81, low=0.81, high=0.81, unit="", title=Text("Rappel à 100", "Recall@100"), better=Better.HIGHER, anchors=(),
        max_points=0.0, baseline=0.5,
    )  # fmt: skip
    page = page_of(samples, tmp_path, language, **{"bigram_counts.recall@100": recall, "bigram_counts": metric})
    said = page.said()

    for sentence in sentences:
        assert sentence.replace("0,8100", "0,81") in said
    (title, text) = (" ".join(page.named(tag).split()) for tag in ("title", "desc"))
    assert "2,46 bits/octet" in text or "2.46 bits/byte" in text
    assert "Perplexité" in title or "Perplexity" in title


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"value": math.nan, "low": math.nan, "high": math.nan}, "— it could not be measured lower is better"),
        ({"value": math.inf, "high": math.inf, "low": 3.0}, "∞ bits/byte between 3 and ∞, 19 times out of 20"),
        ({"value": 8.0, "low": 8.0, "high": 8.0}, "8 bits/byte without uncertainty"),
        ({"low": math.nan}, "2.5 bits/byte its uncertainty is not known"),
        ({"value": 99.0, "low": 98.0, "high": 100.0}, "→ 2 points The value lies beyond what is drawn. Tokens"),
        ({"anchors": ()}, "Perplexity 2.50 bits/byte between"),
        ({"max_points": 0.0}, "floor: 8 Tokens scored"),  # a scale that earns nothing names no points
    ],
)
def test_a_value_out_of_the_ordinary_is_told_plainly(
    changes: dict[str, object], sentence: str, samples: SimpleNamespace, tmp_path: Path
) -> None:
    page = page_of(samples, tmp_path, "en", bigram_counts=samples.metric(**{"value": 2.5} | changes))

    assert sentence in page.said()
    assert "nan" not in page.source


def test_a_measurement_of_the_checks_own_title_does_not_say_it_twice(samples: SimpleNamespace, tmp_path: Path) -> None:
    metric = samples.metric(2.5, title=samples.graded("a").checks[0].title)
    said = page_of(samples, tmp_path, "en", bigram_counts=metric).said()

    assert "✓ passed 4 / 4 2.50 bits/byte between" in said
    assert said.count("Count the bigrams") == 3  # in the strip of signs, above the check, on its scale for ears


def test_what_was_measured_and_earns_nothing_is_not_called_wrong(samples: SimpleNamespace, tmp_path: Path) -> None:
    message = Text("Mesuré, mais pas encore noté.", "Measured, but not marked yet.")
    metric = samples.metric(2.5, quarantine=Text("trop beau", "too good"), points=0.0)
    graded = samples.graded("a", Outcome.FAILED, *(Outcome.PASSED,) * 4, metrics={"bigram_counts": metric})
    graded = replace(
        graded, checks=(replace(graded.checks[0], message=message, counterexample=None), *graded.checks[1:])
    )
    write(samples.cohort(graded), tmp_path, language="en", now=samples.NOW)
    said = Page(tmp_path / "students" / "a.html").said()

    check = said[said.index("✗ no points") : said.index("Tokens scored")]
    assert "0 / 4 Measured, but not marked yet. Perplexity" in check
    assert said.count("too good") == 1


def test_an_instructor_reads_of_the_submission_and_sees_names(samples: SimpleNamespace, tmp_path: Path) -> None:
    page = page_of(samples, tmp_path, "en", instructor=True, bigram_counts=samples.metric(2.5))

    assert "this submission: 2.50" in page.said()
    assert "Perplexity bigram_counts 2.50" in page.said()


def test_what_a_hidden_check_measured_is_for_the_instructor(samples: SimpleNamespace, tmp_path: Path) -> None:
    metric = samples.metric(73.61, check="average_nll", title=Text("Cachée", "Concealed"), points=3.217)
    graded = samples.graded("a", metrics={"average_nll": metric})
    checks = tuple(replace(check, points=3.217 if check.id == "average_nll" else 0.0) for check in graded.checks)
    graded = replace(graded, checks=checks, score=3.217)
    write(samples.cohort(graded), tmp_path, language="en", now=samples.NOW)
    student, instructor = (Page(tmp_path / folder / "a.html") for folder in ("students", "instructor"))

    assert "73.61" in instructor.source
    assert "3.22 / 5" in instructor.said()
    for told in ("73", "Concealed", "3.217", "3.22", "decision"):
        assert told not in re.sub(r"<style>.*?</style>", "", student.source, flags=re.DOTALL)
    assert "3 / 20" in student.said()
    assert "These points are shown in tenths" in student.said()
    assert "These points are shown in tenths" not in instructor.said()


def test_metrics_from_before_they_named_their_check_are_shown_to_the_instructor(
    samples: SimpleNamespace, tmp_path: Path
) -> None:
    metric = samples.metric(2.5, check="perplexity", title=Text("perplexity", "perplexity"))
    shown = page_of(samples, tmp_path, "en", instructor=True, perplexity=metric)

    assert "perplexity perplexity 2.50 bits/byte" in shown.said()
    assert "2.50" not in Page(tmp_path / "students" / "a.html").said()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_index_tells_each_measurement_over_the_cohort(
    language: Language, samples: SimpleNamespace, tmp_path: Path
) -> None:
    values = [2.0, 2.5, 3.0, 4.0, math.nan]
    results = [samples.graded(str(i), metrics={"bigram_counts": samples.metric(v)}) for i, v in enumerate(values)]
    odd = samples.metric(0.1, quarantine=Text("trop beau", "too good"))
    results.append(samples.graded("odd", metrics={"bigram_counts": odd, "bigram_counts.more": odd}))
    page = Page(write(samples.cohort(*results), tmp_path, language=language, now=samples.NOW))

    assert {
        "fr": "Perplexité bigram_counts plus c’est bas, mieux c’est 4 2,75 bits/octet 2,38 – 3,25 2 bits/octet",
        "en": "Perplexity bigram_counts lower is better 4 2.75 bits/byte 2.38 – 3.25 2 bits/byte",
    }[language] in page.said()
    assert {
        "fr": "1 rendu sans valeur finie 1 rendu à examiner odd — trop beau",
        "en": "1 submission without a finite value 1 submission to be looked at odd — too good",
    }[language] in page.said()
    assert sum(tag == "circle" for tag, _ in page.elements) == 4
    assert "#student-odd" in page.attributes("href")


def test_no_mark_is_not_zero(samples: SimpleNamespace, tmp_path: Path) -> None:
    graded = samples.graded("a", Outcome.INFRASTRUCTURE, *(Outcome.PASSED,) * 4, score=None)
    write(samples.cohort(graded), tmp_path, language="en", now=samples.NOW)

    assert "no score" in Page(tmp_path / "students" / "a.html").said()
    assert "1 submission could not be marked" in Page(tmp_path / "index.html").said()


@pytest.mark.parametrize(("language", "sentence"), [("fr", "Aucun rendu"), ("en", "No submission")])
def test_an_empty_cohort_has_a_page(
    language: Language, sentence: str, samples: SimpleNamespace, tmp_path: Path
) -> None:
    index = write(samples.cohort(), tmp_path, language=language, now=samples.NOW)

    assert sentence in Page(index).said()


def test_writing_again_replaces_and_leaves_nothing_else(samples: SimpleNamespace, tmp_path: Path) -> None:
    cohort = samples.cohort(samples.graded("a"))
    write(cohort, tmp_path, language="fr", now=samples.NOW)
    index = write(cohort, tmp_path, language="fr", now=samples.NOW + timedelta(days=9))

    assert "30 novembre 2026" in Page(index).said()
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()) == [
        "index.html", "instructor/a.html", "students/a.html",
    ]  # fmt: skip


def test_a_page_that_cannot_be_written_names_it_and_leaves_the_old_one(
    samples: SimpleNamespace, tmp_path: Path
) -> None:
    (tmp_path / "students").write_text("a file where the folder should be")

    with pytest.raises(InfrastructureError, match=r"cannot write .*students/a\.html.*bareme report") as caught:
        write(samples.cohort(samples.graded("a")), tmp_path, language="fr", now=samples.NOW)

    assert caught.value.exit_code is ExitCode.INFRASTRUCTURE
    assert not (tmp_path / "index.html").exists()


def test_a_failed_replacement_leaves_no_temporary_file(samples: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "students" / "a.html").mkdir(parents=True)

    with pytest.raises(InfrastructureError):
        write(samples.cohort(samples.graded("a")), tmp_path, language="fr", now=samples.NOW)

    assert [path.name for path in (tmp_path / "students").iterdir()] == ["a.html"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_demonstration_opens_on_its_assignments(language: Language, samples: SimpleNamespace, tmp_path: Path) -> None:
    title = Text("Modèles <n-grammes>", "N-gram <models>")
    index = write(samples.cohort(samples.graded("a")), tmp_path / "n gram", language=language, now=samples.NOW)
    page = Page(write_demo_index([(title, index)], tmp_path, language))

    assert page.attributes("href") == ["n%20gram/index.html"]
    assert title.in_language(language) in page.said()


def test_a_demonstration_in_a_relative_folder_links_an_absolute_index(
    samples: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    index = write(samples.cohort(), tmp_path / "demo" / "ngram", language="en", now=samples.NOW)
    page = Page(write_demo_index([(Text("N", "N"), index)], Path("demo"), "en"))

    assert page.attributes("href") == ["ngram/index.html"]


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, by WCAG 2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def palettes() -> list[dict[str, str]]:
    css = (Path(reports.__file__).parent / "static" / "report.css").read_text()
    blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)[:2]
    return [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block)) for block in blocks]


@pytest.mark.parametrize("palette", palettes(), ids=["light", "dark"])
def test_every_text_stands_out_from_its_ground(palette: dict[str, str]) -> None:
    kinds = ("passed", "wrong", "error", "limit", "rule", "absent", "ours")
    pairs = [(f"{kind}-ink", f"{kind}-paper") for kind in kinds]
    pairs += [(ink, ground) for ink in ("ink", "quiet", "link", "accent", "wrong-ink") for ground in ("paper", "panel")]

    for ink, ground in pairs:
        low, high = sorted((luminance(palette[ink]), luminance(palette[ground])))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, ground)
