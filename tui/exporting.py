"""``scribetui export``: a job's transcript in any format, as far as it has come, from the ledger."""

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from engine.files import WriteError, make_folder
from engine.home import Home
from engine.ledger import Ledger, LedgerError
from engine.render import UnknownFormat, renderer
from engine.stages.write import write_files
from engine.writer import choose_base, read_transcript


class ExportError(Exception):
    """Nothing could be exported; one clear sentence for the user, and the exit status."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


def export(home: Home, job: int, formats: Sequence[str], out: Path | None) -> tuple[str, ...]:
    """Write a job's transcript beside its media or into a folder; the paths written.

    Files the job itself wrote are written anew; any other file of the same name is left alone.

    Raises:
        ExportError: no such job or format, or the files cannot be written.
    """
    try:
        for each in formats:
            renderer(each)
    except UnknownFormat as error:
        raise ExportError(str(error), 2) from error
    if not formats:
        raise ExportError("Name a format, such as --format srt.", 2)
    try:
        with closing(Ledger(home.ledger, read_only=True)) as ledger:
            record = ledger.job(job)
            if record is None:
                raise ExportError(f"There is no job {job}; 'scribetui status' lists those there are.")
            transcript = read_transcript(ledger, record)
            folder = out.expanduser().absolute() if out else Path(record.source.path).parent
            if out:
                make_folder(folder)
            base = choose_base(ledger, record, folder, formats)
    except WriteError as error:
        raise ExportError(str(error)) from error
    except LedgerError as error:
        raise ExportError(str(error) if home.ledger.exists() else f"There is no job {job} yet.") from error
    try:
        # The job may be writing the very same files at this moment.
        return write_files(transcript, base, formats, partial=False, writer=f"export {os.getpid()}")
    except WriteError as error:
        raise ExportError(str(error)) from error
