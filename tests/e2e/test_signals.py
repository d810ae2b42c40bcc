"""Ends that the program is told of, and workers that die alone: it stops in good order, or goes on."""

import fcntl
import os
import pty
import re
import signal
import termios
from contextlib import suppress

import pytest

from engine import events as ev
from engine.recipe import FailureKind
from tests.e2e.program import PATIENCE, Program, check_each_window_once, spans_of, until
from tests.voices import Speech
from tests.wer import wer

BATCH = ("--batch", "1")


@pytest.fixture
def media(program, short):
    """The recording on disk."""
    return short.save(program.folder / "talk.wav")


def is_batch_done(event: ev.Event) -> bool:
    return isinstance(event, ev.BatchDone)


def finish(program: Program, media, short: Speech) -> None:
    """Run again to the end, and check what came of it."""
    done = program.run(media, *BATCH)
    assert done.status == 0, done.err
    assert wer(short.text, program.text("talk")) <= 0.02
    program.check_nothing_left()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda each: each.name)
def test_an_interruption_lets_the_batches_finish_and_the_next_run_goes_on(program, media, short, number):
    """ctrl+c, a shutdown, a lost connection: exit status 130, nothing lost, nothing decoded twice."""
    sitting = program.start(media, *BATCH)
    assert sitting.until(is_batch_done)
    sitting.process.send_signal(number)
    assert sitting.read_rest() == 130
    assert "interrupt again to stop at once" in sitting.err
    assert "run it again to go on" in sitting.err
    begun, done = (spans_of(program.events(), kind) for kind in (ev.BatchStarted, ev.BatchDone))
    assert begun == done
    assert 0 < len(done) < len(short.spans)
    until(program.is_gone, "the end of all processes")
    assert [row["state"] for row in program.status()] == ["stopped"]
    finish(program, media, short)
    check_each_window_once(program, 1)


def test_a_second_interruption_does_not_wait_and_blames_nobody(program, media, short):
    """ctrl+c twice: it ends at once, loses the batches under way at most, and does not take that for a failure."""
    sitting = program.start(media, *BATCH)
    assert sitting.until(is_batch_done)
    sitting.process.send_signal(signal.SIGINT)
    until(lambda: "interrupt again" in sitting.err or sitting.process.poll() is not None, "the answer to ctrl+c")
    sitting.process.send_signal(signal.SIGINT)
    assert sitting.read_rest() == 130
    assert sitting.said(ev.AttemptFailed) == []
    assert sitting.said(ev.RecipeChanged) == []
    begun, done = (spans_of(program.events(), kind) for kind in (ev.BatchStarted, ev.BatchDone))
    assert len(begun - done) <= sitting.said(ev.JobAdded)[0].options.recipe.parallel
    finish(program, media, short)
    assert set(spans_of(program.events(), ev.BatchDone).values()) == {1}


def test_an_interruption_during_start_up_harms_nothing(program, media, short):
    """ctrl+c as soon as the job is on the list: 130, no leftovers, and the next run does it all."""
    sitting = program.start(media, *BATCH)
    assert sitting.until(lambda event: isinstance(event, ev.JobAdded))
    sitting.process.send_signal(signal.SIGINT)
    assert sitting.read_rest() == 130
    until(program.is_gone, "the end of all processes")
    finish(program, media, short)


def test_closing_the_terminal_stops_it_in_good_order(program, media, short):
    """The terminal goes away under it: no worker is left, and the next run goes on where it was."""
    master, slave = pty.openpty()
    process = program.popen(
        *("run", "--foreground", media, "--out", program.out, *BATCH),
        env=program.env | {"TERM": "xterm"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(slave)
    os.set_blocking(master, False)

    def has_committed() -> bool:
        with suppress(BlockingIOError):
            os.read(master, 65_536)
        return bool(program.covered(1))

    until(has_committed, "the first batch")
    os.close(master)
    assert process.wait(PATIENCE) == 130
    until(program.is_gone, "the end of all processes")
    assert len(program.covered(1)) < len(short.spans)
    finish(program, media, short)
    check_each_window_once(program, 1)


@pytest.mark.parametrize("moment", [ev.SpeechHeard, ev.BatchStarted], ids=["listening", "transcribing"])
def test_workers_killed_alone_are_replaced(program, media, short, moment):
    """kill -9 of the workers only, as the system does when memory runs out: told, tried again, and done."""
    sitting = program.start(media, *BATCH)
    assert sitting.until(lambda event: isinstance(event, moment))
    workers = program.workers()
    assert workers
    for worker in workers:
        worker.kill()
    assert sitting.read_rest() == 0, sitting.err
    failed = sitting.said(ev.AttemptFailed)
    assert failed
    assert {each.kind for each in failed} == {FailureKind.OOM}
    assert "The worker was killed" in sitting.err
    assert re.search(r"again in \d\.\d s, (try 2 of 4|lighter)", sitting.err)
    counts = spans_of(program.events(), ev.BatchDone)
    assert set(counts.values()) == {1}
    assert set(counts) == set(program.windows(1))
    assert wer(short.text, program.text("talk")) <= 0.02
    program.check_nothing_left()


def test_a_worker_ends_by_itself_when_the_program_is_gone(program, media):
    """kill -9 of the program alone: within seconds nobody holds a model in memory any more."""
    sitting = program.start(media, *BATCH)
    assert sitting.until(lambda event: isinstance(event, ev.BatchStarted))
    assert program.workers()
    sitting.kill()
    until(program.is_gone, "the end of the workers", seconds=20)
    assert program.home.holder() is None


def test_a_reader_of_the_events_that_goes_away_does_not_stop_the_work(program, media, short):
    """`run --json | head -1`: the work is done all the same."""
    process = program.start(media, *BATCH).process
    assert process.stdout.readline()
    process.stdout.close()
    assert process.wait(PATIENCE) == 0
    until(program.is_gone, "the end of the work")
    assert [row["state"] for row in program.status()] == ["done"]
    assert wer(short.text, program.text("talk")) <= 0.02
