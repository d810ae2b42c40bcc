"""Writing a job's files: all formats at once, partial ones while it runs, and nothing left over."""

import time
import tracemalloc

import pytest

from engine.files import WriteError
from engine.render import FORMATS, Document, UnknownFormat, render
from engine.stages.write import remove_partials, write_files
from tests.engine.transcripts import hours, segment, transcript

ALL = ("srt", "vtt", "txt", "json")
TOLD = transcript(segment("One."), segment("Two.", 5_000))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_every_format_is_written(tmp_path):
    paths = write_files(TOLD, tmp_path / "movie", ALL, partial=False)
    assert paths == tuple(str(tmp_path / f"movie.{name}") for name in ALL)
    for name in FORMATS:
        assert (tmp_path / f"movie.{name}").read_bytes() == render(Document(TOLD), name)


def test_partial_files_have_their_own_names_and_go_with_the_final_ones(tmp_path):
    paths = write_files(TOLD, tmp_path / "movie", ALL, partial=True)
    assert paths == tuple(str(tmp_path / f"movie.partial.{name}") for name in ALL)
    assert len(names(tmp_path)) == 4
    write_files(TOLD, tmp_path / "movie", ALL, partial=False)
    assert names(tmp_path) == sorted(f"movie.{name}" for name in ALL)


def test_partial_files_can_be_removed_and_nothing_else_is(tmp_path):
    (tmp_path / "movie.srt").touch()
    write_files(TOLD, tmp_path / "movie", ALL, partial=True)
    remove_partials(tmp_path / "movie", ALL)
    remove_partials(tmp_path / "movie", ALL)
    assert names(tmp_path) == ["movie.srt"]


def test_another_writer_leaves_the_partial_files_alone(tmp_path):
    """An export beside the job's own files, while the job runs."""
    write_files(TOLD, tmp_path / "talk", ["srt"], partial=True)
    write_files(TOLD, tmp_path / "talk", ["srt"], partial=False, writer="export 1")
    assert {path.name for path in tmp_path.iterdir()} == {"talk.srt", "talk.partial.srt"}


def test_an_unknown_format_is_told_before_anything_is_written(tmp_path):
    with pytest.raises(UnknownFormat, match="'doc'"):
        write_files(TOLD, tmp_path / "movie", ("srt", "doc"), partial=False)
    assert names(tmp_path) == []


def test_a_format_asked_for_twice_is_written_once(tmp_path):
    assert write_files(TOLD, tmp_path / "movie", ("srt", "srt"), partial=False) == (str(tmp_path / "movie.srt"),)


def test_a_folder_that_is_not_there_is_told_and_the_partial_files_stay(tmp_path):
    with pytest.raises(WriteError, match="create it"):
        write_files(TOLD, tmp_path / "nowhere" / "movie", ALL, partial=False)
    (tmp_path / "movie.json").mkdir()
    write_files(TOLD, tmp_path / "movie", ALL, partial=True)
    with pytest.raises(WriteError, match="a folder has that name"):
        write_files(TOLD, tmp_path / "movie", ALL, partial=False)
    assert "movie.partial.srt" in names(tmp_path)
    assert not [name for name in names(tmp_path) if name.endswith(".scribetui")]


def test_three_hours_in_all_formats_take_little_time_and_memory(tmp_path):
    told = hours(3)
    began = time.process_time()
    write_files(told, tmp_path / "movie", ALL, partial=False)
    assert time.process_time() - began < 8  # 0.6 s on the slowest machine so far
    tracemalloc.start()
    try:
        write_files(hours(0.5), tmp_path / "movie", ALL, partial=False)
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()
