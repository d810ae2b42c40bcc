"""A recogniser from elsewhere, which says what it is told to, and stumbles over one place of a recording."""

from collections.abc import Iterator
from pathlib import Path

from engine.messages import Decoded, Finding, Work
from engine.recipe import Recipe
from engine.stages.base import StageError
from engine.transcript import Segment


class Stumbling:
    """Says ``heard`` for every window; as long as a file ``stone`` lies beside the recording, not for the second."""

    def __init__(self, recipe: Recipe) -> None:
        pass

    def run(self, work: Work) -> Iterator[tuple[Finding, ...]]:
        has_stone = Path(work.media).with_name("stone").exists()
        for span in work.spans:
            if has_stone and 6_000 <= span.start < 12_000:
                raise StageError("The recogniser stumbled over a stone.")
        yield tuple(Decoded(span=each, segments=(Segment(each.start, each.end, "heard."),)) for each in work.spans)
