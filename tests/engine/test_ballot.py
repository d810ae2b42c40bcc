"""The vote on a recording's language: robust against music, the same every time, once a job."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.messages import Spoken, Warned, Work
from engine.recipe import EACH_WINDOW, Recipe
from engine.stages.asr.ballot import KEPT, Ballot
from engine.timeline import Span

MUSIC = {"nn": 0.38, "en": 0.12, "fa": 0.11} | {f"x{n}": 0.39 / 30 for n in range(30)}
"""What whisper ``base`` makes of music, about."""
FRENCH = {"fr": 0.97, "en": 0.01}
ENGLISH = {"en": 0.95, "pt": 0.02}
LATVIAN = {"lv": 0.71, "lt": 0.12, "la": 0.05}


class Ears:
    """Windows of 25 s, each with what is heard in it."""

    def __init__(self, *heard) -> None:
        self.spans = tuple(Span(n * 30_000, n * 30_000 + 25_000) for n in range(len(heard)))
        self.heard = dict(zip(self.spans, heard, strict=True))
        self.asked: list[Span] = []

    def __call__(self, work, spans):
        self.asked += spans
        return [self.heard[span] for span in spans]

    def work(self, job=1, spans=None, language=None, **given) -> Work:
        given = {"samples": self.spans} | given
        spans = self.spans[:1] if spans is None else spans
        return Work(job=job, media="", audio="a.pcm", recipe=Recipe(language=language), spans=spans, **given)


def vote(*heard) -> Spoken:
    ears = Ears(*heard)
    ballot = Ballot(ears)
    (language,) = ballot.languages(ears.work())
    (spoken, *_) = ballot.news(1)
    assert spoken.language == language
    return spoken


def test_much_music_does_not_outvote_a_little_speech():
    assert vote(MUSIC, MUSIC, MUSIC, MUSIC, MUSIC, FRENCH, MUSIC).language == "fr"
    assert vote(*[MUSIC] * 6, LATVIAN).language == "lv"


def test_the_majority_of_what_is_said_wins():
    spoken = vote(ENGLISH, FRENCH, FRENCH, MUSIC, FRENCH)
    assert spoken.language == "fr"
    assert [language for language, _ in spoken.votes][:2] == ["fr", "en"]
    assert sum(share for _, share in spoken.votes) <= 1.000001


def test_the_vote_ends_when_the_rest_cannot_change_it():
    ears = Ears(*[ENGLISH] * 7)
    Ballot(ears).languages(ears.work())
    assert ears.asked == [ears.spans[n] for n in (0, 2, 4, 6)]


@given(st.lists(st.sampled_from([MUSIC, FRENCH, ENGLISH, LATVIAN]), min_size=1, max_size=7))
def test_ending_early_never_changes_the_outcome(heard):
    weights = {}
    for each in heard:
        sure = sum(likelihood**2 for likelihood in each.values())
        for language, likelihood in each.items():
            weights[language] = weights.get(language, 0) + sure**2 * likelihood
    most = max(weights.values())
    assert weights[vote(*heard).language] >= most - 1e-9


def test_a_window_in_which_nobody_speaks_is_not_asked():
    ears = Ears(FRENCH, ENGLISH)
    ballot = Ballot(ears)
    work = ears.work(spans=ears.spans, samples=(), speech=(Span(31_000, 50_000),))
    assert ballot.languages(work) == ["en", "en"]
    assert ears.asked == [ears.spans[1]]


def test_where_nobody_is_heard_it_is_english():
    ears = Ears({})
    ballot = Ballot(ears)
    assert ballot.languages(ears.work()) == ["en"]
    assert ballot.news(1) == (Spoken(language="en"),)
    assert Ballot(ears).languages(ears.work(language=EACH_WINDOW)) == ["en"]


def test_two_languages_in_one_recording_are_worth_a_word():
    ears = Ears(ENGLISH, ENGLISH, FRENCH)
    ballot = Ballot(ears)
    ballot.languages(ears.work())
    _, warned = ballot.news(1)
    assert isinstance(warned, Warned)
    assert warned.message.startswith("English and French are spoken (64% and")
    assert "auto-per-chunk" in warned.message
    for heard in ([ENGLISH, MUSIC], [MUSIC], [LATVIAN], [FRENCH]):
        ears = Ears(*heard)
        ballot = Ballot(ears)
        ballot.languages(ears.work())
        assert len(ballot.news(1)) == 1


def test_it_is_told_once_and_only_when_asked_for():
    ears = Ears(FRENCH, FRENCH)
    ballot = Ballot(ears)
    ballot.languages(ears.work())
    ballot.languages(ears.work())  # the batch of the first was lost
    assert len(ears.asked) == 2
    assert [each.language for each in ballot.news(1)] == ["fr"]
    assert ballot.news(1) == ()
    assert ballot.news(2) == ()


def test_a_language_that_is_given_is_taken():
    ears = Ears(FRENCH)
    ballot = Ballot(ears)
    assert ballot.languages(ears.work(language="de")) == ["de"]
    assert (ears.asked, ballot.news(1)) == ([], ())


def test_window_by_window_each_has_its_own():
    ears = Ears(ENGLISH, FRENCH, LATVIAN)
    ballot = Ballot(ears)
    assert ballot.languages(ears.work(spans=ears.spans, language=EACH_WINDOW)) == ["en", "fr", "lv"]
    assert ballot.news(1) == ()


def together(ballot, work, lanes=3):
    """What so many lanes are told that come at the same time, and the news."""
    all_here = threading.Barrier(lanes)
    found, news = [], []

    def lane():
        all_here.wait()
        found.extend(ballot.languages(work))
        news.extend(ballot.news(work.job))

    threads = [threading.Thread(target=lane) for _ in range(lanes)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return found, news


@pytest.mark.parametrize("heard", [[FRENCH], [FRENCH] * 7, [MUSIC, ENGLISH, FRENCH, ENGLISH, FRENCH, LATVIAN, FRENCH]])
def test_lanes_that_come_together_hold_one_vote_and_the_same(heard):
    ears = Ears(*heard)
    alone = Ballot(ears)
    alone.languages(ears.work())
    expected, asked = alone.news(1), len(ears.asked)
    for _ in range(20):
        ears.asked.clear()
        found, news = together(Ballot(ears), ears.work())
        assert tuple(news) == expected
        assert found == [expected[0].language] * 3
        assert asked <= len(ears.asked) <= asked + 2
        assert len(set(ears.asked)) == len(ears.asked)


def test_a_lane_that_waits_hears_another_window_meanwhile():
    ears = Ears(FRENCH, FRENCH)
    both = threading.Barrier(2)

    def hear(work, spans):
        both.wait(timeout=30)  # breaks unless two hear at the same time
        return ears(work, spans)

    found, news = together(Ballot(hear), ears.work(), lanes=2)
    assert found == ["fr", "fr"]
    assert len(news) == 1


def test_a_vote_that_fails_in_one_lane_is_held_by_the_next():
    ears = Ears(FRENCH)
    failures = [RuntimeError("no memory")]

    def hear(work, spans):
        if failures:
            raise failures.pop()
        return ears(work, spans)

    ballot = Ballot(hear)
    with pytest.raises(RuntimeError):
        ballot.languages(ears.work())
    assert ballot.news(1) == ()
    assert ballot.languages(ears.work()) == ["fr"]


def test_a_worker_that_goes_on_for_long_forgets_old_jobs():
    ears = Ears(FRENCH)
    ballot = Ballot(ears)
    for job in range(3 * KEPT):
        ballot.languages(ears.work(job=job))
    assert len(ballot._settled) == len(ballot._untold) == KEPT
    ballot.languages(ears.work(job=3 * KEPT - 1))
    assert len(ears.asked) == 3 * KEPT
