"""The panes: what they say, what they keep in sight, and that they show names and texts without obeying them."""

import unicodedata

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import events as ev
from engine.view import View
from tests.engine.test_view import STORIES, told
from tests.tui import scenes
from tests.tui.stage import Stage, on_stage
from tui.frame import Frame
from tui.layout import Space
from tui.lines import fitted
from tui.screens.main import MainScreen
from tui.widgets.header import Header, memory_style
from tui.widgets.jobs import Jobs
from tui.widgets.log import Log
from tui.widgets.memory import Memory, span_of
from tui.widgets.spoken import Spoken
from tui.widgets.stages import Stages
from tui.widgets.timeline import Timeline


def log(stage: Stage) -> Log:
    return stage.app.screen.query_one(Log)


def warnings(stage: Stage, first: int, last: int) -> None:
    stage.engine.say(*(ev.Warning(2, f"warning number {n:03}") for n in range(first, last)))


class TestFollowing:
    """The list stays at its end until the user scrolls back, and then it stays where it is."""

    async def test_new_events_are_in_sight(self):
        async with on_stage(scenes.running(), size=(120, 40)) as stage:
            warnings(stage, 0, 60)
            await stage.seen("warning number 059")
            assert "follow on" in log(stage).lines[0].text

    async def test_scrolling_back_stays_there_whatever_comes(self):
        async with on_stage(scenes.running(), size=(120, 40)) as stage:
            warnings(stage, 0, 60)
            await stage.seen("warning number 059")
            await stage.press("pageup")
            before = [line.text for line in log(stage).lines[1:]]
            assert not any("059" in text for text in before)
            warnings(stage, 60, 80)
            await stage.settled()
            assert [line.text for line in log(stage).lines[1:]] == before
            assert "newer, f follows" in log(stage).lines[0].text
            assert not log(stage).is_following

    @pytest.mark.parametrize("keys", [["f"], ["tab", "tab", "end"], ["pagedown"] * 9])
    async def test_it_is_taken_up_again(self, keys):
        async with on_stage(scenes.running(), size=(120, 40)) as stage:
            warnings(stage, 0, 60)
            await stage.seen("warning number 059")
            await stage.press("pageup", "pageup")
            assert not log(stage).is_following
            await stage.press(*keys)
            assert log(stage).is_following
            warnings(stage, 60, 61)
            await stage.seen("warning number 060")

    async def test_the_place_is_kept_when_the_oldest_events_go(self):
        async with on_stage(scenes.running(), size=(120, 40)) as stage:
            warnings(stage, 0, 490)
            await stage.seen("warning number 489")
            await stage.press("pageup", "pageup", "pageup")
            top = log(stage).lines[1].text
            warnings(stage, 490, 700)
            await stage.settled()
            assert log(stage).lines[1].text == top
            warnings(stage, 700, 1_300)
            await stage.settled()
            assert "warning number 800" in log(stage).lines[1].text

    async def test_the_wheel_scrolls(self):
        async with on_stage(scenes.running(), size=(120, 40)) as stage:
            warnings(stage, 0, 60)
            await stage.seen("warning number 059")
            pane = log(stage)
            pane.action_earlier(3)
            assert "warning number 056" in pane.lines[-1].text
            pane.action_later(1)
            assert "warning number 057" in pane.lines[-1].text
            pane.action_first()
            assert pane._top_index(pane._room) == 0

    async def test_arrows_scroll_the_pane_in_focus_and_escape_gives_them_back(self):
        async with on_stage(scenes.running(), size=(120, 40)) as stage:
            await stage.press("tab", "up", "k")
            pane = stage.app.screen.query_one(Spoken)
            assert stage.app.focused is pane
            assert not pane.is_following
            assert stage.selected == 2
            await stage.press("escape", "down")
            assert stage.selected == 3

    async def test_another_job_begins_at_its_end(self):
        async with on_stage(scenes.running(), size=(120, 40)) as stage:
            pane = stage.app.screen.query_one(Spoken)
            await stage.press("tab", "home", "escape")
            assert not pane.is_following
            await stage.press("j", "k")
            assert pane.is_following


class TestHostileNames:
    SIZES = ((80, 24), (120, 40), (200, 60))

    @pytest.mark.parametrize("size", SIZES)
    async def test_are_shown_and_nothing_else(self, size):
        async with on_stage(scenes.hostile(), size=size) as stage:
            await stage.press("k", "k", "k", "k")
            for _ in range(6):
                assert not [char for char in stage.text if char != "\n" and not char.isprintable() and char != "\u2800"]
                await stage.press("j")
            if size[1] > 24:
                for shown in ("two␊lines.mp3", "[red]not red[bold].mp3", "␛[31mred␛[0m␛]0;owned\\x07.mp3"):
                    assert shown in stage.text
                for shown in ("\\u202egpm.exe\\u2069 right", "bad-\\xff\\xfe-bytes.wav", "会議の録音"):
                    assert shown in stage.text

    @pytest.mark.parametrize("size", SIZES)
    async def test_keep_the_columns_in_place(self, size):
        """Wide characters are measured in cells."""
        async with on_stage(scenes.hostile(), size=size) as stage:
            for strip in stage.app.screen._compositor.render_strips():
                assert strip.cell_length == size[0]

    async def test_text_and_warnings_too(self):
        async with on_stage(scenes.hostile(), size=(120, 40)) as stage:
            await stage.seen("[bold]会議[/bold] を始めます。␛[2J \\u202ereversed␊and a second")
            await stage.seen("␛[31m[red]a warning\\x07")


class TestMemory:
    def test_warns_at_eighty_and_alarms_at_ninety_five_per_cent(self):
        assert [memory_style(tree, 100) for tree in (0, 79, 80, 94, 95, 200)] == ["", "", "warn", "warn", "bad", "bad"]
        assert memory_style(5, 0) == ""

    async def test_the_budget_is_drawn_as_a_line(self):
        async with on_stage(scenes.running()) as stage:
            assert " 12.0G ┄┄┄┄" in stage.text

    async def test_in_ascii_no_sign_of_ours_is_left(self):
        async with on_stage(scenes.troubled(), size=(120, 40), ascii_only=True) as stage:
            assert stage.text.isascii(), [row for row in stage.rows if not row.isascii()]
            for key in ("question_mark", "escape", "x", "escape", "a"):
                await stage.press(key)
                assert stage.text.isascii(), [row for row in stage.rows if not row.isascii()]

    def test_all_goes_as_far_back_as_is_known(self):
        view = scenes.running()
        assert span_of(view, scenes.NOW, 300_000) == (view.memory, 300_000)
        points, window = span_of(view, scenes.NOW, None)
        assert points == view.memory
        assert window == scenes.NOW - view.history[0].at
        scene = scenes.begun()
        for _ in range(100):
            scene.later(60_000).tell(ev.MemorySampled(tree=5, budget=9, available=9))
        view = View(memory=scene.view.memory[-5:], history=scene.view.history)
        points, window = span_of(view, scene.now, None)
        assert points == view.history
        assert window == 99 * 60_000


class TestRules:
    async def test_a_pane_that_has_no_room_is_named(self):
        async with on_stage(scenes.running(), size=(60, 16)) as stage:
            assert "no room for" not in (await _resized(stage, 120, 40))
            assert "no room for memory" in (await _resized(stage, 80, 18))
            assert "no room for memory and events" in (await _resized(stage, 80, 13))
            assert "board-meeting.m4a" in stage.text
            assert "no room for" not in (await _resized(stage, 80, 24))

    async def test_the_header_is_always_there(self):
        async with on_stage(scenes.troubled(), size=(60, 16)) as stage:
            for width in (40, 60, 80, 120, 200):
                header = (await _resized(stage, width, 24)).splitlines()[0]
                assert "scribetui" in header
                assert "10.2G" in header
                assert header.endswith("14:03 ")

    async def test_the_jobs_tell_which_of_them_are_in_sight(self):
        async with on_stage(scenes.many(50), size=(80, 24)) as stage:
            assert "1 of 50, 1–" in stage.text


async def _resized(stage: Stage, width: int, height: int) -> str:
    await stage.pilot.resize_terminal(width, height)
    await stage.until(lambda: len(stage.rows) == height)
    await stage.pilot.pause()
    return stage.text


class TestLog:
    async def test_reasons_are_wrapped_not_cut(self):
        async with on_stage(scenes.failed()) as stage:
            text = " ".join(line.text for line in log(stage).lines)
            assert "Choose another file." in " ".join(text.split())

    async def test_one_job_needs_no_column_of_names(self):
        async with on_stage(scenes.done()) as stage:
            assert log(stage).lines[-1].text == " 13:59:37  ✓ done"

    async def test_a_job_that_left_the_list_keeps_its_name(self):
        async with on_stage(scenes.running(), size=(120, 40)) as stage:
            stage.engine.say(ev.JobRemoved(1))
            await stage.seen("taken off the list")
            assert "opening.mp3" in next(row for row in stage.rows if "taken off" in row)


async def test_all_panes_are_fed_by_one_reactive():
    async with on_stage(scenes.running()) as stage:
        screen = stage.app.screen
        assert isinstance(screen, MainScreen)
        frame = Frame(now=1, view=View(), host="elsewhere")
        screen.frame = frame
        await stage.pilot.pause()
        panes = list(screen.query("Pane"))
        assert len(panes) == 10
        assert all(pane.frame is frame for pane in panes)


@settings(max_examples=100, deadline=None)
@given(
    STORIES,
    st.text(max_size=12),
    st.integers(1, 210),
    st.integers(1, 60),
    st.integers(0, 3),
    st.integers(0, 10**10),
)
def test_whatever_happened_every_pane_can_be_painted(story, name, width, height, selected, now):
    """Any view in any size: harmless lines, none of them missing its end."""
    view = told(*(event for _, event in story))
    view = msgspec.structs.replace(
        view, jobs=tuple(msgspec.structs.replace(job, path=f"/{name}", last_words=name) for job in view.jobs)
    )
    frame = Frame(now=now, view=view, selected=selected, host="mini.local")
    for pane in (Header(), Jobs(), Timeline(), Stages(), Spoken(), Memory(), Log()):
        need = pane.need(frame, Space(width, height, width < 100))
        assert need is None or need.least >= 1
        for line in pane.paint(frame, width, height):
            assert fitted(line, width).width <= width
            assert not {unicodedata.category(char) for char in line.text} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
