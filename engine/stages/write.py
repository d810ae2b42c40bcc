"""The write stage: a transcript to its files, whole or not at all; light, so the engine runs it in a thread."""

from collections.abc import Sequence
from pathlib import Path

from engine.files import output_paths, remove, write_together
from engine.render import Document, renderer
from engine.transcript import Transcript


def write_files(
    transcript: Transcript, base: Path, formats: Sequence[str], partial: bool, *, writer: str = ""
) -> tuple[str, ...]:
    """Write the transcript in all formats; the paths of the files.

    The final writing removes the partial files. Partial files do not wait for the disk: the ledger has what is in them.

    Args:
        transcript: what is known so far.
        base: the path all files share, as ``files.output_base`` chose it.
        formats: names of formats.
        partial: whether these are the files to look at while the job runs.
        writer: who writes, if not the engine; see ``files.write_together``. It leaves the partial files alone.

    Raises:
        UnknownFormat: there is no such format; nothing is written.
        WriteError: a file cannot be written; no new file is left behind.
    """
    names = tuple(dict.fromkeys(formats))
    renderers = [renderer(name) for name in names]
    document = Document(transcript)
    paths = output_paths(base, names, partial=partial)
    write_together(
        ((path, render(document)) for path, render in zip(paths, renderers, strict=True)),
        durable=not partial,
        writer=writer,
    )
    if not partial and not writer:
        remove_partials(base, names)
    return tuple(map(str, paths))


def remove_partials(base: Path, formats: Sequence[str]) -> None:
    """Remove the files that were written while the job ran, if there are any.

    Raises:
        WriteError: one cannot be removed.
    """
    remove(output_paths(base, formats, partial=True))
