"""Sequences for the terminal: the right one for each, and nothing from outside that could end it early."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.osc import BODY_CELLS, CLIPBOARD_BYTES, TITLE_CELLS, clipboard_hint, clipped, notice

FOOT, KITTY = {"TERM": "foot"}, {"TERM": "xterm-kitty"}
TMUX = {"TERM": "tmux-256color", "TERM_PROGRAM": "tmux", "TMUX": "/tmp/tmux-0/default,1,0"}
NINE = "\x1b]9;film.mkv is done: 4 files\a"
TRIPLE = "\x1b]777;notify;film.mkv is done;4 files\a"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (KITTY, NINE),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, NINE),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2", "SSH_CONNECTION": "a b c d"}, NINE),
        (FOOT, TRIPLE),
        ({"TERM": "foot-extra"}, TRIPLE),
        ({"TERM": "rxvt-unicode-256color"}, TRIPLE),
        ({"TERM": "xterm-ghostty", "TERM_PROGRAM": "ghostty"}, TRIPLE),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, TRIPLE),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal"}, ""),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal", "KITTY_WINDOW_ID": "1"}, ""),
        ({"TERM": "linux"}, ""),
        ({"TERM": "dumb", "TERM_PROGRAM": "iTerm.app"}, ""),
        ({"TERM": "footloose"}, ""),
        ({"TERM": "xterm-256color"}, ""),
        ({"TERM": "screen", "STY": "1.pts", "KITTY_WINDOW_ID": "1"}, ""),
        ({}, ""),
        (TMUX, ""),
        ({**TMUX, "KITTY_WINDOW_ID": "1"}, f"\x1bPtmux;\x1b{NINE}\x1b\\"),
        ({**TMUX, "WEZTERM_PANE": "0"}, f"\x1bPtmux;\x1b{TRIPLE}\x1b\\"),
        ({**TMUX, "LC_TERMINAL": "iTerm2"}, f"\x1bPtmux;\x1b{NINE}\x1b\\"),
    ],
)
def test_each_terminal_gets_the_one_sequence_it_knows(environment, expected):
    assert notice("film.mkv is done", "4 files", environment) == expected


@given(st.text(max_size=300), st.text(max_size=600))
def test_nothing_in_a_notice_can_end_it_or_make_another_field(title, body):
    found = re.fullmatch(
        r"\x1b\]777;notify;([^;\x00-\x1f\x7f-\x9f]*);([^;\x00-\x1f\x7f-\x9f]*)\a", notice(title, body, FOOT)
    )
    if found is None:
        assert not (title.split() or body.split()) or notice(title, body, FOOT) == ""
        return
    assert len(found[1]) <= TITLE_CELLS * 2
    assert len(found[2]) <= BODY_CELLS * 2
    assert re.fullmatch(r"\x1b\]9;[^;\x00-\x1f\x7f-\x9f]+\a", notice(title, body, KITTY))
    found[0].encode()


def test_a_hostile_file_name_is_shown_and_not_obeyed():
    said = notice("a\x1b]0;owned\a.mkv", "4;1;50", KITTY)
    assert said == "\x1b]9;a␛]0,owned\\x07.mkv: 4,1,50\a"


def test_a_notice_with_one_part_or_none():
    assert notice("Done", "", KITTY) == "\x1b]9;Done\a"
    assert notice("", "Done", FOOT) == "\x1b]777;notify;;Done\a"
    assert notice(" \n", "", FOOT) == ""


def test_the_clipboard_takes_the_end_of_what_is_too_long():
    assert clipped("short") == "short"
    assert clipped("ä" * CLIPBOARD_BYTES) == "ä" * (CLIPBOARD_BYTES // 2)
    assert clipboard_hint(TMUX) == "In tmux this needs: set -g set-clipboard on"
    assert clipboard_hint(KITTY) is None
