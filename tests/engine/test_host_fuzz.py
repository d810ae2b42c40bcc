"""Anything at all said to a real host over its real socket: one answer each, and the host lives."""

import asyncio
import contextlib
import random

import msgspec
import psutil
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from engine.commands import Add, Cancel, Move, Options, Pause, Remove, Resume, Retry, Set
from engine.home import Home
from engine.recipe import Recipe
from engine.serving import sockets
from engine.serving.launch import Ready, start
from engine.serving.protocol import MESSAGE_LIMIT, PROTOCOL, Answered, Ask, FromHost, Hello, Refused, Welcome
from engine.terms import Term
from tests.engine.hosting import PATIENCE, end

MESSAGES = 10_000
AT_ONCE = 50
ANYTHING = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck), "phases": [Phase.generate]}
"""What was said before has changed the host, so no failing list can be said once more to make it shorter."""
to_message = msgspec.json.Decoder(FromHost).decode

integers = st.one_of(st.integers(-2, 6), st.integers(-(2**63), 2**63 - 1))
texts = st.one_of(
    st.text(max_size=20), st.sampled_from(["en", "tiny.en", "cpu", "int8", "a.b:C", "../x", "-", "\x1b[2J"])
)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), integers, st.floats(allow_nan=False), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)
recipes = st.builds(
    Recipe,
    backend=texts,
    model=texts,
    compute_type=texts,
    device=texts,
    batch=integers,
    parallel=integers,
    threads=integers,
    chunk_ms=integers,
    language=st.none() | texts,
    task=texts,
    vad=texts,
    align=texts,
    temperature=st.floats(allow_nan=False),
)
terms = st.builds(
    Term, text=texts, aliases=st.lists(texts, max_size=2).map(tuple), start=integers, end=st.none() | integers
)
options = st.builds(
    Options,
    recipe=recipes,
    terms=st.lists(terms, max_size=2).map(tuple),
    corrects=st.booleans(),
    formats=st.lists(texts, max_size=2).map(tuple),
    out=st.none() | texts,
    track=st.none() | texts,
    chunking=texts,
    min_duration_ms=integers,
)
paths = st.one_of(texts, st.sampled_from(["/dev/zero", "/", "/etc/hostname", "/proc/self/mem", "~", "MEDIA"]))
commands = st.one_of(
    st.builds(Add, path=paths, options=options, is_found=st.booleans()),
    st.builds(Add, path=paths),
    st.builds(Pause, integers, st.sampled_from(["pause", "freeze", "park"])),
    *(st.builds(kind, integers) for kind in (Resume, Cancel, Retry, Remove)),
    st.builds(Set, job=integers, chunk_ms=st.none() | integers, batch=st.none() | integers),
    st.builds(Move, integers, integers),
)


def broken(message: bytes, seed: int) -> bytes:
    """A message with some of its bytes changed, missing or doubled."""
    chance, said = random.Random(seed), bytearray(message)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(said) + 1)
        said[place : place + chance.randint(0, 2)] = chance.randbytes(chance.randint(0, 3))
    return bytes(said)


asked = st.builds(Ask, integers, commands).map(msgspec.json.encode)
messages = st.one_of(
    asked,
    st.builds(broken, asked, st.integers(0, 2**32)),
    st.binary(max_size=60),
    json_values.map(msgspec.json.encode),
    st.fixed_dictionaries({"type": st.just("Ask"), "token": json_values, "command": json_values}).map(
        msgspec.json.encode
    ),
    st.integers(0, 99).map(lambda n: b'"' + b"x" * (MESSAGE_LIMIT - 1 + n % 3 if n < 3 else n)),
).map(lambda said: said.replace(b"\n", b" "))


class Line:
    """A connection that says lines and reads one answer for each."""

    def __init__(self, home: Home) -> None:
        self._connection = sockets.connect(home.socket)
        self._connection.settimeout(PATIENCE)
        self._answers = self._connection.makefile("rb")

    def ask(self, said: list[bytes]) -> list[FromHost]:
        """Say these, all at once, and read as many answers."""
        self._connection.sendall(b"".join(each + b"\n" for each in said))
        return [to_message(self._answers.readline()) for _ in said]

    def close(self) -> None:
        self._answers.close()
        self._connection.close()


@pytest.fixture
def host(tmp_path):
    """A host in a process of its own, with a file to be added."""
    home = Home(tmp_path / "home")
    (tmp_path / "media.wav").write_bytes(b"no sound at all")
    report = asyncio.run(start(home))
    assert isinstance(report, Ready), report
    process = psutil.Process(report.pid)
    yield home, process
    asyncio.run(end(process))


@pytest.mark.timeout(400)
def test_ten_thousand_messages_of_every_kind_are_answered_and_the_host_lives(host, tmp_path):
    """Random bytes, random JSON, real commands with random values, real ones with broken bytes, and too long ones."""
    home, process = host
    line, count = Line(home), 0
    [welcome] = line.ask([msgspec.json.encode(Hello(PROTOCOL, "1"))])
    assert isinstance(welcome, Welcome)

    @settings(max_examples=MESSAGES // AT_ONCE, **ANYTHING)
    @given(st.lists(messages, min_size=AT_ONCE, max_size=AT_ONCE))
    def say(said: list[bytes]) -> None:
        nonlocal count
        count += len(said)
        said = [each.replace(b'"MEDIA"', msgspec.json.encode(str(tmp_path / "media.wav"))) for each in said]
        for each, answer in zip(said, line.ask(said), strict=True):
            assert isinstance(answer, Answered | Refused), (each[:200], answer)

    say()
    assert count >= MESSAGES
    assert process.is_running()
    assert process.status() != psutil.STATUS_ZOMBIE
    other = Line(home)
    answers = other.ask([msgspec.json.encode(Hello(PROTOCOL, "1")), msgspec.json.encode(Ask(1, Pause(10**6)))])
    assert answers[1] == Answered(1, error="There is no job 1000000.")
    for each in (line, other):
        each.close()
    with contextlib.suppress(FileNotFoundError):
        assert "a fault" not in (home.logs / "engine.log").read_text()


@settings(max_examples=60, **ANYTHING)
@given(greeting=st.one_of(st.binary(max_size=200), messages), is_ended=st.booleans())
def test_whatever_comes_instead_of_a_greeting_harms_nobody(greeting, is_ended, host):
    home, process = host
    connection = sockets.connect(home.socket)
    connection.settimeout(PATIENCE)
    connection.sendall(greeting + b"\n" * is_ended)
    if is_ended:
        with connection.makefile("rb") as answers:
            assert isinstance(to_message(answers.readline()), Refused)
    connection.close()
    assert process.is_running()
