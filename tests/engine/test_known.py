"""Contents that are known: a found file is not done twice under another name; what the user names always is."""

import asyncio
import threading
from contextlib import closing

import msgspec
import pytest

from engine import commands as cmd
from engine import savers
from engine.commands import Add, CommandError, Options, Remove
from engine.fingerprint import fingerprint
from engine.ledger import Ledger
from engine.machine import stimuli as do
from engine.serving.protocol import Answered, FromHost
from engine.states import Done, Queued
from tests.engine.stories import add, run_until, state
from tests.engine.world import World

TALK, COPY = "/media/talk.wav", "/media/copy.wav"


@pytest.fixture
def world():
    """A world with one content in two files, where only what the test says happens."""
    world = World(1, faults=False)
    world.contents = {TALK: "f00d", COPY: "f00d"}
    return world


def find(world: World, path: str) -> str | None:
    """A watcher finds a file; why it is refused, if it is."""
    return world.ask(cmd.Add(path=path, is_found=True))


def test_a_copy_that_was_found_is_refused_whatever_became_of_the_first(world):
    job = add(world, TALK)
    told = (
        f"{COPY}: has the content of {TALK}, which is known already (job {job}); add it yourself to have it done again."
    )
    assert find(world, COPY) == told
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert find(world, COPY) == told
    world.start()
    assert find(world, COPY) == told
    assert list(world.books) == [job]


def test_the_file_itself_is_refused_as_well(world):
    job = add(world, TALK)
    refusal = f"{TALK}: is known already (job {job}); add it yourself to have it done again."
    assert find(world, TALK) == refusal
    world.ask(cmd.Cancel(job))
    assert find(world, TALK) == refusal


def test_it_stays_known_when_the_job_is_taken_off_the_list(world):
    job = add(world, TALK)
    world.ask(cmd.Cancel(job))
    world.ask(cmd.Remove(job))
    assert "which was taken off the list); add it yourself" in find(world, COPY)
    assert not world.books


def test_what_the_user_names_is_done_whether_it_is_known_or_not(world):
    add(world, TALK)
    again = add(world, COPY)
    assert world.books[again].source.path == COPY
    assert world.known["f00d"] == do.Known(COPY, again)


def test_a_new_content_is_queued_and_known_from_then_on(world):
    assert find(world, TALK) is None
    (job,) = world.books
    assert world.known == {"f00d": do.Known(TALK, job)}
    assert find(world, COPY) is not None


def test_the_same_file_named_again_is_known_though_it_was_not_before(world):
    """As with the jobs of a ledger that did not keep contents."""
    job = add(world, TALK)
    world.known.clear()
    assert find(world, TALK) is not None, "the file itself is on the list"
    assert world.known == {}
    assert add(world, TALK) == job
    assert world.known == {"f00d": do.Known(TALK, job)}


def test_only_this_refusal_says_that_the_content_is_known(world):
    add(world, TALK)
    out = world.machine.handle(
        do.Asked(
            token=90,
            command=Add(path=COPY, is_found=True),
            source=do.Source(COPY, 1, 1),
            fingerprint="f00d",
            known=do.Known(TALK, 1),
        ),
        world.now,
    )
    assert [each.is_known for each in out if isinstance(each, do.Answer)] == [True]
    out = world.machine.handle(do.Asked(token=91, command=cmd.Pause(77)), world.now)
    assert [each.is_known for each in out if isinstance(each, do.Answer)] == [False]


class TestLedger:
    @pytest.fixture
    def ledger(self, tmp_path):
        with closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
            yield ledger

    def save(self, ledger, *instructions):
        with ledger.transaction():
            for each in instructions:
                assert ledger.save(each)

    def a_job(self, number):
        source = do.Source(f"/{number}.wav", 1, 1)
        return do.SaveJob(
            id=number, source=source, options=Options(), state=Queued(), position=0, outputs=(), worked_ms=0
        )

    def known(self, job, at, path=None):
        return do.SaveKnown(fingerprint="f00d", path=path or f"/{job}.wav", job=job, at=at)

    def test_nothing_is_known_at_first(self, ledger):
        assert ledger.known("f00d") is None

    def test_the_last_that_is_on_the_list_is_named(self, ledger):
        self.save(ledger, self.a_job(1), self.a_job(2), self.known(1, 10), self.known(2, 20))
        assert ledger.known("f00d") == do.Known("/2.wav", 2)
        assert ledger.known("beef") is None
        self.save(ledger, do.ForgetJob(2))
        assert ledger.known("f00d") == do.Known("/1.wav", 1)
        self.save(ledger, do.ForgetJob(1))
        assert ledger.known("f00d") == do.Known("/2.wav", 2), "it stays known"

    def test_what_is_seen_again_is_kept_once(self, ledger):
        self.save(ledger, self.a_job(1), self.known(1, 10), do.ForgetJob(1), self.a_job(2), self.known(2, 20, "/1.wav"))
        assert ledger.known("f00d") == do.Known("/1.wav", 2)
        assert ledger._db.execute("SELECT count(*), max(removed) FROM known").fetchone() == (1, 0)


class TestEngine:
    async def test_a_renamed_file_is_not_done_twice(self, bench, media):
        path = media("one.media", windows=2)
        async with bench() as b:
            job = await b.add(path)
            assert isinstance(await b.ended(job), Done)
            renamed = path.rename(path.with_name("two.media"))
            with pytest.raises(
                CommandError, match=rf"two.media: has the content of .*one.media.*\(job {job}\)"
            ) as raised:
                await b.engine.submit(Add(path=str(renamed), is_found=True))
            assert raised.value.is_known
            assert not raised.value.is_passing
            await b.engine.submit(Remove(job))
        async with bench() as b:
            with pytest.raises(CommandError, match="taken off the list") as raised:
                await b.engine.submit(Add(path=str(renamed), is_found=True))
            assert raised.value.is_known
            assert b.engine.view.jobs == ()
            again = await b.add(renamed)
            assert isinstance(await b.ended(again), Done)

    async def test_a_job_and_its_content_are_one_transaction(self, bench, media, monkeypatch):
        async with bench() as b:

            def torn(db, save):
                raise RuntimeError("the power is cut")

            monkeypatch.setitem(savers.SAVERS, do.SaveKnown, torn)
            with pytest.raises(CommandError, match="the power is cut"):
                await b.add(media())
            with closing(Ledger(b.home.ledger, read_only=True)) as ledger:
                assert ledger.jobs() == ()

    async def test_a_file_that_cannot_be_read_is_an_ordinary_refusal(self, bench, media, monkeypatch):
        path = media("one.media")

        def broken(*_, **__):
            raise OSError(5, "Input/output error")

        monkeypatch.setattr("engine.fingerprint.hashlib.blake2b", broken)
        async with bench() as b:
            with pytest.raises(CommandError, match=r"one.media: cannot be read \(Input/output error\)\.") as raised:
                await b.engine.submit(Add(path=str(path), is_found=True))
            assert not raised.value.is_known
            assert b.engine.view.jobs == ()

    @pytest.mark.parametrize("is_found", [True, False])
    async def test_of_a_file_that_is_still_being_written_nothing_is_known_yet(
        self, bench, media, monkeypatch, is_found
    ):
        path = media("one.media", windows=1)

        def meanwhile(name):
            with path.open("a") as file:
                file.write(" more=1")
            return fingerprint(name)

        monkeypatch.setattr("engine.intake.fingerprint", meanwhile)
        async with bench() as b:
            adding = b.engine.submit(Add(path=str(path), is_found=is_found))
            if is_found:
                with pytest.raises(CommandError, match=r"one.media: is still being written; .+\.$") as raised:
                    await adding
                assert raised.value.is_passing
            else:
                await adding
            assert len(b.engine.view.jobs) == (not is_found)
            assert b.engine._ledger._db.execute("SELECT count(*) FROM known").fetchone() == (0,)

    async def test_whoever_asks_while_the_engine_ends_gets_an_answer(self, bench, media, monkeypatch):
        begun, slow = threading.Event(), threading.Event()

        def hashed(name):
            begun.set()
            slow.wait()
            return fingerprint(name)

        monkeypatch.setattr("engine.intake.fingerprint", hashed)
        async with bench() as b:
            adding = asyncio.create_task(b.add(media()))
            await asyncio.to_thread(begun.wait)
        slow.set()
        with pytest.raises(CommandError, match="scribetui is ending") as raised:
            await adding
        assert raised.value.is_passing

    async def test_files_are_queued_in_the_order_they_were_named_and_nothing_else_waits_for_them(
        self, bench, media, monkeypatch
    ):
        slow = threading.Event()

        def hashed(path):
            if path.endswith("slow.media"):
                slow.wait()
            return fingerprint(path)

        monkeypatch.setattr("engine.intake.fingerprint", hashed)
        async with bench() as b:
            first = await b.add(media("first.media", windows=1))
            names = ["slow.media", "quick.media"]
            adding = [asyncio.create_task(b.add(media(name, windows=2))) for name in names]
            try:
                await b.ended(first)
                await b.engine.submit(cmd.Retry(first))
                await b.ended(first)
                assert not any(each.done() for each in adding)
            finally:
                slow.set()
            assert await adding[0] < await adding[1]
            for job in await asyncio.gather(*adding):
                await b.ended(job)


def test_a_refusal_crosses_the_socket_whole():
    said = Answered(3, error="no", is_known=True, is_passing=True)
    assert msgspec.json.decode(msgspec.json.encode(said), type=FromHost) == said
    assert msgspec.json.decode(b'{"type":"Answered","token":3,"error":"no"}', type=FromHost) == Answered(3, error="no")
