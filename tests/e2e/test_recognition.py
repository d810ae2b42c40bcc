"""What recognition finds out, by the real program with a model that knows many languages, and what is told of it."""

import json
import re

import pytest

from tests.recordings import AUDIO, shared

pytestmark = shared


def test_a_language_is_found_told_and_kept(program):
    done = program.run(AUDIO / "french.mp3", "--model", "base", "--vad", "silero")
    assert done.status == 0, done
    assert re.search(r"^french\.mp3: the language is French \(\d+% of the vote", done.err, re.MULTILINE)
    assert "podcast" in program.text("french")
    assert program.transcript("french")["language"] == "fr"
    (row,) = program.status()
    assert (row["language"], row["aligned"], row["fetching"]) == ("fr", None, None)
    report = json.loads(program("report", "1", "--json").out)
    assert (report["language"]["asked"], report["language"]["found"]) == ("auto", "fr")
    assert report["language"]["votes"][0]["share"] > 0.5
    assert "language      French (fr), " in program("report", "1").out


def test_a_language_and_a_task_that_are_named(program):
    done = program.run(AUDIO / "french.mp3", "--model", "base", "--language", "French", "--task", "translate")
    assert done.status == 0, done
    assert "the language is" not in done.err
    assert re.search(r"\bpodcast\b.*\bcuriosity\b", program.text("french"), re.IGNORECASE | re.DOTALL)
    (row,) = program.status()
    assert row["language"] == "fr"
    assert "language fr, translated into English" in program("report", "1").out


def test_terms_are_heard_and_what_resembles_them_is_put_right(program):
    """Words, and a file of them; each change is listed."""
    (program.folder / "terms.txt").write_text("ComfyUI\n")
    for terms in ("ComfyUI, [b]Qwen[/b]", program.folder / "terms.txt"):
        done = program.run(AUDIO / "hotwords.mp3", "--terms", terms, "--correct")
        assert done.status == 0, done
        assert program.text("hotwords").count("ComfyUI") == 2


@pytest.mark.parametrize(("terms", "told"), [("nowhere.txt", "nowhere.txt"), ("x" * 5_000, "term")])
def test_terms_that_cannot_be_read_are_one_sentence(program, terms, told):
    done = program.run(AUDIO / "hotwords.mp3", "--terms", terms)
    assert done.status in (1, 2)
    assert len(done.err.splitlines()) == 1
    assert told in done.err
    assert program.outputs() == set()
