"""Whatever dies, nothing that was acknowledged is lost and every frame is accounted for.

Real processes, real sockets, real signals.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import zmq

from live_smlm.config import RunConfig
from live_smlm.core import Localizations
from live_smlm.pipeline.dispatcher import Overload
from live_smlm.session import Finish, Outcome, RunPlan, Session, Topology
from live_smlm.session.memory import run_in_memory
from live_smlm.session.recover import recover
from live_smlm.session.sources import opened
from live_smlm.store.log import read_log
from live_smlm.store.record import read_events, read_run
from live_smlm.transport.codec import Envelope, pack
from live_smlm.transport.endpoints import connected, make_keys, read_keys, receive, send

FRAMES = 600
SOURCE = f"simulated:frames={FRAMES},size=64x64,density=0.3,specimen=uniform,blinking=single"
COMMAND = Path(sys.executable).with_name("live-smlm")


def localized(
    started: Callable[[Session], None] = lambda _: None, **changes: Any
) -> tuple[Localizations, Outcome]:
    """The movie through a session in this process."""
    rate = changes.pop("rate_hz", None)
    source = SOURCE if rate is None else f"{SOURCE},rate_hz={rate}"
    with opened(RunConfig(source=source)) as (frames, psf):
        overload = Overload.WAIT if rate is None else Overload.THIN
        plan = RunPlan(
            **{"engine": "gauss-mle", "psf": psf, "ring_mb": 8, "overload": overload, **changes}
        )
        return run_in_memory(frames, plan, started=started)


@pytest.fixture(scope="module")
def reference() -> Localizations:
    """The table that every undisturbed run must give."""
    found, outcome = localized()
    assert outcome.tally.localized == FRAMES
    assert len(found) > 3000
    return found


def assert_same(found: Localizations, expected: Localizations) -> None:
    assert len(found) == len(expected)
    assert not len(expected) or found.columns().keys() == expected.columns().keys()
    for name, column in expected.columns().items() if len(expected) else ():
        np.testing.assert_array_equal(found.columns()[name], column, err_msg=name)


@contextlib.contextmanager
def command(*arguments: str, **options: Any) -> Iterator["subprocess.Popen[str]"]:
    """One of our commands as a process; killed at the latest on exit."""
    process = subprocess.Popen(
        [COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(condition: Callable[[], Any], patience_s: float = 40.0) -> Any:
    deadline = time.monotonic() + patience_s
    while not (answer := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return answer


def _is_gone(process: psutil.Process) -> bool:
    """Without reaping it: that is its parent's to do."""
    return not process.is_running()


def workers_of(process: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        children = process.children(recursive=True)
        return [child for child in children if "spawn_main" in " ".join(child.cmdline())]
    return []


def assert_trusted(outcome: Outcome) -> None:
    """The lanes have fitted molecules again, and found the engine right."""
    assert outcome.trust["verdict"] == "ok"
    assert abs(outcome.trust["numbers"]["width"]) < 0.05


def test_threads_processes_and_a_remote_worker_give_the_same_table(
    reference: Localizations, tmp_path: Path
) -> None:
    found, outcome = localized(topology=Topology.PROCESSES)
    assert_same(found, reference)
    assert_trusted(outcome)
    make_keys(tmp_path / "keys")
    remote: list[Any] = []

    def invite(address: str) -> None:
        port = address.rsplit(":", 1)[1]
        arguments = ("worker", "--connect", f"tcp://127.0.0.1:{port}", "--once")
        remote.append(command(*arguments, "--keys", str(tmp_path / "keys")))
        remote[0].__enter__()

    port = _free_port()
    threading.Timer(0.2, invite, [f"tcp://127.0.0.1:{port}"]).start()
    try:
        found, outcome = localized(
            topology=Topology.NONE,
            listen=(f"tcp://0.0.0.0:{port}",),
            keys=read_keys(tmp_path / "keys", "hub"),
        )
    finally:
        until(lambda: remote)
        remote[0].__exit__(None, None, None)
    assert outcome.tally.localized == FRAMES
    assert_same(found, reference)
    assert_trusted(outcome)


def test_a_remote_worker_stays_for_the_next_run(reference: Localizations, tmp_path: Path) -> None:
    make_keys(tmp_path / "keys")
    port = _free_port()
    words = ("--connect", f"tcp://127.0.0.1:{port}", "--keys", str(tmp_path / "keys"))
    with command("worker", *words):
        for _ in range(2):
            found, outcome = localized(
                topology=Topology.NONE,
                listen=(f"tcp://0.0.0.0:{port}",),
                keys=read_keys(tmp_path / "keys", "hub"),
            )
            assert outcome.tally.localized == FRAMES
            assert_same(found, reference)


def _free_port() -> int:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        return socket.bind_to_random_port("tcp://127.0.0.1")


def test_killing_workers_three_times_loses_nothing(reference: Localizations) -> None:
    killed: list[int] = []

    def kill_now_and_then() -> None:
        for _ in range(3):
            worker = until(lambda: workers_of(psutil.Process()))[0]
            time.sleep(0.5)
            worker.kill()
            killed.append(worker.pid)
            until(partial(_is_gone, worker))

    killer = threading.Thread(target=kill_now_and_then)
    found, outcome = localized(
        lambda _: killer.start(), topology=Topology.PROCESSES, rate_hz=60, ring_mb=32
    )
    killer.join()
    assert len(killed) == 3
    tally = outcome.tally
    assert (tally.captured, tally.localized, tally.lost) == (FRAMES, FRAMES, 0)
    assert_same(found, reference)


def test_a_script_can_watch_a_run() -> None:
    heard: list[dict[str, Any]] = []

    def watch(running: Session) -> None:
        with command("watch", running.status_address, "--once", "--json") as process:
            output, _ = process.communicate(timeout=30)
            heard.extend(json.loads(line) for line in output.splitlines())

    watching: list[threading.Thread] = []

    def start(running: Session) -> None:
        watching.append(threading.Thread(target=watch, args=(running,)))
        watching[0].start()

    localized(start, rate_hz=150)
    watching[0].join()
    state = heard[-1]
    assert state["kind"] == "state"
    assert state["simulated"]
    known = state["localized"] + state["deferred"] + state["shed"] + state["waiting"]
    assert state["captured"] == known
    assert state["latency_ms"]["p99"] is None or state["latency_ms"]["p99"] > 0


def test_killed_and_frozen_subscribers_slow_nobody(reference: Localizations) -> None:
    with contextlib.ExitStack() as held:

        def subscribe(running: Session) -> None:
            watchers = [
                held.enter_context(command("watch", running.status_address)) for _ in range(2)
            ]
            time.sleep(1.5)
            watchers[0].kill()
            watchers[1].send_signal(signal.SIGSTOP)

        found, outcome = localized(subscribe, rate_hz=300)
    assert outcome.tally.lost == 0
    assert outcome.latency_ms["p99"] is not None
    assert_same(found, reference)


def test_a_hundred_thousand_malformed_messages_harm_nobody(reference: Localizations) -> None:
    senders: list[threading.Thread] = []

    def pester(running: Session) -> None:
        for address in (running.addresses[0], running.status_address, running.doors.desk):
            senders.append(threading.Thread(target=_pester, args=(address,)))
            senders[-1].start()

    found, outcome = localized(pester, rate_hz=100)
    for sender in senders:
        sender.join()
    assert outcome.finish is Finish.COMPLETED
    assert outcome.tally.localized == FRAMES
    assert_same(found, reference)


def _pester(address: str) -> None:
    rng = random.Random(5)
    good = [
        [bytes(part) for part in pack(message)]
        for message in (
            Envelope("hello", {"sees_ring": True}),
            Envelope(
                "answer", {"chunk": 3, "error": None}, {"frame": np.zeros(3), "x": np.ones(3)}
            ),
            Envelope("ready"),
            Envelope("cannot", {"reason": "x"}),
        )
    ]
    with (
        zmq.Context() as context,
        connected(context, zmq.DEALER, address, None, b"worker-0/9") as socket,
    ):
        for number in range(100_000):
            parts = [bytearray(part) for part in rng.choice(good)]
            part = rng.choice(parts)
            if number % 3 and part:
                part[rng.randrange(len(part))] = rng.randrange(256)
            elif parts[0]:
                parts[0] = bytearray(rng.randbytes(rng.randrange(60)))
            with contextlib.suppress(zmq.Again):
                socket.send_multipart([bytes(p) for p in parts], flags=zmq.DONTWAIT)


def test_killing_the_program_loses_nothing_acknowledged(
    reference: Localizations, tmp_path: Path
) -> None:
    rng = random.Random(11)
    for trial in range(10):
        folder = tmp_path / f"run-{trial}"
        published = _killed_run(folder, rng.uniform(0.05, 2.0))
        assert read_run(folder)["finish"] == "running"
        log = read_log(folder)
        for frame, x in published:  # what was published had been stored
            assert x in log.molecules.x[log.molecules.frame == frame]
        record = recover(folder)
        frames = record["frames"]
        assert frames["captured"] == frames["localized"] + frames["deferred"] + frames["shed"]
        assert (frames["deferred"], frames["shed"]) == (0, 0)
        expected = reference.where(reference.frame < frames["captured"])
        assert_same(read_log(folder).molecules, expected)
        assert read_events(folder)[-1]["what"] == "recovered"


def _killed_run(folder: Path, after_s: float) -> list[tuple[int, float]]:
    """Start a recorded run, kill its main process; the molecules that were published."""
    port = _free_port()
    status = f"tcp://127.0.0.1:{port}"
    source = f"{SOURCE},rate_hz=150"
    arguments = ("run", "--source", source, "--record", "--out", str(folder), "--status", status)
    published: list[tuple[int, float]] = []
    with (
        zmq.Context() as context,
        connected(context, zmq.SUB, status) as stream,
        command(*arguments) as process,
    ):
        stream.setsockopt(zmq.SUBSCRIBE, b"")
        index = folder / "raw" / "frames.index"
        until(lambda: index.exists() and index.stat().st_size)
        deadline = time.monotonic() + after_s
        while time.monotonic() < deadline:
            if stream.poll(10):
                message = receive(stream)
                if message.kind == "localizations":
                    columns = message.arrays
                    published += zip(columns["frame"].tolist(), columns["x"].tolist(), strict=True)
        workers = workers_of(psutil.Process(process.pid))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        until(lambda: not any(worker.is_running() for worker in workers))
    return published


def test_a_full_disk_ends_the_run_with_a_valid_record(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run = f"{COMMAND} run --source {SOURCE} --out {folder} --ring-mb 0.25 --json"
    limited = f"ulimit -f 300; exec {run}"  # KB, for every file alike
    answer = subprocess.run(
        ["/bin/bash", "-c", limited], capture_output=True, text=True, check=False, timeout=100
    )
    assert answer.returncode == 1, answer.stderr
    said = json.loads(answer.stdout)
    assert said["finish"] == "errored"
    assert "cannot be stored" in said["reason"]
    assert said["captured"] == said["localized"] + said["deferred"] + said["shed"]
    log = read_log(folder)
    assert sum(stop - first for first, stop in log.covered) == said["localized"] > 0
    assert read_run(folder)["frames"]["localized"] == said["localized"]
    assert any(event["what"] == "store failed" for event in read_events(folder))


def test_a_micro_manager_that_dies_ends_the_run_with_its_reason(tmp_path: Path) -> None:
    folder, port = tmp_path / "run", _free_port()
    double = [sys.executable, "-m", "live_smlm.testing.mm_server", "--port", str(port)]
    camera = f"micromanager:backend=java,port={port},exposure_ms=10"
    words = ("--camera", "scmos", "--psf", "gaussian:sigma_nm=130", "--json")
    with subprocess.Popen(double, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            server.stdout.readline()
            arguments = ("run", "--source", camera, *words, "--out", str(folder))
            with command(*arguments) as process:
                until(lambda: len(list(folder.glob("localizations-*.arrows"))))
                server.kill()
                output, errors = process.communicate(timeout=60)
        finally:
            server.kill()
    said = json.loads(output)
    assert said["finish"] == "errored", errors
    assert said["reason"].startswith("source: ")
    assert process.returncode == 1
    assert 0 < said["captured"] == said["localized"] + said["deferred"] + said["shed"]
    assert read_events(folder)[-1]["what"] == "errored"


@pytest.mark.parametrize(("presses", "finish"), [(1, "stopped"), (2, "canceled")])
def test_ctrl_c_leaves_a_valid_run(presses: int, finish: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    source = f"{SOURCE},rate_hz=50"
    arguments = ("run", "--source", source, "--out", str(folder), "--json")
    with command(*arguments, start_new_session=True) as process:
        until(lambda: len(list(folder.glob("localizations-*.arrows"))))
        for _ in range(presses):
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does: workers hear it, too
            time.sleep(0.08)  # by hand; what comes at once is one press
        output, errors = process.communicate(timeout=60)
    said = json.loads(output)
    assert said["finish"] == finish, errors
    assert said["captured"] == said["localized"] + said["deferred"] + said["shed"]
    assert read_run(folder)["finish"] == finish
    assert presses == 2 or said["captured"] == said["localized"]
    assert not [e for e in read_events(folder) if e["what"] == "worker died"]
    assert 0 < said["captured"] < FRAMES


def test_strangers_at_the_hub_get_nothing() -> None:
    heard: list[int] = []

    def knock(running: Session) -> None:
        with (
            zmq.Context() as context,
            connected(context, zmq.DEALER, running.addresses[0], None, b"stranger/0") as socket,
        ):
            send(socket, Envelope("hello", {"sees_ring": False}))
            send(socket, Envelope("hello", {"sees_ring": True, "token": "guessed"}))
            send(socket, Envelope("alive"))
            send(socket, Envelope("ready"))
            send(socket, Envelope("answer", {"chunk": 0, "error": "sabotage"}))
            heard.append(socket.poll(300))

    found, outcome = localized(knock)
    assert heard == [0]
    assert outcome.tally.localized == FRAMES
    assert len(found)
