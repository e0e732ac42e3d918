# %% [markdown]
# # Un tokeniseur par paires d'octets
#
# Des objets : un mot, un corpus qui sait quels mots contiennent quelle paire, un arbre de jetons spéciaux, un
# tokeniseur. Les fonctions demandées ne font que s'en servir.

# %%
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

HUGS = {tuple("hug"): 10, tuple("pug"): 5, tuple("pun"): 12, tuple("bun"): 4, tuple("hugs"): 5}
FRENCH = Path("francais.txt").read_text(encoding="utf-8")
ENGLISH = Path("english.txt").read_text(encoding="utf-8")


# %%
@dataclass
class Mot:
    """Des symboles, et le nombre de fois que le mot apparaît."""

    symboles: list
    occurrences: int = 1

    def paires(self):
        """Chaque paire du mot, autant de fois qu'elle y est, multipliée par les occurrences."""
        comptes = Counter(zip(self.symboles, self.symboles[1:], strict=False))
        return {paire: fois * self.occurrences for paire, fois in comptes.items()}

    def fusionner(self, paire):
        anciens, self.symboles = self.symboles, []
        lecteur = iter(anciens)
        attente = next(lecteur, None)
        while attente is not None:
            suivant = next(lecteur, None)
            if suivant is not None and (attente, suivant) == tuple(paire):
                self.symboles.append(attente + suivant)
                attente = next(lecteur, None)
            else:
                self.symboles.append(attente)
                attente = suivant


class Corpus:
    """Les mots, les comptes de paires tenus à jour, et pour chaque paire les mots où la chercher."""

    def __init__(self, mots):
        self.mots = [Mot(list(symboles), occurrences) for symboles, occurrences in mots.items()]
        self.comptes = Counter()
        self.adresses = defaultdict(set)
        for numero in range(len(self.mots)):
            self._ajouter(numero)

    def _ajouter(self, numero):
        for paire, fois in self.mots[numero].paires().items():
            self.comptes[paire] += fois
            self.adresses[paire].add(numero)

    def _retirer(self, numero):
        for paire, fois in self.mots[numero].paires().items():
            self.comptes[paire] -= fois
            self.adresses[paire].discard(numero)
            if self.comptes[paire] == 0:
                del self.comptes[paire]

    def meilleure(self):
        return most_frequent_pair(self.comptes)

    def fusionner(self, paire):
        """Ne touche que les mots qui contiennent la paire."""
        for numero in sorted(self.adresses[paire]):
            self._retirer(numero)
            self.mots[numero].fusionner(paire)
            self._ajouter(numero)


# %%
def count_pairs(words):
    return Corpus(words).comptes


def most_frequent_pair(counts):
    return max(counts, key=lambda paire: (counts[paire], paire), default=None)


def merge_pair(symbols, pair):
    mot = Mot(list(symbols))
    mot.fusionner(pair)
    return mot.symboles


def learn_merges(words, n_merges):
    corpus = Corpus(words)
    fusions = []
    while len(fusions) < n_merges and (paire := corpus.meilleure()):
        fusions.append(paire)
        corpus.fusionner(paire)
    return fusions


# %%
@dataclass
class Lecteur:
    """Lit un texte de gauche à droite, morceau par morceau."""

    texte: str
    place: int = 0

    def regarder(self, plus_loin=0):
        return self.texte[self.place + plus_loin : self.place + plus_loin + 1]

    @staticmethod
    def de_mot(caractere):
        return caractere.isalnum() or caractere == "_"

    @staticmethod
    def blanc(caractere):
        return caractere.isspace()

    @classmethod
    def autre(cls, caractere):
        return caractere != "" and not cls.de_mot(caractere) and not cls.blanc(caractere)

    def avancer_tant_que(self, condition):
        while condition(self.regarder()):
            self.place += 1

    def morceau(self):
        debut = self.place
        espace = int(self.regarder() == " ")
        if self.de_mot(self.regarder(espace)):
            self.place += espace
            self.avancer_tant_que(self.de_mot)
            self.place += self.regarder() in ("'", "’")
        elif self.autre(self.regarder(espace)):
            self.place += espace
            self.avancer_tant_que(self.autre)
        else:
            self.avancer_tant_que(self.blanc)
        return self.texte[debut : self.place]

    def __iter__(self):
        while self.place < len(self.texte):
            yield self.morceau()


def split_chunks(text):
    return list(Lecteur(text))


# %%
@dataclass
class Noeud:
    """Un nœud de l'arbre des jetons spéciaux."""

    suites: dict = field(default_factory=dict)
    final: bool = False


class ArbreSpecial:
    def __init__(self, jetons):
        self.racine = Noeud()
        for jeton in jetons:
            noeud = self.racine
            for caractere in jeton:
                noeud = noeud.suites.setdefault(caractere, Noeud())
            noeud.final = True

    def longueur(self, texte, debut):
        """Longueur du plus long jeton qui commence à cet endroit, ou 0."""
        noeud, meilleure = self.racine, 0
        for avance in range(len(texte) - debut):
            noeud = noeud.suites.get(texte[debut + avance])
            if noeud is None:
                break
            if noeud.final:
                meilleure = avance + 1
        return meilleure

    def couper(self, texte):
        debut = place = 0
        while place < len(texte):
            longueur = self.longueur(texte, place)
            if not longueur:
                place += 1
                continue
            if debut < place:
                yield texte[debut:place], False
            yield texte[place : place + longueur], True
            debut = place = place + longueur
        if debut < len(texte):
            yield texte[debut:], False


def split_special(text, special_tokens):
    return list(ArbreSpecial(special_tokens).couper(text))


# %%
class Tokeniseur:
    def __init__(self, fusions, speciaux=()):
        self.fusions = list(fusions)
        self.speciaux = list(speciaux)
        self.vocabulaire = [bytes([octet]) for octet in range(256)]
        self.vocabulaire += [gauche + droite for gauche, droite in self.fusions]
        self.numeros = {jeton: numero for numero, jeton in enumerate(self.vocabulaire)}
        self.numeros_speciaux = {jeton: len(self.vocabulaire) + rang for rang, jeton in enumerate(self.speciaux)}
        self.vocabulaire += [jeton.encode("utf-8") for jeton in self.speciaux]
        self.deja_vus = {}

    def jetons(self, morceau):
        """Les jetons d'un morceau ; un mot courant n'est codé qu'une fois."""
        if morceau not in self.deja_vus:
            mot = Mot([bytes([octet]) for octet in morceau])
            for paire in self.fusions:
                mot.fusionner(paire)
            self.deja_vus[morceau] = mot.symboles
        return self.deja_vus[morceau]

    def coder(self, texte, permission):
        for partie, special in split_special(texte, self.speciaux if permission else ()):
            if special:
                yield self.numeros_speciaux[partie]
            else:
                for morceau in Lecteur(partie):
                    yield from (self.numeros[jeton] for jeton in self.jetons(morceau.encode("utf-8")))


def train_merges(text, n_merges):
    morceaux = Counter(Lecteur(text))
    return learn_merges(
        {tuple(bytes([octet]) for octet in morceau.encode("utf-8")): fois for morceau, fois in morceaux.items()},
        n_merges,
    )


def encode_chunk(chunk, merges):
    return Tokeniseur(merges).jetons(chunk)


def build_vocabulary(merges, special_tokens=()):
    return Tokeniseur(merges, special_tokens).vocabulaire


def encode(text, merges, special_tokens=(), allow_special=False):
    return list(Tokeniseur(merges, special_tokens).coder(text, allow_special))


def decode(ids, vocabulary):
    return b"".join(map(vocabulary.__getitem__, ids)).decode("utf-8", "replace")


def bytes_per_token(text, merges):
    return len(text.encode("utf-8")) / len(encode(text, merges)) if text else 0.0


# %%
assert len(learn_merges(HUGS, 100)) == 7
french_merges = train_merges(FRENCH, 100)
assert decode(encode(FRENCH, french_merges), build_vocabulary(french_merges)) == FRENCH
