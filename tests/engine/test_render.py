"""The formats: what is data comes out as text, the times are exact, and other programs can read them."""

import json
import subprocess
import sys

import msgspec
import pysubs2
import pytest
from hypothesis import assume, given

from engine.recipe import Recipe
from engine.render import FORMATS, Document, UnknownFormat, render, renderer
from engine.timeline import Span
from engine.transcript import Doubt, Segment, Window, Word
from tests.engine.transcripts import broken_transcripts, segment, transcript

JOINER = "\u2060"


def text_of(told, name):
    return render(Document(told), name).decode()


def one_line(text, name):
    """The one line of text of a one-cue file with that word."""
    return text_of(transcript(Segment(0, 2_000, "", (Word(f" {text}", 0, 2_000, 1),))), name).strip().split("\n")[-1]


def shown(packets):
    """What FFmpeg's decoder, and so mpv and many others, makes of a file: the text of its events, tags and all."""
    return [rect.ass.decode().split(",", 8)[-1] for packet in packets for rect in packet.decode()]


def test_srt_is_exact_to_the_millisecond():
    told = transcript(segment("Hello there, friend.", 1_234))
    assert text_of(told, "srt") == "1\n00:00:01,234 --> 00:00:02,314\nHello there, friend.\n"


def test_vtt_is_exact_to_the_millisecond():
    told = transcript(segment("Hello there, friend.", 1_234))
    assert text_of(told, "vtt") == "WEBVTT\n\n1\n00:00:01.234 --> 00:00:02.314\nHello there, friend.\n"


def test_more_than_a_hundred_hours_are_no_limit():
    at = 123 * 3_600_000 + 4 * 60_000 + 5_006
    told = transcript(segment("Still awake?", at))
    assert "\n123:04:05,006 --> " in text_of(told, "srt")
    assert "\n123:04:05.006 --> " in text_of(told, "vtt")


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_an_empty_transcript_is_a_valid_empty_file(name):
    expected = {"srt": "", "vtt": "WEBVTT\n", "txt": ""}
    text = text_of(transcript(language=None), name)
    if name == "json":
        found = json.loads(text)
        assert (found["segments"], found["word_segments"], found["gaps"]) == ([], [], [])
        assert (found["language"], found["complete"]) == (None, True)
    else:
        assert text == expected[name]


@pytest.mark.parametrize(
    "text", ["a<3", "{hello}", "&amp;", "C:\\temp", "a-->b", "<i>", "</b>", "{\\an8}", "{Y:i}", "\\N"]
)
def test_srt_shows_markup_as_text(text):
    line = one_line(text, "srt")
    assert line.replace(JOINER, "") == text
    assert "-->" not in line
    loaded = pysubs2.SSAFile.from_string(f"1\n00:00:00,000 --> 00:00:02,000\n{line}\n", "srt")
    assert loaded[0].text.replace(JOINER, "") == text


def test_srt_text_without_markup_is_untouched():
    text = "2<3 & {so} on -- C:\\temp >> é"
    assert text_of(transcript(segment(text)), "srt").endswith(f"\n{text}\n")


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("<i>", "&lt;i&gt;"),
        ("a-->b", "a--&gt;b"),
        ("&amp;", "&amp;amp;"),
        ("{\\an8}", "{\\an8}"),
        ("C:\\Now\\here", "C:\\Now\\here"),
        ("{\\p1}", "{\\p1}"),
    ],
)
def test_vtt_escapes_markup(text, escaped):
    assert one_line(text, "vtt") == escaped


@pytest.mark.parametrize(("name", "container"), [("srt", "srt"), ("vtt", "webvtt")])
def test_ffmpeg_shows_what_was_said(name, container, tmp_path):
    """A player's own decoder as the judge: it turns what it takes for markup into ASS tags in braces, or drops it."""
    av = pytest.importorskip("av")
    text = "<i> 1<2 </b> & &lt; <font a --> b"
    path = tmp_path / f"movie.{name}"
    path.write_bytes(render(Document(transcript(segment(text, 1_500))), name))
    with av.open(str(path), format=container) as opened:
        packets = [packet for packet in opened.demux(subtitles=0) if packet.size]
        assert [packet.pts for packet in packets] == [1_500]
        assert [line.replace(JOINER, "") for line in shown(packets)] == [text]


def test_nothing_a_terminal_obeys_reaches_a_file():
    told = transcript(Segment(0, 900, "", (Word(" \x1b[31mred\x07\x9b", 0, 900, 1),)))
    for name in FORMATS:
        assert not set(text_of(told, name)) & set("\x1b\x07\x9b")


@given(broken_transcripts())
def test_pysubs2_reads_every_cue_at_its_time(told):
    document = Document(told)
    # pysubs2 takes any line with two times in it for the head of a cue.
    assume(not any(line.count(":") > 3 for cue in document.cues for line in cue.lines if "no transcript" not in line))
    for name in ("srt", "vtt"):
        loaded = pysubs2.SSAFile.from_string(render(document, name).decode(), name)
        assert [(line.start, line.end) for line in loaded] == [(cue.start, cue.end) for cue in document.cues]


@given(broken_transcripts())
def test_json_holds_every_word_and_agrees_with_itself(told):
    document = Document(told)
    found = json.loads(render(document, "json"))
    assert [word["word"] for word in found["word_segments"]] == [word.text for word in document.words]
    assert [word for each in found["segments"] for word in each["words"]] == found["word_segments"]
    for each in found["segments"]:
        assert each["start"] == each["words"][0]["start"]
        assert each["end"] == each["words"][-1]["end"]
        assert each["recipe"] < len(found["recipes"])
        assert "".join(each["text"].split()) == "".join("".join(word["word"] for word in each["words"]).split())


def test_json_is_what_whisperx_writes_and_more():
    light = Recipe(batch=1, chunk_ms=60_000)
    told = transcript(segment("First of all.", 1_001), gaps=(Span(5_000, 8_500),), warnings=("The file is cut short.",))
    second = Window(light, (segment("And then?", 9_000),))
    told = msgspec.structs.replace(
        told,
        windows=(*told.windows, second),
        duration=10_000,
        doubtful=(Doubt(Span(9_000, 9_800), "it repeats itself"),),
        unheard=(Span(3_000, 4_500),),
    )
    found = json.loads(text_of(told, "json"))
    assert found["media"] == {"name": "movie.mkv", "path": "/films/movie.mkv", "duration": 10.0}
    assert found["segments"][0] == {
        "start": 1.001,
        "end": 1.661,
        "text": "First of all.",
        "words": [
            {"word": "First", "start": 1.001, "end": 1.301, "score": 0.9},
            {"word": "of", "start": 1.301, "end": 1.421, "score": 0.9},
            {"word": "all.", "start": 1.421, "end": 1.661, "score": 0.9},
        ],
        "recipe": 0,
    }
    assert found["segments"][1]["recipe"] == 1
    assert [(recipe["batch"], recipe["chunk"]) for recipe in found["recipes"]] == [(2, 300.0), (1, 60.0)]
    assert found["gaps"] == [{"start": 5.0, "end": 8.5}]
    assert found["doubtful"] == [{"start": 9.0, "end": 9.8, "reason": "it repeats itself"}]
    assert found["unheard"] == [{"start": 3.0, "end": 4.5}]
    assert found["warnings"] == ["The file is cut short."]
    assert (found["language"], found["complete"], found["until"]) == ("en", True, None)


def test_json_tells_which_times_were_not_found_in_the_sound():
    words = (Word("One", 0, 400, 0.9), Word(" 2", 400, 600, 0.9, guessed=True))
    told = transcript(Segment(0, 600, "One 2", words))
    told = msgspec.structs.replace(told, unaligned=(Doubt(Span(0, 600), "1 word has no letters"),))
    found = json.loads(text_of(told, "json"))
    assert [word.get("guessed") for word in found["word_segments"]] == [None, True]
    assert found["segments"][0]["words"] == found["word_segments"]
    assert found["unaligned"] == [{"start": 0.0, "end": 0.6, "reason": "1 word has no letters"}]


def test_json_of_a_partial_transcript_says_how_far_it_goes():
    found = json.loads(text_of(transcript(segment("One."), until=20_500), "json"))
    assert (found["complete"], found["until"]) == (False, 20.5)


def test_json_can_hold_any_file_name():
    found = json.loads(text_of(transcript(media="/f/a\nb \udcff[red]\x1b.mkv"), "json"))
    assert found["media"]["name"] == "a\nb \ufffd[red]\x1b.mkv"


def test_the_language_is_that_of_most_words_unless_it_is_given():
    mixed = (segment("Yes."), segment("Ja, das ist so.", 2_000, language="de"))
    assert json.loads(text_of(transcript(*mixed, language=None), "json"))["language"] == "de"
    assert json.loads(text_of(transcript(*mixed), "json"))["language"] == "en"


def test_txt_has_a_paragraph_a_line_and_marks_gaps():
    told = transcript(
        segment("One. Two.", 0),
        segment("Three.", 5_000),
        segment("Four.", 100_000),
        gaps=(Span(60_000, 90_000), Span(3_700_000, 3_730_000)),
    )
    assert text_of(told, "txt").splitlines() == [
        "One. Two.",
        "Three.",
        "[no transcript 00:01:00 to 00:01:30]",
        "Four.",
        "[no transcript 01:01:40 to 01:02:10]",
    ]


def test_an_unknown_format_is_an_error_that_names_those_there_are():
    with pytest.raises(UnknownFormat, match=r"There is no format 'doc'; there are json, srt, txt and vtt\."):
        renderer("doc")


def test_rendering_loads_nothing_heavy():
    code = "import sys, engine.stages.write; print({'numpy', 'av', 'torch', 'textual', 'pysubs2'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
