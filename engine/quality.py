"""Pure: whether what the recogniser wrote can have been said.

Whisper writes fluent text over silence and music, and falls into loops. Its authors decode again what compresses too
well or was guessed rather than heard; whisperX's batched path leaves these tests out, and mlx-whisper lets a loop pass
wherever it suspects silence. So they are made here, after decoding, alike for all backends.

The numbers are Whisper's own where it has them (openai/whisper ``transcribe.py``; section 4.5 of "Robust Speech
Recognition via Large-Scale Weak Supervision"). The others were measured with ``tiny.en`` on half an hour of read
speech, 700 short utterances (quiet ones, and down to 0 dB over music and noise), and ten hours of noise and synthetic
music.
"""

import re
from collections.abc import Sequence

from engine.messages import Decoded
from engine.timeline import Span, Spans, length
from engine.transcript import Segment

COMPRESSION = 2.4
"""Whisper's ``compression_ratio_threshold``: text that zlib packs this well repeats itself. Real speech: up to 1.9."""
LOGPROB = -1.0
"""Whisper's ``logprob_threshold``, mean log probability of a token. Real English speech: above -0.9."""
NO_SPEECH = 0.6
"""Whisper's ``no_speech_threshold``. Real speech: below 0.4, single words at -58 dB up to 0.6; synthetic music with
voice-like tones: mostly 0.5 to 0.95."""
SILENCE = ((0.7, -0.4), (0.52, -0.5), (0.45, -0.85))
"""Where a short text is none: with a no-speech probability above the first and a mean log probability below the
second. Whisper's rule (0.6, -1.0) lets "Thank you." over a held tone pass (0.73, -0.93); no real utterance of the
measurements lies here but two single words at 0 dB."""
SHORT_TEXT = 25
"""Characters of a short text: what is made up over music and noise is that short, or a loop."""
HARDLY_SPEECH = (250, -0.8)
"""With less speech in a window than this, in milliseconds, a mean log probability below this is none, too. Words of
that little speech were surer (above -0.7) down to 0 dB, or wrong; music that resembles a voice for a moment became a
"Thank you." (128 ms, -0.92)."""
REPEATS = 4
"""What comes as often as this back to back is a loop, provided it makes up ``LOOP_WORDS``: choruses and children say
things three times."""
LOOP_WORDS = 6
"""A loop is at least this many words long: "no, no, no, no" is said."""
HUMMED = 3
"""What comes as often as this back to back, and makes up most of a text where no speech is expected, is music
that was heard as humming."""
PHRASE_WORDS = 12
"""The longest phrase that is looked for in loops; longer ones compress."""
CHARACTERS_PER_SECOND = 35
"""Nobody speaks faster: some 420 words a minute. Real speech, the shortest utterances included: up to 24."""
UNTIMED_MS = 800
"""Added to the length of speech before it is divided by: what a window keeps on both sides of it, since the detector
clips soft beginnings and endings."""
SHOWN = 40
"""Characters of a loop that the user is shown."""
STRONG_SPEECH_MS = 3_000
"""So much speech has words."""

_WORDLESS = 2.5
"""How implausible it is that nothing was said over speech; a text with a mean log probability below its negative is
noise, too."""
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def is_silence(segment: Segment, speech: Spans = ()) -> bool:
    """Whether the text is what Whisper writes where nobody speaks, so that it is no text at all.

    That takes two signs: the model expects no speech, or next to none was heard; and it is not sure of its words, or
    goes round in circles. A sure text always stays.

    Args:
        segment: All that was written over a span.
        speech: Where in it speech was heard; empty where that is not known.
    """
    words = _words(segment.text)
    if not words:
        return True
    if 0 < length(speech) < HARDLY_SPEECH[0] and segment.avg_logprob < HARDLY_SPEECH[1]:
        return True
    if segment.no_speech_prob > NO_SPEECH:
        if segment.avg_logprob < LOGPROB:
            return True
        times, phrase = _repeats(words)
        if segment.compression_ratio > COMPRESSION or (times >= HUMMED and times * len(phrase) * 2 > len(words)):
            return True
    return len(segment.text) <= SHORT_TEXT and any(
        segment.no_speech_prob > expected and segment.avg_logprob < sure for expected, sure in SILENCE
    )


def doubt(segment: Segment, span: Span, speech: Spans, floor: float = LOGPROB) -> str:
    """Why a text is implausible, in a few words for the user; empty where it is not.

    Args:
        segment: All that was written over a span; its text may be empty.
        span: What was decoded.
        speech: Where in it speech was heard; empty where that is not known.
        floor: The least mean log probability that passes.
    """
    if not segment.text:
        is_odd = length(speech) >= STRONG_SPEECH_MS and segment.no_speech_prob <= NO_SPEECH
        return f"no words in {length(speech) / 1000:.0f} s of speech" if is_odd else ""
    if segment.compression_ratio > COMPRESSION:
        return f"the text repeats itself (it compresses {segment.compression_ratio:.1f} times)"
    times, phrase = _repeats(_words(segment.text))
    if _is_loop(times, phrase):
        return f"“{' '.join(phrase)[:SHOWN]}” comes {times} times in a row"
    rate = _rate(segment.text, length(speech) or span.length)
    if rate > CHARACTERS_PER_SECOND:
        return f"more text than anyone can say in that time ({rate:.0f} characters a second)"
    if segment.avg_logprob < floor:
        return f"the words are mostly guessed (mean log probability {segment.avg_logprob:.2f})"
    return ""


def implausibility(decoded: Decoded) -> float:
    """How implausible a decoded window is, to choose between several tries at it: the least is the best.

    As Whisper does, the surest text is preferred among those that do not repeat themselves. No text over speech is
    better than a loop, and worse than a text of which something was heard. Where all tries go round in circles, the
    one that does so least wins, unless another is no more than noise. Speech left without words counts by its share.
    """
    share = length(decoded.unheard) / max(1, decoded.span.length)
    if not decoded.segments:
        return (_WORDLESS if decoded.doubt else 0.0) + share
    characters = sum(len(segment.text) for segment in decoded.segments)
    unsure = -sum(segment.avg_logprob * len(segment.text) for segment in decoded.segments) / max(1, characters)
    return unsure + share + _WORDLESS * max(_flaw(segment) for segment in decoded.segments)


def _flaw(segment: Segment) -> float:
    """How far a text exceeds the limits for repetition and speed: 0 where it keeps them, else a ratio above 1."""
    times, phrase = _repeats(_words(segment.text))
    excess = [
        segment.compression_ratio / COMPRESSION,
        times * len(phrase) / LOOP_WORDS if _is_loop(times, phrase) else 0.0,
        _rate(segment.text, segment.end - segment.start) / CHARACTERS_PER_SECOND,
    ]
    return max((each for each in excess if each > 1), default=0.0)


def _rate(text: str, ms: int) -> float:
    """Characters a second."""
    return len(text) * 1000 / (ms + UNTIMED_MS)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _is_loop(times: int, phrase: Sequence[str]) -> bool:
    return times >= REPEATS and times * len(phrase) >= LOOP_WORDS


def _repeats(words: Sequence[str]) -> tuple[int, Sequence[str]]:
    """How often a phrase comes back to back, and the phrase; of all phrases the one that makes up most words."""
    most, best = 0, (0, words[:0])
    for size in range(1, min(PHRASE_WORDS, len(words)) + 1):
        run = 0
        for at in range(size, len(words)):
            run = run + 1 if words[at] == words[at - size] else 0
            times = 1 + run // size
            if times > 1 and times * size > most:
                most, best = times * size, (times, words[at + 1 - size : at + 1])
    return best
