"""``scribetui settings``: shown, checked, edited, and taken over from elsewhere."""

import json
import os
import shlex
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine import hardware, models
from engine.home import Home
from engine.settings import Settings, default_text, load
from engine.settings.file import fields, parse
from tui import editing, preferences
from tui.cli import app

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path, monkeypatch) -> Home:
    monkeypatch.setenv("SCRIBETUI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setattr(hardware, "has_cuda", lambda: False)
    return Home(tmp_path / "home")


@pytest.fixture
def write(home):
    """Write the user's settings."""

    def write_it(text: str) -> Path:
        home.create()
        home.settings.write_text(text)
        return home.settings

    return write_it


@pytest.fixture
def run(home):
    """Run a command of ``settings``."""
    return lambda *args, **how: CliRunner().invoke(app, ["settings", *map(str, args)], **how)


@pytest.fixture
def editor(tmp_path, monkeypatch):
    """Make an editor of a few lines of Python, which know the file as ``path``."""

    def make(lines: str) -> None:
        script = tmp_path / "an editor.py"
        script.write_text(f"import pathlib, sys\npath = pathlib.Path(sys.argv[-1])\n{lines}\n")
        monkeypatch.setenv("EDITOR", shlex.join([sys.executable, str(script)]))

    return make


# ---- show


def test_alone_it_shows_every_setting_and_says_that_there_is_no_file(run, home):
    done = run()
    assert (done.exit_code, done.stderr) == (0, "")
    first, _, *lines = done.stdout.splitlines()
    assert first == f"Settings: {home.settings} does not exist, so all are defaults."
    assert [line.split()[0] for line in lines] == list(fields())
    assert run("show").stdout == done.stdout
    assert not home.path.exists()


def test_what_differs_is_marked_and_what_the_file_sets_is_said(run, write):
    path = write('[chunks]\nchunk = 120\nbatch = "auto"\n[screen.keys]\npause = "p"\n')
    done = run("show")
    lines = done.stdout.splitlines()
    assert lines[0] == f"Settings: {path}; * is not the default."
    rows = {line[2:].split()[0]: line for line in lines[2:]}
    assert rows["chunks.chunk"].split(maxsplit=2)[0] == "*"
    assert rows["chunks.chunk"].endswith("= 120  (file; default 300)")
    assert rows["chunks.batch"].startswith("  ")
    assert rows["chunks.batch"].endswith('= "auto"  (file)')
    assert rows["screen.keys"].endswith('= { pause = "p" }  (file; default {})')
    assert rows["memory.budget"].endswith('= "60%"  (default)')


def test_all_tells_what_each_means(run):
    text = run("show", "--all").stdout
    assert all(field.meaning in text and field.allowed in text for field in fields().values())


def test_show_json_has_a_stable_shape(run, write):
    path = write('[transcribe]\nterms = ["ComfyUI"]\n')
    for args in (("show", "--json"), ("--json",)):
        data = json.loads(run(*args).stdout)
        assert (data["file"], data["exists"]) == (str(path), True)
        assert [row["name"] for row in data["settings"]] == list(fields())
        (terms,) = [row for row in data["settings"] if row["name"] == "transcribe.terms"]
        assert terms == {
            "name": "transcribe.terms",
            "value": ["ComfyUI"],
            "default": [],
            "from": "file",
            "differs": True,
            "unit": "",
            "meaning": fields()["transcribe.terms"].meaning,
            "allowed": "a list of strings",
        }


def test_nothing_in_a_value_reaches_the_terminal_raw(run, write):
    write('[transcribe]\nterms = ["\\u001b[31m", "\\u202e"]\n')
    text = run("show").stdout
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_mistake_in_the_file_is_a_sentence_and_2(run, write):
    path = write("[chunks]\nchunk = 1\n")
    done = run("show")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{path}, line 2: chunks.chunk must be")


# ---- check


def test_defaults_are_in_order(run, home):
    done = run("check")
    assert done.exit_code == 0
    assert done.stdout.startswith(f"There is no {home.settings}; every setting has its default, which is in order")


def test_a_file_in_order_is_said_to_be(run, write):
    path = write(default_text())
    done = run("check")
    assert (done.exit_code, done.stdout) == (0, f"{path} is in order.\n")


@pytest.mark.parametrize(
    ("text", "line", "setting", "told"),
    [
        ("[chunks]\nchunk = 1\n", 2, "chunks.chunk", "chunks.chunk must be"),
        ("[chunks]\nchnk = 1\n", 2, "chunks.chnk", 'did you mean "chunks.chunk"?'),
        ("\n\nchunk = = 1\n", 3, None, "this is not valid TOML"),
        ('[screen]\ntheme = "plaid"\n', 2, "screen.theme", 'there is no theme "plaid"; there are scribetui-dark'),
        (
            '[screen.keys]\npause = "p"\ndance = "z"\n',
            3,
            "screen.keys.dance",
            'there is no action "dance"; there are pause',
        ),
        ('[transcribe]\nmodel = "nonesuch"\n', 2, "transcribe.model", 'There is no model "nonesuch"'),
        ('[transcribe]\nmodel = "~nobodyatall/x"\n', 2, "transcribe.model", "there is no such model"),
        (
            '[transcribe]\nmodel = "small"\n[models]\ndownload = false\n',
            2,
            "transcribe.model",
            'The model "small" is not on this machine and downloads are switched off',
        ),
        ('[terms]\nfile = "/no/such/terms.txt"\n', 2, "terms.file", "/no/such/terms.txt"),
        ('[terms]\nfile = "~nobodyatall/terms.txt"\n', 2, "terms.file", "home"),
        (f'[transcribe]\nterms = ["{"x" * 5_000}"]\n', 2, "transcribe.terms", "term"),
        (
            '[transcribe]\nbackend = "faster-whisper"\ndevice = "metal"\n',
            3,
            "transcribe.device",
            'transcribe.device = "metal" does not go with faster-whisper',
        ),
        (
            '[transcribe]\nlanguage = "hi"\nmodel = "tiny.en"\n',
            3,
            "transcribe.model",
            'The model "tiny.en" knows only English',
        ),
        ('[transcribe]\nbackend = "nopackage:Stage"\n', 2, "transcribe.backend", "no Python package"),
        ('[notify]\non_done = "say \'done"\n', 2, "notify.on_done", "notify.on_done cannot be split into words"),
        ('[output]\nfolder = "~nobodyatall/x"\n', 2, "output.folder", "cannot be a folder"),
    ],
)
def test_what_cannot_be_is_a_sentence_with_file_and_line_and_2(run, write, text, line, setting, told):
    path = write(text)
    done = run("check")
    assert (done.exit_code, done.stdout) == (2, "")
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith(f"{path}, line {line}: ")
    assert told in sentence
    data = json.loads(run("check", "--json").stdout)
    assert data["ok"] is False
    assert data["problems"] == [{"severity": "error", "setting": setting, "line": line, "message": sentence}]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[output]\nfolder = "/no/such/place"\n', 'output.folder: the folder "/no/such/place" does not exist'),
        ('[watch]\nfolders = ["/no/such/place"]\n', 'watch.folders: the folder "/no/such/place" does not exist'),
        ('[transcribe]\nmodel = "small"\n', '"small" is not on this machine; it is downloaded'),
        ('[transcribe]\ndevice = "cuda"\n', "this machine has no NVIDIA card"),
    ],
)
def test_what_may_surprise_is_a_note_and_0(run, write, text, told):
    path = write(text)
    done = run("check")
    assert done.exit_code == 0
    assert done.stdout == f"{path} is in order, but for what was said above.\n"
    assert done.stderr.startswith(f"Note: {path}, line 2: ")
    assert told in done.stderr
    data = json.loads(run("check", "--json").stdout)
    assert data["ok"] is True
    assert {each["severity"] for each in data["problems"]} == {"warning"}


def test_errors_come_before_warnings(write):
    path = write('[output]\nfolder = "/no/such/place"\n[screen]\ntheme = "plaid"\n')
    assert [each.severity for each in preferences.problems(path)] == ["error", "warning"]


def test_no_model_at_all_is_the_machines_fault(write, monkeypatch):
    monkeypatch.setattr(models, "available", lambda *_: [])
    (found,) = preferences.problems(write("[transcribe]\n"))
    assert (found.severity, found.setting) == ("warning", "transcribe.model")


def test_another_file_can_be_checked(run, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[chunks]\nchunk = 1\n")
    done = run("check", path)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"{path}, line 2: ")
    assert run("check", ROOT / "settings.toml").exit_code == 0


def test_a_file_that_is_not_there_cannot_be_checked(run, tmp_path):
    done = run("check", tmp_path / "none.toml")
    assert (done.exit_code, done.stderr) == (2, f"There is no file {tmp_path / 'none.toml'} to check.\n")


def test_a_file_that_cannot_be_read_is_a_sentence_and_2(run, tmp_path):
    done = run("check", tmp_path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"The settings in {tmp_path} cannot be read (")
    assert json.loads(run("check", tmp_path, "--json").stdout)["ok"] is False
    assert run("check", "x" * 5000).exit_code == 2


# ---- edit


def test_editing_begins_with_the_commented_default(run, home, editor, tmp_path):
    editor(f"pathlib.Path({str(tmp_path / 'seen')!r}).write_text(path.read_text())")
    done = run("edit")
    assert done.exit_code == 0
    assert (tmp_path / "seen").read_text() == default_text() == home.settings.read_text()
    assert f"{home.settings} was made" in done.stderr
    assert "Nothing was changed." in done.stderr


def test_what_was_changed_is_said_with_when_it_counts(run, write, editor):
    path = write("")
    editor("path.write_text('[chunks]\\nbatch = 2\\n[memory]\\nbudget = \"2GB\"\\n[notify]\\nbell = false\\n')")
    done = run("edit")
    assert done.exit_code == 0
    assert done.stderr.splitlines() == [
        f"{path} is in order.",
        "For jobs queued from now on: chunks.batch.",
        "From the host's next start ('scribetui stop' ends it): memory.budget.",
        "When the screen is next opened: notify.bell.",
    ]
    assert [each.name for each in path.parent.glob("settings*")] == ["settings.toml"]


def test_with_no_terminal_a_mistake_ends_it_with_2_and_nothing_is_lost(run, write, editor):
    path = write("# mine\n")
    editor("path.write_text('[chunks]\\nchunk = 1\\n')")
    done = run("edit")
    assert done.exit_code == 2
    assert f"{path}, line 2: chunks.chunk must be" in done.stderr
    assert path.read_text() == "[chunks]\nchunk = 1\n"
    before = path.with_name("settings.toml.before")
    assert before.read_text() == "# mine\n"
    assert str(before) in done.stderr

    # What is wrong now must not take the place of what was in order.
    editor("path.write_text('[chunks]\\nchunk = 2\\n')")
    assert run("edit").exit_code == 2
    assert before.read_text() == "# mine\n"

    editor("path.write_text('[chunks]\\nchunk = 30\\n')")
    assert run("edit").exit_code == 0
    assert not before.exists()


def test_on_a_terminal_it_asks_whether_to_edit_again(home, write, editor):
    path = write("")
    editor("path.write_text(path.read_text() + '[chunks]\\nchunk = 1\\n' if not path.read_text() else '')")
    words = editing.editor({"EDITOR": os.environ["EDITOR"]}, on_terminal=True)
    said, asked = [], []

    def ask(question: str) -> bool:
        asked.append(question)
        return True

    assert editing.edit(home, words, said.append, ask)
    assert asked == ["Edit it again?"]
    assert "chunks.chunk must be" in said[0]
    assert path.read_text() == ""


def test_a_file_taken_away_in_the_editor_is_a_return_to_the_defaults(run, write, editor):
    write("[chunks]\nbatch = 2\n")
    editor("path.unlink()")
    done = run("edit")
    assert done.exit_code == 0
    assert "For jobs queued from now on: chunks.batch." in done.stderr


def test_an_editor_that_fails_is_named(run, write, editor):
    write("")
    editor("sys.exit(3)")
    done = run("edit")
    assert "ended with status 3" in done.stderr


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"EDITOR": "/no/such/editor"}, "The editor /no/such/editor cannot be run (No such file or directory)"),
        ({"EDITOR": "vi 'x"}, "$EDITOR cannot be split into words"),
        ({"VISUAL": "vi 'x", "EDITOR": "true"}, "$VISUAL cannot be split into words"),
        ({"EDITOR": ""}, "There is no terminal to edit on; set $EDITOR"),
    ],
)
def test_without_an_editor_there_is_a_sentence(run, home, variables, told):
    done = run("edit", env=variables)
    assert done.exit_code == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_the_usual_editors_are_looked_for(tmp_path):
    (tmp_path / "vi").write_text("")
    (tmp_path / "vi").chmod(0o755)
    assert editing.editor({"PATH": str(tmp_path)}, on_terminal=True) == [str(tmp_path / "vi")]
    assert editing.editor({"PATH": "", "VISUAL": "code -w", "EDITOR": "vi"}, on_terminal=True) == ["code", "-w"]
    with pytest.raises(editing.EditError, match="No editor was found"):
        editing.editor({"PATH": str(tmp_path / "empty")}, on_terminal=True)


# ---- import


@pytest.fixture
def env_file(tmp_path) -> Path:
    path = tmp_path / ".env"
    path.write_text(
        "WHISPER_MODEL=large-v3\nBATCH_SIZE=lots\nHF_TOKEN=nobodysbusiness\nFOO=nobodysbusiness\nnonsense\n"
    )
    return path


def test_an_import_says_what_became_of_each_key(run, home, write, env_file):
    path = write('[transcribe]\n# the best\nmodel = "tiny.en"\n')
    done = run("import", env_file)
    assert (done.exit_code, done.stderr) == (0, "")
    assert 'WHISPER_MODEL=large-v3 -> transcribe.model = "large-v3" (was "tiny.en")' in done.stdout
    assert 'BATCH_SIZE=lots (line 2): "lots" is no number' in done.stdout
    assert "HF_TOKEN: its value was left alone" in done.stdout
    assert "FOO (line 4): cp-whisperx-app has no such setting" in done.stdout
    assert "left out: line 5." in done.stdout
    assert 'Note: transcribe.model: "large-v3" is not on this machine' in done.stdout
    assert f"1 setting changes, written to {path}." in done.stdout
    assert "nobodysbusiness" not in done.stdout + path.read_text()
    assert path.read_text() == '[transcribe]\n# the best\nmodel = "large-v3"\n'


def test_an_import_into_nothing_begins_with_the_commented_default(run, home, env_file):
    assert run("import", env_file).exit_code == 0
    assert load(home.settings).transcribe.model == "large-v3"
    assert home.settings.read_text().count("\n") == default_text().count("\n")


def test_a_dry_run_writes_nothing(run, home, env_file):
    done = run("import", env_file, "--dry-run")
    assert done.exit_code == 0
    assert "1 setting changes; nothing was written (--dry-run)." in done.stdout
    assert not home.path.exists()


def test_a_second_import_changes_nothing(run, home, env_file):
    run("import", env_file)
    before = home.settings.stat()
    done = run("import", env_file)
    assert 'transcribe.model = "large-v3" (as it was)' in done.stdout
    assert "No setting changes, so nothing was written." in done.stdout
    after = home.settings.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_import_json_has_a_stable_shape(run, home, env_file):
    data = json.loads(run("import", env_file, "--json").stdout)
    assert {name: data[name] for name in ("file", "program", "settings", "written", "changes", "unreadable")} == {
        "file": str(env_file),
        "program": "cp-whisperx-app",
        "settings": str(home.settings),
        "written": True,
        "changes": {"transcribe.model": "large-v3"},
        "unreadable": [5],
    }
    assert data["keys"][0] == {
        "key": "WHISPER_MODEL",
        "line": 1,
        "value": "large-v3",
        "outcome": "set",
        "setting": "transcribe.model",
        "became": "large-v3",
        "was": "auto",
        "note": "",
    }
    assert [each["severity"] for each in data["problems"]] == ["warning"]
    assert "nobodysbusiness" not in json.dumps(data)


def test_settings_that_do_not_go_together_after_an_import_are_said(run, write, tmp_path):
    write('[transcribe]\nmodel = "tiny.en"\n')
    (tmp_path / ".env").write_text("WHISPER_LANGUAGE=hi\n")
    done = run("import", tmp_path / ".env")
    assert done.exit_code == 0
    assert 'Note: The model "tiny.en" knows only English' in done.stdout


def test_a_file_of_another_kind_is_a_sentence_and_1(run, home, tmp_path):
    done = run("import", tmp_path / "none.env")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"{tmp_path / 'none.env'} cannot be imported (there is no such file).\n"
    assert not home.path.exists()


def test_a_mistake_of_our_own_keeps_an_import_from_writing(run, write, env_file):
    path = write("[chunks]\nchunk = 1\n")
    assert run("import", env_file).exit_code == 2
    assert path.read_text() == "[chunks]\nchunk = 1\n"


def test_nothing_in_a_foreign_file_reaches_the_terminal_raw(run, home, tmp_path):
    (tmp_path / "config.json").write_text('{"whisper_model": "\\u001b[31mtiny", "\\u001b[2J": 1}')
    done = run("import", tmp_path / "config.json")
    assert done.exit_code == 0
    assert "\x1b" not in done.stdout


# ---- from when on


def test_nothing_changed_says_nothing():
    assert preferences.in_force(Settings(), Settings()) == []


def test_settings_count_from_when_they_are_read():
    after = parse('[output]\npartial_every = 9\nfolder = "/x"\n[screen]\nascii = true\n', "x")
    assert preferences.in_force(Settings(), after) == [
        "For jobs queued from now on: output.folder.",
        "From the host's next start ('scribetui stop' ends it): output.partial_every.",
        "When the screen is next opened: screen.ascii.",
    ]
