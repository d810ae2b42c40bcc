"""What tells one content from another."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.commands import CommandError
from engine.fingerprint import BLOCK, PLACES, _places, fingerprint

WHOLE = BLOCK * PLACES


def write(path, data: bytes) -> str:
    path.write_bytes(data)
    return fingerprint(str(path))


def test_neither_the_name_nor_the_time_matters(tmp_path):
    data = os.urandom(3 * BLOCK + 17)
    one = write(tmp_path / "one.mp3", data)
    other = write(tmp_path / "other.wav", data)
    os.utime(tmp_path / "other.wav", (1, 1))
    assert one == other == fingerprint(str(tmp_path / "other.wav"))
    assert len(one) == 32


@pytest.mark.parametrize("size", [1, BLOCK - 1, BLOCK, BLOCK + 1, WHOLE])
def test_of_a_small_file_every_byte_matters(tmp_path, size):
    data = bytearray(size)
    found = {write(tmp_path / "a", bytes(data))}
    for place in {0, size // 2, size - 1}:
        changed = bytearray(data)
        changed[place] ^= 1
        found.add(write(tmp_path / "a", bytes(changed)))
    assert len(found) == 1 + len({0, size // 2, size - 1})


def test_the_length_matters_though_all_that_is_read_is_the_same(tmp_path):
    assert len({write(tmp_path / "a", bytes(size)) for size in (WHOLE, WHOLE + 1, WHOLE + 2, 2 * WHOLE)}) == 4


@pytest.mark.parametrize("place", [0, WHOLE * 2, WHOLE * 4 - 1])
def test_of_a_large_file_both_ends_and_the_middle_matter(tmp_path, place):
    path = tmp_path / "film"
    before = write(path, bytes(WHOLE * 4))
    middle = _places(WHOLE * 4)[PLACES // 2]
    place = middle if place == WHOLE * 2 else place
    with path.open("r+b") as file:
        file.seek(place)
        file.write(b"x")
    assert fingerprint(str(path)) != before


def test_a_film_of_30_gb_is_read_in_a_few_places(tmp_path):
    path = tmp_path / "film"
    with path.open("wb") as file:
        file.truncate(30 * 10**9)
    assert len(fingerprint(str(path))) == 32
    assert len(_places(30 * 10**9)) == PLACES


@given(st.integers(0, 10**14))
def test_the_places_lie_in_the_file_in_order_and_reach_both_ends(size):
    places = _places(size)
    assert len(places) <= PLACES
    assert places == sorted(set(places))
    if size:
        assert places[0] == 0
        assert size - BLOCK <= places[-1] < size


def test_what_cannot_be_read_is_said_in_a_sentence(tmp_path):
    with pytest.raises(CommandError, match=r"gone.mp3: cannot be read \(No such file or directory\)\.$"):
        fingerprint(str(tmp_path / "gone.mp3"))
    with pytest.raises(CommandError, match=r"cannot be read \(Is a directory\)\.$"):
        fingerprint(str(tmp_path))
