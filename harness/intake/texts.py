"""Every sentence that intake says about a notebook, by its stable code, in French and English.

Not covered: where a remark applies and when it is made; that is decided by the module that asks for it.
"""

from collections.abc import Mapping

from harness.errors import UnreadableSubmission
from harness.records import Language, Notice, Text

SHOWN = 120  # characters of a student's own text quoted in a sentence

# why a file cannot be taken; first sentence: what is wrong, second: what to do
UNREADABLE = {
    "no-notebook": Text(
        "Cet envoi ne contient pas de notebook. Déposez un seul fichier .ipynb ou .py, non compressé.",
        "This submission holds no notebook. Hand in one .ipynb or .py file, not compressed.",
    ),
    "too-large": Text(
        "Ce fichier dépasse {limit} Mio. Effacez les sorties (« Clear all outputs ») et enregistrez de nouveau.",
        "This file is larger than {limit} MiB. Clear all outputs and save it again.",
    ),
    "link": Text(
        "Ce fichier est un lien, pas un fichier. Déposez le fichier lui-même.",
        "This file is a link, not a file. Hand in the file itself.",
    ),
    "not-a-file": Text(
        "Ce fichier n'est pas un fichier ordinaire. Déposez le notebook lui-même.",
        "This file is not a regular file. Hand in the notebook itself.",
    ),
    "unsafe-name": Text(
        "Ce fichier sort du dossier de l'archive. Refaites l'archive avec des noms ordinaires.",
        "This file points outside its archive. Make the archive again with ordinary names.",
    ),
    "duplicate-name": Text(
        "Ce fichier figure deux fois dans l'archive. Refaites l'archive avec un seul exemplaire.",
        "This file is in the archive twice. Make the archive again with one copy.",
    ),
    "encrypted": Text(
        "Ce fichier est protégé par un mot de passe. Refaites l'archive sans mot de passe.",
        "This file is protected by a password. Make the archive again without one.",
    ),
    "bomb": Text(
        "Ce fichier se décompresse en un contenu démesuré. Refaites l'archive à partir des fichiers d'origine.",
        "This file expands out of all proportion. Make the archive again from the original files.",
    ),
    "damaged-archive": Text(
        "Ce fichier est endommagé dans l'archive. Refaites l'archive et déposez-la de nouveau.",
        "This file is damaged inside the archive. Make the archive again and hand it in anew.",
    ),
    "empty-file": Text(
        "Ce fichier est vide. Enregistrez le notebook et déposez-le de nouveau.",
        "This file is empty. Save the notebook and hand it in again.",
    ),
    "not-text": Text(
        "Ce fichier n'est pas un texte en UTF-8. Enregistrez le notebook depuis Jupyter et déposez-le de nouveau.",
        "This file is not UTF-8 text. Save the notebook from Jupyter and hand it in again.",
    ),
    "merge-conflict": Text(
        "Ce fichier contient un conflit git non résolu. Résolvez-le, ouvrez le notebook pour "
        "vérifier, puis déposez-le.",
        "This file holds an unresolved git conflict. Resolve it, open the notebook to make sure, then hand it in.",
    ),
    "not-json": Text(
        "Ce fichier n'est pas un notebook : ce n'est pas du JSON complet. "
        "Téléchargez-le au format .ipynb et déposez-le de nouveau.",
        "This file is not a notebook: it is not complete JSON. Download it as .ipynb and hand it in again.",
    ),
    "too-nested": Text(
        "Ce fichier est imbriqué trop profondément pour un notebook. Enregistrez-le depuis Jupyter "
        "et déposez-le de nouveau.",
        "This file is nested too deeply for a notebook. Save it from Jupyter and hand it in again.",
    ),
    "not-a-notebook": Text(
        "Ce fichier est du JSON, mais pas un notebook : il n'a pas de liste de cellules. Déposez le notebook lui-même.",
        "This file is JSON but not a notebook: it has no list of cells. Hand in the notebook itself.",
    ),
    "version": Text(
        "Ce fichier est au format de notebook {version} ; les formats 3 et 4 sont lus. Enregistrez-le au format 4.",
        "This file is in notebook format {version}; formats 3 and 4 are read. Save it in format 4.",
    ),
    "encoding-cookie": Text(
        "Ce fichier ne se lit pas avec l'encodage qu'il annonce. Enregistrez-le en UTF-8.",
        "This file cannot be read in the encoding that it declares. Save it as UTF-8.",
    ),
}

# repairs: something was wrong with the file, the notebook is marked nevertheless
REPAIRS = {
    "duplicate-keys": Text(
        "Le fichier contient plusieurs fois la même clé ; la dernière valeur compte.",
        "The file holds the same key more than once; the last value counts.",
    ),
    "no-version": Text(
        "Le format du notebook n'est pas indiqué correctement ; il est lu comme un format {version}.",
        "The notebook's format is not stated properly; it is read as format {version}.",
    ),
    "no-kernelspec": Text(
        "Le notebook n'indique pas de noyau ; Python 3 est utilisé.",
        "The notebook names no kernel; Python 3 is used.",
    ),
    "not-python": Text(
        "Le notebook est prévu pour le langage {language} ; ses cellules sont exécutées en Python.",
        "The notebook is meant for the language {language}; its cells are run as Python.",
    ),
    "cell-ids": Text(
        "Des identifiants de cellules manquent ou se répètent ; ils ont été remplacés.",
        "Cell identifiers are missing or repeated; they were replaced.",
    ),
    "damaged-cell": Text(
        "Cette cellule est endommagée ; ce qui ne pouvait être lu est laissé de côté.",
        "This cell is damaged; what could not be read is left out.",
    ),
    "bad-characters": Text(
        "Cette cellule contient des caractères qui n'existent pas en Unicode ; ils ont été remplacés.",
        "This cell holds characters that do not exist in Unicode; they were replaced.",
    ),
}

# files beside the notebook that do not come along
EXTRAS = {
    "extra-left-out": Text(
        "Le fichier {name} n'est pas copié à côté du notebook. {reason}",
        "The file {name} is not copied beside the notebook. {reason}",
    ),
    "extra-name": Text(
        "Le fichier {name} n'est pas copié à côté du notebook : son nom n'est pas utilisable partout.",
        "The file {name} is not copied beside the notebook: its name cannot be used everywhere.",
    ),
    "extra-collides": Text(
        "Le fichier {name} n'est pas copié à côté du notebook : un autre fichier a le même nom, "
        "aux majuscules ou aux accents près.",
        "The file {name} is not copied beside the notebook: another file has the same name, "
        "but for case or the form of its accents.",
    ),
    "extra-shadows": Text(
        "Le fichier {name} n'est pas copié à côté du notebook : il prendrait la place du module {module}. Renommez-le.",
        "The file {name} is not copied beside the notebook: it would stand in for the module {module}. Rename it.",
    ),
    "extra-too-many": Text(
        "{count} fichiers ne sont pas copiés à côté du notebook : au plus {limit} fichiers l'accompagnent.",
        "{count} files are not copied beside the notebook: at most {limit} files come along.",
    ),
    "extra-too-large": Text(
        "Le fichier {name} n'est pas copié à côté du notebook : les fichiers joints dépassent {limit} Mio en tout.",
        "The file {name} is not copied beside the notebook: the files beside it exceed {limit} MiB in total.",
    ),
}

# what real notebooks contain, and what becomes of it here
REMARKS = {
    "no-code": Text(
        "Le notebook ne contient aucune cellule de code ; il n'y a rien à exécuter.",
        "The notebook holds no code cell; there is nothing to run.",
    ),
    "syntax-error": Text(
        "Erreur de syntaxe : {reason}. Cette cellule ne s'exécutera pas ; les autres, si.",
        "Syntax error: {reason}. This cell will not run; the others will.",
    ),
    "not-analysed": Text(
        "Cette cellule est trop longue ou trop imbriquée pour être lue d'avance ; les règles y sont "
        "tenues à l'exécution.",
        "This cell is too long or too deeply nested to be read ahead; the rules are held while it runs.",
    ),
    "module-not-analysed": Text(
        "Le module {name} est trop long ou trop imbriqué pour être lu d'avance ; "
        "les règles y sont tenues à l'exécution.",
        "The module {name} is too long or too deeply nested to be read ahead; the rules are held while it runs.",
    ),
    "google-colab": Text(
        "Google Colab n'est pas disponible ici et aucun Drive n'est monté ; lisez les fichiers "
        "placés à côté du notebook.",
        "Google Colab is not available here and no Drive is mounted; read the files beside the notebook.",
    ),
    "pip-install": Text(
        "Rien n'est installé pendant la correction ; seuls les paquets de l'énoncé sont disponibles.",
        "Nothing is installed while marking; only the packages of the assignment are available.",
    ),
    "input": Text(
        "input() attend un clavier, et il n'y en a pas ici : cet appel échouera.",
        "input() waits for a keyboard, and there is none here: this call will fail.",
    ),
    "absolute-path": Text(
        "Le chemin {path} n'existe que sur votre machine ; lisez le fichier placé à côté du "
        "notebook, par son seul nom.",
        "The path {path} exists on your machine only; read the file beside the notebook, by its name alone.",
    ),
    "package-unavailable": Text(
        "Le module {module} n'est pas disponible pour ce devoir ; cet import échouera.",
        "The module {module} is not available in this assignment; this import will fail.",
    ),
    "defined-twice": Text(
        "{entry_point} est défini plusieurs fois ; c'est cette dernière définition qui compte.",
        "{entry_point} is defined more than once; this last definition is the one that counts.",
    ),
}

POLICY = {
    "forbidden-name": Text(
        "{forbidden} est interdit dans ce devoir : c'est à vous de l'écrire, ou de vous en passer.",
        "{forbidden} is not allowed in this assignment: write it yourself, or do without it.",
    ),
    "forbidden-name-in-module": Text(
        "{forbidden} est interdit dans ce devoir, et {name} l'utilise à la ligne {at}.",
        "{forbidden} is not allowed in this assignment, and {name} uses it in line {at}.",
    ),
}

TEXTS = UNREADABLE | REPAIRS | EXTRAS | REMARKS | POLICY


def shown(text: str) -> str:
    """`text` as it may stand in a sentence: printable, one line, capped."""
    printable = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text[: SHOWN + 1])
    return printable if len(printable) <= SHOWN else printable[: SHOWN - 1] + "…"


def notice(code: str, *, cell: int | None = None, line: int | None = None, **values: object) -> Notice:
    """The remark `code` with its blanks filled in; strings are made printable and capped, a Text is taken as it is."""
    return Notice(code, _text(code, values), cell, line)


def _text(code: str, values: Mapping[str, object]) -> Text:
    text = TEXTS[code]
    return Text(_filled(text.fr, "fr", values), _filled(text.en, "en", values))


def _filled(sentence: str, language: Language, values: Mapping[str, object]) -> str:
    return sentence.format(
        **{
            key: value.in_language(language) if isinstance(value, Text) else shown(str(value))
            for key, value in values.items()
        }
    )


class UnreadableNotebook(UnreadableSubmission):
    """A file that cannot be taken as a notebook; `code` is stable, `reason` says why in both languages."""

    def __init__(self, code: str, path: str, **values: str | int) -> None:
        """`code` is a key of `UNREADABLE`, `path` the file as the student knows it."""
        self.code = code
        super().__init__(shown(path), _text(code, values))

    @property
    def problem_only(self) -> Text:
        """The reason without what to do about it."""
        return Text(*(text.partition(". ")[0] + "." for text in (self.reason.fr, self.reason.en)))
