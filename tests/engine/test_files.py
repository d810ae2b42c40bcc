"""Files are whole or not there, and no job writes what another has written."""

import errno
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import files
from engine.files import (
    WriteError,
    claims,
    output_base,
    output_paths,
    path_key,
    remove,
    write_atomically,
    write_together,
)

FORMATS = ("srt", "json")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def nobody(path):
    return False


def among(claimed):
    return lambda path: path_key(path) in claimed


def failing(number):
    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    return fail


# ---- writing


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_is_written_and_replaced(tmp_path, durable):
    path = tmp_path / "movie.srt"
    write_atomically(path, b"one", durable=durable)
    write_atomically(path, b"two", durable=durable)
    assert path.read_bytes() == b"two"
    assert names(tmp_path) == ["movie.srt"]


def test_a_file_has_the_usual_permissions(tmp_path):
    umask = os.umask(0o027)
    try:
        write_atomically(tmp_path / "movie.srt", b"")
    finally:
        os.umask(umask)
    assert (tmp_path / "movie.srt").stat().st_mode & 0o777 == 0o640


def test_the_data_and_the_folder_are_on_disk_in_that_order(tmp_path, monkeypatch):
    done = []
    sync, replace = files._sync, Path.replace
    monkeypatch.setattr(files, "_sync", lambda fd: (done.append("sync"), sync(fd)))
    monkeypatch.setattr(Path, "replace", lambda *paths: (done.append("replace"), replace(*paths)))
    write_atomically(tmp_path / "movie.srt", b"text")
    assert done == ["sync", "replace", "sync"]


@pytest.mark.parametrize(
    ("number", "cure"),
    [
        (errno.EACCES, "no permission"),
        (errno.ENOSPC, "disk is full"),
        (errno.EDQUOT, "share of the disk"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "check the disk"),
    ],
)
@pytest.mark.parametrize("step", ["open", "fsync", "replace"])
def test_a_failure_is_one_clear_sentence_and_leaves_nothing(tmp_path, monkeypatch, number, cure, step):
    path = tmp_path / "movie.srt"
    write_atomically(path, b"old")
    monkeypatch.setattr(Path if step == "replace" else os, step, failing(number))
    with pytest.raises(WriteError, match=cure) as caught:
        write_atomically(path, b"new")
    monkeypatch.undo()
    assert str(path) in str(caught.value)
    assert str(caught.value).count(".") == str(path).count(".") + 1
    assert (names(tmp_path), path.read_bytes()) == (["movie.srt"], b"old")


def test_a_missing_folder_a_folder_in_the_way_and_a_name_too_long_are_told(tmp_path):
    (tmp_path / "movie.srt").mkdir()
    for path, cure in [
        (tmp_path / "nowhere" / "a.srt", "create it"),
        (tmp_path / "movie.srt", "a folder has that name"),
        (tmp_path / f"{'x' * 300}.srt", "too long"),
    ]:
        with pytest.raises(WriteError, match=cure):
            write_atomically(path, b"text")
    assert names(tmp_path) == ["movie.srt"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_told(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(WriteError, match="no permission"):
        write_atomically(tmp_path / "movie.srt", b"text")


def test_a_message_holds_nothing_a_terminal_obeys(tmp_path):
    with pytest.raises(WriteError) as caught:
        write_atomically(tmp_path / "no\n\x1b[31m" / "a\udcff.srt", b"")
    assert str(caught.value).isprintable()


def test_files_written_together_are_all_there_or_none(tmp_path):
    def rendered():
        yield tmp_path / "a.srt", b"a"
        raise ValueError("cannot be rendered")

    with pytest.raises(ValueError, match="cannot be rendered"):
        write_together(rendered())
    with pytest.raises(WriteError):
        write_together([(tmp_path / "a.srt", b"a"), (tmp_path / "nowhere" / "b.srt", b"b")])
    assert names(tmp_path) == []
    write_together([(tmp_path / "a.srt", b"a"), (tmp_path / "b.srt", b"b")])
    assert names(tmp_path) == ["a.srt", "b.srt"]


def test_two_who_write_the_same_file_at_once_do_not_meet(tmp_path):
    """Each prepares it in a place of its own: the last one wins, and nothing is left behind."""
    path = tmp_path / "a.txt"

    def ours():
        write_together([(path, b"theirs")], writer="export 1")
        yield path, b"ours"

    write_together(ours())
    assert path.read_bytes() == b"ours"

    def staged():
        yield path, b"first"
        write_together([(path, b"second")], writer="export 1")
        assert path.read_bytes() == b"second"

    write_together(staged())
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_crash_left_is_written_over_or_removed(tmp_path):
    path = tmp_path / "movie.srt"
    files._temporary(path).write_bytes(b"half")
    write_atomically(path, b"whole")
    assert names(tmp_path) == ["movie.srt"]
    files._temporary(path).write_bytes(b"half")
    remove([path, tmp_path / "never was"])
    assert names(tmp_path) == []


def test_a_link_planted_where_the_file_is_prepared_is_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    files._temporary(tmp_path / "movie.srt").symlink_to(victim)
    write_atomically(tmp_path / "movie.srt", b"text")
    assert victim.read_bytes() == b"precious"
    assert (tmp_path / "movie.srt").read_bytes() == b"text"


# ---- choosing names


def test_the_name_is_that_of_the_media_file(tmp_path):
    base = output_base(tmp_path / "movie.mkv", tmp_path / "out", FORMATS, nobody)
    assert output_paths(base, FORMATS) == (tmp_path / "out" / "movie.srt", tmp_path / "out" / "movie.json")
    assert output_paths(base, FORMATS, partial=True)[0].name == "movie.partial.srt"


def test_what_somebody_else_wrote_is_never_written_over(tmp_path):
    media = tmp_path / "movie.mkv"
    for existing, expected in [("movie.json", "movie.mkv"), ("movie.mkv.srt", "movie.mkv (2)")]:
        (tmp_path / existing).touch()
        assert output_base(media, tmp_path, FORMATS, nobody).name == expected
    (tmp_path / "movie.mkv (2).partial.srt").symlink_to("nowhere")
    assert output_base(media, tmp_path, FORMATS, nobody).name == "movie.mkv (3)"


def test_a_format_that_is_not_written_is_not_in_the_way(tmp_path):
    (tmp_path / "movie.txt").touch()
    assert output_base(tmp_path / "movie.mkv", tmp_path, FORMATS, nobody).name == "movie"


def test_a_job_keeps_the_name_it_had(tmp_path):
    base = output_base(tmp_path / "movie.mkv", tmp_path, FORMATS, nobody)
    for path in claims(base, FORMATS):
        path.touch()
    assert output_base(tmp_path / "movie.mkv", tmp_path, FORMATS, nobody, owned=claims(base, FORMATS)) == base
    assert output_base(tmp_path / "movie.mkv", tmp_path, FORMATS, nobody).name == "movie.mkv"


def test_two_jobs_never_share_a_name(tmp_path):
    claimed = []
    found = []
    for media in ["movie.mkv", "movie.mp4", "a/movie.mkv", "b/Movie.mkv", "movie.partial.mkv"]:
        base = output_base(tmp_path / media, tmp_path, FORMATS, among(claimed))
        claimed += map(path_key, claims(base, FORMATS))
        found.append(base.name)
    assert found == ["movie", "movie.mp4", "movie.mkv", "Movie.mkv (2)", "movie.partial.mkv"]


@pytest.mark.parametrize(("media", "expected"), [("talk.json", "talk.json"), ("talk.json.json", "talk.json.json")])
def test_the_media_file_is_never_written_over(tmp_path, media, expected):
    path = tmp_path / media
    path.touch()
    base = output_base(path, tmp_path, ("json",), nobody, owned=[path])
    assert path not in claims(base, ("json",))
    assert base.name == expected


@pytest.mark.parametrize(
    "media", ["a b.mkv", "дом.mkv", "line\nbreak.mkv", "-rf.mkv", ".hidden.mkv", "[red] \x1b[31m.mkv"]
)
def test_any_name_can_be_written(tmp_path, media):
    base = output_base(tmp_path / media, tmp_path, FORMATS, nobody)
    assert base.name == Path(media).stem
    for path in claims(base, FORMATS):
        write_atomically(path, b"text")
        assert path.read_bytes() == b"text"


@pytest.mark.parametrize("letter", ["x", "é", "字", "🎬"])
def test_a_name_at_the_limit_is_shortened_and_can_be_written(tmp_path, letter):
    stem = letter * (251 // len(letter.encode()))
    media = tmp_path / f"{stem}.mkv"
    media.touch()
    found = set()
    for _ in range(3):
        base = output_base(media, tmp_path, FORMATS, nobody)
        assert stem.startswith(re.sub(r" \(\d\)$", "", base.name))
        for path in claims(base, FORMATS):
            write_atomically(path, b"text")
        found.add(base)
    assert len(found) == 3


@given(st.lists(st.sampled_from(["a.mkv", "a.mp4", "A.mkv", "a", "a.partial.srt", "b/a.mkv"]), max_size=12))
def test_no_two_of_many_jobs_may_write_the_same_file(medias):
    claimed = []
    for media in medias:
        base = output_base(Path("/nowhere") / media, Path("/nowhere"), FORMATS, among(claimed))
        claimed += map(path_key, claims(base, FORMATS))
    assert len(claimed) == len(set(claimed))
