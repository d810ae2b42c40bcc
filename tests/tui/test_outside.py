"""What surrounds the screen: typed paths, the clipboard, the terminal's variables, the keys one may change."""

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui import keys
from tui.environment import is_utf8, prepare_environment
from tui.osc import CLIPBOARD_BYTES, clipboard_hint, clipped
from tui.paths import completion, typed_path


class TestTypedPaths:
    @pytest.mark.parametrize(
        ("typed", "meant"),
        [
            ("  /talks/a.mp3 ", "/talks/a.mp3"),
            ("~/a.mp3", "/home/me/a.mp3"),
            ("'/talks/my talk.mp3'", "/talks/my talk.mp3"),
            ('"~/my talk.mp3"', "/home/me/my talk.mp3"),
            ("/talks/my\\ talk\\ \\(1\\).mp3", "/talks/my talk (1).mp3"),
            ("a/../b.mp3", "{here}/b.mp3"),
        ],
    )
    def test_mean_a_file(self, typed, meant, monkeypatch, tmp_path):
        monkeypatch.setenv("HOME", "/home/me")
        monkeypatch.chdir(tmp_path)
        assert typed_path(typed) == meant.format(here=tmp_path)

    def test_are_taken_as_they_are_where_they_exist(self, tmp_path):
        odd = tmp_path / "a\\ b.mp3"
        odd.touch()
        assert typed_path(str(odd)) == str(odd)

    def test_are_completed(self, tmp_path, monkeypatch):
        (tmp_path / "lectures").mkdir()
        (tmp_path / "lecture 07.mp3").touch()
        (tmp_path / "bad\x1bname.mp3").touch()
        assert completion(f"{tmp_path}/lec") == f"{tmp_path}/lecture 07.mp3"
        assert completion(f"{tmp_path}/lectures") == f"{tmp_path}/lectures/"
        assert completion(f"{tmp_path}/bad") is None
        assert completion(f"{tmp_path}/x") is None
        assert completion(f"{tmp_path}/") is None
        assert completion(f"{tmp_path}/nowhere/a") is None
        monkeypatch.setenv("HOME", str(tmp_path))
        assert completion("~/lecture ") == "~/lecture 07.mp3"
        monkeypatch.chdir(tmp_path)
        assert completion("lecture ") == "lecture 07.mp3"


class TestClipboard:
    @given(st.text(max_size=50))
    def test_short_text_is_copied_whole(self, text):
        text = text.encode("utf-8", "ignore").decode()
        assert clipped(text) == text

    def test_of_long_text_the_end_is_copied(self):
        text = "é" * 60_000 + "end"
        assert clipped(text).endswith("end")
        assert len(clipped(text).encode()) <= CLIPBOARD_BYTES
        assert base64.b64encode(clipped(text).encode())

    def test_says_what_may_be_missing(self):
        assert clipboard_hint({}) is None
        assert "set-clipboard" in clipboard_hint({"TMUX": "/tmp/tmux-0/default,1,0"})
        assert "Terminal.app" in clipboard_hint({"TERM_PROGRAM": "Apple_Terminal"})


class TestEnvironment:
    def test_over_ssh_nothing_is_animated(self):
        environment = {"SSH_CONNECTION": "1.2.3.4 5 6.7.8.9 22"}
        prepare_environment(environment)
        assert environment["TEXTUAL_ANIMATIONS"] == "none"
        assert environment["TEXTUAL_SMOOTH_SCROLL"] == "0"

    def test_what_the_user_set_stays(self):
        environment = {"SSH_CONNECTION": "x", "TEXTUAL_ANIMATIONS": "full"}
        prepare_environment(environment)
        assert environment["TEXTUAL_ANIMATIONS"] == "full"

    def test_at_home_nothing_changes(self):
        environment = dict[str, str]()
        prepare_environment(environment)
        assert environment == {}

    @pytest.mark.parametrize(
        ("environment", "is_so"),
        [
            ({}, True),
            ({"LANG": "de_DE.UTF-8"}, True),
            ({"LANG": "C"}, False),
            ({"LANG": "en_US.utf8", "LC_ALL": "POSIX"}, False),
            ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, True),
        ],
    )
    def test_the_locale_tells_whether_it_is_utf8(self, environment, is_so):
        assert is_utf8(environment) is is_so


class TestKeys:
    def test_every_key_has_a_name_a_word_and_an_explanation(self):
        for binding in keys.MAIN:
            assert binding.id
            assert binding.description
            assert binding.tooltip
        names = [binding.id for binding in keys.MAIN]
        assert len(names) == len(set(names))

    def test_the_help_has_them_all(self):
        told = [binding.id for section in keys.SECTIONS.values() for binding in section]
        assert sorted(told) == sorted(binding.id for binding in keys.MAIN)

    def test_none_is_one_that_terminals_keep_for_themselves(self):
        for binding in keys.MAIN:
            for key in binding.key.split(","):
                assert not key.startswith(("ctrl+", "alt+", "f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9"))

    def test_unknown_names_are_found(self):
        assert keys.unknown_actions(["pause", "pawse", "add"]) == ["pawse"]


def test_the_tests_leave_the_terminal_alone():
    assert "NO_COLOR" not in os.environ
