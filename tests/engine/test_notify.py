"""The user's own command: nothing from outside is ever more than one argument, and it can do the engine no harm."""

import asyncio
import json
import os
import shlex
import sys
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import events as ev
from engine.api import Lost
from engine.commands import Options
from engine.home import Home
from engine.notices.lookout import AGAIN, Lookout
from engine.notices.notifier import WAITING, Notifier, notifying
from engine.notices.ondone import PLACEHOLDERS, Facts, command_for, facts_of, problem
from engine.settings import Settings, SettingsError, load
from engine.settings.groups import Notify
from engine.states import Cancelled, Done, Failed, Paused, Queued, Running, Stopped
from engine.view import View, fold, fold_all
from tests.e2e.program import until
from tests.tui.fake_engine import FakeEngine

NOW = 1_000_000
HOSTILE = (
    "a film.mkv",
    "$(touch x).mkv",
    "`id`;rm -rf *.mkv",
    "'\"\\.mkv",
    "-rf.mkv",
    "{state}.mkv",
    "*\n?.mkv",
    "é\udcff",
)

REPORT = """
import json, os, sys
told = {name: value for name, value in os.environ.items() if name.startswith("SCRIBETUI_")}
with open(sys.argv[1], "a") as file:
    print(json.dumps([sys.argv[2:], told]), file=file)
print("said something")
"""
HANG = """
sleep 600 &
echo $$ $! > "$1.new"
mv "$1.new" "$1"
wait
"""


def added(job: int, name: str = "film.mkv", state=Queued(), outputs=()) -> ev.JobAdded:  # noqa: B008 - frozen
    return ev.JobAdded(job=job, path=f"/films/{name}", size=1, options=Options(), state=state, outputs=outputs)


def entries(*events, first: int = 1) -> list[ev.Entry]:
    return [ev.Entry(first + number, NOW, event) for number, event in enumerate(events)]


def heard(lookout: Lookout, *events) -> list[tuple[str, str]]:
    """What a lookout makes of some events: states and jobs."""
    return [(facts.state, facts.job) for entry in entries(*events) for facts in lookout.hear(entry)]


# ---- the template


texts = st.one_of(
    st.text(max_size=30), st.sampled_from(HOSTILE), st.sampled_from([f"{{{each}}}" for each in PLACEHOLDERS])
)
all_facts = st.builds(
    Facts, state=texts, path=texts, job=texts, message=texts, name=texts, outputs=st.lists(texts, max_size=4).map(tuple)
)
pieces = st.sampled_from(
    [*(f"{{{each}}}" for each in PLACEHOLDERS), "text", "two words", "-x", "--to=", "é", "{}", "{ a"]
)
words = st.lists(pieces, min_size=1, max_size=3).map("".join)


@given(st.lists(words, max_size=6), all_facts)
def test_what_comes_from_outside_never_changes_the_number_of_arguments(template, facts):
    given_template = shlex.join(["program", *template])
    assert problem(given_template) is None
    arguments = command_for(given_template, facts)
    alone = template.count("{outputs}")
    assert len(arguments) == 1 + len(template) - alone + alone * len(facts.outputs)
    for argument in arguments:
        assert "\0" not in argument
        os.fsencode(argument)


@given(st.lists(words.filter(lambda word: not word.startswith("-")), max_size=6), all_facts)
def test_what_comes_from_outside_never_becomes_an_option(template, facts):
    assert not any(each.startswith("-") for each in command_for(shlex.join(["program", *template]), facts))


@given(texts)
def test_a_word_that_is_one_placeholder_is_the_text(text):
    argument = command_for("program {path}", facts_of(1, text, "done", ""))[1]
    assert argument.removeprefix("./") == text.replace("\0", "").encode("utf-8", "surrogateescape").decode(
        "utf-8", "surrogateescape"
    ).removeprefix("./")


def test_files_become_an_argument_each_or_are_joined_in_a_longer_word():
    facts = facts_of(3, "/a film.mkv", "done", "All.", ("/a film.srt", "/b.txt"))
    assert command_for("p {outputs} 'x: {outputs}' {job}", facts) == [
        "p",
        "/a film.srt",
        "/b.txt",
        "x: /a film.srt /b.txt",
        "3",
    ]
    assert command_for("p {outputs} end", facts_of(3, "/a", "failed", "")) == ["p", "end"]


@pytest.mark.parametrize(
    ("template", "wrong"),
    [
        ("notify-send {what}", "knows no {what}; it knows {state}, {name}, {path}, {job}, {message}, {outputs}."),
        ("notify-send 'open", "cannot be split into words (no closing quotation)."),
        ("{path} x", "must begin with the name of a program."),
        ("'' x", "must begin with the name of a program."),
        ("", None),
        ("  ", None),
        ("xargs {} {name}", None),
    ],
)
def test_a_wrong_template_is_told_in_a_sentence(template, wrong, tmp_path):
    assert problem(template) == wrong
    settings = Settings(notify=Notify(on_done=template))
    if wrong is not None:
        with pytest.raises(SettingsError, match=r"^notify\.on_done "):
            notifying(FakeEngine(), Home(tmp_path), settings)
    else:
        assert (notifying(FakeEngine(), Home(tmp_path), settings) is None) == (not template.strip())


def test_a_wrong_template_is_told_when_the_settings_are_read(tmp_path):
    (tmp_path / "settings.toml").write_text('[notify]\nbell = true\non_done = "say {who}"\n')
    with pytest.raises(SettingsError, match=r"settings\.toml, line 3: notify\.on_done knows no \{who\}; it knows"):
        load(tmp_path / "settings.toml")


# ---- what there is to tell


def test_a_job_that_ends_is_told_of_once_and_one_that_the_user_gave_up_is_not():
    lookout = Lookout(View(), NOW)
    assert heard(lookout, added(1), added(2), added(3), added(4), ev.JobChanged(1, Running(NOW))) == []
    assert heard(lookout, ev.JobChanged(1, Done(NOW + 1)), ev.JobChanged(1, Done(NOW + 1))) == [("done", "1")]
    assert heard(lookout, ev.JobChanged(2, Done(NOW + 1, gaps=12_000))) == [("done with gaps", "2")]
    assert heard(lookout, ev.JobChanged(3, Failed(NOW + 1, "Broken."))) == [("failed", "3")]
    assert heard(lookout, ev.JobChanged(4, Cancelled(NOW + 1))) == []
    assert heard(lookout, ev.JobChanged(1, Queued()), ev.JobChanged(1, Done(NOW + 9))) == [("done", "1")]


def test_the_files_that_were_written_are_told():
    lookout = Lookout(View(), NOW)
    heard(lookout, added(1), ev.Written(job=1, partial=True, paths=("/films/x.partial",)))
    heard(lookout, ev.Written(job=1, partial=False, paths=("/films/film.srt",)))
    (facts,) = lookout.hear(ev.Entry(9, NOW, ev.JobChanged(1, Done(NOW))))
    assert (facts.name, facts.path, facts.outputs) == ("film.mkv", "/films/film.mkv", ("/films/film.srt",))
    assert facts.message == "Everything is transcribed."


def test_what_had_ended_before_is_not_told_of_whether_it_comes_in_the_view_or_with_the_engines_start():
    before = (added(1, state=Done(NOW - 5)), added(2, state=Failed(NOW - 5, "Broken.")))
    lookout = Lookout(fold_all(entries(*before)), NOW)
    assert lookout.unfinished() is None
    lookout = Lookout(View(), NOW)
    assert heard(lookout, ev.EngineStarted(1), *before) == []


def test_a_view_sent_anew_repeats_and_loses_nothing():
    view = fold_all(entries(added(1), added(2), added(3, state=Done(NOW - 5)), added(4)))
    lookout = Lookout(view, NOW)
    assert heard(lookout, ev.JobChanged(1, Done(NOW + 1))) == [("done", "1")]
    later = fold_all(
        entries(
            ev.JobChanged(1, Done(NOW + 1)),
            ev.JobChanged(2, Failed(NOW + 2, "Broken.")),
            added(5),
            ev.JobChanged(5, Done(NOW + 3)),
            ev.JobRemoved(4),
            first=10,
        ),
        view,
    )
    assert [(facts.state, facts.job) for facts in lookout.hear(later)] == [("failed", "2"), ("done", "5")]
    assert lookout.hear(later) == []
    assert lookout.hear(Lost("Gone.")) == []
    assert heard(lookout, ev.JobChanged(2, Failed(NOW + 2, "Broken."))) == []


def test_a_job_held_up_by_something_is_told_of_but_not_over_and_over():
    lookout = Lookout(View(), NOW)
    full = "The disk is full."
    assert heard(lookout, added(1), ev.JobChanged(1, Paused(NOW))) == []
    assert heard(lookout, ev.JobChanged(1, Paused(NOW, reason=full))) == [("paused", "1")]
    assert heard(lookout, ev.JobChanged(1, Queued()), ev.JobChanged(1, Paused(NOW + 1, reason=full))) == []
    later = Paused(NOW + 1 + AGAIN, reason=full)
    assert heard(lookout, ev.JobChanged(1, Queued()), ev.JobChanged(1, later)) == [("paused", "1")]


def test_jobs_left_unfinished_are_told_of_together_and_once():
    lookout = Lookout(View(), NOW)
    assert (
        heard(lookout, added(1, state=Stopped(NOW)), added(2, state=Stopped(NOW)), added(3, state=Stopped(NOW))) == []
    )
    heard(lookout, ev.JobChanged(3, Queued()))
    facts = lookout.unfinished()
    assert (facts.state, facts.job, facts.name, facts.path) == ("stopped", "1,2", "2 jobs", "")
    assert lookout.unfinished() is None
    again = Lookout(fold_all(entries(added(7, state=Stopped(NOW)))), NOW)
    facts = again.unfinished()
    assert (facts.job, facts.name) == ("7", "film.mkv")
    assert facts.message == "Left unfinished; go on with: scribetui resume 7."


# ---- the command


class Teller(FakeEngine):
    """An engine that may also send its view as a whole."""

    def say_all(self, *events) -> None:
        for event in events:
            self.view = fold(self.view, ev.Entry(self.view.seq + 1, self.now, event))
        self._queue.put_nowait(self.view)


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Desk:
    """A notifier with a real command, which writes down what it was told."""

    def __init__(
        self, folder: Path, template: str = "{}", script: str = REPORT, by: str = sys.executable, **how
    ) -> None:
        how = {"parting": 60.0} | how
        self.report = folder / "report"
        self.home = Home(folder / "home")
        self.home.create()
        program = folder / "the program.py"
        program.write_text(script)
        self.engine = Teller(now=NOW)
        self.troubles: list[str] = []
        command = template.replace("{}", shlex.join([by, str(program), str(self.report)]))
        self.is_troubled = asyncio.Event()
        self.notifier = Notifier(self.engine, command, self.home.logs, tell=self._hear, **how)

    def _hear(self, trouble: str) -> None:
        self.troubles.append(trouble)
        self.is_troubled.set()

    def told(self) -> list[tuple[list[str], dict[str, str]]]:
        return (
            [tuple(json.loads(line)) for line in self.report.read_text().splitlines()] if self.report.exists() else []
        )

    def are_gone(self) -> bool:
        """Whether the processes that the command reported have ended."""
        pids = [int(pid) for pid in self.report.read_text().split()]
        return until(lambda: not any(map(is_alive, pids)), f"the end of {pids}")

    @property
    def log(self) -> str:
        return (self.home.logs / "on_done.log").read_text()


@pytest.mark.parametrize("name", HOSTILE)
async def test_the_command_gets_the_very_name(tmp_path, name):
    desk = Desk(tmp_path, "{} {name} 'Job {job}: {state}' {outputs}")
    outputs = (f"/films/{name}.srt", f"/films/{name}.txt")
    desk.engine.say(added(1, name), ev.Written(job=1, partial=False, paths=outputs), ev.JobChanged(1, Done(NOW)))
    desk.engine.end()
    await desk.notifier.run()
    ((arguments, environment),) = desk.told()
    assert arguments == [f"./{name}" if name.startswith("-") else name, "Job 1: done", *outputs]
    assert environment | {"SCRIBETUI_HOME": ""} == {
        "SCRIBETUI_HOME": "",
        "SCRIBETUI_JOB": "1",
        "SCRIBETUI_NAME": name,
        "SCRIBETUI_PATH": f"/films/{name}",
        "SCRIBETUI_STATE": "done",
        "SCRIBETUI_MESSAGE": "Everything is transcribed.",
        "SCRIBETUI_OUTPUTS": "\n".join(outputs),
    }
    assert desk.troubles == []
    assert "said something" in desk.log


async def test_many_that_end_together_are_told_of_one_after_the_other(tmp_path):
    desk = Desk(tmp_path, "{} {job}")
    for job in range(1, 13):
        desk.engine.say(added(job), ev.JobChanged(job, Done(NOW)))
    desk.engine.end()
    await desk.notifier.run()
    assert [arguments for arguments, _ in desk.told()] == [[str(job)] for job in range(1, 13)]


async def test_jobs_left_unfinished_and_a_view_sent_anew_reach_the_command(tmp_path):
    desk = Desk(tmp_path, "{} {state} {job}")
    desk.engine.say(added(1, state=Stopped(NOW)), added(2, state=Stopped(NOW)))
    desk.engine.say_all(added(3), ev.JobChanged(1, Queued()), ev.JobChanged(1, Failed(NOW, "Broken.")))
    desk.engine.end()
    await desk.notifier.run()
    assert [arguments for arguments, _ in desk.told()] == [["stopped", "2"], ["failed", "1"]]


async def test_a_command_that_hangs_is_killed_with_all_it_started(tmp_path):
    desk = Desk(tmp_path, script=HANG, by="sh", limit=3.0)
    desk.engine.say(added(1), ev.JobChanged(1, Done(NOW)))
    working = asyncio.create_task(desk.notifier.run())
    await desk.is_troubled.wait()
    assert desk.troubles == ["The on_done command was killed, since it took longer than 3 s."]
    desk.engine.end()
    await working
    assert desk.are_gone()


async def test_a_notifier_that_is_cancelled_leaves_no_command_behind(tmp_path):
    desk = Desk(tmp_path, script=HANG, by="sh")
    desk.engine.say(added(1), ev.JobChanged(1, Done(NOW)))
    working = asyncio.create_task(desk.notifier.run())
    await asyncio.to_thread(until, desk.report.exists, "the command's start")
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert desk.are_gone()


async def test_the_end_of_the_engine_is_not_held_up_for_long(tmp_path):
    desk = Desk(tmp_path, script=HANG, by="sh", parting=2.0)
    desk.engine.say(added(1), added(2), ev.JobChanged(1, Done(NOW)), ev.JobChanged(2, Done(NOW)))
    desk.engine.end()
    await desk.notifier.run()
    assert desk.troubles == ["on_done commands given up because scribetui ended: 2."]
    assert not desk.report.exists() or desk.are_gone()


@pytest.mark.parametrize(
    ("template", "trouble"),
    [
        ("/no/such/program {name}", "The on_done command cannot be run: there is no program /no/such/program."),
        ("/ {name}", "The on_done command cannot be run (Permission denied)."),
        ("sh -c 'exit 3'", "The on_done command ended with status 3; what it said is in on_done.log among the logs."),
        (
            "sh -c 'kill -9 $$'",
            "The on_done command was ended by signal 9; what it said is in on_done.log among the logs.",
        ),
    ],
)
async def test_a_command_that_fails_is_told_of_once(tmp_path, template, trouble):
    desk = Desk(tmp_path, template)
    for job in (1, 2, 3):
        desk.engine.say(added(job), ev.JobChanged(job, Done(NOW)))
    desk.engine.end()
    await desk.notifier.run()
    assert desk.troubles == [trouble]


async def test_no_more_commands_wait_than_there_is_room_for(tmp_path):
    desk = Desk(tmp_path, "true")
    ends = [event for job in range(WAITING + 9) for event in (added(job), ev.JobChanged(job, Done(NOW)))]
    lookout = Lookout(View(), NOW)
    desk.notifier._take([each for entry in entries(*ends) for each in lookout.hear(entry)])
    assert desk.troubles == ["The on_done command is too slow: it is not run for every job."]
    assert len(desk.notifier._waiting) == WAITING


async def test_the_log_does_not_grow_without_end(tmp_path):
    desk = Desk(tmp_path, "sh -c 'head -c 3000000 /dev/zero'")
    for job in (1, 2):
        desk.engine.say(added(job), ev.JobChanged(job, Done(NOW)))
    desk.engine.end()
    await desk.notifier.run()
    sizes = [path.stat().st_size for path in desk.home.logs.iterdir()]
    assert sum(sizes) < 3_000_000
