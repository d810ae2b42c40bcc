"""Everything that is said survives the way through JSON."""

import functools
import types
import typing

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.commands import Command
from engine.events import Entry, Event
from engine.messages import Down, Up
from engine.states import JobState


def members(union) -> tuple[type, ...]:
    assert isinstance(union, types.UnionType)
    return typing.get_args(union)


@pytest.mark.parametrize("union", [Command, Event, Down, Up, JobState], ids=["Command", "Event", "Down", "Up", "State"])
@given(data=st.data())
def test_json_round_trip(union, data):
    value = data.draw(st.sampled_from(members(union)).flatmap(build))
    assert msgspec.json.decode(msgspec.json.encode(value), type=union) == value


def test_every_kind_has_a_name_of_its_own_a_docstring_and_cannot_change():
    for union in (Command, Event, Down, Up, JobState):
        names = [each.__struct_config__.tag for each in members(union)]
        assert len(names) == len(set(names))
        for each in members(union):
            assert each.__struct_config__.frozen
            assert each.__doc__


@given(st.data())
def test_an_entry_is_one_line(data):
    entry = Entry(1, 2, data.draw(st.sampled_from(members(Event)).flatmap(build)))
    line = msgspec.json.encode(entry)
    assert b"\n" not in line
    assert msgspec.json.decode(line, type=Entry) == entry


@functools.cache
def build(kind: type) -> st.SearchStrategy:
    """Any value of a struct, by its annotations."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return st.builds(kind, **{field: value_of(hints[field]) for field in kind.__struct_fields__})


def value_of(hint) -> st.SearchStrategy:
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        kind, bounds = typing.get_args(hint)
        return st.integers(bounds.ge, bounds.le) if kind is int else st.floats(bounds.ge, bounds.le)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return build(hint)
    if origin is tuple:
        of, *others = typing.get_args(hint)
        if others != [...]:
            return st.tuples(value_of(of), *map(value_of, others))
        return st.lists(value_of(of), max_size=2).map(tuple)
    if isinstance(hint, types.UnionType) or origin is typing.Union:
        return st.one_of(*[value_of(each) for each in typing.get_args(hint)])
    if origin is typing.Literal:
        return st.sampled_from(typing.get_args(hint))
    if hint is str:
        return st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    if hint is int:
        return st.integers(-(2**53), 2**53)
    if hint is float:
        return st.floats(0, 1)
    return st.from_type(hint)
