"""Completion: what the program answers a shell's script, and what real shells make of it."""

import os
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from typer.main import get_command

from engine.commands import Options
from engine.ledger import Ledger
from engine.machine import stimuli as do
from engine.states import Paused, Queued
from tests.e2e.program import SCRIBETUI, Program
from tui.cli import app
from tui.cli.base import OPEN
from tui.cli.completion import SCRIPTS, VARIABLE
from tui.cli.suggestions import suggest

HOSTILE = "$(touch owned) `touch owned`; 'x' \"y\" [red] a\tb\nc\x1b[31m.mkv"
DRIVER = """\
source {script}
COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 ))
_scribetui_completion scribetui "${{COMP_WORDS[COMP_CWORD]}}" ""
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def words(*typed: str) -> list[str]:
    """What is suggested in this process, but for files."""
    found = suggest(get_command(app), OPEN, typed[:-1], typed[-1])
    return [each.word for each in found.items]


def offers_files(*typed: str) -> bool:
    return suggest(get_command(app), OPEN, typed[:-1], typed[-1]).files


def answer(program: Program, shell: str, *typed: str) -> tuple[str, dict[str, str]]:
    """What the real program answers a script: the kind, and the words with their help."""
    program.environment[VARIABLE] = shell
    done = program(*typed)
    del program.environment[VARIABLE]
    assert (done.status, done.err) == (0, "")
    kind, *lines = done.out.splitlines()
    return kind, dict(line.split("\t") for line in lines)


def fill(program: Program) -> None:
    """Put two jobs into the program's ledger."""
    program.home.create()
    with closing(Ledger(program.home.ledger)) as ledger, ledger.transaction():
        for number, (name, state) in enumerate((("talk.mp3", Queued()), (HOSTILE, Paused(1))), 1):
            source = do.Source(f"/films/{name}", 10, 20)
            ledger.save(
                do.SaveJob(
                    id=number, source=source, options=Options(), state=state, position=number, outputs=(), worked_ms=0
                )
            )


def test_the_first_word_is_a_command_or_a_file():
    found = words("")
    assert {"run", "status", "export", "completion", "service"} <= set(found)
    assert OPEN not in found
    assert offers_files("")
    assert words("sta") == ["status"]
    assert offers_files("film")
    assert words("film") == []


def test_options_are_those_of_the_command():
    assert {"--json", "--help"} == set(words("status", "--"))
    assert {"--version", "--out", "--formats"} <= set(words("--"))
    assert "--version" not in words("run", "--")
    assert "--formats" in words("film.mkv", "--form")
    assert words("status", "") == words("status", "--"), "nothing else can follow"
    assert words("run", "--", "--") == []
    assert offers_files("run", "--", "--x")


def test_values_follow_their_options():
    assert words("run", "--formats", "") == ["srt", "vtt", "txt", "json"]
    assert words("run", "--formats", "srt,v") == ["srt,vtt"]
    assert words("run", "--formats=srt,t") == ["--formats=srt,txt"]
    assert words("export", "1", "--format", "js") == ["json"]
    assert words("run", "--language", "de") == ["de"]
    assert words("run", "--language", "auto") == ["auto", "auto-per-chunk"]
    assert words("film.mkv", "--vad", "") == ["silero", "pyannote"]
    assert words("watch", "--task=trans") == ["--task=transcribe", "--task=translate"]
    assert words("run", "--backend", "w") == ["whisperx"]
    assert {"tiny", "tiny.en", "tiny-4bit"} <= set(words("run", "--model", "tiny"))
    assert offers_files("run", "--model", ""), "or its folder"
    assert words("run", "--align", "o") == ["off"]
    assert offers_files("run", "--align", "o"), "or the folder of a model"
    assert (words("run", "--terms", ""), offers_files("run", "--terms", "")) == ([], True)
    assert words("run", "--corr") == ["--correct"]
    assert words("run", "--no") == ["--no-correct"]
    assert words("events", "1", "--level", "w") == ["warning"]
    assert words("events", "1", "--level", "info", "--f") == ["--follow"]
    assert offers_files("run", "--out", "/tm")
    assert words("run", "--chunk", "") == []
    assert not offers_files("run", "--chunk", "")


def test_commands_of_commands():
    assert words("service", "") == ["install", "remove", "status"]
    assert words("service", "status", "--j") == ["--json"]
    assert words("completion", "") == ["bash", "zsh", "fish"]
    assert words("completion", "bash", "") == ["--help"]


def test_models_by_their_names():
    assert {"list", "get", "remove", "path"} == set(words("models", ""))
    assert set(words("models", "get", "large-v3-t")) == {"large-v3-turbo", "large-v3-turbo-4bit"}
    assert "auto" not in words("models", "remove", "")


def test_what_makes_no_sense_is_answered_with_nothing_wrong():
    for typed in (("service", "nonsense", ""), ("--nonsense", ""), ("run", "--formats", "--json", ""), ("=", "=")):
        words(*typed)


def test_jobs_are_told_by_their_numbers_with_the_files_as_help(program):
    assert answer(program, "bash", "report", "") == ("words", {})
    assert not program.home.path.exists(), "asking makes nothing"
    fill(program)
    kind, jobs = answer(program, "bash", "report", "")
    assert kind == "words"
    assert list(jobs) == ["1", "2"]
    assert jobs["1"] == "talk.mp3"
    assert "\x1b" not in jobs["2"]
    assert answer(program, "zsh", "cancel", "1", "")[1].keys() == {"2"}
    assert "chunk=" in answer(program, "fish", "set", "1", "")[1]


def test_a_ledger_that_cannot_be_read_is_no_reason_to_speak_up(program):
    program.home.create()
    program.home.ledger.write_bytes(b"no database" * 100)
    assert answer(program, "bash", "report", "") == ("words", {})


def test_bash_parts_words_at_equals_signs(program):
    assert answer(program, "bash", "run", "--formats", "=", "sr")[1].keys() == {"srt"}
    assert answer(program, "bash", "run", "--formats", "=")[1].keys() == {"srt", "vtt", "txt", "json"}


def test_the_scripts_are_printed(program):
    for shell, script in SCRIPTS.items():
        done = program("completion", shell)
        assert (done.status, done.out) == (0, script)
    done = program("completion", "tcsh")
    assert (done.status, done.err) == (2, "There is completion for bash, zsh and fish, not for tcsh.\n")


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_shell_itself_finds_its_script_valid(shell, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / "script"
    script.write_text(SCRIPTS[shell])
    done = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes(program):
    fill(program)
    script = program.folder / "script"
    script.write_text(SCRIPTS["bash"])
    driver = program.folder / "driver"
    driver.write_text(DRIVER.format(script=script))
    folder = program.folder / "films"
    folder.mkdir()
    for name in ("stage play.mkv", "$(touch owned).mkv", "*.mkv"):
        (folder / name).touch()

    def complete(*typed: str) -> list[str]:
        path = f"{Path(SCRIBETUI).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "--norc", str(driver), "scribetui", *typed],
            env={**program.env, "PATH": path},
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        return done.stdout.splitlines()

    assert complete("sta") == ["status", "stage play.mkv"]
    assert complete("stat") == ["status"]
    assert complete("report", "") == ["1", "2"]
    assert complete("run", "--formats", "=", "v") == ["vtt"]
    assert set(complete("")) >= {"run", "$(touch owned).mkv", "*.mkv"}
    assert not (folder / "owned").exists()
