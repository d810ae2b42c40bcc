"""How the screens look, in three sizes; the pictures lie in ``snapshots/`` and are renewed by ``--snapshot-update``."""

import pytest

from engine import events as ev
from engine.commands import CommandError
from engine.states import Done, Failed
from tests.tui import recognition_scenes, scenes
from tests.tui.stage import make_app

SIZES = [(80, 24), (120, 40), (200, 60)]
"""A column, two columns, and two columns from the first row on."""


@pytest.fixture
def look(snap_compare):
    """Compare the screen of a scene, after some keys, with its picture."""

    def compare(view, size=(80, 24), *, press=(), say=(), lost="", **arguments):
        app, engine = make_app(view, **arguments)

        async def run_before(pilot):
            engine.say(*say)
            if lost:
                engine.lose(lost)
                while not app._main.frame.link.is_lost:
                    await pilot.pause(0.01)
            while app._main.frame.view.seq != engine.view.seq:
                await pilot.pause()
            for key in (None, *press):
                await pilot.press(*([key] if key else []))
                await pilot.pause()

        return snap_compare(app, terminal_size=size, run_before=run_before)

    return compare


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
class TestQueue:
    """What a queue looks like in every state."""

    def test_empty(self, look, size):
        """Nothing is queued: the screen tells how to begin."""
        assert look(scenes.empty(), size)

    def test_running(self, look, size):
        """A job in mid-way, with one done before it and three behind it."""
        assert look(scenes.running(), size)

    def test_paused(self, look, size):
        """A job at rest: ``space`` resumes."""
        assert look(scenes.paused(), size)

    def test_done(self, look, size):
        """A job that is done, with its files."""
        assert look(scenes.done(), size)

    def test_failed(self, look, size):
        """A file that cannot be used, and why."""
        assert look(scenes.failed(), size)

    def test_troubled(self, look, size):
        """A gap, a retry, a lighter recipe, a pause, changed chunks, a warning, memory near its limit."""
        assert look(scenes.troubled(), size)

    def test_hostile_names(self, look, size):
        """Names and texts with line ends, markup, escape sequences, reversed writing and wide characters."""
        assert look(scenes.hostile(), size)


class TestRecognition:
    """What recognition finds out, and what it waits for."""

    @pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
    def test_fetching(self, look, size):
        """A model is on its way, while the sound is listened to."""
        assert look(recognition_scenes.fetching(), size)

    @pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
    def test_found(self, look, size):
        """The language was found by a vote, and the terms put something right."""
        assert look(recognition_scenes.found(), size)

    @pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
    def test_aligning(self, look, size):
        """All is transcribed; the words get finer times."""
        assert look(recognition_scenes.aligning(), size)

    def test_aligned(self, look):
        """A job of four stages that is done."""
        assert look(recognition_scenes.aligned(), (120, 40))

    @pytest.mark.parametrize("size", SIZES[:2], ids=lambda size: f"{size[0]}x{size[1]}")
    def test_hostile_model(self, look, size):
        """The name of a model with markup, escape sequences and reversed writing."""
        assert look(recognition_scenes.hostile(), size)

    def test_ascii(self, look):
        """In ASCII."""
        assert look(recognition_scenes.aligning(), ascii_only=True)

    def test_no_colour(self, look, monkeypatch):
        """Without colour."""
        monkeypatch.setenv("NO_COLOR", "1")
        assert look(recognition_scenes.fetching())


class TestVariants:
    """The same without colour, in ASCII, in our other themes, and in very little room."""

    def test_small(self, look):
        """The least that is promised: 60 by 16, and the pane that had to go is named."""
        assert look(scenes.running(), (60, 16))

    @pytest.mark.parametrize("size", SIZES[:2], ids=lambda size: f"{size[0]}x{size[1]}")
    def test_no_colour(self, look, size, monkeypatch):
        """NO_COLOR leaves the terminal its own two colours; every sign can be told by its shape."""
        monkeypatch.setenv("NO_COLOR", "1")
        assert look(scenes.troubled(), size)

    @pytest.mark.parametrize("size", SIZES[:2], ids=lambda size: f"{size[0]}x{size[1]}")
    def test_ascii(self, look, size):
        """Only ASCII, the graph included."""
        assert look(scenes.troubled(), size, ascii_only=True)

    @pytest.mark.parametrize("theme", ["scribetui-light", "scribetui-ansi", "nord"])
    def test_themes(self, look, theme):
        """Our other themes, and one that is not ours."""
        assert look(scenes.troubled(), (120, 40), theme=theme)


class TestModals:
    """What opens above the main screen."""

    @pytest.mark.parametrize("size", SIZES[:2], ids=lambda size: f"{size[0]}x{size[1]}")
    def test_help(self, look, size):
        """All keys and all signs."""
        assert look(scenes.running(), size, press=["question_mark"])

    def test_add(self, look):
        """A path is typed."""
        assert look(scenes.running(), press=["a", *"~/talks/lecture"])

    def test_add_with_language_and_terms(self, look):
        """What is special about a file: a language that is completed, and terms."""
        assert look(scenes.running(), press=["a", *"~/vortrag.m4a", "down", *"German", "down", *"Qwen, ComfyUI"])

    def test_add_refused(self, look):
        """The file is not wanted, and the reason stands below what was typed."""

        def refuse(path, asked):
            raise CommandError("/nowhere/talk.mp3 does not exist. Check the path and try again.")

        assert look(scenes.empty(), press=["a", *"/nowhere/talk.mp3", "enter"], make_options=refuse)

    def test_cancel(self, look):
        """A job is only given up after a question."""
        assert look(scenes.running(), press=["x"])

    def test_cancel_ascii(self, look):
        """The same in ASCII."""
        assert look(scenes.running(), press=["x"], ascii_only=True)

    def test_cancel_no_colour(self, look, monkeypatch):
        """The same without colour: the answer in focus is reversed."""
        monkeypatch.setenv("NO_COLOR", "1")
        assert look(scenes.running(), press=["x"])

    @pytest.mark.parametrize("size", [(80, 24), (60, 16)], ids=lambda size: f"{size[0]}x{size[1]}")
    def test_stop(self, look, size):
        """Ending the work while a job is at it: three answers, the harmless one in focus."""
        assert look(scenes.running(), size, press=["Q"])

    def test_stop_at_rest(self, look):
        """Ending the work while there is none."""
        assert look(scenes.done(), press=["Q"])

    def test_stop_ascii_no_colour(self, look, monkeypatch):
        """The three answers in ASCII and without colour: the one in focus is reversed."""
        monkeypatch.setenv("NO_COLOR", "1")
        assert look(scenes.running(), press=["Q", "right"], ascii_only=True)

    @pytest.mark.parametrize("size", [(80, 24), (60, 16)], ids=lambda size: f"{size[0]}x{size[1]}")
    def test_go_on(self, look, size):
        """Jobs were left unfinished: the screen offers to go on with them."""
        assert look(scenes.left(5), size)


LOST = "The connection to the host is lost. It is looked for."


class TestLost:
    """The engine is out of reach: the last picture in grey, and words that say so."""

    @pytest.mark.parametrize("size", SIZES[:2], ids=lambda size: f"{size[0]}x{size[1]}")
    def test_lost(self, look, size):
        """A job in mid-way when the engine was lost."""
        assert look(scenes.running(), size, lost=LOST)

    def test_no_colour(self, look, monkeypatch):
        """Without colour the old picture is dim."""
        monkeypatch.setenv("NO_COLOR", "1")
        assert look(scenes.running(), lost=LOST)

    def test_ascii(self, look):
        """In ASCII."""
        assert look(scenes.running(), lost=LOST, ascii_only=True)

    def test_small(self, look):
        """In very little room."""
        assert look(scenes.running(), (60, 16), lost=LOST)

    def test_light(self, look):
        """On light ground."""
        assert look(scenes.troubled(), (120, 40), lost=LOST, theme="scribetui-light")


class TestMoments:
    """What only shows for a while."""

    def test_stopping(self, look):
        """The batches under way are being finished."""
        assert look(scenes.running(), press=["Q", "y"])

    @pytest.mark.parametrize("size", SIZES[:2], ids=lambda size: f"{size[0]}x{size[1]}")
    def test_left(self, look, size):
        """Jobs that the last sitting left unfinished, and nobody took up."""
        assert look(scenes.left(), size, press=["n"])

    def test_left_ascii(self, look):
        """The same in ASCII."""
        assert look(scenes.left(), press=["n"], ascii_only=True)

    def test_scrolled_back(self, look):
        """The events do not follow: the rule line says how to take it up again."""
        assert look(scenes.troubled(), (120, 40), press=["pageup"])

    def test_text_in_focus(self, look):
        """The pane in focus has its title reversed."""
        assert look(scenes.running(), (120, 40), press=["tab", "up", "up"])

    def test_ended(self, look):
        """Notices of what is done and of what failed."""
        say = [ev.JobChanged(2, Done(scenes.NOW)), ev.JobChanged(3, Failed(scenes.NOW, "It has no sound."))]
        assert look(scenes.running(), (120, 40), say=say)
