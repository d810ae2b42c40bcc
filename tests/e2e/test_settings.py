"""``scribetui settings`` as a user types it."""

import json
import os
import shlex
import sys

import pytest

from engine.settings import default_text
from tests.e2e.program import SCRIBETUI
from tests.e2e.terminal import terminal, tmux_is_missing

WHY_NOT = tmux_is_missing()


def test_settings_alone_shows_them(program):
    done = program("settings")
    assert (done.status, done.err) == (0, "")
    assert f"{program.home.settings} does not exist" in done.out
    assert program("settings", "show").out == done.out
    assert not program.home.path.exists()


def test_help_lists_what_can_be_done(program):
    done = program("settings", "--help")
    assert done.status == 0
    assert [name for name in ("show", "edit", "check", "import") if f"\n  {name}  " not in done.out] == []


@pytest.mark.parametrize("args", [("frobnicate",), ("import",), ("show", "--nope"), ("check", "nowhere.toml")])
def test_usage_errors_exit_with_2(program, args):
    done = program("settings", *args)
    assert (done.status, done.out) == (2, "")
    assert "Traceback" not in done.err


def test_an_import_is_in_force_for_the_next_run(program, sentence):
    """Both predecessors, one after the other; what they set is what a job is then done with."""
    media = sentence.save(program.folder / "talk.wav")
    (program.folder / "config.json").write_text(
        json.dumps(
            {
                "transcripts_path": "./transcripts",
                "memory_optimizations": {"enable_chunked_transcription": True, "transcription_chunk_size_seconds": 60},
            }
        )
    )
    (program.folder / ".env").write_text("BATCH_SIZE=3\nSUBTITLE_FORMAT=srt\nHF_TOKEN=nobodysbusiness\n")
    for name in ("config.json", ".env"):
        done = program("settings", "import", name)
        assert (done.status, done.err) == (0, "")
        assert "nobodysbusiness" not in done.out
    assert program("settings", "check").status == 0
    shown = json.loads(program("settings", "show", "--json").out)["settings"]
    assert {row["name"] for row in shown if row["differs"]} == {
        "chunks.chunk",
        "chunks.chunking",
        "chunks.batch",
        "output.folder",
        "output.formats",
    }

    assert program("run", media).status == 0
    assert {path.name for path in (program.folder / "transcripts").iterdir()} == {"talk.srt"}
    (attempt,) = program.attempts(1)
    recipe = json.loads(attempt["recipe"])
    assert (recipe["chunk_ms"], recipe["batch"]) == (60_000, 3)
    assert "nobodysbusiness" not in program.home.settings.read_text()


@pytest.mark.skipif(WHY_NOT is not None, reason=f"no terminal to test in: {WHY_NOT}")
def test_edit_asks_on_a_terminal_until_all_is_in_order(program):
    """The editor writes nonsense the first time; what it says then is answered by a key."""
    script = program.folder / "editor.py"
    script.write_text(
        "import pathlib, sys\n"
        "path = pathlib.Path(sys.argv[-1])\n"
        "was = path.read_text()\n"
        "path.write_text('[chunks]\\nchunk = 1\\n' if was[:5] == '# The' else '[chunks]\\nchunk = 90\\n')\n"
    )
    env = {"LANG": "C.UTF-8", "PATH": os.environ["PATH"], "SCRIBETUI_HOME": str(program.home.path)}
    with terminal(250, 20) as screen:
        screen.run([str(SCRIBETUI), "settings", "edit"], env | {"EDITOR": shlex.join([sys.executable, str(script)])})
        screen.wait_for("chunks.chunk must be", "Edit it again?")
        assert program.home.settings.with_name("settings.toml.before").read_text() == default_text()
        screen.press("y", "Enter")
        screen.wait_for("For jobs queued from now on: chunks.chunk.")
        screen.wait_for_end()
    assert program.home.settings.read_text() == "[chunks]\nchunk = 90\n"
