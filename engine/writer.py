"""Writing a job's files from the ledger, one at a time and beside the engine's own thread."""

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine, Sequence
from contextlib import closing
from pathlib import Path

from engine.files import WriteError, claims, make_folder, output_base, path_key
from engine.home import Home
from engine.ledger import Claim, Ledger, LedgerError, LedgerFull
from engine.machine.stimuli import FilesWritten, JobRecord, WriteFailed
from engine.recipe import EACH_WINDOW
from engine.stages.write import remove_partials, write_files
from engine.states import ENDED
from engine.timeline import subtract, union
from engine.transcript import Doubt, Transcript, Window

_log = logging.getLogger(__name__)


def read_transcript(ledger: Ledger, job: JobRecord) -> Transcript:
    """All that the ledger has of a job's text."""
    progress = job.progress
    missing = subtract(subtract(union(progress.windows), union(progress.covered)), union(progress.gaps))
    gives_up = any(gap.start >= progress.heard for gap in progress.gaps)
    until = missing[0].start if missing else None if progress.heard_all or gives_up else progress.heard
    flaws = ledger.flaws(job.id)
    return Transcript(
        media=job.source.path,
        duration=progress.duration if progress.heard_all else None,
        language=_language(job),
        windows=tuple(Window(recipe, segments) for _, recipe, segments in ledger.decoded(job.id)),
        gaps=union(progress.gaps),
        doubtful=tuple(Doubt(span, found.doubt) for span, found in flaws if found.doubt),
        unaligned=tuple(Doubt(span, reason) for span, reason in ledger.unaligned(job.id)),
        corrections=tuple(correction for _, found in flaws for correction in found.corrections),
        terms=tuple(each.text for each in job.options.terms),
        unheard=tuple(span for _, found in flaws for span in found.unheard),
        warnings=ledger.warnings(job.id),
        until=until,
    )


def _language(job: JobRecord) -> str | None:
    """What the whole text is in, by the options or by a vote; None where windows may differ, or nobody knows.

    A translation is in English, whatever was spoken: its own words say so.
    """
    if job.options.recipe.task == "translate":
        return None
    asked = job.options.recipe.language
    return job.progress.language if asked is None else None if asked == EACH_WINDOW else asked


def choose_base(ledger: Ledger, job: JobRecord, folder: Path, formats: Sequence[str]) -> Path:
    """The name of a job's files without their ending: never another job's, nor a file's that we did not write.

    The files of an earlier job that did the same with the same file (with another model, say) are replaced.
    """
    known = ledger.claim(job.id)
    owned = {Path(path) for path in job.outputs}
    if known is not None:
        owned.update(claims(Path(known.base), known.formats))
    taken: set[str] = set()
    for other, claim in ledger.others(job.id):
        if isinstance(other.state, ENDED) and _purpose(other) == _purpose(job):
            owned.update(Path(path) for path in other.outputs)
        else:
            taken.update(path_key(path) for path in claims(Path(claim.base), claim.formats))
    return output_base(Path(job.source.path), folder, formats, taken=lambda path: path_key(path) in taken, owned=owned)


def _purpose(job: JobRecord) -> tuple[str, str | None, str | None, str]:
    return (job.source.path, job.options.track, job.options.recipe.language, job.options.recipe.task)


class Writer:
    """Renders transcripts in a thread and removes what ended jobs leave; one thing after the other.

    Args:
        home: where the decoded audio lies.
        ledger: the engine's own, for the names chosen.
        report: takes what came of a writing.
        changed: called whenever something that was asked for has been done.
    """

    def __init__(
        self,
        home: Home,
        ledger: Ledger,
        report: Callable[[FilesWritten | WriteFailed], None],
        changed: Callable[[], None],
    ) -> None:
        self._home = home
        self._ledger = ledger
        self._report = report
        self._changed = changed
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_idle(self) -> bool:
        """Whether everything asked for has been done."""
        return not self._tasks

    async def settle(self) -> None:
        """Wait until everything asked for has been done."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def write(self, job: int, *, partial: bool) -> None:
        """Write a job's files, in its turn; what came of it is reported."""
        self._begin(self._write(job, partial))

    def clean_up(self, job: int) -> None:
        """Remove a job's decoded audio at once, and its partial files in their turn."""
        try:
            # In its turn it might be too late: the job may be at work again by then, with its audio made anew.
            (self._home.cache / f"{job}.pcm").unlink(missing_ok=True)
        except OSError as error:
            _log.warning("the audio of job %s stays: %s", job, error)
        self._begin(self._remove_partials(job, self._ledger.claim(job)))

    def forget_strangers(self, jobs: set[int]) -> None:
        """Remove decoded audio that belongs to none of these jobs."""
        for path in self._home.cache.glob("*.pcm"):
            if not re.fullmatch(r"\d+", path.stem) or int(path.stem) not in jobs:
                path.unlink(missing_ok=True)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        task.result()
        self._changed()

    async def _write(self, job: int, partial: bool) -> None:
        async with self._turn:
            report: FilesWritten | WriteFailed
            name = f"job {job}"
            try:
                record = self._ledger.job(job)
                if record is None:
                    return
                name = Path(record.source.path).name
                base = self._base(record, partial=partial)
                paths = await asyncio.to_thread(self._render, record, base, partial)
                report = FilesWritten(job, partial, paths)
            except (WriteError, LedgerError) as error:
                is_full = isinstance(error, LedgerFull) or (isinstance(error, WriteError) and error.is_full)
                report = WriteFailed(job, partial, str(error), is_full)
            except Exception as error:
                _log.exception("job %s could not be written", job)
                report = WriteFailed(
                    job,
                    partial,
                    f"{name}: a fault in scribetui kept its files from being written "
                    f"({type(error).__name__}: {error}); engine.log tells more.",
                )
        self._report(report)

    def _base(self, job: JobRecord, *, partial: bool) -> Path:
        """The name of the job's files without its ending, as it is remembered in the ledger."""
        known = self._ledger.claim(job.id)
        folder = Path(job.source.path).parent
        if job.options.out:
            folder = Path(job.options.out)
            make_folder(folder)
        is_settled = known is not None and known == Claim(str(folder / Path(known.base).name), job.options.formats)
        if known is not None and partial and is_settled:
            return Path(known.base)
        base = choose_base(self._ledger, job, folder, job.options.formats)
        claim = Claim(str(base), job.options.formats)
        if known is not None and claim != known:
            remove_partials(Path(known.base), known.formats)
        self._ledger.keep_claim(job.id, claim)
        return base

    def _render(self, job: JobRecord, base: Path, partial: bool) -> tuple[str, ...]:
        with closing(Ledger(self._home.ledger, read_only=True)) as ledger:
            transcript = read_transcript(ledger, job)
        return write_files(transcript, base, job.options.formats, partial=partial)

    async def _remove_partials(self, job: int, claim: Claim | None) -> None:
        async with self._turn:
            try:
                claim = self._ledger.claim(job) or claim  # a writing before us may have chosen the name only now
                if claim is not None:
                    await asyncio.to_thread(remove_partials, Path(claim.base), claim.formats)
            except (WriteError, LedgerError) as error:
                _log.warning("partial files of job %s stay: %s", job, error)
