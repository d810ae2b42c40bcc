"""Media files of every kind: what is in them, where their sound begins, and what is said of bad ones."""

import os
import wave
from pathlib import Path

import numpy as np
import pytest

from engine.iso639 import language_key
from engine.media import Media, clock
from engine.stages.base import UnusableInput
from tests.media_files import Film, Sound, resampled, silence, speech, tone, write_media
from tests.recordings import AUDIO, shared

MARK_MS = 3_000
LENGTH_MS = 6_000


@pytest.fixture(scope="module")
def marked():
    """Silence for three seconds, then a tone for three: where it begins shows where the time line lies."""
    return np.concatenate([silence(MARK_MS), tone(LENGTH_MS - MARK_MS)])


@pytest.fixture(scope="module")
def marked48(marked):
    return resampled(marked, 16_000, 48_000)


def decode(path, **chosen):
    """All samples of a file, and what is said of it afterwards."""
    with Media(str(path), **chosen) as media:
        blocks = [block.copy() for block in media.blocks(16_000)]
        return np.concatenate(blocks), media.damage()


def onset(samples) -> int:
    """Where sound begins, in milliseconds."""
    loud = np.abs(samples.astype(np.int32)) > 1_500
    return int(np.argmax(loud)) // 16


def refusal(path, **chosen) -> str:
    """The sentence with which a file is refused."""
    with pytest.raises(UnusableInput) as caught:
        decode(path, **chosen)
    text = str(caught.value)
    assert text.isprintable()
    assert text.endswith(".")
    return text


# ---- kinds


@pytest.mark.parametrize("ending", [".mp3", ".m4a", ".flac", ".ogg", ".opus", ".wav", ".mp4", ".mkv", ".webm", ".ts"])
def test_every_kind_keeps_time(tmp_path, marked48, ending):
    """Encoders' padding and the containers' clocks notwithstanding, sound stays where it was, to 30 ms."""
    film = Film(LENGTH_MS) if ending in (".mp4", ".mkv") else None
    path = write_media(tmp_path / f"a{ending}", Sound(marked48, 48_000), film=film)
    samples, damage = decode(path)
    assert damage is None
    assert abs(onset(samples) - MARK_MS) <= 30
    assert abs(len(samples) / 16 - LENGTH_MS) <= 100


def test_wav_of_8_khz(tmp_path, marked):
    samples, _ = decode(write_media(tmp_path / "a.wav", Sound(resampled(marked, 16_000, 8_000), 8_000)))
    assert abs(onset(samples) - MARK_MS) <= 5
    assert len(samples) == LENGTH_MS * 16


def test_wav_of_48_khz_stereo(tmp_path, marked48):
    both = np.stack([marked48, marked48])
    samples, _ = decode(write_media(tmp_path / "a.wav", Sound(both, 48_000, "stereo")))
    assert abs(onset(samples) - MARK_MS) <= 5
    assert abs(int(samples.max()) - 0.3 * 32_768) < 200


def test_speech_in_one_channel_of_two_is_heard(tmp_path, marked):
    left = np.stack([marked, np.zeros_like(marked)])
    samples, _ = decode(write_media(tmp_path / "a.wav", Sound(left, layout="stereo")))
    assert int(samples.max()) > 0.13 * 32_768


@pytest.mark.parametrize("codec", ["pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_u8", "pcm_mulaw"])
def test_wav_of_other_depths(tmp_path, marked, codec):
    samples, _ = decode(write_media(tmp_path / "a.wav", Sound(marked), codec=codec))
    assert onset(samples) == MARK_MS
    assert abs(int(samples.max()) - 0.3 * 32_768) < 400


def test_16_bit_at_16_khz_comes_through_unchanged(tmp_path):
    heard = speech(3_000)
    path = write_media(tmp_path / "a.wav", Sound(heard))
    with wave.open(str(path), "rb") as file:
        written = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    samples, _ = decode(path)
    assert np.array_equal(samples, written)


@pytest.mark.parametrize(("layout", "channels"), [("5.1", 6), ("7.1", 8), ("5.1(side)", 6)])
@pytest.mark.parametrize("ending", [".wav", ".mp4"])
def test_surround_with_speech_in_the_centre(tmp_path, marked48, layout, channels, ending):
    if (ending, layout) == (".mp4", "5.1(side)"):
        pytest.skip("AAC has no such layout")
    mixed = np.zeros((channels, len(marked48)), np.float32)
    mixed[2] = marked48
    samples, _ = decode(write_media(tmp_path / f"a{ending}", Sound(mixed, 48_000, layout)))
    assert abs(onset(samples) - MARK_MS) <= 30
    assert int(samples.max()) > 0.14 * 32_768


def test_surround_does_not_clip_where_channels_add_up(tmp_path):
    loud = np.stack([tone(1_000, loud=0.95)] * 6)
    samples, _ = decode(write_media(tmp_path / "a.wav", Sound(loud, layout="5.1")))
    assert np.abs(np.diff(samples.astype(np.int32))).max() < 12_000  # no wrapping round


@pytest.mark.parametrize("channels", [3, 10, 16])
def test_channels_nobody_knows_the_places_of(tmp_path, marked, channels):
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(np.repeat((marked * 32_767).astype("<i2"), channels).tobytes())
    samples, _ = decode(path)
    assert onset(samples) == MARK_MS
    assert len(samples) == LENGTH_MS * 16


def test_blocks_have_the_length_asked_for(tmp_path, marked):
    path = write_media(tmp_path / "a.flac", Sound(marked))
    with Media(str(path)) as media:
        lengths = [len(block) for block in media.blocks(40_000)]
    assert lengths == [40_000, 40_000, 16_000]


# ---- time


@pytest.mark.parametrize(
    ("ending", "codec"), [(".mkv", "mpeg4"), (".mp4", "mpeg4"), (".webm", "libvpx"), (".ts", "libx264")]
)
def test_sound_that_begins_after_the_picture_stays_there(tmp_path, marked48, ending, codec):
    """Five seconds later means five seconds of silence in front."""
    late = Sound(marked48, 48_000, start_ms=5_000)
    path = write_media(tmp_path / f"a{ending}", late, film=Film(12_000, codec=codec))
    with Media(str(path)) as media:
        assert abs(media.offset - 5_000) <= 60
        assert media.duration is not None
        assert abs(media.duration - 11_000) <= 1_100
    samples, damage = decode(path)
    assert damage is None
    assert abs(onset(samples) - 5_000 - MARK_MS) <= 40


def test_sound_that_begins_before_the_picture_is_the_start(tmp_path, marked48):
    path = write_media(tmp_path / "a.mp4", Sound(marked48, 48_000), film=Film(6_000, start_ms=2_000))
    samples, _ = decode(path)
    assert abs(onset(samples) - MARK_MS) <= 30


def test_sound_before_zero_is_cut_off(tmp_path, marked48):
    early = Sound(marked48, 48_000, start_ms=-500)
    path = write_media(tmp_path / "a.mkv", early, film=Film(6_000), options={"avoid_negative_ts": "disabled"})
    samples, _ = decode(path)
    assert abs(onset(samples) - MARK_MS + 500) <= 30


def test_a_clock_that_does_not_begin_at_zero(tmp_path, marked48):
    """A recording whose time stamps begin at an hour begins at 0 for us, as in a player."""
    path = write_media(tmp_path / "a.mkv", Sound(marked48, 48_000, start_ms=3_600_000), film=Film(6_000, 3_600_000))
    samples, _ = decode(path)
    assert abs(onset(samples) - MARK_MS) <= 30


@pytest.mark.parametrize("ending", [".mkv", ".mp4"])
def test_holes_in_the_time_stamps_become_silence(tmp_path, marked48, ending):
    path = write_media(tmp_path / f"a{ending}", Sound(marked48, 48_000, skip_ms=(500, 2_500)))
    samples, damage = decode(path)
    assert abs(onset(samples) - MARK_MS) <= 30
    assert damage is not None
    assert "no sound for 0:02" in damage or "no sound for 0:01" in damage


@pytest.mark.parametrize("stretch", [1.02, 0.98])
def test_a_clock_that_runs_apart_from_the_samples_is_followed(tmp_path, stretch):
    """Sound never drifts away from the time stamps by more than a tenth of a second."""
    ticks = np.concatenate([np.concatenate([silence(1_900, 48_000), tone(100, rate=48_000)])] * 10)
    path = write_media(tmp_path / "a.mkv", Sound(ticks, 48_000, stretch=stretch))
    samples, _ = decode(path)
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > 3_000) / 16
    for n in range(1, 11):
        wanted = (2_000 * n - 50) * stretch
        assert np.abs(loud - wanted).min() <= 110


def test_files_joined_end_to_end_are_heard_to_the_end(tmp_path, marked48):
    """Time stamps that begin anew are no reason to drop what follows, and tags in the middle are no damage."""
    for ending in (".ts", ".mp3", ".ogg"):
        one = write_media(tmp_path / f"one{ending}", Sound(marked48, 48_000)).read_bytes()
        path = tmp_path / f"two{ending}"
        path.write_bytes(one + one)
        samples, damage = decode(path)
        assert abs(len(samples) / 16 - 2 * LENGTH_MS) < 400
        assert damage is None


# ---- tracks


@pytest.fixture(scope="module")
def bilingual(tmp_path_factory, marked48):
    quiet = np.zeros_like(marked48)
    return write_media(
        tmp_path_factory.mktemp("tracks") / "film.mkv",
        Sound(quiet, 48_000, language="fre", title="Doublage"),
        Sound(marked48, 48_000, language="eng"),
        Sound(quiet, 48_000, language="eng", title="Director's commentary"),
        film=Film(LENGTH_MS),
    )


@pytest.mark.parametrize("track", ["1", "eng", "en", "EN", "en-GB"])
def test_a_track_by_number_or_language(bilingual, track):
    with Media(str(bilingual), track) as media:
        assert media.chosen == 1
    samples, _ = decode(bilingual, track=track)
    assert abs(onset(samples) - MARK_MS) <= 30


def test_both_codes_of_a_language_are_the_same(bilingual):
    for code in ("fr", "fra", "fre"):
        with Media(str(bilingual), code) as media:
            assert media.chosen == 0


def test_the_language_that_is_spoken_decides_if_nothing_else_does(bilingual):
    with Media(str(bilingual)) as media:
        assert media.chosen == 0
    with Media(str(bilingual), None, "en") as media:
        assert media.chosen == 1


def test_the_default_track_is_taken_and_a_commentary_is_not(tmp_path, marked48):
    path = write_media(
        tmp_path / "a.mkv",
        Sound(marked48, 48_000, comment=True),
        Sound(marked48, 48_000, title="Commentary by the director"),
        Sound(marked48, 48_000, default=False),
        Sound(marked48, 48_000, default=True),
    )
    with Media(str(path)) as media:
        assert media.chosen == 3


def test_what_is_said_of_the_tracks(bilingual):
    with Media(str(bilingual)) as media:
        assert [track.language for track in media.tracks] == ["fre", "eng", "eng"]
        assert media.tracks[0].title == "Doublage"
        assert {(track.codec, track.rate, track.channels) for track in media.tracks} == {("opus", 48_000, 1)}
        assert media.container == "matroska,webm"


def test_a_track_that_is_not_there(bilingual):
    text = refusal(bilingual, track="7")
    assert "no audio track 7" in text
    assert "0 (fre" in text
    assert "Doublage" in text


def test_a_language_that_is_not_there(bilingual):
    text = refusal(bilingual, track="de")
    assert "language de" in text
    assert "1 (eng" in text


def test_titles_are_data(tmp_path, marked):
    path = write_media(tmp_path / "a.mkv", Sound(marked, 16_000, title="[red]\x1b[31m\nhello"), codec="flac")
    assert "[red]\\x1b[31m\\nhello" in refusal(path, track="5")


def test_language_codes():
    assert language_key("ger") == language_key("deu") == language_key("DE") == "de"
    assert language_key("jw") == language_key("jav")
    assert language_key("haw") == "haw"
    assert language_key("und") is None
    assert language_key(None) is None


@shared
@pytest.mark.parametrize("track", ["1", "en", "eng"])
def test_the_shared_film_with_two_tracks(track):
    samples, damage = decode(AUDIO / "two-tracks.mkv", track=track)
    assert damage is None
    assert np.abs(samples.astype(np.int32)).max() > 3_000
    quiet, _ = decode(AUDIO / "two-tracks.mkv", track="fra")
    assert np.abs(quiet.astype(np.int32)).max() < 100


# ---- what cannot be used


def test_a_missing_file(tmp_path):
    assert "no such file" in refusal(tmp_path / "none.mp3")


def test_a_folder(tmp_path):
    assert "folder" in refusal(tmp_path)


def test_an_empty_file(tmp_path):
    path = tmp_path / "a.wav"
    path.touch()
    assert "empty" in refusal(path)


def test_a_pipe(tmp_path):
    path = tmp_path / "a.wav"
    os.mkfifo(path)
    assert "not a regular file" in refusal(path)


def test_a_name_no_file_can_have():
    assert "cannot be opened" in refusal("a\0b.mp3")


@pytest.mark.parametrize("ending", [".mp3", ".wav", ".txt", ".mkv", ".srt"])
def test_a_text_file(tmp_path, ending):
    path = tmp_path / f"text{ending}"
    path.write_text("This is a text and no sound at all, whatever its name says.\n" * 40)
    assert "not an audio or video file" in refusal(path)


def test_a_picture(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0:~\x9bU\0\0\0\nIDATx\x9cc`\0\0\0\x02\0\x01H\xaf\xa4q"
        b"\0\0\0\0IEND\xaeB`\x82"
    )
    assert "not an audio or video file" in refusal(path)


def test_a_film_without_sound(tmp_path):
    path = write_media(tmp_path / "mute.mp4", film=Film(2_000))
    text = refusal(path)
    assert "no audio track" in text
    assert "1 video" in text


def test_no_permission(tmp_path, marked):
    path = write_media(tmp_path / "a.wav", Sound(marked))
    path.chmod(0)
    was = os.geteuid()
    if was == 0:  # root may read everything
        os.seteuid(65_534)
    try:
        text = refusal(path)
    finally:
        os.seteuid(was)
    assert "no permission" in text


def test_an_mp4_whose_end_is_missing(tmp_path, marked48):
    path = write_media(tmp_path / "a.mp4", Sound(marked48, 48_000), film=Film(LENGTH_MS))
    path.write_bytes(path.read_bytes()[:-4_000])
    assert "incomplete" in refusal(path)


@pytest.mark.parametrize(
    "name", ["a b.wav", "größe 日本語.wav", "two\nlines.wav", "[red]x[bold].wav", "\x1b[31mred.wav", "a:b.wav"]
)
def test_names_of_any_kind(tmp_path, monkeypatch, marked, name):
    path = write_media(tmp_path / "plain.wav", Sound(marked)).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    for way in (path, name):
        samples, _ = decode(way)
        assert len(samples) == LENGTH_MS * 16
    path.unlink()
    refusal(name)


@shared
def test_the_shared_broken_files():
    assert "empty" in refusal(AUDIO / "broken" / "zero-bytes.wav")
    assert "not an audio or video file" in refusal(AUDIO / "broken" / "text.mp3")
    samples, damage = decode(AUDIO / "broken" / "cut-in-half.flac")
    assert len(samples) == pytest.approx(3.657 * 16_000, abs=100)
    assert damage is not None
    assert "0:03 of 0:11" in damage


# ---- damage


def damaged(path: Path, how: str) -> Path:
    """The file with two thirds left, or with noise or zeros over a part in its middle."""
    whole = path.read_bytes()
    middle, part = len(whole) // 2, len(whole) // 20
    if how == "cut":
        path.write_bytes(whole[: len(whole) * 2 // 3 + 7])
    else:
        fill = bytes(part) if how == "zeros" else np.random.default_rng(5).bytes(part)
        path.write_bytes(whole[:middle] + fill + whole[middle + part :])
    return path


@pytest.mark.parametrize("ending", [".mp3", ".flac", ".mkv", ".webm", ".wav"])
def test_a_file_that_is_cut_off_says_so(tmp_path, ending):
    rate = 48_000 if ending in (".mkv", ".webm") else 16_000
    heard = resampled(speech(20_000), 16_000, rate)
    path = damaged(write_media(tmp_path / f"a{ending}", Sound(heard, rate)), "cut")
    samples, damage = decode(path)
    assert 12_000 < len(samples) / 16 < 15_500
    assert damage is not None
    assert str(path) in damage
    assert "of 0:20" in damage
    assert "what could be decoded is transcribed" in damage
    assert clock(len(samples) // 16) in damage


def test_an_mp4_that_is_cut_off_after_its_index_says_so(tmp_path):
    heard = resampled(speech(20_000), 16_000, 48_000)
    path = write_media(tmp_path / "a.mp4", Sound(heard, 48_000), options={"movflags": "faststart"})
    samples, damage = decode(damaged(path, "cut"))
    assert 10_000 < len(samples) / 16 < 16_000
    assert damage is not None
    assert "of 0:20" in damage


def test_an_mp3_with_no_header_that_is_cut_off_says_so(tmp_path):
    """Its length is not announced, but its last frame is too short."""
    path = write_media(tmp_path / "a.mp3", Sound(speech(20_000)), options={"write_xing": "0"}, bit_rate=48_000)
    assert decode(path)[1] is None
    damage = decode(damaged(path, "cut"))[1]
    assert damage is not None
    assert "cut off" in damage


def test_an_mp3_of_variable_rate_with_no_header_is_not_doubted(tmp_path):
    """Its announced length is a guess that may be far off; that is no damage."""
    mixed = np.concatenate([speech(6_000), silence(30_000)])
    path = write_media(tmp_path / "a.mp3", Sound(mixed), options={"write_xing": "0"}, quality=2)
    with Media(str(path)) as media:
        assert media.duration is not None
        assert abs(media.duration - 36_000) > 3_000
    samples, damage = decode(path)
    assert abs(len(samples) / 16 - 36_000) < 200
    assert damage is None


@pytest.mark.parametrize("ending", [".mp3", ".m4a", ".ts", ".mp4"])
def test_damage_in_the_middle_is_skipped(tmp_path, ending):
    """What comes before and after it is there, and the sentence says where it begins."""
    path = damaged(write_media(tmp_path / f"a{ending}", Sound(speech(20_000))), "noise")
    samples, damage = decode(path)
    assert len(samples) / 16 > 15_000
    assert damage is not None
    assert "is damaged from 0:" in damage
    tail = samples[-3 * 16_000 :].astype(np.float64)
    assert np.sqrt(np.mean(tail**2)) > 300


@pytest.mark.parametrize("how", ["noise", "zeros"])
@pytest.mark.parametrize("ending", [".mp3", ".m4a", ".flac", ".ogg", ".mkv", ".ts"])
@pytest.mark.parametrize("seed", range(3))
def test_no_damage_ends_the_program(tmp_path, ending, how, seed):
    """Noise over any part is survived; a sentence is all that may come of it."""
    rate = 48_000 if ending in (".ogg", ".mkv") else 16_000
    path = write_media(tmp_path / f"a{ending}", Sound(resampled(speech(8_000), 16_000, rate), rate))
    whole = bytearray(path.read_bytes())
    draw = np.random.default_rng(seed)
    for at in draw.integers(200, len(whole) - 400, 6):
        whole[at : at + 300] = bytes(300) if how == "zeros" else draw.bytes(300)
    path.write_bytes(whole)
    try:
        samples, damage = decode(path)
    except UnusableInput:
        assert str(path) in refusal(path)
    else:
        assert len(samples) / 16 < 60_000
        assert damage is None or damage.endswith(".")


@pytest.mark.parametrize("seed", [18, 22])
def test_a_damaged_packet_does_not_change_the_channels(tmp_path, seed):
    """Noise that reads as a layout of forty channels is not believed, and what follows is heard as before."""
    path = write_media(tmp_path / "a.m4a", Sound(speech(8_000)))
    whole = bytearray(path.read_bytes())
    draw = np.random.default_rng(seed)
    for at in draw.integers(200, len(whole) - 400, 6):
        whole[at : at + 300] = draw.bytes(300)
    path.write_bytes(whole)
    samples, damage = decode(path)
    assert damage is not None
    assert len(samples) / 16 > 7_900
    assert np.sqrt(np.mean(samples[-32_000:].astype(np.float64) ** 2)) > 300


def test_a_track_may_change_from_mono_to_stereo(tmp_path, marked):
    """As broadcasts do between a film and its announcements."""
    one = write_media(tmp_path / "one.aac", Sound(marked), codec="aac")
    two = write_media(tmp_path / "two.aac", Sound(np.stack([marked, marked]), layout="stereo"), codec="aac")
    path = tmp_path / "both.aac"
    path.write_bytes(one.read_bytes() + two.read_bytes())
    samples, damage = decode(path)
    assert damage is None
    assert abs(len(samples) / 16 - 2 * LENGTH_MS) < 400
    half = len(samples) // 2
    assert abs(onset(samples[half:]) - MARK_MS) < 200
    assert abs(int(samples[-16_000:-4_000].max()) - 0.3 * 32_768) < 600


@pytest.mark.parametrize("ending", [".mp3", ".flac", ".wav", ".ogg", ".m4a"])
def test_what_is_appended_to_a_file_is_no_damage(tmp_path, ending):
    rate = 48_000 if ending == ".ogg" else 16_000
    path = write_media(tmp_path / f"a{ending}", Sound(resampled(speech(4_000), 16_000, rate), rate))
    for junk in (b"TAG" + b"x" * 125, bytes(4_000)):
        with path.open("ab") as file:
            file.write(junk)
        assert decode(path)[1] is None


def test_times_are_shown_as_clocks():
    assert clock(0) == "0:00"
    assert clock(65_999) == "1:05"
    assert clock(3_723_000) == "1:02:03"
