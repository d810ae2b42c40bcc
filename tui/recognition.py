"""What recognition found out, in a few words: the language, what the terms put right, how far a model has come."""

from collections.abc import Sequence

from engine.languages import language_name
from engine.messages import Correction
from engine.recipe import EACH_WINDOW, Recipe
from tui.text import name_of, percent, plain, size

UNSURE = 0.6
"""With a smaller share of the vote than this, a language may well be another one."""

Votes = Sequence[tuple[str, float]]
"""Languages and their shares of the vote, the highest first."""


def share_of(language: str, votes: Votes) -> float | None:
    """A language's share of the vote; None where there was none."""
    return next((share for code, share in votes if code == language), None)


def vote(language: str, votes: Votes) -> str:
    """What a language was found by: ``91% of the vote``, with the next best where that comes near; else empty."""
    share = share_of(language, votes)
    if share is None:
        return ""
    others = [f"{language_name(code)} {percent(each)}" for code, each in votes if code != language and each >= 0.1]
    return plain(f"{percent(share)} of the vote" + (f", {others[0]}" if others else ""))


def is_unsure(language: str, votes: Votes) -> bool:
    """Whether the vote leaves it open which language it is."""
    share = share_of(language, votes)
    return share is not None and share < UNSURE


def spoken(recipe: Recipe, found: str | None) -> str:
    """The language of a job in a word, with its task where that is no mere transcript; empty while it is not known."""
    known = found or recipe.language
    name = "" if known is None else "each window's language" if known == EACH_WINDOW else language_name(known)
    if recipe.task == "translate":
        name = f"{name} into English" if name else "into English"
    return plain(name)


def model_name(model: str) -> str:
    """What a model is called where there is little room: of a folder its own name; empty for ``auto``."""
    if model == "auto":
        return ""
    return name_of(model) if model.startswith("/") else plain(model)


def amount(done: int, total: int) -> str:
    """How much of a download is there: ``120M of 480M``; as much as is known of it."""
    if total <= 0:
        return size(done) if done > 0 else ""
    return f"{size(min(done, total))} of {size(total)}" if 0 < done < total else size(total)


def fetching(model: str, done: int, total: int) -> str:
    """A download in words: ``fetching small, 120M of 480M``; ``fetched small, 480M`` at its end."""
    told = amount(done, total)
    return plain(f"{'fetched' if is_fetched(done, total) else 'fetching'} {model}" + (f", {told}" if told else ""))


def is_fetched(done: int, total: int) -> bool:
    """Whether a download has come to its end."""
    return 0 < total <= done


def change(correction: Correction) -> str:
    """What was put right: ``"comfy UI" → "ComfyUI"``."""
    return plain(f'"{correction.was}" → "{correction.now}"')
