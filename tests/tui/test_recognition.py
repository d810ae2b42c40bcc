"""What the screen tells of models that are fetched, languages that are found, words that are aligned and put right."""

import json
import unicodedata

import pytest

from engine import events as ev
from engine.commands import Options
from engine.machine.later import WITHOUT
from engine.recipe import EACH_WINDOW, FailureKind, Recipe
from engine.states import Failed, Paused, Running
from engine.view import View, fold
from tests.tui import recognition_scenes as scenes
from tests.tui.recognition_scenes import MIB, fetch
from tests.tui.scenes import NOW, Scene
from tests.tui.stage import on_stage
from tui import listing, recognition
from tui.listing import Standing
from tui.reporter import Reporter
from tui.status import job_status, share_fetched, stages
from tui.widgets.jobs import notes


def told(view: View, *events: ev.Event) -> View:
    for event in events:
        view = fold(view, ev.Entry(view.seq + 1, NOW, event))
    return view


def doing(view: View) -> dict[str, str]:
    return {stage.name: stage.status.word for stage in stages(view.job(1), view, NOW)}


def shares(view: View) -> dict[str, float | None]:
    return {stage.name: stage.fraction for stage in stages(view.job(1), view, NOW)}


def noted(view: View) -> str:
    return "".join(run.text for run in notes(view.job(1), view)).strip()


class TestWords:
    def test_a_vote_names_the_next_best_where_that_comes_near(self):
        assert recognition.vote("de", (("de", 0.91), ("nl", 0.05))) == "91% of the vote"
        assert recognition.vote("de", (("de", 0.5), ("nl", 0.4), ("en", 0.1))) == "50% of the vote, Dutch 40%"
        assert recognition.vote("de", ()) == ""
        assert recognition.is_unsure("de", (("de", 0.5),))
        assert not recognition.is_unsure("de", (("de", 0.7),))
        assert not recognition.is_unsure("de", ())

    @pytest.mark.parametrize(
        ("recipe", "language", "words"),
        [
            (Recipe(), None, ""),
            (Recipe(), "de", "German"),
            (Recipe(language="fr"), None, "French"),
            (Recipe(language=EACH_WINDOW), None, "each window's language"),
            (Recipe(task="translate"), "de", "German into English"),
            (Recipe(task="translate"), None, "into English"),
        ],
    )
    def test_the_language_of_a_job(self, recipe, language, words):
        assert recognition.spoken(recipe, language) == words

    @pytest.mark.parametrize(
        ("done", "total", "words"),
        [(0, 0, ""), (0, MIB, "1M"), (MIB, 0, "1M"), (MIB, 4 * MIB, "1M of 4M"), (4 * MIB, 4 * MIB, "4M")],
    )
    def test_how_much_of_a_download_is_there(self, done, total, words):
        assert recognition.amount(done, total) == words


class TestFetching:
    def test_is_what_the_job_does(self):
        view = scenes.fetching()
        assert job_status(view.job(1), view).word == "fetching"
        assert doing(view) == {"listen": "running", "transcribe": "fetching", "write": "waiting"}
        assert shares(view)["transcribe"] == share_fetched(view.job(1)) == 0.25
        assert noted(view) == "116M of 464M"

    def test_of_unknown_length_has_no_share(self):
        view = scenes.fetching(MIB, 0)
        assert share_fetched(view.job(1)) is None
        assert noted(view) == "1M"

    def test_is_over_once_the_worker_is_ready(self):
        view = told(scenes.fetching(), fetch(464 * MIB), ev.WorkerReady(2, 30_000))
        assert doing(view)["transcribe"] == "running"
        assert share_fetched(view.job(1)) is None

    @pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
    async def test_has_a_bar_in_the_jobs_row(self, size):
        async with on_stage(scenes.fetching(), size=size) as stage:
            row = next(row for row in stage.rows if "vortrag.m4a" in row and "fetching" in row)
            assert "━━────────" in row
            assert "25%" in row
            assert "116M of 464M" in row

    @pytest.mark.parametrize("size", [(80, 24), (120, 40)])
    async def test_a_models_name_is_shown_not_obeyed(self, size):
        async with on_stage(scenes.hostile(), size=size) as stage:
            assert not [char for char in stage.text if char != "\n" and not char.isprintable() and char != "\u2800"]
            await stage.seen("␛[31m[red]org/")

    def test_status_tells_it(self):
        stands = Standing(scenes.fetching(), 7, "1.2.3")
        assert "(fetching small, 116M of 464M)" in listing.as_text(stands, NOW)
        row = json.loads(listing.as_json(stands, NOW))["jobs"][0]
        assert row["fetching"] == {"model": "small", "done": 116 * MIB, "total": 464 * MIB}
        other = json.loads(listing.as_json(stands, NOW))["jobs"][1]
        assert (other["fetching"], other["language"], other["aligned"]) == (None, None, None)

    def test_run_tells_it_by_tenths(self, capsys):
        reporter = Reporter(as_json=False)
        view = scenes.fetching(0)
        for done in (0, 1, 5, 30, 31, 47, 120, 463, 464, 464):
            event = fetch(done * MIB)
            view = told(view, event)
            reporter.tell(ev.Entry(view.seq, NOW, event), view)
        assert capsys.readouterr().err.splitlines() == [
            "vortrag.m4a: fetching small, 464M",
            "vortrag.m4a: fetching small, 47M of 464M",
            "vortrag.m4a: fetching small, 120M of 464M",
            "vortrag.m4a: fetching small, 463M of 464M",
            "vortrag.m4a: fetched small, 464M",
        ]


def test_a_models_name_is_short():
    assert [recognition.model_name(model) for model in ("auto", "small", "owner/small", "/films/my\x1bmodel")] == [
        *("", "small", "owner/small", "my␛model")
    ]


class TestLanguage:
    async def test_is_in_the_rule_above_the_strip(self):
        async with on_stage(scenes.found(), size=(120, 40)) as stage:
            assert "German" in next(row for row in stage.rows if "small int8, chunks of 5m" in row)

    def test_status_tells_it(self):
        row = json.loads(listing.as_json(Standing(scenes.found()), NOW))["jobs"][0]
        assert row["language"] == "de"

    def test_run_says_it(self, capsys):
        event = ev.LanguageFound(job=1, language="de", votes=scenes.VOTES)
        Reporter(as_json=False).tell(ev.Entry(1, NOW, event), scenes.found())
        assert capsys.readouterr().err.startswith("vortrag.m4a: the language is German (91% of the vote)\n")


class TestAligning:
    def test_is_a_stage_only_where_it_was_asked_for(self):
        assert "align" not in doing(scenes.fetching())
        assert list(doing(scenes.aligning())) == ["listen", "transcribe", "align", "write"]

    def test_waits_runs_and_is_done(self):
        assert doing(scenes.found())["align"] == "waiting"
        view = scenes.aligning()
        assert doing(view) == {"listen": "done", "transcribe": "done", "align": "running", "write": "waiting"}
        assert job_status(view.job(1), view).word == "align"
        assert 0.3 < shares(view)["align"] < 0.7
        assert set(doing(scenes.aligned()).values()) == {"done"}
        assert shares(scenes.aligned())["align"] == 1.0

    def test_its_time_is_not_that_of_transcribing(self):
        found = {stage.name: stage.took for stage in stages(scenes.aligned().job(1), scenes.aligned(), NOW)}
        assert found["transcribe"] == 43 * 3_000 or found["transcribe"] % 3_000 == 0
        assert found["align"] > 0

    def test_its_model_is_loaded_or_fetched_first(self):
        scene = scenes.transcribed()
        scene.tell(ev.WorkerStarted(job=1, worker=3, stage="align", model="auto"))
        assert (doing(scene.view)["align"], job_status(scene.view.job(1), scene.view).word) == ("loading", "loading")
        assert noted(scene.view) == "loading"
        scene.tell(fetch(MIB, 4 * MIB, model="wav2vec2", worker=3))
        assert (doing(scene.view)["align"], job_status(scene.view.job(1), scene.view).word) == ("fetching", "fetching")
        assert doing(scene.view)["transcribe"] == "done"
        assert shares(scene.view)["align"] == 0.25

    def test_rests_and_fails_as_the_stage_that_was_at_it(self):
        assert doing(told(scenes.aligning(), ev.JobChanged(1, Paused(NOW))))["align"] == "paused"
        assert doing(told(scenes.aligning(), ev.JobChanged(1, Paused(NOW))))["write"] == "waiting"
        assert doing(told(scenes.aligning(), ev.JobChanged(1, Failed(NOW, "no"))))["align"] == "failed"
        half = told(scenes.found(), ev.JobChanged(1, Paused(NOW)))
        assert (doing(half)["transcribe"], doing(half)["align"]) == ("paused", "waiting")

    def test_status_tells_how_far_it_is(self):
        row = json.loads(listing.as_json(Standing(scenes.aligning()), NOW))["jobs"][0]
        assert 0 < row["aligned"] < row["transcribed"]
        assert "(aligning, 5:09 left)" in listing.as_text(Standing(scenes.aligning()), NOW)

    def test_that_it_cannot_be_done_is_said_once(self, capsys):
        view, reporter = scenes.aligning(), Reporter(as_json=False)
        without = {"job": 1, "stage": "align", "kind": FailureKind.UNUSABLE, "follows": WITHOUT["align"]}
        for event in (
            ev.AttemptFailed(spans=(), reason="No model.", **without),
            ev.Warning(1, "No model. The words keep their times."),
            ev.AttemptFailed(spans=view.job(1).windows[:1], reason="Too noisy.", **without),
        ):
            reporter.tell(ev.Entry(1, NOW, event), view)
        told = [line for line in capsys.readouterr().err.splitlines() if "%" not in line]
        assert told[0] == "vortrag.m4a: No model. The words keep their times."
        assert "Too noisy; the words keep their times" in told[1]
        assert len(told) == 2

    async def test_has_a_line_of_its_own(self):
        async with on_stage(scenes.aligning(), size=(120, 40)) as stage:
            row = next(row for row in stage.rows if "▸ align" in row)
            assert "of words" in row


class TestCorrections:
    async def test_are_in_the_log_and_harmless(self):
        async with on_stage(scenes.found(), size=(200, 60)) as stage:
            await stage.seen('put right by the terms: "comfy UI" → "ComfyUI" at')
            assert not [char for char in stage.text if char != "\n" and not char.isprintable() and char != "\u2800"]


def test_any_text_from_outside_is_harmless():
    wild = "\x1b[31m\n\u202e"
    for text in (
        recognition.fetching(wild, 1, 2),
        recognition.change(scenes.CORRECTIONS[3]),
        recognition.spoken(Recipe(language=wild), None),
        recognition.vote(wild, ((wild, 0.5), (wild + "x", 0.4))),
    ):
        assert not {unicodedata.category(char) for char in text} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_a_job_of_an_earlier_sitting_keeps_what_was_found():
    progress = ev.Progress(heard=60_000, language="de", votes=scenes.VOTES)
    view = Scene().add(1, "/a.mp3", options=Options(), state=Running(0), progress=progress).view
    assert json.loads(listing.as_json(Standing(view), NOW))["jobs"][0]["language"] == "de"
