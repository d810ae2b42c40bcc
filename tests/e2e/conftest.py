"""Real speech and the real program."""

import asyncio
import os
import shutil
import sys
from pathlib import Path

import pytest

from engine.states import Done
from tests.e2e.program import Program
from tests.e2e.scene import Scene, Story
from tests.voices import TEXT, Speech, Studio

WITHOUT_POWER = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
"""Runs a program of root's so that permissions count."""
FAR_APART = (3_200, 3_600)
"""Pauses too long for a window to bridge: every sentence is a window by itself."""


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The program over a fresh home; nothing of it lives on after the test."""
    program = Program(tmp_path)
    yield program
    program.end()


@pytest.fixture
def mortal(program: Program) -> Program:
    """The program with no more rights than a user has."""
    if os.geteuid() == 0:
        if sys.platform != "linux" or shutil.which("setpriv") is None:
            pytest.skip("root may read and write everything, and setpriv is not there to take that right away")
        program.command = WITHOUT_POWER
    return program


@pytest.fixture(scope="session")
def apart(studio: Studio) -> Speech:
    """Three minutes of speech in as many windows as there are sentences."""
    return studio.speak("heart", TEXT, FAR_APART)


@pytest.fixture(scope="session")
def short(studio: Studio) -> Speech:
    """Over a minute of speech in twelve windows."""
    return studio.speak("heart", "\n".join(TEXT.splitlines()[:6]), FAR_APART)


@pytest.fixture(scope="session")
def sentence(studio: Studio) -> Speech:
    """A recording of a few seconds."""
    return studio.speak("heart", TEXT.splitlines()[0].split(". ")[0] + ".")


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, apart: Speech) -> Program:
    """The three minutes done in one go by the program, which told its events into the file ``events``."""
    program = Program(tmp_path_factory.mktemp("undisturbed"))
    done = program.run(apart.save(program.folder / "apart.wav"), "--json", "--batch", "2")
    assert done.status == 0, done.err
    (program.folder / "events").write_text(done.out)
    return program


@pytest.fixture(scope="session")
def brief(studio: Studio) -> Speech:
    """Three quarters of a minute of speech, in eight windows."""
    return studio.speak("heart", "\n".join(TEXT.splitlines()[:4]), FAR_APART)


@pytest.fixture(scope="session")
def fair(tmp_path_factory: pytest.TempPathFactory, brief: Speech) -> Story:
    """What becomes of that in the engine when nothing goes wrong."""
    scene = Scene(tmp_path_factory.mktemp("fair"), brief)

    async def work() -> None:
        async with scene.at_work() as hand:
            await hand.add()
            assert await hand.ended() == Done(hand.entries[-1].at)

    asyncio.run(work())
    assert {each["outcome"] for each in scene.attempts()} == {"done"}
    story = scene.story()
    assert len(story.windows) == 8
    scene.check(story)
    return story


@pytest.fixture
def scene(tmp_path: Path, brief: Speech) -> Scene:
    """That recording in a fresh place, for things to go wrong."""
    return Scene(tmp_path, brief)
