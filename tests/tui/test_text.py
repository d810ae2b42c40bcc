"""Text from outside, measured and made harmless; times, lengths and sizes in words."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui import text
from tui.glyphs import CELLS, MARKS, to_ascii

ANYTHING = st.text(st.characters(), max_size=60)
WIDTHS = st.integers(0, 40)


class TestPlain:
    @pytest.mark.parametrize(
        ("given_text", "shown"),
        [
            ("talk.mp3", "talk.mp3"),
            ("two\nlines", "two␊lines"),
            ("a\tb\rc", "a␉b␍c"),
            ("\x1b[31mred", "␛[31mred"),
            ("\x07\x00\x7f\x9b", "\\x07\\x00\\x7f\\x9b"),
            ("\u202egpm.exe", "\\u202egpm.exe"),
            ("\u2028\u200b\ufeff", "\\u2028\\u200b\\ufeff"),
            ("bad\udcff", "bad\\xff"),
            ("\ud800", "\\ud800"),
            ("\U000e0001", "\\U000e0001"),
            ("[red]会議[/red]", "[red]会議[/red]"),
            ("❤️", "❤"),
        ],
    )
    def test_shows_what_a_terminal_would_act_upon(self, given_text, shown):
        assert text.plain(given_text) == shown

    @given(ANYTHING)
    @example("\x1b]52;c;AAAA\x07")
    def test_leaves_nothing_that_acts(self, anything):
        shown = text.plain(anything)
        assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
        shown.encode("utf-8")

    @given(ANYTHING)
    def test_is_the_same_the_second_time(self, anything):
        once = text.plain(anything)
        assert text.plain(once) == once


class TestMeasures:
    @given(ANYTHING.map(text.plain), WIDTHS)
    @example("会議の録音", 5)
    def test_crop_fits(self, anything, width):
        cropped = text.crop(anything, width)
        assert cell_len(cropped) <= width
        assert cropped == anything or cropped.endswith("…") or width == 0

    @given(ANYTHING.map(text.plain), WIDTHS)
    def test_crop_left_keeps_the_end(self, anything, width):
        cropped = text.crop_left(anything, width)
        assert cell_len(cropped) <= width
        assert anything.endswith(cropped.removeprefix("…"))

    @given(ANYTHING.map(text.plain), WIDTHS, st.booleans())
    def test_pad_is_exact(self, anything, width, right):
        assert cell_len(text.pad(anything, width, right=right)) == width

    @given(st.text(st.sampled_from("ab 会議.,"), max_size=80), st.integers(2, 30))
    def test_wrap_loses_no_letter_and_fits(self, anything, width):
        lines = text.wrap(anything, width)
        assert "".join("".join(lines).split()) == "".join(anything.split())
        assert all(cell_len(line) <= width for line in lines)

    def test_wrap_breaks_at_spaces(self):
        assert text.wrap("so the second item", 10) == ("so the", "second", "item")

    def test_wide_characters_take_two_cells(self):
        assert text.crop("会議の録音", 7) == "会議の…"
        assert text.pad("会議", 6) == "会議  "


class TestWords:
    @pytest.mark.parametrize(
        ("ms", "words"),
        [(0, "0:00"), (999, "0:00"), (7_000, "0:07"), (750_000, "12:30"), (3_723_000, "1:02:03"), (-5, "0:00")],
    )
    def test_clock(self, ms, words):
        assert text.clock(ms) == words

    @pytest.mark.parametrize(
        ("ms", "words"),
        [
            (0, "0.0s"),
            (310, "0.3s"),
            (9_949, "9.9s"),
            (9_951, "10s"),
            (59_499, "59s"),
            (59_500, "1:00"),
            (62_000, "1:02"),
        ],
    )
    def test_took(self, ms, words):
        assert text.took(ms) == words

    @pytest.mark.parametrize(
        ("ms", "words"),
        [(0, "whole"), (30_000, "30s"), (37_500, "37.5s"), (300_000, "5m"), (150_000, "2m30s"), (1_800_000, "30m")],
    )
    def test_chunk_length(self, ms, words):
        assert text.chunk_length(ms) == words

    @pytest.mark.parametrize(
        ("share", "words"),
        [(0.0, "0%"), (0.339, "33%"), (0.29, "29%"), (0.9999, "99%"), (1.0, "100%"), (1.2, "100%"), (-1.0, "0%")],
    )
    def test_percent_is_only_full_when_it_is(self, share, words):
        assert text.percent(share) == words

    @pytest.mark.parametrize(
        ("count", "words"),
        [(0, "0B"), (980, "980B"), (1024, "1K"), (671_088_640, "640M"), (5.1 * 2**30, "5.1G"), (2**41, "2.0T")],
    )
    def test_size(self, count, words):
        assert text.size(int(count)) == words

    @pytest.mark.parametrize(("speed", "words"), [(None, "–"), (0.52, "0.5x"), (5.24, "5.2x"), (12.6, "13x")])
    def test_speed(self, speed, words):
        assert text.times_realtime(speed) == words

    @given(st.integers(0, 10**16))
    def test_sizes_and_lengths_stay_short(self, number):
        assert len(text.size(number)) <= 8
        assert len(text.took(number % 10**9)) <= 9

    def test_time_of_day(self, now):
        assert text.time_of_day(now) == "14:03"
        assert text.time_of_day(now - 9_000, seconds=True) == "14:02:51"

    def test_counted_things(self):
        assert (text.count(1, "line"), text.count(0, "line"), text.count(12, "line")) == (
            "1 line",
            "0 lines",
            "12 lines",
        )

    def test_names(self):
        assert text.name_of("/talks/two\nlines.mp3") == "two␊lines.mp3"
        assert text.name_of("/") == "/"


class TestSigns:
    def test_every_sign_is_one_cell_and_different(self):
        for signs in (CELLS, MARKS):
            assert all(cell_len(sign) == 1 for sign in signs.values())
            assert len(set(signs.values())) == len(signs)

    def test_ascii_keeps_them_apart_and_in_place(self):
        for signs in (CELLS, MARKS):
            drawn = [to_ascii(sign) for sign in signs.values()]
            assert all(sign.isascii() and len(sign) == 1 for sign in drawn)
            assert len(set(drawn)) == len(drawn)

    @given(ANYTHING.map(text.plain))
    def test_ascii_never_moves_what_comes_after(self, anything):
        assert len(to_ascii(anything)) == len(anything)
