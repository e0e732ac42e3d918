"""What keeps sandboxes from working on a machine, and what to change: for errors and for `bareme doctor`.

Not covered: trying it out. That is done by starting a sandbox; here its last words are read, and Linux's settings.
"""

import ctypes
import errno
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Final

from harness.records import Text
from harness.sandbox import landlock

SETTINGS = Path("/proc/sys")
FORBIDDING: Final[tuple[tuple[str, str, str], ...]] = (  # setting, what forbids user namespaces, what allows them
    ("kernel/unprivileged_userns_clone", "0", "1"),
    ("kernel/apparmor_restrict_unprivileged_userns", "1", "0"),
    ("user/max_user_namespaces", "0", "10000"),
)
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2  # linux/prctl.h, linux/seccomp.h
TOO_MANY = Text(
    fr="Autorisez davantage d'espaces de noms imbriqués : sysctl user.max_user_namespaces=10000.",
    en="Allow more nested user namespaces: sysctl user.max_user_namespaces=10000.",
)
COVERED = Text(
    fr="Un nouveau /proc ne peut pas être monté, car des parties de celui-ci sont masquées : lancez le conteneur avec "
    "--security-opt systempaths=unconfined (Docker), --security-opt unmask=ALL (Podman) ou procMount: Unmasked "
    "(Kubernetes).",
    en="A fresh /proc cannot be mounted, because parts of this one are masked: start the container with "
    "--security-opt systempaths=unconfined (Docker), --security-opt unmask=ALL (Podman) or procMount: Unmasked "
    "(Kubernetes).",
)
ONE_USER = Text(
    fr="Ici, root ne peut pas devenir un autre utilisateur : lancez bareme en tant qu'utilisateur ordinaire.",
    en="Root cannot become another user here: run bareme as an ordinary user.",
)
CONTAINER = Text(
    fr="Lancez bareme là où l'on peut créer des espaces de noms : un conteneur a besoin de la capacité SYS_ADMIN, ou "
    "de --security-opt seccomp=unconfined --security-opt apparmor=unconfined.",
    en="Run bareme where namespaces may be created: a container needs the SYS_ADMIN capability, or "
    "--security-opt seccomp=unconfined --security-opt apparmor=unconfined.",
)
OTHER = Text(
    fr="Corrigez ce que le message indique ; `bareme doctor` essaie de nouveau le bac à sable.",
    en="Correct what the message names; `bareme doctor` tries the sandbox again.",
)
PLAIN: Final[Mapping[str, Text]] = {  # last words that leave no doubt, whatever the settings say
    r"ENOSPC|(unshare|clone).*No space left|No space left.*(unshare|clone)": TOO_MANY,
    r"mount proc on|mount /proc'": COVERED,
    r"setres[ug]id failed": ONE_USER,
}
LIKELY: Final[Mapping[str, Text]] = {r"namespace|unshare|ermission denied|not permitted": CONTAINER, r"": OTHER}
NEWER_LANDLOCK = Text(
    fr="Rien n'est perdu sinon une seconde protection. Linux 5.19 ou plus récent l'offre, si landlock figure dans "
    "/sys/kernel/security/lsm (paramètre de démarrage lsm=) et si le conteneur ne l'interdit pas.",
    en="Nothing is lost but a second wall. Linux 5.19 or newer offers it where landlock is listed in "
    "/sys/kernel/security/lsm (boot parameter lsm=) and no container forbids it.",
)
NO_FILTERS = Text(
    fr="Utilisez un noyau Linux compilé avec CONFIG_SECCOMP_FILTER.",
    en="Use a Linux kernel that is built with CONFIG_SECCOMP_FILTER.",
)


def remedy(words: str) -> Text:
    """What to do about a sandbox that said `words` and ended."""
    return next(chain(_fitting(PLAIN, words), _forbidden(), _fitting(LIKELY, words)))


def landlock_remedy() -> Text | None:
    """What to do where Landlock is not used, None where it is."""
    return NEWER_LANDLOCK if landlock.version() < landlock.OLDEST else None


def filters_remedy() -> Text | None:
    """What to do where Linux takes no filters of system calls, None where it does."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, None, 0, 0)  # where it does, it misses the filter itself
    return None if ctypes.get_errno() == errno.EFAULT else NO_FILTERS


def _fitting(texts: Mapping[str, Text], words: str) -> Iterator[Text]:
    return (text for pattern, text in texts.items() if re.search(pattern, words))


def _forbidden() -> Iterator[Text]:
    """One sentence for each setting of Linux that forbids user namespaces."""
    for setting, forbids, allows in FORBIDDING:
        path = SETTINGS / setting
        if path.exists() and path.read_text(encoding="ascii").strip() == forbids:
            change = f"sysctl {setting.replace('/', '.')}={allows}"
            yield Text(
                fr=f"Autorisez les espaces de noms d'utilisateur : {change}.", en=f"Allow user namespaces: {change}."
            )
