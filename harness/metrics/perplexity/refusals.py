"""Why answers are refused, each reason under its own stable name with the sentence for the student.

Not covered: bad but honest predictions, which cost bits and nothing else.
"""

from harness.metrics.contract import Refused
from harness.records import Text

REASONS = {
    "not_numbers": Text(
        "Pour un contexte de {length} jetons, le modèle renvoie {got} : les distributions doivent être des nombres "
        "réels. Renvoyez un tableau NumPy ou un tenseur de flottants.",
        "For a context of {length} tokens, the model returns {got}: distributions must be real numbers. Return a "
        "NumPy array or a tensor of floats.",
    ),
    "wrong_shape": Text(
        "Pour un contexte de {length} jetons, le modèle renvoie la forme {got} au lieu de {expected}. Il faut un "
        "nombre par jeton du vocabulaire, pour chaque position ; vérifiez une dimension de lot restée en trop.",
        "For a context of {length} tokens, the model returns shape {got} instead of {expected}. One number per "
        "token of the vocabulary is needed at each position; look for a batch dimension left over.",
    ),
    "vocabulary_changed": Text(
        "Le modèle a d'abord donné {expected} nombres par position, puis {got}. Le vocabulaire est fixé avant que "
        "le texte soit montré ; construisez-le une fois pour toutes à l'entraînement.",
        "The model first gave {expected} numbers per position, then {got}. The vocabulary is fixed before the text "
        "is shown; build it once, in training.",
    ),
    "not_finite": Text(
        "La ligne {row}, pour un contexte de {length} jetons, contient {got}. Un seul NaN ou infini rend tout le "
        "score indéfini ; cherchez un log(0), une division par zéro, ou renvoyez des probabilités au lieu de "
        "log(0).",
        "Row {row}, for a context of {length} tokens, contains {got}. A single NaN or infinity leaves the whole "
        "score undefined; look for a log(0) or a division by zero, or return probabilities instead of log(0).",
    ),
    "positive": Text(
        "La ligne {row} contient une log-probabilité de {got}, au-dessus de 0 : cela donnerait à un jeton une "
        "probabilité supérieure à 1. Appliquez log_softmax sur la dernière dimension.",
        "Row {row} contains a log-probability of {got}, above 0: a token would have a probability above 1. Apply "
        "log_softmax over the last dimension.",
    ),
    "negative": Text(
        "La ligne {row} contient une probabilité de {got}, en dessous de 0. Appliquez softmax sur la dernière "
        "dimension.",
        "Row {row} contains a probability of {got}, below 0. Apply softmax over the last dimension.",
    ),
    "unnormalised": Text(
        "Les probabilités de la ligne {row} ont pour somme {got} au lieu de 1. Une perplexité n'a de sens que pour "
        "une distribution ; normalisez sur la dernière dimension (le vocabulaire).",
        "The probabilities of row {row} add up to {got} instead of 1. Perplexity only means something for a "
        "distribution; normalise over the last dimension (the vocabulary).",
    ),
    "lossy_tokenizer": Text(
        "Les jetons de `encode`, remis bout à bout, ne redonnent pas le texte : au lieu de {expected} on obtient "
        "{got}. Un texte appauvri est plus facile à prédire ; chaque octet doit revenir. Si un jeton n'est pas fait "
        "de caractères entiers, `decode([id])` doit renvoyer ses octets (bytes).",
        "The tokens of `encode`, put together, do not give the text back: instead of {expected} they give {got}. A "
        "poorer text is easier to predict; every byte must come back. Where a token is not made of whole "
        "characters, `decode([id])` must return its bytes.",
    ),
    "not_tokens": Text(
        "`encode` renvoie {got} : il faut une liste d'entiers de 0 à {last}, sans le jeton de début. Vérifiez que "
        "les caractères inconnus ont aussi un identifiant.",
        "`encode` returns {got}: a list of integers from 0 to {last} is needed, without the start token. Check that "
        "unknown characters have an id as well.",
    ),
    "not_pieces": Text(
        "Le vocabulaire n'est pas une liste de suites d'octets (bytes) non vides et toutes différentes : reçu {got}. "
        "Donnez, à la place de chaque identifiant, les octets qu'il représente.",
        "The vocabulary is no list of byte strings, none of them empty, all of them different: got {got}. Give, in the "
        "place of each id, the bytes that it stands for.",
    ),
    "looks_ahead": Text(
        "Le modèle regarde l'avenir : quand on remplace la suite du texte après le jeton {token}, ses prédictions "
        "d'avant changent. Il lit la réponse au lieu de la prédire ; vérifiez le masque causal (triangle supérieur "
        "à -inf, avant le softmax).",
        "The model looks ahead: when the text after token {token} is replaced, its earlier predictions change. It "
        "reads the answer instead of predicting it; check the causal mask (upper triangle at -inf, before the "
        "softmax).",
    ),
    "target_in_key": Text(
        "La prédiction qui suit le jeton {token} change avec le jeton à prédire, et elle seule : le modèle voit une "
        "position de trop. Vérifiez le décalage d'une position entre entrées et cibles, et la diagonale du masque.",
        "The prediction after token {token} changes with the very token to predict, and it alone: the model sees "
        "one position too many. Check the shift by one between inputs and targets, and the diagonal of the mask.",
    ),
    "unrepeatable": Text(
        "Deux appels avec les mêmes jetons donnent des distributions différentes, ou deux exécutions de votre notebook "
        "des modèles différents. Une mesure doit pouvoir être refaite ; appelez model.eval() pour couper le dropout, "
        "donnez une graine à chaque générateur, et n'utilisez à l'entraînement ni l'heure ni l'ordre des threads.",
        "Two calls with the same tokens give different distributions, or two runs of your notebook different models. A "
        "measurement must be repeatable; call model.eval() to switch dropout off, give every generator a seed, and "
        "use neither the time nor the order of threads in training.",
    ),
    "remembers": Text(
        "Aux {audits} positions prédites avant que leur suite soit montrée, le modèle perd bien plus qu'ailleurs "
        "({audited} bits par jeton contre {others}). Pour un modèle qui prédit vraiment, c'est un hasard de moins "
        "d'une chance sur dix millions : il se sert du texte déjà montré. Ne gardez rien d'un appel à l'autre.",
        "At the {audits} positions predicted before what follows was shown, the model loses far more than elsewhere "
        "({audited} bits per token against {others}). For a model that really predicts, chance does this less than "
        "once in ten million: it uses the text it was shown. Keep nothing from one call to the next.",
    ),
    "unauditable": Text(
        "`encode` découpe le début d'un texte autrement selon ce qui le suit : sur {audits} essais, {kept} "
        "seulement ont pu servir à vérifier que le modèle ne regarde pas l'avenir. Ne laissez pas un jeton "
        "chevaucher la fin d'un mot.",
        "`encode` cuts the beginning of a text differently depending on what follows: of {audits} trials, only "
        "{kept} could be used to check that the model does not look ahead. Let no token straddle the end of a word.",
    ),
}


def refused(reason: str, **found: object) -> Refused:
    """The exception for one of REASONS, its sentence filled in with what was found."""
    text = REASONS[reason]
    return Refused(reason, Text(text.fr.format(**found), text.en.format(**found)))
