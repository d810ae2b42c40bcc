"""Files of NAME=value lines."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.settings.dotenv import Dotenv, Entry, parse

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True)
# A carriage return before a newline belongs to the line's end, whatever is around it.
TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r"))


@given(st.text())
def test_no_text_is_too_much(text):
    found = parse(text)
    lines = [entry.line for entry in found.entries] + found.unreadable
    assert len(set(lines)) == len(lines)
    assert all(1 <= line <= text.count("\n") + 1 for line in lines)


@given(st.text(alphabet="A=\"'\\ #\n$x"))
def test_nor_is_one_of_nothing_but_quotes(text):
    found = parse(text)
    assert all(re.fullmatch(r"[A-Za-z_][\w.-]*", entry.name) for entry in found.entries)


@given(st.lists(st.tuples(NAMES, TEXTS)))
def test_what_is_quoted_comes_back(pairs):
    quoted = [(name, value.replace("\\", "\\\\").replace('"', '\\"')) for name, value in pairs]
    text = "".join(f'export {name} = "{value}"  # said "so"\n' for name, value in quoted)
    found = parse(text)
    assert [(entry.name, entry.value) for entry in found.entries] == pairs
    assert found.unreadable == []


@given(st.lists(st.tuples(NAMES, TEXTS)))
def test_so_does_what_is_in_single_quotes(pairs):
    quoted = [(name, value.replace("\\", "\\\\").replace("'", "\\'")) for name, value in pairs]
    found = parse("\n".join(f"{name}='{value}'" for name, value in quoted))
    assert [(entry.name, entry.value) for entry in found.entries] == pairs


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("\ufeffA=b", "b"),
        ("  export A = b c  ", "b c"),
        ("A=b # no", "b"),
        ("A=b#yes", "b#yes"),
        ("A=#yes", "#yes"),
        ("A= # no", ""),
        ("A=", ""),
        ("A==", "="),
        ("A=${B}/c", "${B}/c"),
        ("A=$(ls)", "$(ls)"),
        ('A="b # yes" # no', "b # yes"),
        ('A="one\\ntwo\\q"', "one\ntwo\\q"),
        ("A='one\\ntwo'", "one\\ntwo"),
        ("A=it's", "it's"),
        ("A=b\r\n", "b"),
        ("# no\n\nA=b", "b"),
        ("A='two\nlines'", "two\nlines"),
    ],
)
def test_values(line, value):
    found = parse(line)
    assert [(entry.name, entry.value) for entry in found.entries] == [("A", value)]
    assert found.unreadable == []


def test_a_line_that_cannot_be_read_spoils_no_other():
    text = "A=1\nno value\n=2\n9=3\nB=\"never closed\nC='x' y\n\nD=4"
    assert parse(text) == Dotenv([Entry("A", "1", 1), Entry("D", "4", 8)], [2, 3, 4, 5, 6])


def test_lines_are_counted_through_a_value_of_several():
    assert [entry.line for entry in parse('A="1\n2\n3"\nB=4').entries] == [1, 4]
