"""Every kind of measurement, one line each."""

from harness.checks import Scale, check
from harness.metrics.energy import Grid, Settings
from harness.metrics.growth import Promise, keeps
from harness.metrics.perplexity import Characters
from harness.metrics.sources import MarkovSource
from harness.records import Text

ALPHABET = "abcdefgh"
DOCUMENTS = ["apples", "pears", "plums", "figs"]
QUERIES = {f"q{number}": word for number, word in enumerate(["apple", "pear", "plum", "fig"] * 3)}
QRELS = {query: {DOCUMENTS[number % 4]: 1} for number, query in enumerate(QUERIES)}
GRID = Grid(g_per_kwh=50.0, where=Text("exemple", "example"), year=2024, source="an example")


def numbers(rng):
    return int(rng.integers(90_000, 110_000)), int(rng.integers(10**6))


def bits(submission, perplexity, rng):
    source = MarkovSource.random(rng, alphabet=ALPHABET, order=1)
    submission.learn(source.sample(rng, documents=1, length=2000)[0])
    scale = Scale.between(baseline=3.0, oracle=2.6)
    perplexity(
        submission.rows,
        tokenizer=Characters(ALPHABET),
        source=source,
        kind="probabilities",
        sampled=(20, 100),
        scale=scale,
    )


@check(points=2, fr="Bits par octet", en="Bits per byte")
def test_bits(submission, perplexity, rng):
    bits(submission, perplexity, rng)


@check(points=2, fr="Bits par octet, cachés", en="Bits per byte, hidden", visibility="hidden", needs=["bits"])
def test_bits_private(submission, perplexity, rng):
    bits(submission, perplexity, rng)


@check(points=2, fr="Recherche", en="Search")
def test_search(submission, retrieval):
    retrieval(
        submission.search,
        documents=DOCUMENTS,
        queries=QUERIES,
        qrels=QRELS,
        scale=Scale.between(baseline=0.5, oracle=1.0),
    )


@check(points=2, fr="Vitesse", en="Speed")
def test_fast(submission, baseline, speed, compare):
    steps = [(Text("trois fois plus lent", "three times slower"), 1 / 3, 0.0), (Text("presque", "nearly"), 0.8, 1.0)]
    scale = Scale.of(steps, logarithmic=True)
    speed(submission.squares, baseline.squares, numbers, same=compare, scale=scale)


@check(points=2, fr="Croissance", en="Growth")
def test_linear(submission, baseline, growth, compare):
    def draw(n, rng):
        return n, int(rng.integers(10**6))

    found = growth(
        submission.squares, baseline.squares, draw, same=compare, promise=Promise("n", sizes=(100, 1_000_000))
    )
    assert keeps(found), Text("La durée croît plus vite que n.", "Time grows faster than n.")


@check(points=2, fr="Énergie", en="Energy")
def test_joules(submission, baseline, energy, compare):
    energy(submission.squares, baseline.squares, numbers, same=compare, settings=Settings(GRID))
