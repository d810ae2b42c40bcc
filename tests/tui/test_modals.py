"""The questions: adding a file, cancelling; and the help."""

import pytest

from engine.commands import Add, Cancel, CommandError, Options
from engine.recipe import Recipe
from tests.tui import scenes
from tests.tui.stage import on_stage
from tui.screens.add import AddScreen
from tui.screens.help import HelpScreen


class TestAdd:
    async def test_queues_the_file_that_was_typed(self, monkeypatch):
        monkeypatch.setenv("HOME", "/home/me")
        made = Options(recipe=Recipe(model="small"))
        async with on_stage(scenes.running(), make_options=lambda *_: made) as stage:
            stage.engine.answer = 4
            await stage.press("a", *"~/talk", "enter")
            assert stage.engine.commands == [Add(path="/home/me/talk", options=made)]
            await stage.until(lambda: stage.app.screen is stage.app._main)
            assert stage.selected == 4

    async def test_the_new_job_is_selected_once_the_engine_tells_of_it(self):
        async with on_stage(scenes.running()) as stage:
            stage.engine.answer = 9
            await stage.press("a", *"/new.mp3", "enter")
            await stage.until(lambda: stage.app.screen is stage.app._main)
            assert stage.selected == 2
            view = scenes.Scene().add(9, "/new.mp3").view
            stage.engine.say(view.log[0].event)
            await stage.until(lambda: stage.selected == 9)

    async def test_what_the_engine_has_against_it_is_shown_and_nothing_is_lost(self):
        async with on_stage(scenes.running()) as stage:
            stage.engine.refusal = "/x.mp3 does not [b]exist[/b]. Check the path."
            await stage.press("a", *"/x.mp3", "enter")
            await stage.seen("/x.mp3 does not [b]exist[/b]. Check the path.")
            assert "/x.mp3" in next(row for row in stage.rows if "/x.mp3" in row and "exist" not in row)
            await stage.press("1")
            assert "exist" not in stage.text
            stage.engine.refusal, stage.engine.answer = None, 2
            await stage.press("enter")
            assert [command.path for command in stage.engine.commands] == ["/x.mp3", "/x.mp31"]
            await stage.until(lambda: stage.app.screen is stage.app._main)

    async def test_options_that_cannot_be_made_are_told_the_same_way(self):
        def refuse(path, asked):
            raise CommandError("The model tiny is not on this machine.")

        async with on_stage(scenes.empty(), make_options=refuse) as stage:
            await stage.press("a", "x", "enter")
            await stage.seen("The model tiny is not on this machine.")
            assert stage.engine.commands == []

    async def test_nothing_typed_asks_for_something(self):
        async with on_stage(scenes.empty()) as stage:
            await stage.press("a", "space", "enter")
            await stage.seen("Type the path of a media file first.")
            assert stage.engine.commands == []

    async def test_keys_of_the_main_screen_are_letters_here(self):
        async with on_stage(scenes.running()) as stage:
            await stage.press("a", *"qxj?")
            assert isinstance(stage.app.screen, AddScreen)
            await stage.seen("qxj?")
            await stage.press("escape")
            assert stage.app.screen is stage.app._main
            assert stage.engine.commands == []

    async def test_tab_completes_the_path(self, tmp_path):
        (tmp_path / "lecture 07.mp3").touch()
        async with on_stage(scenes.empty(), size=(200, 30)) as stage:
            await stage.press("a", *f"{tmp_path}/lec")
            await stage.until(lambda: stage.app.screen._input._suggestion.endswith("07.mp3"))
            await stage.press("tab", "enter")
            await stage.until(lambda: bool(stage.engine.commands))
            assert stage.engine.commands[0].path == f"{tmp_path}/lecture 07.mp3"

    async def test_language_and_terms_are_asked_for_in_place_of_the_settings(self, tmp_path, monkeypatch):
        asked = []

        def make(path, special):
            asked.append((path, special))
            return Options()

        async with on_stage(scenes.running(), make_options=make) as stage:
            await stage.press("a", *"/x.mp3", "tab", *"ger")
            language = stage.app.screen._special["language"]
            await stage.until(lambda: language._suggestion == "German")
            await stage.press("tab", "down", *"Qwen, ComfyUI", "enter")
            await stage.until(lambda: stage.app.screen is stage.app._main)
            await stage.press("a", *"/y.mp3", "down", "space", "up", "enter")
            await stage.until(lambda: stage.app.screen is stage.app._main)
        assert asked == [("/x.mp3", {"language": "German", "terms": "Qwen, ComfyUI"}), ("/y.mp3", {})]


class TestCancel:
    async def test_asks_first(self):
        async with on_stage(scenes.running()) as stage:
            await stage.press("x")
            await stage.seen("Cancel board-meeting.m4a?")
            assert stage.engine.commands == []
            await stage.press("y")
            assert stage.engine.commands == [Cancel(2)]

    @pytest.mark.parametrize("key", ["n", "escape", "q", "enter"])
    async def test_every_other_answer_keeps_the_job(self, key):
        async with on_stage(scenes.running()) as stage:
            await stage.press("x", key)
            assert stage.app.screen is stage.app._main
            assert stage.engine.commands == []

    async def test_the_buttons_can_be_reached(self):
        async with on_stage(scenes.running()) as stage:
            await stage.press("x", "right", "enter")
            assert stage.engine.commands == [Cancel(2)]

    async def test_means_the_job_that_was_asked_about(self):
        """The selection may move to another job while the question is open."""
        async with on_stage(scenes.running()) as stage:
            await stage.press("x")
            stage.app._main.select(5)
            await stage.press("y")
            assert stage.engine.commands == [Cancel(2)]

    async def test_names_are_shown_not_obeyed(self):
        async with on_stage(scenes.hostile(), size=(100, 30)) as stage:
            await stage.press("k", "k", "k", "k", "x")
            await stage.seen("Cancel two␊lines.mp3?")


class TestHelp:
    async def test_tells_every_key_and_every_sign(self):
        async with on_stage(scenes.running(), size=(120, 50), keys={"pause": "p"}) as stage:
            await stage.press("question_mark")
            assert isinstance(stage.app.screen, HelpScreen)
            for words in ("p  pause", "chunks twice as long", "▓▓▓  transcribed after", "◆  you changed", "leave;"):
                assert words in stage.text, words

    @pytest.mark.parametrize("key", ["question_mark", "escape", "q", "enter"])
    async def test_is_left_by_the_usual_keys(self, key):
        async with on_stage(scenes.running()) as stage:
            await stage.press("question_mark", key)
            assert stage.app.screen is stage.app._main

    async def test_scrolls_where_it_does_not_fit(self):
        async with on_stage(scenes.running(), size=(80, 24)) as stage:
            await stage.press("question_mark")
            assert "went on" not in stage.text
            await stage.press(*["down"] * 40)
            await stage.seen("went on")
