"""How far a download is, from wherever it happens to whoever wants to know.

A stage's constructor fetches its model and knows nothing of the engine; the worker around it does.
"""

from collections.abc import Callable

Listener = Callable[[str, int, int], None]
"""Is told the model, how many bytes are there, and how many there will be; 0 while that is not known."""


def _nobody(model: str, done: int, total: int) -> None:
    """Nobody has asked."""


_listener: Listener = _nobody


def listen(listener: Listener) -> None:
    """Have downloads in this process told to a listener, in place of any other; it may be called from any thread."""
    global _listener
    _listener = listener


def tell(model: str, done: int, total: int) -> None:
    """Say how far a download is."""
    _listener(model, done, total)
