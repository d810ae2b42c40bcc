"""What recognition found out about a job, by its story."""

import contextlib

from engine import events as ev
from engine.ledger import Ledger
from engine.messages import Correction
from engine.recognised import Download, Recognised, recognised
from engine.report import report_of
from engine.timeline import Span
from tests.engine.told import MIB, START, WINDOWS, Told, eventful, found, save


def test_all_that_was_found():
    told = recognised(found().entries)
    assert (told.language, told.votes[0]) == ("de", ("de", 0.91))
    assert [(each.at, each.now) for each in told.corrections] == [
        *((12_000, "Qwen"), (31_000, "ComfyUI"), (65_000, "ComfyUI"))
    ]
    assert told.aligned == WINDOWS[:3]
    assert told.aligned_ms == 3 * 29_000
    assert told.unaligned == ((WINDOWS[3], "Too noisy."),)
    (download,) = told.downloads
    assert download == Download(model="small", at=START, until=START + 62_000, done=464 * MIB, total=464 * MIB)
    (aligning,) = told.aligning
    assert aligning.length == 3_000


def test_nothing_of_it_where_there_was_none():
    assert recognised(eventful().entries) == Recognised()


def test_what_was_found_last_counts():
    """A window that is aligned after all, a correction that is told again, a second download of the same model."""
    told = Told().sit_down().add()
    for _ in range(2):
        told.tell(ev.TermsCorrected(job=1, corrections=(Correction(1, "a", "b"),)))
        told.tell(ev.ModelFetched(job=1, worker=1, model="m", done=1, total=2)).later(5).sit_down()
    told.tell(ev.WordsAligned(job=1, spans=WINDOWS[:2], took_ms=1, reason="no"))
    told.tell(ev.WordsAligned(job=1, spans=WINDOWS[:1], took_ms=1))
    found = recognised(told.entries)
    assert found.corrections == (Correction(1, "a", "b"),)
    assert [each.at for each in found.downloads] == [START, START + 5]
    assert (found.aligned, [span for span, _ in found.unaligned]) == (WINDOWS[:1], [WINDOWS[1]])


def test_the_report_has_the_stage_where_it_was_at_work(tmp_path):
    with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        save(ledger, found())
        report = report_of(ledger, 1)
    assert [(stage.name, stage.took_ms) for stage in report.stages][2:3] == [("align", 3_000)]
    assert report.recognised.language == "de"
    assert report.recognised.aligning == (Span(START + 67_300, START + 70_300),)
