"""A worker's socket, from the engine's side."""

import asyncio
import socket

import pytest

from engine.wire import TooLong, Wire


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    wire = Wire(ours, limit=1_000)
    yield wire, theirs
    wire.close()
    theirs.close()


async def lines(wire: Wire) -> list[bytes]:
    found = []
    while line := await wire.hear():
        found.append(line)
    return found


async def test_the_last_words_of_one_that_dies_are_heard_though_it_never_read_ours(ends):
    """It leaves unread what we said, so that the kernel reports a reset; and what we say then fails."""
    wire, theirs = ends
    wire.say(b"for you\n")
    await asyncio.sleep(0)
    said = [b"line %d\n" % number for number in range(500)]
    theirs.sendall(b"".join(said))
    theirs.close()
    heard = [await wire.hear()]
    wire.say(b"too late\n")
    assert heard + await lines(wire) == said


async def test_half_a_line_at_the_end_is_told_as_such(ends):
    wire, theirs = ends
    theirs.sendall(b"whole\nhal")
    theirs.close()
    assert await lines(wire) == [b"whole\n", b"hal"]


async def test_a_line_without_end_is_refused(ends):
    wire, theirs = ends
    theirs.sendall(bytes(2_000))
    with pytest.raises(TooLong):
        await wire.hear()


async def test_much_is_said_in_order_to_one_that_reads_late(ends):
    wire, theirs = ends
    said = [b"%d" % number * 500 + b"\n" for number in range(2_000)]
    for line in said:
        wire.say(line)

    def read() -> bytes:
        with theirs.makefile("rb") as file:
            return b"".join(file.readline() for _ in said)

    assert await asyncio.to_thread(read) == b"".join(said)
