"""What a sudden end costs: the batches under way, and the time to load the model again."""

from engine import events as ev
from tests.e2e.program import Program, Sitting, spans_of

NOISE = 1.5
"""How many times as long all may take in the second sitting as in the first, on a busy machine."""


def load(sitting: Sitting) -> int:
    """From the engine's start until the model is in memory, in milliseconds."""
    worker = next(each.worker for each in sitting.said(ev.WorkerStarted) if each.stage == "transcribe")
    start = next(entry.at for entry in sitting.entries if isinstance(entry.event, ev.EngineStarted))
    ready = (entry for entry in sitting.entries if isinstance(entry.event, ev.WorkerReady))
    return next(entry.at for entry in ready if entry.event.worker == worker) - start


def test_going_on_costs_the_models_load_and_a_batch(program: Program, short):
    """Killed in mid-job and run again: it listens to nothing again, and decodes only what was under way."""
    media = short.save(program.folder / "short.wav")
    first = program.start(media, "--batch", "1")
    assert first.until(lambda event: isinstance(event, ev.SpeechHeard) and event.last)
    assert first.until(lambda event: isinstance(event, ev.BatchDone))
    first.kill()
    lost = set(spans_of(first.entries, ev.BatchStarted)) - set(program.covered(1))

    second = program.start(media, "--batch", "1")
    committed = second.until(lambda event: isinstance(event, ev.BatchDone))
    start = next(entry.at for entry in second.entries if isinstance(entry.event, ev.EngineStarted))
    batch = max(event.took_ms for event in (*first.said(ev.BatchDone), *second.said(ev.BatchDone)))
    assert committed.at - start <= NOISE * (load(first) + batch)
    assert second.read_rest() == 0, second.err

    recipe = first.said(ev.JobAdded)[0].options.recipe
    assert len(lost) <= recipe.batch * recipe.parallel
    assert lost | set(first.said(ev.BatchDone)[0].spans) < set(program.windows(1)), "it was killed at its end"
    assert {each.stage for each in second.said(ev.WorkerStarted)} == {"transcribe"}, "it listened again"
    begun = spans_of(first.entries, ev.BatchStarted) + spans_of(second.entries, ev.BatchStarted)
    assert {span for span in begun if begun[span] > 1} <= lost
    program.check_nothing_left()
