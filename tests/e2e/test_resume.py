"""What a sudden end costs: the batches under way, and nothing else."""

from engine import events as ev
from tests.e2e.program import Program, spans_of


def test_going_on_costs_the_batches_under_way(program: Program, short):
    """Killed in mid-job and run again: it listens to nothing again, and decodes only what was under way."""
    media = short.save(program.folder / "short.wav")
    first = program.start(media, "--batch", "1")
    assert first.until(lambda event: isinstance(event, ev.SpeechHeard) and event.last)
    assert first.until(lambda event: isinstance(event, ev.BatchDone))
    first.kill()
    lost = set(spans_of(first.entries, ev.BatchStarted)) - set(program.covered(1))

    second = program.start(media, "--batch", "1")
    assert second.read_rest() == 0, second.err

    recipe = first.said(ev.JobAdded)[0].options.recipe
    assert len(lost) <= recipe.batch * recipe.parallel
    assert lost | set(first.said(ev.BatchDone)[0].spans) < set(program.windows(1)), "it was killed at its end"
    assert {each.stage for each in second.said(ev.WorkerStarted)} == {"transcribe"}, "it listened again"
    begun = spans_of(first.entries, ev.BatchStarted) + spans_of(second.entries, ev.BatchStarted)
    assert {span for span in begun if begun[span] > 1} <= lost
    program.check_nothing_left()
