"""What ``scribetui events`` and ``scribetui report`` print."""

import contextlib
import json
import unicodedata
from types import SimpleNamespace

import msgspec
import pytest

from engine import events as ev
from engine.home import Home
from engine.ledger import Ledger
from engine.recipe import Recipe
from engine.report import report_of
from engine.states import Done, Failed, Paused, Running
from tests.engine.told import HOSTILE, MIB, Told, eventful, found, save
from tui import history, reporting
from tui.history import HistoryError, Level
from tui.reportlines import difference, report_lines, short
from tui.severity import Severity
from tui.wording import wording


@pytest.fixture
def home(tmp_path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


@pytest.fixture
def keep(home):
    """Write a story into the home's ledger."""

    def write(told: Told, path: str = "/talks/talk.mkv") -> Told:
        with contextlib.closing(Ledger(home.ledger)) as ledger:
            save(ledger, told, path)
        return told

    return write


@pytest.fixture
def events(home, capsys):
    def tell(*, as_json: bool = False, follow: bool = False, level: Level = Level.INFO) -> list[str]:
        assert history.tell(home, 1, as_json=as_json, follow=follow, level=level) == 0
        return capsys.readouterr().out.splitlines()

    return tell


@pytest.fixture
def report(home, keep):
    def lines(told: Told | None = None, path: str = "/talks/talk.mkv", **kwargs) -> list[str]:
        keep(told or eventful(path), path)
        with contextlib.closing(Ledger(home.ledger, read_only=True)) as ledger:
            return [line.text for line in report_lines(report_of(ledger, 1), 100, **kwargs)]

    return lines


class TestEvents:
    def test_are_lines_with_local_date_time_sign_and_words(self, keep, events):
        keep(eventful())
        lines = events()
        assert lines[0] == "2026-04-01 14:03:00    queued (9B)"
        assert "2026-04-01 14:03:01    worker 2 ready after 0.7s" in lines
        assert "2026-04-01 15:03:46  X gap left at 2:30–2:59: Poison." in lines
        assert lines[-1] == "2026-04-01 15:03:50  ! done, with gaps of 0:29"

    def test_quiet_ones_are_told_where_wanted(self, keep, events):
        keep(eventful())
        quiet = "2026-04-01 14:03:00  · worker 1 started to listen"
        assert quiet not in events()
        assert quiet in events(level=Level.QUIET)

    def test_only_what_went_wrong_where_wanted(self, keep, events):
        keep(eventful())
        assert {line[21] for line in events(level=Level.WARNING)} == {"!", "X"}

    @pytest.mark.parametrize("level", Level)
    def test_json_is_what_run_prints(self, keep, events, level):
        told = keep(eventful())
        read = [msgspec.json.decode(line, type=ev.Entry) for line in events(as_json=True, level=level)]
        assert [entry.seq for entry in read] == sorted(entry.seq for entry in read)
        assert all(told.entries[entry.seq - 1] == entry for entry in read)
        assert (ev.WorkerReady(1, 400) in [entry.event for entry in read]) == (level is not Level.WARNING)
        severities = {wording(entry.event).severity for entry in read}
        assert (Severity.QUIET in severities) == (level is Level.QUIET)

    def test_an_unknown_job_is_one_sentence(self, home, keep):
        keep(eventful())
        with pytest.raises(HistoryError, match=r"^There is no job 2; .+\.$"):
            history.tell(home, 2, as_json=False, follow=True, level=Level.INFO)

    def test_an_empty_home_is_one_sentence(self, home):
        for text in (None, ""):
            if text is not None:
                home.ledger.write_text(text)
            with pytest.raises(HistoryError, match=r"^There is no job 1 yet; .+\.$"):
                history.tell(home, 1, as_json=False, follow=False, level=Level.INFO)

    def test_nothing_that_a_terminal_obeys_is_printed(self, keep, events, capsys):
        told = eventful(HOSTILE)
        keep(told.tell(ev.Warning(1, "\x1b]0;owned\x07[red]\n")).turn(Failed(told.at, "\x1b[2J")), HOSTILE)
        text = "\n".join(events(level=Level.QUIET))
        assert not {unicodedata.category(char) for char in text if char != "\n"} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
        assert "␛]0;owned\\x07[red]␊" in text

    def test_ascii_where_the_terminal_has_no_more(self, keep, events, monkeypatch):
        monkeypatch.setenv("LC_ALL", "C")
        keep(eventful())
        assert all(line.isascii() for line in events(level=Level.QUIET))


class TestFollow:
    def test_goes_on_until_the_job_has_ended(self, home, keep, capsys, monkeypatch):
        told = keep(Told().sit_down().add().run())
        rest = [ev.WorkerStarted(job=1, worker=1, stage="listen", model="m"), ev.WorkerReady(1, 5)]
        rest.append(ev.JobChanged(1, Done(told.at)))
        naps = []

        def nap(seconds: float) -> None:
            naps.append(seconds)
            with contextlib.closing(Ledger(home.ledger)) as ledger:
                ledger.record(ev.Entry(len(told.entries) + len(naps), told.at, rest[len(naps) - 1]))

        monkeypatch.setattr(history, "time", SimpleNamespace(sleep=nap))
        with home.lock():
            assert history.tell(home, 1, as_json=False, follow=True, level=Level.INFO) == 0
        said = capsys.readouterr()
        assert [line[23:] for line in said.out.splitlines()] == [
            "queued (9B)",
            "running",
            "worker 1 ready after 0.0s",
            "done",
        ]
        assert naps == [0.5] * 3
        assert said.err == ""

    def test_says_so_where_nobody_works_and_ends_with_the_interruption(self, home, keep, capsys, monkeypatch):
        keep(Told().sit_down().add().run().turn(Paused(0)))

        def interrupt(_: float) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(history, "time", SimpleNamespace(sleep=interrupt))
        assert history.tell(home, 1, as_json=False, follow=True, level=Level.INFO) == 130
        assert "No scribetui is at work; waiting for job 1" in capsys.readouterr().err


class TestReport:
    def test_says_what_the_file_is_and_what_became_of_it(self, report):
        lines = report()
        assert lines[0] == "job 1  talk.mkv"
        assert "file          /talks/talk.mkv (9B)" in lines
        assert "sound         matroska, aac 48 kHz, stereo" in lines
        assert "length        4:00, speech 3:23 (84%) in 8 windows" in lines
        assert "state         ! done, with gaps of 0:29  worked 34s  6.0x  in 2 sittings" in lines
        assert "gaps          2:30–2:59  Poison." in lines
        assert "doubtful      3:00–3:29  loops" in lines
        assert "no words      0:00 of speech: 0:00–0:00" in lines

    def test_tells_stages_attempts_changes_failures_and_pauses(self, report):
        lines = report()
        assert "transcribe        23s     600M  4 workers, tiny.en loaded in 0.4s to 0.7s" in lines
        assert "changes       14:03:06 at 1:00  ↓ batch 4 → 2  Too little memory." in lines
        assert "              15:03:41 at 1:00  ↑ batch 2 → 4  3 clean chunks in a row" in lines
        assert "failures      3: 1× out of memory, 2× error; 5× tried again" in lines
        assert "pauses        2026-04-01 15:03:21  parked for 20s" in lines
        table = [line for line in lines if "tiny.en int8 4×2" in line or "tiny.en int8 2×2" in line]
        assert table == [
            "0:00–1:59        4  tiny.en int8 4×2  14:03:00    8.0s       –   600M"
            "  X out of memory: Too little memory.",
            "0:00–3:59        8  tiny.en int8 2×2  14:03:09     25s    9.6x   450M  ✓ done",
        ]

    def test_tells_what_recognition_found_out(self, report):
        lines = report(found())
        assert "language      German (de), 91% of the vote" in lines
        assert "download      small, 464M in 1:02" in lines
        assert "aligned       3 windows, 1:27 of speech" in lines
        assert "              1 window with the recogniser's times, from 1:30 on: Too noisy." in lines
        assert "put right     3 places by the terms" in lines
        assert '              "comfy UI" → "ComfyUI" at 0:31, 1:05' in lines
        assert '              "␛[31m[red]Quen␊" → "Qwen" at 0:12' in lines
        assert "align            3.0s        –  1 worker, tiny.en loaded in 0.4s" in lines

    def test_draws_the_memory_with_its_budget_and_marks(self, report):
        lines = report()
        (head,) = [n for n, line in enumerate(lines) if line.startswith("memory  ")]
        assert lines[head].startswith(
            "memory        at most 600M at 14:03:04, 109% of the budget of 550M, swap at most 1M"
        )
        assert lines[head].endswith("! over the budget for 2 s")
        graph = lines[head + 1 : head + 9]
        assert graph[0].startswith("  660M │")
        assert graph[1].startswith("  550M │┄┄┄")
        assert all(len(line) <= 100 for line in lines[head + 1 :])
        assert "14:03:05" in lines[head + 9]
        assert all(sign in lines[head + 10] for sign in "X↓↑‖●")
        assert lines[head + 11].strip() == "X failure  ↓ lighter  ↑ heavier  ‖ pause  ● worker started"

    def test_is_drawn_in_ascii_where_it_must_be(self, report):
        assert any("#####" in line for line in report(ascii_only=True))

    def test_a_job_that_has_not_begun(self, report):
        told = Told().sit_down().add().run()
        lines = report(told)
        assert "failures      none" in lines
        assert "memory        not measured, or so long ago that the samples are gone" in lines

    def test_a_job_under_way_says_how_far_it_is(self, report):
        told = Told().sit_down().add().run().sample(100, 3).turn(Running(0))
        assert any(line.startswith("state         running, ") and "% done" in line for line in report(told))

    def test_hostile_names_are_shown_not_obeyed(self, report):
        text = "".join(report(eventful(HOSTILE), HOSTILE))
        assert not {unicodedata.category(char) for char in text} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
        assert "<b>&\"'␛[31m \\u202e]]>--.mkv" in text

    def test_recipes_in_short_and_what_changed_between_two(self):
        heavy = Recipe(model="large-v3", compute_type="float16", device="cuda", batch=8, chunk_ms=300_000)
        light = Recipe(model="large-v3", compute_type="int8", device="cuda", batch=4, chunk_ms=30_000)
        assert short(heavy) == "large-v3 float16 cuda 8×2"
        assert difference(heavy, light) == "numbers float16 → int8, batch 8 → 4, chunk 5:00 → 0:30"


class TestReportCommand:
    def test_json_has_everything_in_seconds_and_bytes(self, home, keep, capsys):
        keep(eventful())
        reporting.tell(home, 1, as_json=True, svg=None)
        data = json.loads(capsys.readouterr().out)
        assert (data["job"], data["path"], data["state"]["type"], data["duration"]) == (
            1,
            "/talks/talk.mkv",
            "Done",
            240,
        )
        assert data["gaps"] == [{"start": 150.0, "end": 179.0, "reason": "Poison."}]
        assert [stage["stage"] for stage in data["stages"]] == ["listen", "transcribe", "write"]
        assert [each["outcome"] for each in data["attempts"]] == ["oom", "done"]
        assert data["attempts"][1]["took"] == 24.9
        assert [each["kind"] for each in data["changes"]] == ["lighter", "lighter", "heavier"]
        assert (data["failures"], data["retries"]) == ({"oom": 1, "error": 2}, 5)
        assert (data["memory"]["peak"], data["memory"]["budget"]) == (600 * MIB, 550 * MIB)
        assert len(data["memory"]["samples"]) == 18
        assert data["workers"][1]["loaded_in"] == 0.7

    def test_json_has_what_recognition_found_out(self, home, keep, capsys):
        keep(found())
        reporting.tell(home, 1, as_json=True, svg=None)
        data = json.loads(capsys.readouterr().out)
        assert data["language"] == {
            "asked": "auto",
            "found": "de",
            "votes": [{"language": "de", "share": 0.91}, {"language": "nl", "share": 0.09}],
        }
        assert data["aligned"] == {
            "seconds": 87.0,
            "windows": 3,
            "not": [{"start": 90.0, "end": 119.0, "reason": "Too noisy."}],
        }
        assert data["corrections"][1] == {"at": 31.0, "was": "comfy UI", "now": "ComfyUI"}
        (download,) = data["downloads"]
        assert (download["model"], download["took"], download["done"]) == ("small", 62.0, 464 * MIB)
        assert [stage["stage"] for stage in data["stages"]] == ["listen", "transcribe", "align", "write"]

    def test_the_picture_goes_to_stdout_alone(self, home, keep, capsys):
        keep(eventful())
        reporting.tell(home, 1, as_json=False, svg="-")
        assert capsys.readouterr().out.startswith("<svg ")

    def test_the_picture_goes_into_a_file_and_in_place_of_an_earlier_one(self, home, keep, capsys, tmp_path):
        keep(eventful())
        target = tmp_path / "memory.svg"
        for _ in range(2):
            reporting.tell(home, 1, as_json=False, svg=str(target))
            assert target.read_text().startswith("<svg ")
        assert capsys.readouterr().out.endswith(f"picture {target}\n")

    def test_nothing_else_is_overwritten(self, home, keep, tmp_path):
        keep(eventful())
        film = tmp_path / "film.mkv"
        film.write_bytes(b"a film")
        with pytest.raises(HistoryError, match=r"film\.mkv is there already and is no picture of ours"):
            reporting.tell(home, 1, as_json=False, svg=str(film))
        assert film.read_bytes() == b"a film"
        with pytest.raises(HistoryError, match=r"nowhere"):
            reporting.tell(home, 1, as_json=False, svg=str(tmp_path / "nowhere" / "a.svg"))
        with pytest.raises(HistoryError, match=r"cannot be written"):
            reporting.tell(home, 1, as_json=False, svg=str(tmp_path))

    def test_an_unknown_job_is_one_sentence(self, home, keep):
        keep(eventful())
        with pytest.raises(HistoryError, match=r"^There is no job 2; .+\.$"):
            reporting.tell(home, 2, as_json=False, svg=None)
