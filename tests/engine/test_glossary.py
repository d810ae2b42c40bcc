"""Files of terms: in every format, beside a recording, and full of mistakes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.commands import Add, Options
from engine.glossary import TermsError, asked, beside, read, words
from engine.intake import with_terms
from engine.machine.stimuli import Source
from engine.neighbours import near
from engine.terms import Term


def put(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "content", "terms"),
    [
        ("a.txt", "# names\nZelmira\n\n  Dr.  Van Torque # a doctor\nC#\nZelmira\n", "Zelmira|Dr. Van Torque|C#"),
        ("a.txt", "\ufeffZoë\r\nMüller\r\n", "Zoë|Müller"),
        ("a.txt", "Müller\nZoë".encode("latin-1"), "Müller|Zoë"),
        ("a.txt", "北京\n".encode("utf-16"), "北京"),
        ("a.txt", "", ""),
        ("a.csv", "term,alias,alias\nComfyUI,comfy eye,confu i\n\nZelmira\n", "ComfyUI:comfy eye:confu i|Zelmira"),
        ("a.csv", 'ComfyUI;"comfy; eye"\n', "ComfyUI:comfy; eye"),
        ("a.tsv", "ComfyUI\tcomfy eye\n# no\nZelmira\t\n", "ComfyUI:comfy eye|Zelmira"),
    ],
)
def test_terms_are_read_from_text_and_tables(tmp_path, name, content, terms):
    found = read(put(tmp_path, name, content))
    assert "|".join(":".join((each.text, *each.aliases)) for each in found) == terms


def test_times_are_read_from_toml_and_from_tables_with_heads(tmp_path):
    toml = """terms = ["Zelmira", {text = "ComfyUI", aliases = ["comfy eye"], from = "00:10:00", to = "1:02:03.5"},
              {text = "Osselby", from = 90}]"""
    assert read(put(tmp_path, "a.toml", toml)) == (
        Term("Zelmira"),
        Term("ComfyUI", ("comfy eye",), 600_000, 3_723_500),
        Term("Osselby", (), 90_000),
    )
    table = "term,from,to,alias\nComfyUI,10:00,,comfy eye\nOsselby,,0:05,\n"
    assert read(put(tmp_path, "a.csv", table)) == (
        Term("ComfyUI", ("comfy eye",), 600_000),
        Term("Osselby", (), 0, 5000),
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "Zelmira\n" + "x" * 101, ', line 2: "' + "x" * 40 + '..." is longer than the 100 characters'),
        ("a.txt", "\n".join(f"name {n}" for n in range(1001)), ": these are 1001 terms, and a job takes 1000 at most"),
        ("a.txt", b"\x00\x01\x02", " is no text"),
        ("a.txt", "ok\n\x1b[31m!?\n?!", ""),
        ("a.txt", "ok\n!?", ', line 2: "!?" has no letters in it.'),
        ("a.csv", "ok\n,alias\n", ", line 2: there are aliases, but no term before them."),
        ("a.csv", "term,from\nok,soon\n", ', line 2: "soon" is no time such as "00:10:00".'),
        ("a.csv", 'ok,"' + "x" * 200_000 + '"', ", line 1: this is no table"),
        ("a.toml", "terms = [", " is not valid TOML"),
        ("a.toml", "words = []", ': terms are a list called "terms"'),
        ("a.toml", "terms = [3]", ', term 1: a term is a string, or a table with a "text".'),
        ("a.toml", 'terms = [{text = "a", when = 3}]', ', term 1: there is no "when"'),
        ("a.toml", 'terms = [{text = "a", from = 9, to = 3}]', ', term 1: "a" would end before it begins.'),
        ("a.toml", 'terms = [{text = "a", from = true}]', ', term 1: "True" is no time'),
        ("a.toml", 'terms = [{text = "a", aliases = "b"}]', ", term 1: aliases are a list of strings."),
        ("a.txt", b"x\n" * 600_000, " is too large to be a file of terms."),
    ],
)
def test_a_mistake_is_one_sentence_with_file_and_place(tmp_path, name, content, message):
    path = put(tmp_path, name, content)
    if not message:
        with pytest.raises(TermsError, match="line 3"):
            read(path)
        return
    with pytest.raises(TermsError) as raised:
        read(path)
    assert f"{path}{message}" in str(raised.value)
    assert str(raised.value).endswith((".", "is no text, so no terms can be read from it."))
    assert "\n" not in str(raised.value)


def test_what_is_no_file_cannot_be_read(tmp_path):
    with pytest.raises(TermsError, match="there is no such file"):
        read(tmp_path / "a.txt")
    with pytest.raises(TermsError, match="it is no file"):
        read(tmp_path)


@given(st.binary(max_size=200), st.sampled_from(["a.txt", "a.csv", "a.tsv", "a.toml"]))
def test_whatever_a_file_holds_there_are_terms_or_a_sentence(tmp_path_factory, data, name):
    path = put(tmp_path_factory.getbasetemp(), name, data)
    message = ""
    found = ()
    try:
        found = read(path)
    except TermsError as error:
        message = str(error)
    assert message.isprintable()
    assert all(each.text.isprintable() for each in found)


def test_what_is_asked_for_is_a_file_or_the_words_themselves(tmp_path):
    put(tmp_path, "names", "Zelmira\n")
    put(tmp_path, "names.csv", "Osselby,ocelby\n")
    assert asked("names", tmp_path) == (Term("Zelmira"),)
    assert asked("./names.csv", tmp_path) == (Term("Osselby", ("ocelby",)),)
    assert asked(" ComfyUI, Dr. Torque ,", tmp_path) == (Term("ComfyUI"), Term("Dr. Torque"))
    assert asked("ComfyUI", tmp_path) == (Term("ComfyUI"),)
    assert asked("", tmp_path) == words([]) == ()
    for value in ("gone.txt", "/gone", "a\0b", "x" * 300):
        with pytest.raises(TermsError):
            asked(value, tmp_path)


def test_files_beside_a_recording_are_found_but_not_its_transcripts(tmp_path):
    media = put(tmp_path, "film.mkv", "x")
    put(tmp_path, "film.terms.csv", "ComfyUI,comfy eye\n")
    put(tmp_path, "terms.txt", "Zelmira\nComfyUI\n")
    put(tmp_path, "other.terms.txt", "Nobody\n")
    put(tmp_path, "film.terms.toml", "terms = 3")
    found = beside(media, ("mkv", "mp3"))
    assert found.terms == (Term("ComfyUI", ("comfy eye",)), Term("Zelmira"))
    assert len(found.problems) == 1
    assert found.problems[0].endswith("Its terms are not used.")
    put(tmp_path, "terms.mp3", "a recording called terms, whose transcript is terms.txt")
    assert beside(media, ("mkv", "mp3")).terms == (Term("ComfyUI", ("comfy eye",)),)


def test_names_near_a_recording_come_from_its_title_its_description_and_subtitles(tmp_path):
    media = put(tmp_path, "The.Road.To.Velmora.2021.1080p.BluRay.mkv", "x")
    put(tmp_path, "movie.nfo", "<movie><title>Velmora</title><actor><role>Doctor &amp; Torque</role></actor></movie>")
    cue = "{}\n00:00:01,000 --> 00:00:02,000\n<i>Then I saw Zelmira Voss and the Captain.</i> Nothing happened.\n\n"
    put(tmp_path, "film.srt", "".join(cue.format(n) for n in (1, 2)) + "3\n00:00:03,000 --> 00:00:04,000\nno captain\n")
    ours = put(tmp_path, "ours.srt", "".join(cue.format(n).replace("Zelmira Voss", "Osselby") for n in (1, 2)))
    found = near(media, {str(ours).casefold()})
    assert [each.text for each in found] == ["Road", "Velmora", "Doctor & Torque", "Zelmira Voss"]
    assert {each.source for each in found} == {"near"}


def test_a_folder_full_of_subtitles_is_not_read_whole(tmp_path, monkeypatch):
    """The limit holds for all of its files together."""
    media = put(tmp_path, "x.mkv", "x")
    first = "And then came Zelmira. And then came Zelmira.\n"
    put(tmp_path, "a.srt", first)
    put(tmp_path, "b.srt", first.replace("Zelmira", "Osselby"))
    assert [each.text for each in near(media, ())] == ["Zelmira", "Osselby"]
    monkeypatch.setattr("engine.neighbours.LARGEST", len(first))
    assert [each.text for each in near(media, ())] == ["Zelmira"]


def test_a_file_that_is_added_gets_the_terms_around_it_after_those_asked_for(tmp_path):
    media = put(tmp_path, "Velmora.mkv", "x")
    put(tmp_path, "terms.txt", "Zelmira\n")
    put(tmp_path, "Velmora.terms.toml", "nothing")
    add = Add(path=str(media), options=Options(terms=(Term("ComfyUI"),), terms_near=True))
    taken, problems = with_terms(add, Source(str(media), 1, 1), ())
    assert taken.options.terms == (Term("ComfyUI"), Term("Zelmira"), Term("Velmora", source="near"))
    assert len(problems) == 1
    again, _ = with_terms(add, Source(str(media), 1, 1), {str(media).casefold()})
    assert again.options.same_words(taken.options)
    without = Add(path=str(media), options=Options(terms_beside=False))
    assert with_terms(without, Source(str(media), 1, 1), ()) == (without, ())
