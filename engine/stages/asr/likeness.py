"""How alike two spellings sound: what a recogniser wrote, and a term that may have been spoken there.

Letters alone say too little ("Mirewyn" became "meyer when"), a phonetic key alone too much ("Jarrowmere" and "Jeremy").
So both count alike: the letters, and a key in which letters that are mistaken for one another are the same.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import OSA, Indel
from rapidfuzz.process import cdist

_VOWEL = "a"
"""What every run of vowels becomes in a key."""
_WEAK = "aeiouyhw"
_SOUNDS = (
    *(("tch", "S"), ("sch", "S"), ("ch", "S"), ("sh", "S"), ("ph", "f"), ("gh", "k"), ("th", "t"), ("ck", "k")),
    *(("dg", "S"), ("qu", "kw"), ("wh", "w"), ("x", "ks"), ("j", "S"), ("z", "s"), ("q", "k"), ("ce", "sa")),
    *(("ci", "sa"), ("cy", "sa"), ("c", "k"), ("v", "f"), ("b", "p"), ("d", "t"), ("g", "k")),
)
"""Letters, and the sound they stand for or are taken for, in the order they are replaced; voiced consonants become
those without voice. It is what English and its neighbours roughly have in common; other scripts pass unchanged."""


@lru_cache(maxsize=65_536)
def key(spelling: str) -> str:
    """How a word sounds, roughly: consonants by their kind, runs of vowels as one.

    Args:
        spelling: as ``engine.terms.letters`` gives it.
    """
    if not spelling.isascii():
        return spelling
    text = spelling
    for written, sound in _SOUNDS:
        text = text.replace(written, sound)
    found: list[str] = []
    for char in text:
        is_weak = char in _WEAK and (found or char not in "hwy")
        sound = _VOWEL if is_weak else char
        if not found or found[-1] != sound:
            found.append(sound)
    return "".join(found)


def likeness(one: str, other: str) -> float:
    """How alike two words sound, 0 to 1.

    Args:
        one: as ``engine.terms.letters`` gives it.
        other: the same.
    """
    return (Indel.normalized_similarity(one, other) + OSA.normalized_similarity(key(one), key(other))) / 2


def all_alike(some: Sequence[str], others: Sequence[str]) -> npt.NDArray[np.float32]:
    """The likeness of each of some words with each of the others: (some, others)."""
    by_letters = cdist(some, others, scorer=Indel.normalized_similarity, dtype=np.float32)
    keys = ([key(each) for each in some], [key(each) for each in others])
    by_key = cdist(*keys, scorer=OSA.normalized_similarity, dtype=np.float32)
    alike: npt.NDArray[np.float32] = (by_letters + by_key) / 2
    return alike
