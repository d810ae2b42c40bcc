"""Keeping the machine awake while there is work."""

import contextlib
import logging
import queue
import shutil
import subprocess
import threading

_log = logging.getLogger(__name__)

LOCKS = ("idle:sleep", "idle")
"""What to ask systemd for. Over SSH it often grants only the second, which still stops the machine's own falling asleep
(org.freedesktop.login1.inhibit-block-sleep and -idle in logind's policy)."""
GRANTED = 0.5
"""Seconds after which systemd-inhibit would have ended had it been refused."""
PATIENCE = 3.0
"""Seconds to wait for a helper's end."""


class Awake:
    """Keeps the machine from sleeping between ``hold`` and ``let_go``.

    What does it is looked for at the first ``hold``, in a thread, and nothing that goes wrong there is raised. Where
    nothing works that is logged once, and work goes on. If this process dies, the machine may sleep again.
    """

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[bool | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_wanted = False
        self._is_hopeless = False

    @property
    def is_wanted(self) -> bool:
        """Whether the machine is to be kept awake."""
        return self._is_wanted

    def hold(self) -> None:
        """Keep the machine awake from now on; at once back, and harmless when it is kept already."""
        if self._is_wanted:
            return
        self._is_wanted = True
        if self._thread is None:
            # wakepy wants a mode left in the thread that entered it, so one thread does both.
            thread = threading.Thread(target=self._serve, name="awake", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                _log.warning("nothing keeps the machine awake: %s", error)
                return
            self._thread = thread
        self._orders.put(True)

    def let_go(self) -> None:
        """Let the machine sleep again; at once back, and harmless when it may already."""
        if self._is_wanted:
            self._is_wanted = False
            self._orders.put(False)

    def close(self) -> None:
        """Let the machine sleep again, and wait until it may; it takes a moment, so call it in a thread."""
        self.let_go()
        if self._thread is not None:
            self._orders.put(None)
            self._thread.join(2 * PATIENCE)
            self._thread = None

    def _serve(self) -> None:
        held: contextlib.ExitStack | None = None
        while (order := self._orders.get()) is not None:
            # Only the last of several orders counts.
            if not self._orders.empty():
                continue
            if order and held is None and not self._is_hopeless:
                held = self._take()
            elif not order and held is not None:
                _release(held)
                held = None
        if held is not None:
            _release(held)

    def _take(self) -> contextlib.ExitStack | None:
        for way in (_by_wakepy, _by_systemd):
            try:
                held = way()
            except Exception as error:  # a broken desktop must not end the work
                _log.debug("%s failed: %s", way.__name__, error)
            else:
                if held is not None:
                    return held
        self._is_hopeless = True
        _log.warning(
            "nothing here can keep the machine awake: if it is set to sleep when idle, work waits until it wakes"
        )
        return None


def _by_wakepy() -> contextlib.ExitStack | None:
    """caffeinate on macOS, the desktop's session over D-Bus elsewhere; None where there is neither."""
    # It takes a while to load, and most commands never need it.
    from wakepy import keep

    logging.getLogger("wakepy").setLevel(logging.WARNING)
    with contextlib.ExitStack() as stack:
        if stack.enter_context(keep.running(on_fail="pass")).active:
            return stack.pop_all()
    return None


def _by_systemd() -> contextlib.ExitStack | None:
    """A lock of logind's, held by a child that ends with us; None where there is no systemd, or where it refuses."""
    if (program := shutil.which("systemd-inhibit")) is None:
        return None
    for what in LOCKS:
        # cat ends when our end of the pipe is gone, and the lock with it. In a session of its own, nothing can ask
        # for a password on our terminal.
        helper = subprocess.Popen(
            [program, f"--what={what}", "--who=scribetui", "--why=transcribing", "--mode=block", "cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        stack = contextlib.ExitStack()
        stack.callback(_end, helper)
        try:
            helper.wait(GRANTED)
        except subprocess.TimeoutExpired:
            return stack
        stack.close()
    return None


def _end(helper: "subprocess.Popen[bytes]") -> None:
    """End a helper by closing its input, or else by force."""
    if helper.stdin is not None:
        helper.stdin.close()
    try:
        helper.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        helper.kill()
        helper.wait()


def _release(held: contextlib.ExitStack) -> None:
    try:
        held.close()
    except Exception as error:  # the same holds for letting go
        _log.debug("letting the machine sleep failed: %s", error)
