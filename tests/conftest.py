"""What all tests share."""

import signal
import threading

pytest_plugins = ("tests.voices",)
"""Real speech and the real program."""

if threading.current_thread() is threading.main_thread():
    # A shell that starts the tests in the background, or nohup, has these ignored, and every program inherits that.
    for number, handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGQUIT, signal.SIG_DFL),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)
