"""Terms as lists: tidied, joined, ranked, and found again in a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.terms import MOST, Term, heard, heard_first, letters, merged, tidied
from engine.timeline import Span

texts = st.text(alphabet="abcAB éß-'北", min_size=1, max_size=6)
terms = st.lists(
    st.builds(
        Term,
        text=texts,
        aliases=st.lists(texts, max_size=2).map(tuple),
        start=st.integers(0, 5),
        end=st.none() | st.integers(6, 9),
        source=st.sampled_from(["asked", "near"]),
    ),
    max_size=8,
)


@given(terms, terms)
def test_lists_are_joined_once_and_in_order(one, other):
    both = merged(one, other)
    keys = [letters(each.text) for each in both]
    assert keys == list(dict.fromkeys(filter(None, (letters(each.text) for each in (*one, *other)))))
    assert merged(both) == both
    for term in (*one, *other):
        if letters(term.text):
            kept = both[keys.index(letters(term.text))]
            assert kept.start <= term.start
            assert kept.end is None or (term.end is not None and term.end <= kept.end)
            assert term.source != "asked" or kept.source == "asked"


def test_a_job_takes_so_many_terms_and_no_more():
    assert len(merged(Term(f"name {number}") for number in range(MOST + 5))) == MOST


@given(st.text())
def test_nothing_a_terminal_obeys_is_left_of_a_spelling(text):
    kept = tidied(text)
    assert all(char.isprintable() for char in kept)
    assert tidied(kept) == kept


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("We met zelmira's aunt.", ("Zelmira",)),
        ("Open Comfy-UI, and Comfy UI again.", ("ComfyUI",)),
        ("Zoe and MULLER came", ("Zoë", "Müller")),
        ("我们在北京市见面", ("北京",)),
        ("Zelmirandas everywhere, discomfyui too", ()),
        ("", ()),
    ],
)
def test_terms_are_heard_whatever_their_case_accents_and_hyphens(text, found):
    listed = [Term(each) for each in ("Zelmira", "ComfyUI", "Zoë", "Müller", "北京", "…")]
    assert tuple(listed[number].text for number in heard(text, listed)) == found


@given(st.lists(texts.map(Term), max_size=8), st.dictionaries(st.integers(0, 9), st.integers(0, 3)))
def test_what_was_heard_oftenest_comes_first_and_the_rest_stays_in_order(listed, counts):
    ranked = heard_first(listed, counts)
    assert sorted(ranked, key=str) == sorted(listed, key=str)
    assert not counts or ranked == tuple(
        listed[n] for n in sorted(range(len(listed)), key=lambda n: (-counts.get(n, 0), n))
    )
    assert heard_first(listed, {}) == tuple(listed)


def test_a_term_meets_the_spans_it_may_be_spoken_in():
    term = Term("Zelmira", start=1000, end=2000)
    assert [term.meets(span) for span in (Span(0, 1000), Span(500, 1001), Span(1999, 3000), Span(2000, 3000))] == [
        False,
        True,
        True,
        False,
    ]
    assert Term("Zelmira").meets(Span(10**9, 10**9 + 1))
