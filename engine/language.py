"""What the files need to know of languages: widths, reading speeds, sentence ends, and where a line may break."""

import re
import unicodedata


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LINE_CELLS = {"zh": 32, "yue": 32, "ko": 32, "ja": 46, "th": 35}
"""Longest subtitle line in cells: 16 full-width characters for Chinese and Korean, 23 for Japanese, 35 for Thai."""
LINE_CELLS_ELSE = 42

SPEED = {"en": 20, "zh": 18, "yue": 18, "ko": 24, "ja": 8, "hi": 22}
"""Reading speed of adults in cells a second, as Netflix counts it (zh 9, ko 12, ja 4 full-width characters)."""
SPEED_ELSE = 17

SPACELESS = frozenset({"zh", "yue", "ja", "th", "lo", "my", "km", "bo"})
"""Languages written without spaces between words."""

_SPACELESS_SCRIPT = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uff9f]"
)
_CLOSERS = "\"'”’»)]}›」』】）〉》］｝"
_OPENERS = "\"'“‘«([{‹「『【（〈《［｛¿¡„"
_STOPS = ".!?…。！？｡．؟۔।॥։።"
_PAUSES = ",;:、，；：､،؛–—"
_NEVER_FIRST = re.compile(
    r"[ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶー々〻ゝゞヽヾ・％%°℃.,!?…;:、，；：､،؛。！？｡．؟۔।॥”’»)\]}›」』】）〉》］｝]"
)
_LETTERS = re.compile(r"[^\W\d_]+")

_ABBREVIATIONS = _words(
    # English, and what many languages share
    "mr mrs ms dr prof sr jr st vs fig figs vol vols pp approx dept gen col capt lt sgt rev hon gov sen rep messrs "
    "e.g i.e cf viz al ca ed eds "
    # German
    "z.b d.h u.a bzw nr hr fr str evtl ggf inkl sog vgl "
    # French, Spanish, Italian, Portuguese, Dutch
    "mme mlle mgr p.ex sra srta dra ud uds sig dott ing av exmo bv nl dhr mevr"
)
_ORDINAL_DOTS = frozenset(
    {"de", "da", "no", "nb", "nn", "fi", "cs", "sk", "pl", "hu", "hr", "sr", "sl", "et", "lv", "is"}
)
"""Languages that write "3." for "third"."""

_LEADING = {
    "en": "of in on at to from with by for about into onto over under after before between through during against "
    "without within upon toward towards and or but nor so if when while because although though since as than that "
    "which who whom whose where unless until whether",
    "de": "in im an am auf aus bei beim mit nach von vom zu zum zur für über unter vor hinter zwischen durch gegen "
    "ohne um und oder aber denn dass daß weil wenn als ob während damit obwohl sondern wie",
    "fr": "de du des à au aux dans en sur sous avec sans pour par vers chez entre et ou mais donc ni car que qui quand "
    "si comme lorsque puisque dont où",
    "es": "de del al a en con por para sin sobre entre hasta desde y e o u pero que si cuando como porque aunque donde",
    "it": "di del dello della dei degli delle a al allo alla ai agli alle da dal dalla in nel nella con su sul sulla "
    "per tra fra e ed o ma che se quando come perché dove",
    "pt": "de do da dos das em no na nos nas por pelo pela para com sem sobre entre e ou mas que se quando como porque "
    "onde",
    "nl": "van in op aan met voor naar bij uit over door tot om te en of maar want dat die als omdat wanneer terwijl",
}
"""Prepositions and conjunctions: a line may well begin with one, and should not end in one."""

_CLINGING = {
    "en": "a an the this these those my your his her its our their some any no every each i you he she it we they is "
    "are was were be been am do does did has have had will would can could shall should may might must not very more",
    "de": "der die das den dem des ein eine einen einem einer eines mein meine dein sein seine ihr ihre unser kein "
    "keine ich du er sie es wir ist sind war waren wird werden wurde hat haben hatte kann muss soll will nicht sehr",
    "fr": "le la les l un une ce cet cette ces mon ma mes ton ta tes son sa ses notre nos votre vos leur leurs je tu "
    "il elle on nous vous ils elles ne se est sont était a ont avait très plus",
    "es": "el la los las un una unos unas su sus mi mis tu tus yo él ella es son era está están ha han había no se me "
    "te le lo muy más",
    "it": "il lo la i gli le un uno una mio mia suo sua è sono era ha hanno aveva non si mi ti ci vi molto più",
    "pt": "o a os as um uma seu sua meu minha eu ele ela é são era está foi tem não se me te muito mais",
    "nl": "de het een mijn jouw zijn haar ons onze hun ik jij hij zij we is was waren wordt heeft hebben had kan moet "
    "zal niet zeer",
}
"""Articles, pronouns and auxiliaries: they belong to the word that follows."""

_OF = _words("of de du des del della dello dei degli delle di do da dos das van von")
"""The prepositions that bind two nouns more closely than others do."""

_LEADING_SETS = {code: _words(words) for code, words in _LEADING.items()}
_CLINGING_SETS = {code: _words(words) for code, words in _CLINGING.items()}
_NO_WORDS = _words("")


def line_cells(language: str) -> int:
    """The longest line of a subtitle in that language, in cells."""
    return LINE_CELLS.get(language, LINE_CELLS_ELSE)


def reading_speed(language: str) -> int:
    """How fast adults read subtitles in that language, in cells a second."""
    return SPEED.get(language, SPEED_ELSE)


def cells(text: str) -> int:
    """The width of a text in half-width cells: 2 for a full-width character, 0 for a combining one."""
    if text.isascii():
        return len(text)
    return sum(_char_cells(char) for char in text)


def _char_cells(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def is_spaceless(text: str) -> bool:
    """Whether a script that is written without spaces occurs in the text."""
    return not text.isascii() and _SPACELESS_SCRIPT.search(text) is not None


def is_divided(before: str, after: str) -> bool:
    """Whether a space stands between two texts that follow one another: unless either is empty or knows no spaces."""
    return bool(before and after) and not is_spaceless(before[-1]) and not is_spaceless(after[0])


def may_break(before: str, after: str) -> bool:
    """Whether a line may end between two words that no space divides."""
    if unicodedata.category(after[0])[0] == "M" or _NEVER_FIRST.match(after) or before[-1] in _OPENERS:
        return False
    return is_spaceless(before[-1]) or is_spaceless(after[0])


def ends_sentence(word: str, following: str | None, language: str) -> bool:
    """Whether a sentence ends with this word; ``following`` is the word after it, if it is known."""
    bare = word.rstrip(_CLOSERS)
    if not bare or bare[-1] not in _STOPS:
        return False
    opening = following.lstrip(_OPENERS + "-–—")[:1] if following else ""
    if bare[-1] in ".…!?" and opening.islower():
        return False
    if bare[-1] != "." or bare.endswith(".."):
        return True
    return not (opening and _is_abbreviation(bare, language))


def _is_abbreviation(word: str, language: str) -> bool:
    """Whether a full stop belongs to the word: "Mr.", "e.g.", an initial, and in some languages "3." for "third"."""
    stem = word[:-1].lstrip(_OPENERS).casefold()
    if not word.endswith(".") or stem in _ABBREVIATIONS:
        return word.endswith(".")
    if stem.isdecimal():
        return len(stem) <= 2 and language in _ORDINAL_DOTS
    if stem == "i" and language == "en":
        return False
    return all(len(part) == 1 and part.isalpha() for part in stem.split("."))


def break_cost(before: str, after: str, pause: int, language: str) -> float:
    """How bad it is to break between two words of a sentence, from 0 (a sentence's end) to about 9.

    By the usual rules of subtitling: after punctuation, else before a conjunction or preposition; never between
    article and noun, first and last name, pronoun and verb, auxiliary and verb. A pause (milliseconds) lightens it.
    """
    if ends_sentence(before, after, language):
        return 0.0
    bare = before.rstrip(_CLOSERS)
    if bare and bare[-1] in _PAUSES + _STOPS:
        if _is_abbreviation(bare, language):
            return 7.0
        cost = 1.5 if bare[-1] in ",、，､،" else 1.0
    elif is_spaceless(before[-1]) and is_spaceless(after[0]):
        cost = _spaceless_cost(before[-1], after[0])
    else:
        cost = _phrase_cost(before, after, language)
    return cost * max(0.3, 1.0 - pause / 900)


def _phrase_cost(before: str, after: str, language: str) -> float:
    last, first = _key(before), _key(after)
    leading = _LEADING_SETS.get(language, _NO_WORDS)
    clinging = _CLINGING_SETS.get(language, _NO_WORDS)
    # In languages without a list, two letters are hardly ever more than an article or a preposition.
    is_tiny = last.isalpha() and cells(last) <= 2 and not is_spaceless(last)
    cost = 4.0
    if is_tiny or last in leading or last in clinging:
        cost = 6.0 if first in leading else 8.5
    elif first in _OF:
        cost = 3.5
    elif first in leading:
        cost = 2.5
    elif before[-1].isdigit() or (before[:1].isupper() and after[:1].isupper()):
        cost = 7.0
    elif first in clinging:
        cost = 3.5
    return cost


def _key(word: str) -> str:
    """The word as the lists have it: what is before an apostrophe, else without punctuation, in lower case."""
    match = _LETTERS.search(word)
    return match.group().casefold() if match else word


def _spaceless_cost(before: str, after: str) -> float:
    """By scripts, as one can tell phrases in Japanese: particles (hiragana) end one, kanji and katakana begin one."""
    left, right = _script(before), _script(after)
    if left == "kana" and right in ("han", "katakana"):
        return 2.5
    if left == right == "katakana" or left == right == "digit":
        return 8.5
    if left == "han" and right == "kana":
        return 6.0
    return 4.0


def _script(char: str) -> str:
    if "\u3040" <= char <= "\u309f":
        return "kana"
    if "\u30a0" <= char <= "\u30ff":
        return "katakana"
    if char.isdecimal():
        return "digit"
    return "han" if "\u3400" <= char <= "\u9fff" else "other"
