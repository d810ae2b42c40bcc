"""Transcripts for the tests: written by hand, or drawn at random with everything a model can get wrong."""

from itertools import pairwise

from hypothesis import strategies as st

from engine.recipe import Recipe
from engine.timeline import Span
from engine.transcript import Segment, Transcript, Window, Word


def segment(text, start=0, *, pace=60, language="en", pauses=()):
    """A segment spoken at ``pace`` milliseconds a character; ``pauses`` maps a word's number to silence before it."""
    words, at = [], start
    for n, part in enumerate(text.split(" ")):
        at += dict(pauses).get(n, 0)
        end = at + max(1, len(part)) * pace
        words.append(Word(f" {part}", at, end, 0.9))
        at = end
    return Segment(start, at, f" {text}", tuple(words), language=language)


def characters(text, start=0, *, pace=200, language="zh"):
    """A segment of a language without spaces, a word a character."""
    words = tuple(Word(char, start + n * pace, start + (n + 1) * pace, 0.9) for n, char in enumerate(text))
    return Segment(start, start + len(text) * pace, text, words, language=language)


def transcript(*segments, recipe=Recipe(), **fields):  # noqa: B008 - frozen
    """A transcript with a window for each segment."""
    fields = {"media": "/films/movie.mkv", "language": "en"} | fields
    return Transcript(windows=tuple(Window(recipe, (each,)) for each in segments), **fields)


def hours(count):
    """A transcript of that many hours: sentences of many lengths, now and then a pause, windows of about 25 s."""
    text = (
        "When the council had decided, the news was conveyed to Newgate by the recorder, who made his report. "
        "It ought to be read again and again. Escape seemed hopeless. The first books, as far as anybody can tell, "
        "were printed in black letter, which was a development of the ancient Roman character of the early Middle Ages."
    )
    found, at = [], 0
    while at < count * 3_600_000:
        each = segment(text, at, pace=68, pauses={18: 700, 26: 1_500})
        found.append(each)
        at = each.end + 300
    return transcript(*found, duration=at)


NASTY = ["<i>", "</b>", "-->", "{\\an8}", "&amp;", "\\N", "{Y:i}", "00:00:01,000", "1984", "\x1b[31m", "a\nb", "\u2028"]
LATIN = st.text("abcdefgIT.,?!;'-éß0123456789", min_size=1, max_size=14)
WORDS = {
    "en": st.one_of(
        LATIN.map(" {}".format), LATIN, st.sampled_from(NASTY).map(" {}".format), st.sampled_from(["", " "])
    ),
    "zh": st.one_of(st.text("我你他的是，。「」OpenAI 12", min_size=1, max_size=3), LATIN),
    "ja": st.text("私はカタカナ、。ーっ漢字12", min_size=1, max_size=2),
    "th": st.text("กขคงาิี่้เ", min_size=1, max_size=4),
}


@st.composite
def sane_transcripts(draw):
    """Windows in order with words in order; pauses, lengths and texts at random."""
    found, at = [], draw(st.integers(0, 2_000))
    for _ in range(draw(st.integers(1, 6))):
        language = draw(st.sampled_from(sorted(WORDS)))
        words = []
        begin = at
        for text in draw(st.lists(WORDS[language], max_size=40)):
            at += draw(st.sampled_from([0, 0, 0, 0, 20, 150, 400, 900, 1_001, 2_500]))
            end = at + draw(st.integers(0, 900))
            words.append(Word(text, at, end, 0.5))
            at = end
        found.append(Segment(begin, max(at, begin + 1), "".join(word.text for word in words), tuple(words), language))
        at += draw(st.sampled_from([0, 100, 400, 3_000]))
    edges = [(a.end, b.start) for a, b in pairwise(found) if b.start - a.end > 1_000]
    gaps = tuple(Span(a + 100, b - 100) for a, b in edges if draw(st.booleans()))
    return transcript(*found, gaps=gaps, duration=draw(st.sampled_from([None, at])))


@st.composite
def broken_transcripts(draw):
    """Anything: times before zero, beyond the end, out of order, of no length; segments without words."""
    moment = st.integers(-2_000, 40_000)
    found = []
    for _ in range(draw(st.integers(0, 4))):
        language = draw(st.sampled_from(sorted(WORDS)))
        texts = draw(st.lists(WORDS[language], max_size=25))
        words = tuple(Word(text, draw(moment), draw(moment), 0.5) for text in texts)
        found.append(Segment(draw(moment), draw(moment), "".join(texts), draw(st.sampled_from([words, ()])), language))
    spans = st.tuples(st.integers(0, 40_000), st.integers(1, 9_000)).map(lambda pair: Span(pair[0], pair[0] + pair[1]))
    gaps = tuple(sorted(draw(st.lists(spans, max_size=3))))
    return transcript(*found, gaps=gaps, duration=draw(st.none() | st.integers(0, 50_000)), language=None)
