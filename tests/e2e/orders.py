"""What the faulty stages are to do wrong, and when; and how to bring them in.

An order is an empty file ``NUMBER.STAGE.KIND.FROM`` in the folder ``RECORDING.orders``: the first batch that begins at
or after so many milliseconds takes it, once, by renaming it to ``...taken``, and then does what its kind says.
"""

from collections.abc import Iterator
from pathlib import Path

from engine.recipe import Recipe

RECIPE = Recipe(
    backend="tests.e2e.faults:Recognition", model="tiny.en", language="en", batch=2, parallel=2, chunk_ms=30_000
)
STAGES = {"listen": "tests.e2e.faults:Listening"}


class Orders:
    """What the stages that work on a recording are still to do wrong."""

    def __init__(self, media: str | Path) -> None:
        self.folder = Path(f"{media}.orders")

    def give(self, kind: str, at: int = 0, *, stage: str = "transcribe") -> Path:
        """Order a fault for the first batch from then on; the file that shows, once it is there, that it was taken."""
        self.folder.mkdir(exist_ok=True)
        number = len(list(self.folder.iterdir()))
        order = self.folder / f"{number:04}.{stage}.{kind}.{at}"
        order.touch()
        return order.with_name(f"{order.name}.taken")

    def take(self, stage: str, at: int) -> Iterator[tuple[str, Path]]:
        """Take the orders for a batch that begins there: their kinds, and the files that stand for them."""
        if not self.folder.exists():
            return
        for order in sorted(self.folder.iterdir()):
            parts = order.name.split(".")
            if len(parts) != 4 or parts[1] != stage or at < int(parts[3]):
                continue
            taken = order.with_name(f"{order.name}.taken")
            try:
                order.rename(taken)
            except FileNotFoundError:
                continue  # another lane was quicker
            yield parts[2], taken
