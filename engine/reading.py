"""What can be asked of the ledger.

A row that does not decode (of a later version, or torn) never keeps the rest from being read.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from engine import events as ev
from engine.commands import Options
from engine.machine.stimuli import JobRecord, Known, Seen, Source
from engine.memory import tells
from engine.messages import Probed, Spoken
from engine.querying import UNREADABLE, decoder, or_none
from engine.recipe import Recipe
from engine.retelling import Retelling
from engine.savers import Flaws
from engine.states import ENDED, Failed, JobState, Pausing, Running, Writing
from engine.timeline import Span
from engine.transcript import Segment, text_of
from engine.trouble import SQLITE_ERRORS, LedgerError

LINES = 40
"""Windows whose text is told of a job that is taken up again."""
SEEN = 200
"""How many of the last attempts tell what a recipe needs."""

# As blobs, because SQLite's own decoding of torn text would stop the whole query.
_JOB = "job.id, CAST(path AS BLOB), size, mtime_ns, CAST(options AS BLOB), CAST(state AS BLOB), CAST(outputs AS BLOB)"


class Claim(msgspec.Struct, frozen=True):
    """The name a job's files have, without their ending, and the formats it was free for when it was chosen."""

    base: str
    formats: tuple[str, ...]


_to_claim = decoder(Claim)
_to_options = decoder(Options)
_to_recipe = decoder(Recipe)
_to_state = decoder(JobState)
_to_segments = decoder(tuple[Segment, ...])
_to_flaws = decoder(Flaws)
_to_paths = decoder(tuple[str, ...])
_to_probed = decoder(Probed)
_to_spoken = decoder(Spoken)
_to_event = decoder(ev.Event)


class Reading(Retelling):
    """The ledger's queries; ``Ledger`` opens the file and does the writing.

    Every method raises ``LedgerError`` when the file cannot be read.
    """

    # ---- jobs

    def next_ids(self) -> tuple[int, int]:
        """The numbers for the next job and the next attempt; numbers are never used again."""
        numbers = dict(self._rows("SELECT name, seq FROM sqlite_sequence"))
        return numbers.get("job", 0) + 1, numbers.get("attempt", 0) + 1

    def jobs(self) -> tuple[JobRecord, ...]:
        """Every job in the order of the queue; those that have not ended with their progress."""
        rows = self._rows(
            f"SELECT {_JOB}, duration, worked_ms, coalesce(heard, 0), coalesce(done, 0),"
            " EXISTS (SELECT 1 FROM span WHERE span.job=job.id AND stage='listen'),"
            " (SELECT CAST(data AS BLOB) FROM span WHERE span.job=job.id AND stage='language')"
            " FROM job LEFT JOIN listening ON listening.job=job.id ORDER BY position, job.id"
        )
        found = []
        for *row, duration, worked_ms, heard, done, has_windows, data in rows:
            record, spoken = _record(*row), or_none(_to_spoken, data)
            summary = ev.Progress(
                duration=duration,
                heard=heard,
                heard_all=bool(done),
                worked_ms=worked_ms,
                language=None if spoken is None else spoken.language,
                votes=() if spoken is None else spoken.votes,
                is_brief=bool(has_windows),
            )
            progress = summary if isinstance(record.state, ENDED) else self.progress(record.id)
            found.append(msgspec.structs.replace(record, progress=progress))
        return tuple(found)

    def job(self, job: int) -> JobRecord | None:
        """One job, with all its progress but the speech."""
        row = self._row(f"SELECT {_JOB} FROM job WHERE id=?", (job,))
        return None if row is None else msgspec.structs.replace(_record(*row), progress=self._progress(job))

    def known(self, fingerprint: str) -> Known | None:
        """Where a content was seen before: best as a job that is still on the list, else when it was seen last."""
        row = self._row(
            "SELECT CAST(path AS BLOB), job FROM known WHERE fingerprint=? ORDER BY removed, at DESC LIMIT 1",
            (fingerprint,),
        )
        return None if row is None else Known(row[0].decode(errors="replace"), row[1])

    def claim(self, job: int) -> Claim | None:
        """The name of a job's files, once one was chosen."""
        row = self._row("SELECT CAST(claim AS BLOB) FROM job WHERE id=?", (job,))
        return or_none(_to_claim, row and row[0])

    def others(self, job: int) -> list[tuple[JobRecord, Claim]]:
        """Every other job that has chosen the name of its files, with that name; without progress."""
        rows = self._rows(f"SELECT CAST(claim AS BLOB), {_JOB} FROM job WHERE claim IS NOT NULL AND id<>?", (job,))
        found = [(_record(*row), or_none(_to_claim, claim)) for claim, *row in rows]
        return [(record, claim) for record, claim in found if claim is not None]

    def warnings(self, job: int) -> tuple[str, ...]:
        """What the user was told about a job's media, each thing once."""
        self._settle()
        rows = self._rows("SELECT data FROM event WHERE job=? AND kind='Warning' ORDER BY seq", (job,))
        told = [event.message for row in rows if isinstance(event := or_none(_to_event, row[0]), ev.Warning)]
        return tuple(dict.fromkeys(told))

    def probed(self, job: int) -> Probed | None:
        """What the media file holds, once it was opened."""
        row = self._row("SELECT CAST(probed AS BLOB) FROM listening WHERE job=?", (job,))
        return or_none(_to_probed, row and row[0])

    # ---- spans

    def progress(self, job: int) -> ev.Progress:
        """How far a job has come, with all its windows and its speech."""
        return msgspec.structs.replace(self._progress(job), speech=self.speech(job))

    def _progress(self, job: int) -> ev.Progress:
        duration, worked_ms, state = self._row(
            "SELECT duration, worked_ms, CAST(state AS BLOB) FROM job WHERE id=?", (job,)
        )
        worked_ms += self._worked_last(job, or_none(_to_state, state))
        row = self._row("SELECT heard, done, checkpoint FROM listening WHERE job=?", (job,))
        heard, done, checkpoint = row or (0, 0, "")
        spoken = self.spoken(job)
        return ev.Progress(
            duration=duration,
            heard=heard,
            heard_all=bool(done),
            windows=self._spans(job, "listen"),
            covered=self._spans(job, "transcribe"),
            gaps=self._spans(job, "gap"),
            checkpoint=checkpoint,
            worked_ms=worked_ms,
            language=None if spoken is None else spoken.language,
            votes=() if spoken is None else spoken.votes,
            wordless=self._spans(job, "wordless"),
            aligned=self._spans(job, "align"),
            lines=self._lines(job),
        )

    def _worked_last(self, job: int, state: JobState | None) -> int:
        """How long a job had been running when its sitting ended, as far as its last event tells."""
        if not isinstance(state, Running | Pausing | Writing):
            return 0
        row = self._row("SELECT at FROM event WHERE job=? ORDER BY seq DESC LIMIT 1", (job,))
        return max(0, row[0] - state.since) if row else 0

    def _lines(self, job: int) -> tuple[ev.Line, ...]:
        """The last of a job's text, in the order of the timeline; what cannot be read is left out."""
        rows = self._rows(
            "SELECT start, \"end\", CAST(data AS BLOB) FROM span WHERE job=? AND stage='transcribe'"
            " ORDER BY start DESC LIMIT ?",
            (job, LINES),
        )
        texts = [(start, end, text_of(or_none(_to_segments, data) or ())) for start, end, data in rows]
        return tuple(ev.Line(start, end, text) for start, end, text in reversed(texts) if text)

    def windows_of_all(self) -> dict[int, ev.Progress]:
        """What became of the windows of every job that has any, by its number, and the language that was found.

        Laid out, transcribed, given up, aligned; no more than these.
        """
        found: dict[int, dict[str, list[Span]]] = {}
        rows = self._rows(
            "SELECT job, stage, start, \"end\" FROM span WHERE stage IN ('listen','transcribe','gap','align')"
            " ORDER BY job, stage, start"
        )
        for job, stage, start, end in rows:
            stages = found.get(job) or found.setdefault(job, {"listen": [], "transcribe": [], "gap": [], "align": []})
            stages[stage].append(Span(start, end))
        rows = self._rows("SELECT job, CAST(data AS BLOB) FROM span WHERE stage='language'")
        languages = {job: spoken.language for job, data in rows if (spoken := or_none(_to_spoken, data)) is not None}
        return {
            job: ev.Progress(
                windows=tuple(stages["listen"]),
                covered=tuple(stages["transcribe"]),
                gaps=tuple(stages["gap"]),
                aligned=tuple(stages["align"]),
                language=languages.get(job),
            )
            for job, stages in found.items()
        }

    def spoken(self, job: int) -> Spoken | None:
        """What a vote found a job's language to be; None where none was held."""
        row = self._row("SELECT CAST(data AS BLOB) FROM span WHERE job=? AND stage='language'", (job,))
        return or_none(_to_spoken, row and row[0])

    def speech(self, job: int) -> tuple[Span, ...]:
        """Where a job's listener heard speech, in order; ledgers of the first version did not keep it."""
        return self._spans(job, "speech")

    def _spans(self, job: int, stage: str) -> tuple[Span, ...]:
        rows = self._rows('SELECT start, "end" FROM span WHERE job=? AND stage=? ORDER BY start', (job, stage))
        return tuple(Span(*row) for row in rows)

    def decoded(self, job: int) -> list[tuple[Span, Recipe, tuple[Segment, ...]]]:
        """Every decoded window of a job in order, with the recipe that made it; aligned where it was.

        Raises:
            LedgerError: one of them cannot be read: no transcript is to go without it unnoticed.
        """
        recipes: dict[bytes, Recipe] = {}
        rows = self._rows(
            'SELECT span.start, span."end", CAST(recipe AS BLOB), CAST(span.data AS BLOB), CAST(aligned.data AS BLOB)'
            " FROM span JOIN attempt ON attempt.id=span.attempt LEFT JOIN span AS aligned"
            " ON aligned.job=span.job AND aligned.stage='align' AND aligned.start=span.start"
            " WHERE span.job=? AND span.stage='transcribe' ORDER BY span.start",
            (job,),
        )
        found = []
        for start, end, recipe, data, aligned in rows:
            try:
                if recipe not in recipes:
                    recipes[recipe] = _to_recipe(recipe)
                segments = or_none(_to_segments, aligned) or _to_segments(data)
                found.append((Span(start, end), recipes[recipe], segments))
            except UNREADABLE as error:
                raise LedgerError(
                    f"The ledger {self.path} holds text of job {job} at {start / 1000:.0f} s that cannot be read "
                    f"({error}); remove the job and add its file again."
                ) from error
        return found

    def flaws(self, job: int) -> list[tuple[Span, Flaws]]:
        """Every decoded window about whose text something is doubtful, in order, with what it is."""
        return self._flaws(job, "transcribe")

    def texts(self, job: int, spans: Iterable[Span]) -> tuple[tuple[Segment, ...], ...]:
        """What the recogniser found in each of these windows; nothing where that cannot be read."""
        query = "SELECT CAST(data AS BLOB) FROM span WHERE job=? AND stage='transcribe' AND start=?"
        rows = (self._row(query, (job, span.start)) for span in spans)
        return tuple(or_none(_to_segments, row and row[0]) or () for row in rows)

    def unaligned(self, job: int) -> list[tuple[Span, str]]:
        """Every window in which words kept the recogniser's times though they were to be aligned, and why."""
        return [(span, found.unaligned) for span, found in self._flaws(job, "align") if found.unaligned]

    def _flaws(self, job: int, stage: str) -> list[tuple[Span, Flaws]]:
        rows = self._rows(
            'SELECT start, "end", CAST(flaws AS BLOB) FROM span'
            " WHERE job=? AND stage=? AND flaws IS NOT NULL ORDER BY start",
            (job, stage),
        )
        found = [(Span(start, end), or_none(_to_flaws, told)) for start, end, told in rows]
        return [(span, flaws) for span, flaws in found if flaws is not None]

    # ---- attempts

    def attempts(self, job: int) -> list[dict[str, Any]]:
        """Every attempt of a job, in order, as plain values."""
        try:
            cursor = self._db.execute("SELECT * FROM attempt WHERE job=? ORDER BY id", (job,))
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]
        except SQLITE_ERRORS as error:
            raise self._trouble("read", error) from error

    def seen(self) -> tuple[Seen, ...]:
        """What each recipe of the last attempts has needed, the latest recipe first.

        An attempt with less than two full batches for each lane says nothing about memory: 0 where there was no other.
        """
        rows = self._rows(
            "SELECT CAST(recipe AS BLOB), windows, peak, slowest_ms FROM attempt"
            " WHERE stage='transcribe' AND ended IS NOT NULL AND (peak > 0 OR slowest_ms > 0) ORDER BY id DESC LIMIT ?",
            (SEEN,),
        )
        found: dict[Recipe, tuple[int, int]] = {}
        for data, windows, peak, slowest in rows:
            recipe = or_none(_to_recipe, data)
            if recipe is not None:
                highest, longest = found.get(recipe, (0, 0))
                found[recipe] = (max(highest, peak if tells(recipe, windows) else 0), max(longest, slowest))
        return tuple(Seen(recipe=each, peak=peak, slowest_ms=slowest) for each, (peak, slowest) in found.items())


def _record(job: int, path: bytes, size: int, mtime_ns: int, options: bytes, state: bytes, outputs: bytes) -> JobRecord:
    source = Source(path.decode(errors="replace"), size, mtime_ns)
    try:
        return JobRecord(
            id=job, source=source, options=_to_options(options), state=_to_state(state), outputs=_to_paths(outputs)
        )
    except UNREADABLE as error:
        why = f"What the ledger holds of this job cannot be read ({error}); remove it, and add its file again."
        return JobRecord(id=job, source=source, options=Options(), state=Failed(0, why))
