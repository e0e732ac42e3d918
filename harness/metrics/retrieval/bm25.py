"""The variant of BM25 that the course means, for statements. Not covered: an implementation; that is the oracle's."""

from harness.records import Text

# Written as Python writes it, so that a test can compute it.
FORMULA = "ln(1 + (N - n + 0.5) / (n + 0.5)) * f / (f + k1 * (1 - b + b * d / L))"

BM25 = Text(
    fr=f"""Le score d'un document pour une requête est la somme, sur les termes de la requête (un terme répété compte à
chaque fois), de

    {FORMULA}

où N est le nombre de documents, n le nombre de ceux qui contiennent le terme, f le nombre d'occurrences du terme dans
le document, d la longueur du document en termes et L la longueur moyenne de tous les documents, les vides compris.
k1 = 1.2 et b = 0.75, sauf indication contraire ; ln est le logarithme naturel. Un terme qu'aucun document ne contient
ajoute 0. C'est la variante de Lucene : l'idf n'est jamais négative et le facteur (k1 + 1) est omis ; les longueurs sont
exactes, sans l'arrondi de Lucene.""",
    en=f"""The score of a document for a query is the sum, over the terms of the query (a repeated term counts each
time), of

    {FORMULA}

where N is the number of documents, n how many of them contain the term, f how often the term stands in the document, d
the length of the document in terms and L the mean length of all documents, empty ones included. k1 = 1.2 and b = 0.75
unless said otherwise; ln is the natural logarithm. A term that no document contains adds 0. This is Lucene's variant:
the idf is never negative and the factor (k1 + 1) is left out; lengths are exact, without Lucene's rounding.""",
)
