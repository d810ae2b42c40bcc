"""A real backend as it would be if its lanes could not share a process."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

from engine.messages import Finding, Work
from engine.stages.asr.faster_whisper import FasterWhisper


class Apart(FasterWhisper):
    """Goes on once as many processes as there are lanes have begun something."""

    is_shareable = False

    def run(self, work: Work) -> Iterator[tuple[Finding, ...]]:
        audio = Path(work.audio)
        audio.with_suffix(f".{os.getpid()}").touch()
        while len(list(audio.parent.glob(f"{audio.stem}.[0-9]*"))) < work.recipe.parallel:
            threading.Event().wait(0.005)
        yield from super().run(work)
