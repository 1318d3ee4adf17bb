"""Processes that end, fork, or are interrupted while messages flow."""

from __future__ import annotations

import desk
import mycelium
import pytest
from desk import Tick


def test_an_interpreter_that_exits_while_threads_publish_and_wait(program) -> None:  # type: ignore[no-untyped-def]
    told = program(
        """
        rt = mycelium.Runtime(contract=desk)
        full, ticks = rt.subscribe(Tick, capacity=4), rt.subscribe(Tock)

        def publish():
            try:
                while True:
                    rt.publish(Tick(1))
            except mycelium.ClosedError:
                print("closed")

        def publish_more():
            while True:
                try:
                    rt.publish(Tock(1))
                except mycelium.ClosedError:
                    time.sleep(0.001)

        def read():
            for tock in ticks:
                pass

        for work in (publish, publish_more, read):
            threading.Thread(target=work, daemon=True).start()
        time.sleep(0.2)
        print("ends")
        """
    )
    assert "ends" in told.stdout and told.stderr == ""


def test_daemon_threads_within_a_call_do_not_take_the_process_down_when_the_interpreter_exits(program) -> None:  # type: ignore[no-untyped-def]
    head = """
        class Busy(mycelium.Actor):
            @mycelium.on(Tick)
            def tick(self, tick):
                begun.set()
                spin()

        def spin():
            while True:
                pass

        def endless():
            begun.set()
            yield spin()

        def messages():
            mycelium.Runtime(contract=desk).publisher(Tick).publish_many(endless())

        def isolate():
            with mycelium.Isolate(desk) as made:
                made.spawn(Busy)
                made.publish(Tick(1))
                made.run()

        def sweep():
            def build(trial):
                begun.set()
                spin()

            mycelium.Sweep([{}] * 1000, build).run(threads=2)

        begun = threading.Event()
        """
    for work in ("messages", "isolate", "sweep"):
        start = f"threading.Thread(target={work}, daemon=True).start()"
        told = program(f"{head}{start}; begun.wait(); print('ends')")
        assert told.stdout == "ends\n", (work, told.stderr)


def test_daemon_threads_that_call_again_and_again_do_not_take_the_process_down_either(program) -> None:  # type: ignore[no-untyped-def]
    told = program(
        """
        rt = mycelium.Runtime(contract=desk)
        publisher, notes = rt.publisher(Tick), rt.subscribe(Note, capacity=100_000)
        rt.publish_many([Note(1, "a text", [])] * 60_000)
        calls = (lambda: rt.publish(Tick(1)), lambda: publisher.publish(Tick(1)),
                 lambda: rt.tell("root/none", Tick(1)), lambda: rt.ask("root/none", Tick(1), Tick),
                 lambda: [note.text for note in notes])

        def again(call):
            while True:
                try:
                    call()
                except mycelium.MyceliumError:
                    pass

        for call in calls:
            threading.Thread(target=again, args=(call,), daemon=True).start()
        time.sleep(0.1)
        print("ends")
        """
    )
    assert (told.stdout, told.stderr) == ("ends\n", "")


def test_a_closed_runtime_runs_no_python_of_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    with mycelium.Runtime(contract=desk) as rt:
        publisher = rt.publisher(Tick)
    monkeypatch.setattr(Tick, "encode", lambda self: pytest.fail("Python runs within Rust"))
    for use in (
        lambda: rt.publish(Tick(1)),
        lambda: publisher.publish(Tick(1)),
        lambda: rt.tell("root/none", Tick(1)),
        lambda: rt.ask("root/none", Tick(1), Tick),
    ):
        with pytest.raises(mycelium.ClosedError, match="runtime is closed"):
            use()


def test_calls_of_other_threads_are_refused_when_the_interpreter_is_left(program) -> None:  # type: ignore[no-untyped-def]
    told = program(
        """
        rt = mycelium.Runtime(contract=desk)
        publisher, ticks = rt.publisher(Tick), rt.subscribe(Tick)

        def refused():
            sweep = mycelium.Sweep([{}], lambda trial: {"made": 1})
            for call in (lambda: rt.publish(Tick(1)), lambda: publisher.publish_many(iter([])),
                         ticks.try_recv, lambda: mycelium.Isolate(desk).run()):
                try:
                    call()
                except SystemExit:
                    print("refused")
            print([type(failure.error).__name__ for failure in sweep.run().failures])

        mycelium._native.leave()
        other = threading.Thread(target=refused)
        other.start()
        other.join()
        rt.publish(Tick(1))
        print(ticks.try_recv())
        """
    )
    assert told.stdout == "refused\n" * 4 + "['SystemExit']\nTick(number=1)\n"


def test_a_runtime_that_nobody_closes(program) -> None:  # type: ignore[no-untyped-def]
    assert program("rt = mycelium.Runtime(contract=desk); rt.publish(Tick(1)); print('ends')").stdout == "ends\n"
    assert program("rt = mycelium.Runtime(contract=desk); sys.exit(3)", code=3)
    program("rt = mycelium.Runtime(contract=desk); s = rt.subscribe(Tick); os._exit(0)")


def test_a_forked_child_is_told_to_make_a_runtime_of_its_own(program) -> None:  # type: ignore[no-untyped-def]
    told = program(
        """
        import warnings
        warnings.simplefilter("ignore")
        rt = mycelium.Runtime(contract=desk)
        ticks, publisher = rt.subscribe(Tick), rt.publisher(Tick)
        stop = threading.Event()

        def feed():
            while not stop.is_set():
                rt.publish(Tock(1))

        tocks = rt.subscribe(Tock, policy="drop_oldest")
        feeding = threading.Thread(target=feed)
        feeding.start()
        for _ in range(20):
            child = os.fork()
            if child == 0:
                for use in (lambda: rt.publish(Tick(1)), lambda: publisher.publish(Tick(1)), ticks.recv,
                            lambda: rt.subscribe(Tick), rt.stats):
                    try:
                        use()
                        os._exit(1)
                    except mycelium.ClosedError as error:
                        if "was forked" not in str(error):
                            os._exit(2)
                ticks.close()
                rt.close()
                with mycelium.Runtime(contract=desk) as own:
                    mine = own.subscribe(Tick)
                    own.publish(Tick(2))
                    if mine.recv() != Tick(2):
                        os._exit(3)
                sys.exit(0)
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
        feeding.join()
        rt.publish(Tick(1))
        assert ticks.recv() == Tick(1)
        rt.close()
        print("ends")
        """
    )
    assert told.stdout == "ends\n", told.stderr


def test_a_child_that_is_forked_in_the_first_publish_of_another_thread_publishes(program) -> None:  # type: ignore[no-untyped-def]
    """The first publish of a process fills what others use after it; a child has no thread that goes on with
    that."""
    told = program(
        """
        import functools, queue, warnings
        warnings.simplefilter("ignore")
        # Whoever waits for the interpreter's lock gets it wherever it is given away.
        sys.setswitchinterval(1e-6)

        def publish():
            with mycelium.Runtime(contract=desk) as rt:
                ticks = rt.subscribe(Tick)
                rt.publish(Tick(1))
                assert ticks.recv() == Tick(1)

        def in_child(work):
            child = os.fork()
            if child:
                return os.waitpid(child, 0)[1]
            try:
                work()
            except BaseException:
                os._exit(1)
            os._exit(0)

        def fork_in_publish():
            rt, begun = mycelium.Runtime(contract=desk), queue.SimpleQueue()
            # Nothing of Python runs between its word and the publish: the lock is given away within that.
            word = iter(functools.partial(begun.put, None), 1)
            publishing = threading.Thread(target=lambda: list(zip(word, map(rt.publish, [Tock(1)]))))
            publishing.start()
            begun.get()
            assert in_child(publish) == 0
            publishing.join()

        for _ in range(20):
            assert in_child(fork_in_publish) == 0
        print("ends")
        """
    )
    assert told.stdout == "ends\n", told.stderr


def test_ctrl_c_ends_a_wait(program) -> None:  # type: ignore[no-untyped-def]
    told = program(
        """
        import signal
        # Whoever runs the tests in the background may have it ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        rt = mycelium.Runtime(contract=desk)
        ticks = rt.subscribe(Tick, capacity=4)

        class Slow(mycelium.Actor):
            @mycelium.on(Note, capacity=1)
            def note(self, note):
                time.sleep(60)

            @mycelium.ask(Tick)
            def query(self, tick):
                return tick

        tree = rt.start(mycelium.Supervisor(children=[mycelium.Child("slow", Slow, shutdown=0.1)]))
        rt.tell("root/slow", Note(1, "", []))

        def tells():
            while True:
                rt.tell("root/slow", Note(1, "", []))

        try:
            while True:
                rt.tell("root/slow", Note(1, "", []), timeout=0.05)
        except mycelium.FullError as error:
            print("full" if "mailbox" in str(error) else error)
        for wait in (rt.subscribe(Note).recv, lambda: rt.publish_many([Tick(1)] * 100),
                     lambda: rt.ask("root/slow", Tick(1), Tick, timeout=3600), tells,
                     lambda: tree.wait(3600)):
            try:
                # On a busy machine it may come before the wait.
                threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
                wait()
            except KeyboardInterrupt:
                print("interrupted")
        print("ends", flush=True)
        os._exit(0)
        """
    )
    assert told.stdout == "full\n" + "interrupted\n" * 5 + "ends\n", told.stdout + told.stderr


def test_a_signal_handler_closes_the_runtime_that_its_thread_waits_on(program) -> None:  # type: ignore[no-untyped-def]
    told = program(
        """
        import signal
        rt = mycelium.Runtime(desk)
        ticks = rt.subscribe(Tick)
        def end(*_):
            begun = time.monotonic()
            rt.close(timeout=60)
            print("in time" if time.monotonic() - begun < 30 else "late", flush=True)
        signal.signal(signal.SIGTERM, end)
        threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
        for tick in ticks:
            pass
        print("ended")
        """
    )
    assert told.stdout.split("\n")[:2] == ["in time", "ended"], told.stdout


def test_an_interpreter_that_exits_while_callbacks_and_actors_work(program) -> None:  # type: ignore[no-untyped-def]
    told = program(
        """
        class Relay(mycelium.Actor):
            @mycelium.on(Tick)
            def tick(self, tick):
                self.ctx.publish(Tock(tick.number))

            def stopping(self, reason):
                print("stopping")

        rt = mycelium.Runtime(contract=desk)
        rt.start(mycelium.Supervisor(children=[mycelium.Child("relay", Relay)]))
        heard = []
        rt.subscribe(Tock, lambda tock: heard.append(tock.number), capacity=16)

        def feed():
            while True:
                try:
                    rt.publish(Tick(1))
                except mycelium.ClosedError:
                    time.sleep(0.001)

        threading.Thread(target=feed, daemon=True).start()
        while len(heard) < 100:
            time.sleep(0.001)
        print("ends")
        """
    )
    assert told.stdout == "ends\nstopping\n" and told.stderr == ""


def test_an_interpreter_that_exits_while_a_handler_does_not_return(program) -> None:  # type: ignore[no-untyped-def]
    for body in ("while True: pass", "time.sleep(3600)", "threading.Event().wait()"):
        told = program(
            f"""
            begun = threading.Event()

            def stuck(tick):
                begun.set()
                {body}

            class Stuck(mycelium.Actor):
                @mycelium.on(Tock)
                def tock(self, tock):
                    stuck(tock)

            mycelium._runtime._CLOSE_LIMIT_S = 0.3
            rt = mycelium.Runtime(contract=desk)
            rt.start(mycelium.Supervisor(children=[mycelium.Child("stuck", Stuck, shutdown=0.1)]))
            rt.subscribe(Tick, stuck)
            rt.publish(Tick(1))
            begun.wait()
            begun.clear()
            rt.publish(Tock(1))
            begun.wait()
            print("ends")
            """
        )
        assert told.stdout == "ends\n", body
        assert "Fatal" not in told.stderr and "panicked" not in told.stderr, told.stderr


def test_a_fork_while_callbacks_and_actors_work(program) -> None:  # type: ignore[no-untyped-def]
    told = program(
        """
        import warnings
        warnings.simplefilter("ignore")

        class Relay(mycelium.Actor):
            @mycelium.on(Tick)
            def tick(self, tick):
                self.ctx.publish(Tock(tick.number))

        rt = mycelium.Runtime(contract=desk)
        tree = rt.start(mycelium.Supervisor(children=[mycelium.Child("relay", Relay)]))
        heard = []
        callback = rt.subscribe(Tock, lambda tock: heard.append(tock.number))
        for number in range(20):
            rt.publish_many([Tick(number)] * 20)
            child = os.fork()
            if child == 0:
                for use in (tree.children, lambda: rt.ask("root/relay", Tick(1), Tick),
                            lambda: rt.tell("root/relay", Tick(1)), lambda: rt.start(mycelium.Supervisor())):
                    try:
                        use()
                        os._exit(1)
                    except mycelium.ClosedError:
                        pass
                callback.close()
                sys.exit(0)
            assert os.waitpid(child, 0)[1] == 0
        while len(heard) < 400:
            time.sleep(0.001)
        rt.close()
        print("ends")
        """
    )
    assert told.stdout == "ends\n", told.stderr


def test_threads_that_read_and_publish_hold_up_no_exit(program) -> None:  # type: ignore[no-untyped-def]
    told = program(
        """
        rt = mycelium.Runtime(contract=desk)
        ticks, full = rt.subscribe(Tick), rt.subscribe(Tock, capacity=4)
        ended = []

        def read():
            for tick in ticks:
                pass
            # Both at once: a line in one piece, which `print` makes two of.
            print("read\\n", end="")

        def publish():
            try:
                while True:
                    rt.publish(Tock(1))
            except mycelium.ClosedError:
                print("published\\n", end="")

        for work in (read, publish):
            threading.Thread(target=work).start()
        time.sleep(0.2)
        print("ends")
        """
    )
    assert sorted(told.stdout.split()) == ["ends", "published", "read"] and told.stderr == ""


def test_an_exit_while_much_is_logged(program) -> None:  # type: ignore[no-untyped-def]
    told = program(
        """
        import io, logging
        logging.basicConfig(level=logging.DEBUG, stream=io.StringIO())

        class Fails(mycelium.Actor):
            @mycelium.on(Tick, policy="drop_oldest")
            def tick(self, tick):
                raise ValueError

        rt = mycelium.Runtime(contract=desk)
        back = mycelium.Backoff(initial=0.0001, cap=0.0001)
        child = mycelium.Child("fails", Fails, backoff=back)
        rt.start(mycelium.Supervisor(children=[child], intensity=10**6))

        def feed():
            try:
                while True:
                    rt.publish(Tick(1))
            except mycelium.ClosedError:
                pass

        threading.Thread(target=feed).start()
        time.sleep(0.5)
        print("ends")
        """
    )
    assert told.stdout == "ends\n" and told.stderr == ""


def test_what_is_raised_at_the_exit_reaches_no_thread_that_ends(program) -> None:  # type: ignore[no-untyped-def]
    """A thread that ends while such an exception waits for it is counted as ended."""
    told = program(
        """
        import ctypes, functools
        from mycelium import Actor, Child, Supervisor, _threads

        class Bomb:
            pass

        class Model(Actor):
            def __init__(self):
                raised = functools.partial(
                    ctypes.pythonapi.PyThreadState_SetAsyncExc,
                    ctypes.c_ulong(threading.get_ident()),
                    ctypes.py_object(_threads._Exit),
                )
                # Called when the actor is dropped, without a frame of Python in which it would come up.
                Bomb.__del__ = raised
                self.bomb = Bomb()

        rt = mycelium.Runtime(contract=desk)
        tree = rt.start(Supervisor(children=[Child("model", Model)]))
        tree.shutdown()
        print("ends")
        """
    )
    assert (told.stdout, told.stderr) == ("ends\n", "")


def test_threads_that_wait_hold_up_no_exit(program) -> None:  # type: ignore[no-untyped-def]
    told = program(
        """
        import asyncio
        from mycelium import Actor, Child, Supervisor, ask

        class Slow(Actor):
            @ask(Tick)
            async def tick(self, tick):
                import asyncio
                await asyncio.sleep(1000)

        rt = mycelium.Runtime(contract=desk)
        tree = rt.start(Supervisor(children=[Child("slow", Slow, shutdown=0.1)]))
        full, ticks, later = rt.subscribe(Tock, capacity=1), rt.subscribe(Tick), rt.subscribe(Tick)

        def publish():
            while True:
                rt.publish(Tock(1))

        async def listen():
            async for tick in later:
                pass

        def quietly(work):
            try:
                work()
            except mycelium.MyceliumError:
                pass

        works = [publish, ticks.recv, lambda: asyncio.run(listen()), lambda: tree.wait(1e9),
                 lambda: rt.ask("root/slow", Tick(1), reply=Tick, timeout=1e9),
                 lambda: list(rt.subscribe_array(Tick))]
        for work in works:
            threading.Thread(target=quietly, args=(work,)).start()
        time.sleep(0.3)
        print("ends")
        """
    )
    assert told.stdout == "ends\n"


def test_an_executor_whose_work_waits_holds_up_no_exit(program) -> None:  # type: ignore[no-untyped-def]
    told = program(
        """
        from concurrent.futures import ThreadPoolExecutor
        rt = mycelium.Runtime(contract=desk)
        ticks = rt.subscribe(Tick)
        future = ThreadPoolExecutor().submit(ticks.recv)
        time.sleep(0.1)
        print("ends")
        """
    )
    assert told.stdout == "ends\n"
