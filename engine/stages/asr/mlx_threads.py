"""Threads for MLX, which ties an array that is not yet computed to the thread that asked for it.

So all of MLX's work is done in threads of its own, and what one hands to another is computed before. They never end:
MLX 0.32 may abort the process while a thread that it has worked in comes to its end.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")


class Threads:
    """A fixed number of threads that do what they are given, in the order in which it comes."""

    def __init__(self, count: int, prepare: Callable[[], object] = lambda: None) -> None:
        """Start them.

        Args:
            count: how many.
            prepare: what each of them does before anything else.
        """
        self._prepare = prepare
        self._waiting: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        for number in range(count):
            threading.Thread(target=self._serve, name=f"mlx-{number}", daemon=True).start()

    def do(self, call: Callable[[], Result]) -> Result:
        """Have one of the threads do it, and wait for what it returns or raises."""
        future: Future[Result] = Future()
        self._waiting.put((future, call))
        return future.result()

    def _serve(self) -> None:
        self._prepare()
        while True:
            future, call = self._waiting.get()
            try:
                future.set_result(call())
            except BaseException as error:  # it belongs to whoever asked
                future.set_exception(error)
            del future, call  # what they hold is not to live until the next comes
