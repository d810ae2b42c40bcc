"""The vote on the language: what is heard for it, when, and what follows; and terms that were heard."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import commands as cmd
from engine import events as ev
from engine import messages as msg
from engine.machine.voting import ENOUGH_MS, SAMPLES, choose
from engine.recipe import EACH_WINDOW, FailureKind, Recipe
from engine.states import Done, Running
from engine.terms import Term
from engine.timeline import Span
from engine.transcript import Correction, Segment
from tests.engine.stories import add, run_one, run_until, state, transcriber
from tests.engine.world import WINDOW, World


@pytest.fixture
def world():
    """A world where only what the test says happens."""
    return World(1, faults=False)


def works(world: World) -> list[msg.Work]:
    """What the transcriber has been handed and not begun."""
    number = transcriber(world)
    return [] if number is None else [work for work, _ in world.workers[number].queue]


class TestChoosing:
    @given(st.lists(st.integers(0, 30_000), max_size=60))
    def test_the_samples_are_few_in_order_and_spread_over_all(self, speech):
        windows = [Span(n * WINDOW, n * WINDOW + 9_000) for n in range(len(speech))]
        chosen = choose(windows, speech)
        assert len(chosen) == min(SAMPLES, len(windows))
        assert list(chosen) == sorted(set(chosen))
        if len(windows) >= SAMPLES:
            places = [span.start // WINDOW * SAMPLES / len(windows) for span in chosen]
            assert all(part - 1 <= place < part + 1 for part, place in enumerate(places)), "one of each part"

    def test_each_part_is_told_by_its_window_with_the_most_speech(self):
        windows = [Span(n, n + 1) for n in range(14)]
        assert [span.start for span in choose(windows, [1, 2] * 7)] == list(range(1, 14, 2))


class TestVote:
    def test_nothing_is_transcribed_before_enough_is_heard(self, world):
        count = 2 * ENOUGH_MS // WINDOW
        job = add(world, windows=count, recipe=Recipe())
        while world.books[job].heard < ENOUGH_MS:
            assert not works(world)
            assert world.began[job, Span(0, WINDOW - 500)] == 0
            run_one(world)
        run_until(world, lambda: works(world) or world.books[job].decoded)
        assert not world.books[job].done, "the rest is listened to meanwhile"
        run_until(world, lambda: world.books[job].language)
        assert world.told(ev.LanguageFound) == [ev.LanguageFound(job=job, language="de", votes=(("de", 1.0),))]

    def test_a_short_recording_is_heard_to_its_end_first(self, world):
        job = add(world, windows=20, recipe=Recipe())
        run_until(world, lambda: works(world))
        assert world.books[job].done
        samples = works(world)[0].samples
        assert len(samples) == SAMPLES
        assert set(samples) <= set(world.books[job].windows)

    def test_what_was_found_is_told_to_every_later_work(self, world):
        job = add(world, windows=20, recipe=Recipe(chunk_ms=30_000, batch=1, parallel=1))
        run_until(world, lambda: world.books[job].language)
        seen = set()
        while not isinstance(state(world, job), Done):
            seen |= {(work.recipe.language, work.samples) for work in works(world)[-1:]}
            run_one(world)
        assert ("de", ()) in seen
        chunks = world.told(ev.ChunkStarted)
        assert {chunk.recipe.language for chunk in chunks} == {None}, "recipes are what was asked for"

    def test_what_is_said_of_a_second_vote_is_not_told_again(self, world):
        job = add(world, windows=20, recipe=Recipe())
        run_until(world, lambda: works(world))
        for _ in range(2):  # from two lanes, each with a process of its own
            found = msg.Spoken(language="en"), msg.Warned("English and French are spoken.")
            world.say(transcriber(world), msg.Batch(job, found))
        assert len(world.told(ev.LanguageFound)) == len(world.told(ev.Warning)) == 1

    @pytest.mark.parametrize(
        ("language", "smaller"),
        [("fr", ["medium"]), ("en", ["medium", "small.en"]), ("yue", [])],
    )
    def test_a_smaller_model_that_stands_in_knows_what_was_found(self, world, language, smaller):
        world.policy = msgspec.structs.replace(
            world.policy, models={"faster-whisper": ("large-v3", "medium", "small.en")}
        )
        world.start()
        job = add(world, windows=20, recipe=Recipe(model="large-v3"))
        run_until(world, lambda: works(world))
        world.say(transcriber(world), msg.Batch(job, (msg.Spoken(language=language),)))
        core = world.machine._core
        assert core.limits(core.jobs[job]).models == ("large-v3", *smaller)

    def test_it_is_known_after_a_restart(self, world):
        job = add(world, windows=20, recipe=Recipe())
        run_until(world, lambda: world.books[job].language)
        world.start()
        assert world.told(ev.JobAdded)[-1].progress.language == "de"
        run_until(world, lambda: works(world))
        assert {work.recipe.language for work in works(world)} == {"de"}
        run_until(world, lambda: isinstance(state(world, job), Done))
        assert len(world.told(ev.LanguageFound)) == 1

    @pytest.mark.parametrize("language", ["en", EACH_WINDOW])
    def test_with_a_language_there_is_none(self, world, language):
        job = add(world, windows=20, recipe=Recipe(language=language))
        run_until(world, lambda: works(world))
        assert not world.books[job].done, "nothing is waited for"
        assert {(work.recipe.language, work.samples) for work in works(world)} == {(language, ())}

    def test_a_vote_that_nobody_asked_for_counts_nothing(self, world):
        job = add(world, windows=4)
        run_until(world, lambda: transcriber(world) is not None)
        world.say(transcriber(world), msg.Batch(job, (msg.Spoken(language="fr"),)))
        assert world.books[job].language is None
        assert world.told(ev.LanguageFound) == []


class TestTerms:
    TERMS = (Term("Alba"), Term("ComfyUI"))

    def test_those_that_were_heard_come_first(self, world):
        job = add(world, windows=20, recipe=Recipe(language="en", batch=1, parallel=1), terms=self.TERMS)
        run_until(world, lambda: works(world))
        assert works(world)[0].terms == self.TERMS
        number = transcriber(world)
        worker = world.workers[number]
        run_until(world, lambda: worker.lanes)
        _, spans = worker.lanes.pop(0)
        found = msg.Decoded(
            span=spans[0],
            segments=(Segment(0, 9, "We use ComfyUI here."),),
            corrections=(Correction(at=3, was="comfy eye", now="ComfyUI"),),
        )
        world.say(number, msg.Batch(job, (found,)))
        world.say(number, msg.Finished(job, tuple(spans)))
        assert world.told(ev.TermsCorrected) == [ev.TermsCorrected(job=job, corrections=found.corrections)]
        run_until(world, lambda: works(world) and works(world)[-1].terms != self.TERMS)
        assert works(world)[-1].terms == self.TERMS[::-1]

    def test_what_lies_near_makes_no_other_job_and_what_is_asked_for_does(self, world):
        job = add(world, windows=4, terms=self.TERMS)
        near = (*self.TERMS, Term("Rauch", source="near"))
        assert add(world, windows=4, terms=near) == job
        assert add(world, windows=4, terms=self.TERMS[:1]) != job
        run_until(world, lambda: isinstance(state(world, job), Done))
        add(world, windows=4, terms=near)
        assert len(world.books) == 2
        assert world.books[job].options.terms == near


class TestFetching:
    LIMIT = 3_600_000

    def fetch(self, world: World, done: int) -> None:
        world.say(transcriber(world), msg.Fetching("small", done, 1_000))

    def test_a_download_that_goes_on_may_take_its_time(self, world):
        add(world)
        run_until(world, lambda: transcriber(world) is not None)
        number = transcriber(world)
        for done in range(0, 1_000, 10):
            world.pass_time(60_000)
            self.fetch(world, done)
        assert self.LIMIT < 100 * 60_000
        assert not world.workers[number].killed

    def test_one_that_stands_still_does_not(self, world):
        add(world)
        run_until(world, lambda: transcriber(world) is not None)
        number = transcriber(world)
        for _ in range(1_000):
            world.pass_time(4_000)
            self.fetch(world, 500)
            if world.workers[number].killed:
                break
        assert world.workers[number].killed
        world.end(number, FailureKind.CRASH)
        assert world.told(ev.AttemptFailed)[0].reason == (
            "The worker got no more of its model downloaded within 3600 s, so it was ended."
        )

    def test_what_is_said_twice_is_told_once(self, world):
        """While nothing arrives yet, and while what has arrived is compared with the hub's checksum."""
        add(world)
        run_until(world, lambda: transcriber(world) is not None)
        for done in (0, 0, 0, 1_000, 1_000, 1_000):
            world.pass_time(2_000)
            self.fetch(world, done)
        assert [each.done for each in world.told(ev.ModelFetched)] == [0, 1_000]

    def test_it_is_told_to_the_next_job_that_waits_for_it(self, world):
        first = add(world)
        run_until(world, lambda: transcriber(world) is not None)
        world.ask(cmd.Pause(first))
        second = add(world, "/media/other.wav")
        run_until(world, lambda: isinstance(state(world, second), Running))
        self.fetch(world, 1_000)
        assert [each.job for each in world.told(ev.ModelFetched)] == [second]
        world.say(transcriber(world), msg.Failed(0, (), FailureKind.ERROR, "It came to nothing."))
        assert world.told(ev.AttemptFailed)[0].job == second

    def test_it_is_told_now_and_then(self, world):
        job = add(world)
        run_until(world, lambda: transcriber(world) is not None)
        for done in (0, 1, 2, 1_000):
            world.now += 10
            self.fetch(world, done)
        told = world.told(ev.ModelFetched)
        assert [(each.job, each.model, each.done, each.total) for each in told] == [
            (job, "small", 0, 1_000),
            (job, "small", 1_000, 1_000),
        ]
