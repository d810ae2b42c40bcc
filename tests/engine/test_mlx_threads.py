"""The threads that MLX's work is done in."""

import threading

import pytest

from engine.stages.asr.mlx_threads import Threads


def test_work_is_done_in_threads_of_their_own_that_were_prepared():
    place = threading.local()

    def prepare() -> None:
        place.is_ready = True

    threads = Threads(2, prepare)
    assert threads.do(lambda: place.is_ready)
    assert threads.do(threading.get_ident) != threading.get_ident()


def test_what_is_raised_reaches_whoever_asked_and_the_thread_goes_on():
    threads = Threads(1)
    with pytest.raises(ZeroDivisionError):
        threads.do(lambda: 1 / 0)
    assert threads.do(lambda: 7) == 7


def test_so_many_at_a_time():
    threads, both = Threads(2), threading.Barrier(2)
    asking = threading.Thread(target=lambda: threads.do(both.wait))
    asking.start()
    threads.do(both.wait)
    asking.join()
