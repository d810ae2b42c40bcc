"""A path before it becomes a job."""

import os

import pytest

from engine.commands import CommandError
from engine.intake import check_folder, inspect
from engine.states import Done


def test_a_file_is_known_by_path_size_and_time(tmp_path):
    path = tmp_path / "talk.wav"
    path.write_bytes(b"abc")
    source = inspect(str(path))
    assert (source.path, source.size, source.mtime_ns) == (str(path), 3, path.stat().st_mtime_ns)


def test_a_relative_path_and_a_home_folder_are_made_whole(tmp_path, monkeypatch):
    (tmp_path / "talk.wav").write_bytes(b"abc")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert inspect("talk.wav").path == inspect("~/talk.wav").path == str(tmp_path / "talk.wav")


@pytest.mark.parametrize("name", ["a b", "ünï", "new\nline", "[red]", "\x1b[31m", "-dash", "日本"])
def test_any_name_will_do(tmp_path, name):
    (tmp_path / name).write_bytes(b"abc")
    assert inspect(str(tmp_path / name)).size == 3


def test_what_cannot_be_a_job_is_told_in_a_sentence(tmp_path):
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    os.symlink("nowhere", tmp_path / "dangling")
    for path, reason in {
        tmp_path / "none": "there is no such file",
        tmp_path / "dangling": "there is no such file",
        tmp_path: "is a folder; please name the files in it",
        tmp_path / "empty": "the file is empty",
        tmp_path / "pipe": "is not a regular file",
        f"{tmp_path}/zero\0": "the name holds a zero byte, which no file can have",
    }.items():
        with pytest.raises(CommandError) as error:
            inspect(str(path))
        assert str(error.value).endswith(f": {reason}.")


def test_a_name_that_is_no_utf8_is_refused(tmp_path):
    path = os.fsencode(tmp_path) + b"/bad\xff"
    with open(path, "wb") as file:
        file.write(b"abc")
    with pytest.raises(CommandError, match=r"bad\\udcff: the name is not valid UTF-8"):
        inspect(os.fsdecode(path))


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path):
    path = tmp_path / "secret"
    path.write_bytes(b"abc")
    path.chmod(0)
    with pytest.raises(CommandError, match="no permission"):
        inspect(str(path))


async def test_a_folder_for_the_transcripts_whose_name_is_no_text_is_refused(bench, media, tmp_path):
    async with bench() as b:
        with pytest.raises(CommandError, match=r"udcff: the name is not valid UTF-8; please rename the folder\."):
            await b.add(media(), out=str(tmp_path / "\udcff"))
        assert b.engine.view.jobs == ()
        assert isinstance(await b.ended(await b.add(media())), Done)


def test_a_folder_for_transcripts_need_not_exist_but_must_be_possible(tmp_path):
    check_folder(str(tmp_path))
    check_folder(str(tmp_path / "to" / "be" / "made"))
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(CommandError, match=r"file: is no folder, so no transcripts can go into .+--out\.$"):
            check_folder(str(folder))


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_that_may_not_be_written_is_refused_before_the_work(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(CommandError, match="no permission to write"):
        check_folder(str(tmp_path))


def test_a_folder_with_too_long_a_name_is_refused(tmp_path):
    with pytest.raises(CommandError, match=r"a: no transcripts can go there \(File name too long\)"):
        check_folder(str(tmp_path / ("a" * 300)))
