"""Signals while the main thread waits for actors."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest


@pytest.mark.parametrize(
    "wait",
    [
        "rt.start(Supervisor(id='late', children=[Child('late', Late)]))",
        "tree.shutdown(100)",
        "tree.drain(100)",
        "tree.terminate_child('root/slow')",
        "rt.close(100)",
    ],
)
def test_ctrl_c_ends_waits_for_actors_that_do_not_go_on(
    program: Callable[..., subprocess.CompletedProcess[str]], wait: str
) -> None:
    told = program(f"""
        import signal
        from mycelium import Actor, Child, Supervisor, on
        begun, goes_on = threading.Event(), threading.Event()
        class Slow(Actor):
            @on(Tick)
            def tick(self, tick):
                begun.set()
                goes_on.wait()
        class Late(Actor):
            def started(self):
                goes_on.wait()
        rt = mycelium.Runtime(contract=desk)
        tree = rt.start(Supervisor(children=[Child("slow", Slow, shutdown=None)]))
        rt.publish(Tick(1))
        begun.wait()
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            {wait}
            print("it came to its end")
        except KeyboardInterrupt:
            print("interrupted")
        goes_on.set()
        rt.close(100)
        print("closed")
    """)
    assert told.stdout == "interrupted\nclosed\n"


def test_a_handler_of_a_signal_that_closes_the_runtime_is_not_waited_for_by_itself(
    program: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    told = program("""
        import signal
        from mycelium import Actor, Child, Supervisor
        goes_on = threading.Event()
        class Late(Actor):
            def started(self):
                goes_on.wait()
        rt = mycelium.Runtime(contract=desk)
        def close(*_):
            goes_on.set()
            begun = time.monotonic()
            rt.close(50)
            print("closed", time.monotonic() - begun < 40)
        signal.signal(signal.SIGTERM, close)
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()
        try:
            rt.start(Supervisor(children=[Child("late", Late)]))
        except mycelium.MyceliumError:
            pass  # Unless it was quicker than the close.
    """)
    assert told.stdout == "closed True\n"
