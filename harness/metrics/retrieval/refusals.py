"""Why an answer cannot be scored, as the student reads it; each function makes one `Refused` with a stable reason.

Not covered: when it is raised (`answers`, `neighbours`).
"""

from harness.metrics.contract import Refused
from harness.metrics.retrieval.plain import Id, identifier, shown
from harness.records import Text


def not_a_ranking(query: Id, found: str) -> Refused:
    """`found` says what came instead, in words that both languages share: a type, a shape."""
    return Refused(
        "not_a_ranking",
        Text(
            f"Pour la requête {shown(query)}, la réponse n'est pas un classement : reçu {found}. Sont acceptés : une"
            " liste de paires (identifiant, score), un dictionnaire identifiant → score, deux tableaux (identifiants,"
            " scores) ou un tableau à une dimension avec un score pour chaque document, dans l'ordre de la collection."
            " Vérifiez ce que votre fonction renvoie avec `return`.",
            f"For query {shown(query)}, the answer is no ranking: got {found}. Accepted are a list of (id, score)"
            " pairs, a dict id → score, two arrays (ids, scores), or an array of one dimension with a score for each"
            " document, in the order of the collection. Check what your function returns.",
        ),
    )


def not_a_run(found: str) -> Refused:
    """All answers at once, in a form that does not say which belongs to which query."""
    return Refused(
        "not_a_run",
        Text(
            f"Il faut un classement pour chaque requête : reçu {found}. Renvoyez un dictionnaire requête → classement,"
            " ou une liste ou un tableau avec exactement une ligne pour chaque requête, dans le même ordre.",
            f"A ranking for each query is needed: got {found}. Return a dict query → ranking, or a list or an array"
            " with exactly one row for each query, in the same order.",
        ),
    )


def unknown_query(query: object) -> Refused:
    """A run that ranks documents for a query that was not asked."""
    return Refused(
        "unknown_query",
        Text(
            f"Le classement porte sur la requête {shown(query)}, qui n'a pas été posée. Reprenez les identifiants des"
            " requêtes tels quels : le nombre 1 et le texte '1' sont différents.",
            f"The run ranks documents for query {shown(query)}, which was not asked. Use the ids of the queries as they"
            " are: the number 1 and the text '1' are different.",
        ),
    )


def unknown_id(query: Id, document: object, *, known_as: Id | None) -> Refused:
    """`known_as` is the same id in the other kind, where the collection has that one."""
    fr, en = "", ""
    if known_as is not None:
        fr = f" La collection contient {shown(known_as)} : le type compte."
        en = f" The collection has {shown(known_as)}: the type matters."
    elif identifier(document) is None:
        fr = " Un identifiant est un nombre entier ou un texte."
        en = " An id is a whole number or a text."
    return Refused(
        "unknown_id",
        Text(
            f"Pour la requête {shown(query)}, le document {shown(document)} n'est pas dans la collection.{fr} Renvoyez"
            " les identifiants reçus, jamais le texte des documents.",
            f"For query {shown(query)}, document {shown(document)} is not in the collection.{en} Return the ids that"
            " you were given, never the text of the documents.",
        ),
    )


def duplicate_id(query: Id, document: object) -> Refused:
    """Gain would be counted twice."""
    return Refused(
        "duplicate_id",
        Text(
            f"Pour la requête {shown(query)}, le document {shown(document)} apparaît plus d'une fois ; son gain"
            " compterait double. Gardez une ligne par document, par exemple celle de son meilleur passage.",
            f"For query {shown(query)}, document {shown(document)} stands there more than once; its gain would count"
            " twice. Keep one row a document, such as that of its best passage.",
        ),
    )


def not_finite(query: Id, document: object, score: float) -> Refused:
    """NaN has no place in an order; what float32 cannot hold has none either."""
    return Refused(
        "not_finite",
        Text(
            f"Pour la requête {shown(query)}, le score du document {shown(document)} est {score} : il faut un nombre"
            " fini, au plus 3.4e38 en valeur absolue, car les scores sont comparés en float32. NaN vient souvent d'une"
            " division par une norme nulle ; pour écarter un document, ne le renvoyez pas.",
            f"For query {shown(query)}, the score of document {shown(document)} is {score}: a finite number is needed,"
            " at most 3.4e38 in size, as scores are compared in float32. NaN often comes from dividing by a norm of"
            " zero; to leave a document out, do not return it.",
        ),
    )


def too_many(query: Id, found: int, k: int) -> Refused:
    """More rows than were asked for."""
    return Refused(
        "too_many",
        Text(
            f"Pour la requête {shown(query)}, {found} documents ont été renvoyés alors que {k} au plus étaient"
            " demandés. Triez par score et ne gardez que les k premiers.",
            f"For query {shown(query)}, {found} documents were returned, at most {k} were asked for. Sort by score and"
            " keep the first k.",
        ),
    )
