"""Who waits for an answer: questions are numbered, and whoever asked gets what came of it."""

import asyncio

from engine.commands import CommandError


class Answers:
    """The questions that are open."""

    def __init__(self) -> None:
        self._open: dict[int, asyncio.Future[int | None]] = {}
        self._token = 0

    def ask(self) -> tuple[int, "asyncio.Future[int | None]"]:
        """A new question: its number, and where its answer will be: a job's number, or a ``CommandError``."""
        self._token += 1
        token = self._token
        answer: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._open[token] = answer
        answer.add_done_callback(lambda _: self._open.pop(token))
        return token, answer

    def settle(self, token: int, job: int | None, error: CommandError | None) -> None:
        """Answer one; nothing happens when nobody waits any more."""
        answer = self._open.get(token)
        if answer is None or answer.done():
            return
        if error is None:
            answer.set_result(job)
        else:
            answer.set_exception(error)

    def refuse(self, reason: str) -> None:
        """Tell everyone who waits that nothing comes of it, for the moment."""
        for token in list(self._open):
            self.settle(token, None, CommandError(reason, is_passing=True))
