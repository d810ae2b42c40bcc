"""One look at real folders: what is found there, and what is left out."""

import os
from pathlib import Path

import pytest

from engine.settings.groups import EXTENSIONS
from engine.watching.scan import endings, mark_of, scan
from tests.engine.folders import bury, dig_up, put


def look(*folders: Path, extensions=EXTENSIONS) -> set[str]:
    """The names of what is found."""
    found = scan([str(folder) for folder in folders], endings(extensions))
    assert found.lost == {}
    assert found.closed == {}
    assert all(mark_of(path) == mark for path, mark in found.files.items())
    return {os.path.relpath(path, folders[0]) for path in found.files}


def test_recordings_are_found_in_all_folders_below_whatever_the_case_of_their_names(tmp_path):
    for name in ("a.mp3", "B.MKV", "deep/er/c.Flac", "d.txt", "noending", "e.mp3.txt", "über/ß.wav"):
        put(tmp_path / name)
    assert look(tmp_path) == {"a.mp3", "B.MKV", "deep/er/c.Flac", "über/ß.wav"}


@pytest.mark.parametrize("extensions", [("MP3",), (".mp3",), (".Mp3", "txt")])
def test_extensions_count_with_or_without_a_dot_in_any_case(tmp_path, extensions):
    put(tmp_path / "a.mP3")
    put(tmp_path / "a.wav")
    assert look(tmp_path, extensions=extensions) == {"a.mP3"}


def test_hidden_files_and_folders_are_left_out(tmp_path):
    for name in (".a.mp3", ".trash/b.mp3", "c.mp3"):
        put(tmp_path / name)
    assert look(tmp_path) == {"c.mp3"}


def test_a_hidden_folder_is_watched_when_it_is_named(tmp_path):
    put(tmp_path / ".in" / "a.mp3")
    assert look(tmp_path / ".in") == {"a.mp3"}


def test_what_is_being_fetched_is_left_out(tmp_path):
    for name in ("a.mp3", "b.mp3.part", "c.mp3.crdownload", "d.mp3.tmp", "e.download/e.mp3"):
        put(tmp_path / name)
    put(tmp_path / "f.mp3", b"")
    put(tmp_path / "f.mp3.part")
    put(tmp_path / "G.MP3", b"")
    put(tmp_path / "G.MP3.Part")
    assert look(tmp_path, extensions=("mp3", "part", "tmp", "crdownload")) == {"a.mp3"}


def test_only_files_are_recordings(tmp_path):
    os.mkfifo(tmp_path / "a.mp3")
    (tmp_path / "b.mp3").mkdir()
    (tmp_path / "c.mp3").symlink_to(tmp_path / "nowhere.mp3")
    (tmp_path / "d.mp3").symlink_to(tmp_path / "d.mp3")
    assert look(tmp_path) == set()
    assert mark_of(str(tmp_path / "a.mp3")) is None


def test_links_are_followed_and_loops_end(tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "out"
    put(inside / "sub" / "a.mp3")
    put(outside / "b.mp3")
    (inside / "again").symlink_to(inside)
    (inside / "sub" / "up").symlink_to(inside)
    (inside / "out").symlink_to(outside)
    (outside / "back").symlink_to(inside / "sub")
    (inside / "a-link-to-sub").symlink_to(inside / "sub")
    assert look(inside) == {"sub/a.mp3", "out/b.mp3"}


def test_folders_within_each_other_give_each_file_once(tmp_path):
    put(tmp_path / "sub" / "a.mp3")
    found = scan([str(tmp_path), str(tmp_path / "sub"), str(tmp_path)], endings(EXTENSIONS))
    assert list(found.files) == [str(tmp_path / "sub" / "a.mp3")]


def test_a_folder_that_is_missing_or_a_file_is_lost(tmp_path):
    file = put(tmp_path / "a.mp3")
    found = scan([str(tmp_path / "no"), str(file)], endings(EXTENSIONS))
    assert found.lost == {str(tmp_path / "no"): "No such file or directory", str(file): "Not a directory"}
    assert found.files == {}


def test_a_folder_that_cannot_be_looked_at_does_not_hide_the_others(tmp_path):
    buried = bury(tmp_path)
    put(tmp_path / "open" / "c.mp3")
    found = scan([str(tmp_path)], endings(EXTENSIONS))
    assert found.closed == {str(buried): "File name too long"}
    assert [Path(path).name for path in found.files] == ["c.mp3"]
    dig_up(tmp_path)
    assert len(scan([str(tmp_path)], endings(EXTENSIONS)).files) == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_folder_without_permission_does_not_hide_the_others(tmp_path):
    put(tmp_path / "shut" / "a.mp3")
    put(tmp_path / "blind" / "b.mp3")
    put(tmp_path / "open" / "c.mp3")
    (tmp_path / "shut").chmod(0)
    (tmp_path / "blind").chmod(0o444)
    found = scan([str(tmp_path)], endings(EXTENSIONS))
    for name in ("shut", "blind"):
        (tmp_path / name).chmod(0o755)
    assert found.closed == {str(tmp_path / name): "Permission denied" for name in ("shut", "blind")}
    assert [Path(path).name for path in found.files] == ["c.mp3"]


def test_a_look_that_nobody_waits_for_ends(tmp_path):
    put(tmp_path / "a.mp3")
    assert scan([str(tmp_path)], endings(EXTENSIONS), lambda: True).files == {}
