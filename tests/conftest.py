"""No test may leave a thread, a socket, shared memory or a child process behind."""

import gc
import os
import threading
import time
from collections.abc import Iterator
from multiprocessing import resource_tracker
from pathlib import Path

import psutil
import pytest

pytest_plugins = ["live_smlm.testing.screen", "live_smlm.testing.spots"]
PATIENCE_S = 2.0

ALONE = {"view", "render"}
"""Rooms whose tests share one screen: mouse, keyboard and OpenGL want one at a time."""

# Python's own helper process for shared memory starts once and stays.
resource_tracker.ensure_running()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what is not to run beside other tests."""
    if item.path.relative_to(Path(__file__).parent).parts[0] in ALONE:
        item.add_marker("alone")


def _held() -> dict[str, set[str]]:
    """What this process holds that a test must give back."""
    process = psutil.Process()
    shared = Path("/dev/shm")  # noqa: S108 - listed, never written
    return {
        "thread": {f"{t.name} ({t.ident})" for t in threading.enumerate()},
        "socket": {str(c) for c in process.net_connections(kind="all")},
        "child process": {str(child.pid) for child in process.children(recursive=True)},
        "shared memory": {f.name for f in shared.glob(f"live_smlm_{os.getpid()}_*")},
    }


def _leaks(before: dict[str, set[str]]) -> dict[str, set[str]]:
    after = _held()
    return {kind: left for kind in before if (left := after[kind] - before[kind])}


@pytest.fixture(autouse=True)
def _fail_on_leaks() -> Iterator[None]:
    before = _held()
    yield
    deadline = time.monotonic() + PATIENCE_S
    while leaks := _leaks(before):
        gc.collect()
        if time.monotonic() > deadline:
            pytest.fail(f"left behind: {leaks}")
        time.sleep(0.02)


@pytest.fixture
def shared_data() -> Path:
    """Real frames from other labs, where they lie beside the checkout."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real frames of ../shared/data are not here")
    return folder
