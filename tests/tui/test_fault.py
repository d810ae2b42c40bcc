"""A fault of the screen itself: a sentence for the user, the traceback for the log."""

import logging

import pytest

from tests.tui.stage import make_app


async def test_a_fault_ends_the_screen_with_a_sentence_and_no_traceback(caplog, capsys):
    app, _ = make_app()

    def broken() -> None:
        raise RuntimeError("a mistake of ours")

    with caplog.at_level(logging.ERROR), pytest.raises(RuntimeError, match="a mistake of ours"):  # noqa: PT012
        async with app.run_test() as pilot:
            app.call_later(broken)
            await pilot.pause()
    assert [record.exc_info[1].args for record in caplog.records] == [("a mistake of ours",)]
    shown = capsys.readouterr()
    assert "Traceback" not in shown.out + shown.err
    assert "A fault in the screen ended it" in shown.out + shown.err
