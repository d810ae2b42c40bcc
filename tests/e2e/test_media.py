"""Media of every kind, through the whole program: the right track, the right times, no words where nobody speaks."""

import numpy as np
import pytest

from tests.e2e.program import FORMATS
from tests.media_files import CODECS, Film, Sound, resampled, write_media
from tests.wer import wer


@pytest.fixture(scope="module")
def two(heart):
    """Two sentences that nobody confuses, and their samples."""
    found = []
    for number in (0, 1):
        span = heart.spans[number]
        samples = heart.floats[max(0, span.start - 300) * 16 : (span.end + 300) * 16]
        found.append((heart.sentences[number], samples))
    return found


def test_every_kind_of_file_is_transcribed(program, two):
    """mp3, m4a, flac, ogg, mp4, mkv, webm, and wav of four kinds, in one queue."""
    text, samples = two[0]
    names = [f"talk.{ending}" for ending in ("mp3", "m4a", "flac", "ogg", "mp4", "mkv", "webm")]
    for name in names:
        film = Film(3_000) if name.endswith(("mp4", "mkv")) else None
        rate = 48_000 if CODECS[f".{name.rpartition('.')[2]}"] == "libopus" else 16_000
        write_media(program.folder / name, Sound(resampled(samples, 16_000, rate), rate), film=film)
    stereo = np.stack([resampled(samples, 16_000, 48_000)] * 2)
    silent = np.zeros_like(stereo[0])
    centre = np.stack([silent, silent, stereo[0], silent, silent, silent])
    special = {
        "phone.wav": (Sound(resampled(samples, 16_000, 8_000), 8_000), "pcm_s16le"),
        "stereo.wav": (Sound(stereo, 48_000, "stereo"), "pcm_s16le"),
        "deep.wav": (Sound(resampled(samples, 16_000, 44_100), 44_100), "pcm_s24le"),
        "cinema.wav": (Sound(centre, 48_000, "5.1"), "pcm_s16le"),
    }
    for name, (sound, codec) in special.items():
        write_media(program.folder / name, sound, codec=codec)
    done = program.run(*names, *special)
    assert done.status == 0, done.err
    rows = program.status()
    assert [row["state"] for row in rows] == ["done"] * (len(names) + len(special))
    for row in rows:
        (output,) = [path for path in row["outputs"] if path.endswith(".txt")]
        with open(output, encoding="utf-8") as file:
            assert wer(text, file.read()) <= 0.1, row["path"]
    assert len(program.outputs()) == len(rows) * len(FORMATS)
    program.check_nothing_left()


def test_the_track_is_chosen_by_number_by_language_or_by_what_is_spoken(program, two):
    """A film with two audio tracks, the French one being its default: --track 0, --track en, --language en."""
    film = program.folder / "film.mkv"
    write_media(
        film,
        Sound(resampled(two[0][1], 16_000, 48_000), 48_000, language="fra", default=True),
        Sound(resampled(two[1][1], 16_000, 48_000), 48_000, language="eng"),
        film=Film(3_000),
    )
    for asked, spoken in (
        (("--track", "0"), 0),
        (("--track", "en"), 1),
        (("--language", "en"), 1),
    ):
        folder = program.folder / "-".join(asked).strip("-")
        done = program("run", "--foreground", film, *asked, "--out", folder)
        assert done.status == 0, done.err
        assert wer(two[spoken][0], (folder / "film.txt").read_text()) <= 0.1, asked
    program.check_nothing_left()


@pytest.mark.parametrize(
    ("track", "why"),
    [
        ("2", "has no audio track 2; there are 0 (fra, opus), 1 (eng, opus)."),
        ("de", "has no audio track in the language de; there are 0 (fra, opus), 1 (eng, opus)."),
    ],
)
def test_a_track_that_is_not_there_fails_and_says_which_there_are(program, two, track, why):
    sounds = [
        Sound(resampled(samples, 16_000, 48_000), 48_000, language=language)
        for (_, samples), language in zip(two, ("fra", "eng"), strict=True)
    ]
    write_media(program.folder / "film.mkv", *sounds)
    done = program.run("film.mkv", "--track", track)
    assert done.status == 1
    assert done.err.count(why) == 1
    assert program.outputs() == set()
    program.check_nothing_left()


def test_times_count_from_the_start_of_playback(program, two):
    """Sound that begins two seconds after the pictures: the subtitles begin two seconds later, too."""
    sound = resampled(two[0][1], 16_000, 48_000)
    write_media(program.folder / "at-once.mkv", Sound(sound, 48_000), film=Film(6_000))
    write_media(program.folder / "later.mkv", Sound(sound, 48_000, start_ms=2_000), film=Film(6_000))
    done = program.run("at-once.mkv", "later.mkv")
    assert done.status == 0, done.err
    first, second = (program.transcript(stem)["word_segments"] for stem in ("at-once", "later"))
    assert [word["word"] for word in first] == [word["word"] for word in second]
    for at_once, later in zip(first, second, strict=True):
        assert later["start"] - at_once["start"] == pytest.approx(2.0, abs=0.15)


def test_silence_and_noise_are_done_with_no_text_and_say_so(program):
    """Nobody speaks: exit status 0, empty transcripts, and a line that says that no speech was found."""
    random = np.random.default_rng(1)
    noises = {
        "silence.wav": np.zeros(16_000 * 40, np.float32),
        "hiss.flac": (0.05 * random.standard_normal(16_000 * 40)).astype(np.float32),
        "hum.mp3": (0.3 * np.sin(2 * np.pi * 50 * np.arange(16_000 * 40) / 16_000)).astype(np.float32),
    }
    for name, samples in noises.items():
        write_media(program.folder / name, Sound(samples))
    done = program.run(*noises)
    assert done.status == 0, done.err
    for name in noises:
        assert f"{name}: done, no speech was found in 0:40" in done.err
        stem = name.partition(".")[0]
        assert program.text(stem).strip() == ""
        assert program.transcript(stem)["segments"] == []
        assert " --> " not in (program.out / f"{stem}.srt").read_text()
    assert program.outputs() == {f"{name.partition('.')[0]}.{each}" for name in noises for each in FORMATS}
    program.check_nothing_left()
