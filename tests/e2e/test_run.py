"""What `scribetui run` promises: the words that were spoken, whatever is changed on the way."""

import contextlib

import msgspec

from engine import events as ev
from engine.commands import Add, Options, Pause, Resume, Set
from engine.engine import Engine
from engine.recipe import Recipe
from engine.states import ENDED, Done, Paused
from engine.view import fold, fold_all
from tests.e2e.program import FORMATS, Program, check_each_window_once, sittings, to_entry
from tests.wer import differences, wer

RECIPE = Recipe(model="tiny.en", language="en", batch=2, parallel=2, chunk_ms=60_000)
recipe_of = msgspec.json.Decoder(Recipe).decode
TOLERATED = 0.002
"""Words that rounding in a batch of another size may flip."""


def test_both_voices_become_the_words_that_were_spoken(program, heart, joe):
    """A woman and a man, through the whole program: hardly a word is wrong, and every file is there."""
    files = [speech.save(program.folder / f"{speech.voice}.wav") for speech in (heart, joe)]
    done = program.run(*files)
    assert done.status == 0, done.err
    for speech in (heart, joe):
        told = f"{differences(speech.text, program.text(speech.voice))}"
        assert wer(speech.text, program.text(speech.voice)) <= 0.01, told
        data = program.transcript(speech.voice)
        assert wer(speech.text, " ".join(each["text"] for each in data["segments"])) <= 0.01
        times = [(word["start"], word["end"]) for word in data["word_segments"]]
        assert times == sorted(times)
        assert times[-1][1] <= speech.duration / 1000
        assert data["gaps"] == []
    assert program.outputs() == {f"{speech.voice}.{name}" for speech in (heart, joe) for name in FORMATS}
    program.check_nothing_left()


class Hand:
    """An engine in this process, with all it says; it is told what to do as it comes to a certain point."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.view, self._stream = engine.subscribe()
        self.committed = 0

    async def until(self, condition) -> None:
        async for entry in self._stream:
            self.view = fold(self.view, entry)
            self.committed += len(entry.event.spans) if isinstance(entry.event, ev.BatchDone) else 0
            if condition(entry.event):
                return
        raise AssertionError(f"the engine ended before: {self.engine.error}")

    async def until_committed(self, windows: int) -> None:
        await self.until(lambda _: self.committed >= windows)

    async def until_state(self, *kinds: type) -> None:
        await self.until(lambda event: isinstance(event, ev.JobChanged) and isinstance(event.state, kinds))


@contextlib.asynccontextmanager
async def at_hand(program: Program):
    """The engine over the program's home, as the program itself would have it."""
    with program.home.lock():
        engine = Engine(program.home, budget=2**32)  # this process counts, too, with all its tests
        hand = Hand(engine)
        async with engine:
            yield hand


def test_an_undisturbed_run_decodes_every_window_once(undisturbed, apart):
    """As many windows as there are sentences, each decoded once; and all words are there."""
    assert len(undisturbed.windows(1)) == len(apart.spans)
    check_each_window_once(undisturbed, 1)
    assert wer(apart.text, undisturbed.text("apart")) <= 0.02


async def test_new_parameters_and_a_pause_in_mid_job_change_no_word(program, undisturbed, apart):
    """The chunk length is changed twice, the batch once, and the job paused: the same words, nothing decoded twice."""
    media = apart.save(program.folder / "apart.wav")
    async with at_hand(program) as hand:
        job = await hand.engine.submit(Add(path=str(media), options=Options(recipe=RECIPE, out=str(program.out))))
        await hand.until_committed(2)
        await hand.engine.submit(Set(job=job, chunk_ms=30_000))
        await hand.until_committed(6)
        await hand.engine.submit(Set(job=job, batch=3))
        await hand.until_committed(12)
        await hand.engine.submit(Pause(job))
        await hand.until_state(Paused)
        at_rest = program.covered(job)
        assert 12 <= len(at_rest) < len(apart.spans)
        await hand.engine.submit(Set(job=job, chunk_ms=120_000))
        await hand.engine.submit(Resume(job))
        await hand.until_state(*ENDED)
        assert isinstance(hand.view.job(job).state, Done)

    check_each_window_once(program, job)
    assert program.windows(job) == undisturbed.windows(1), "windows depend on the parameters"
    recipes = [recipe_of(attempt["recipe"]) for attempt in program.attempts(job)]
    assert [each.chunk_ms for each in recipes] == sorted(
        (each.chunk_ms for each in recipes), key=[60_000, 30_000, 120_000].index
    )
    assert {(each.chunk_ms, each.batch) for each in recipes} >= {(60_000, 2), (30_000, 3), (120_000, 3)}
    assert all(attempt["windows"] for attempt in program.attempts(job))
    told = f"{differences(undisturbed.text('apart'), program.text('apart'))}"
    assert wer(undisturbed.text("apart"), program.text("apart")) <= TOLERATED, told
    program.check_nothing_left()


def test_the_events_of_a_run_replay_to_the_same_view(undisturbed):
    """The ledger, read afterwards, tells exactly what the running program told."""
    told = [to_entry(line) for line in (undisturbed.folder / "events").read_text().splitlines()]
    kept = undisturbed.events()
    assert kept == told
    assert fold_all(kept) == fold_all(told)
    assert isinstance(fold_all(kept).job(1).state, Done)
    assert len(list(sittings(kept))) == 1


def test_a_sitting_that_is_seen_live_is_replayed_to_the_view_it_ended_with(program, sentence):
    """A second sitting begins with telling everything anew, so the whole story folds to what was last seen."""
    first = sentence.save(program.folder / "first.wav")
    second = sentence.save(program.folder / "second.wav")
    assert program.run(first).status == 0
    sitting = program.start(second)
    assert sitting.read_rest() == 0
    seen = fold_all(sitting.entries)
    whole = fold_all(program.events())
    assert msgspec.structs.replace(whole, log=whole.log[-len(seen.log) :]) == seen
    assert [job.path for job in seen.jobs] == [str(first), str(second)]
    assert all(isinstance(job.state, Done) for job in seen.jobs)
