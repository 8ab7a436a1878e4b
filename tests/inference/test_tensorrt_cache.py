"""Plans on disk: found again, never mistaken, built anew when damaged."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from live_smlm.inference.tensorrt_cache import PlanCache, PlanKey, user_cache

KEY = PlanKey(
    onnx_sha256="ab" * 32,
    runtime="tensorrt",
    version="11.4.0",
    gpu="NVIDIA RTX A4000",
    capability=(8, 6),
    driver="580.1",
    shapes={"frames": (4, 256, 256)},
    precision="fp16",
)
PLAN = bytes(range(256)) + b"\nplan\n"


@dataclass
class Builder:
    plan: bytes = PLAN
    built: int = 0

    def __call__(self) -> bytes:
        self.built += 1
        return self.plan


@pytest.fixture
def cache(tmp_path: Path) -> PlanCache:
    return PlanCache(tmp_path / "deep" / "plans")


def test_a_plan_is_built_once_and_found_again(cache: PlanCache) -> None:
    build = Builder()
    assert cache.plan(KEY, build) == PLAN
    assert PlanCache(cache.folder).plan(KEY, build) == PLAN
    assert build.built == 1
    assert [p.name for p in cache.folder.iterdir()] == [f"{KEY.digest}.plan"]


@pytest.mark.parametrize(
    "other",
    [
        {"onnx_sha256": "cd" * 32},
        {"runtime": "tensorrt-rtx"},
        {"version": "11.4.1"},
        {"gpu": "NVIDIA RTX A5000"},
        {"capability": (8, 9)},
        {"driver": "590.0"},
        {"shapes": {"frames": (4, 256, 512)}},
        {"shapes": {"features": (4, 256, 256)}},
        {"precision": "fp32"},
    ],
    ids=str,
)
def test_whatever_it_depends_on_makes_another_plan(cache: PlanCache, other: dict[str, Any]) -> None:
    build = Builder()
    cache.plan(KEY, build)
    cache.plan(replace(KEY, **other), build)
    assert build.built == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "cannot be read"),
        (b"[]\nplan", "cannot be read"),
        (b"{}\nplan", "cannot be read"),
        (b"\xff\xfe\n", "cannot be read"),
    ],
)
def test_what_is_no_plan_is_built_again_and_said(
    cache: PlanCache, content: bytes, reason: str
) -> None:
    build = Builder()
    cache.plan(KEY, build)
    cache.path(KEY).write_bytes(content)
    with pytest.warns(UserWarning, match=f"{reason}; it is built again"):
        assert cache.plan(KEY, build) == PLAN
    assert cache.plan(KEY, build) == PLAN
    assert build.built == 2


@pytest.mark.parametrize("at", [5, -1])
def test_a_single_wrong_byte_is_noticed(cache: PlanCache, at: int) -> None:
    cache.keep(KEY, PLAN)
    content = bytearray(cache.path(KEY).read_bytes())
    content[at] ^= 1
    cache.path(KEY).write_bytes(content)
    with pytest.warns(UserWarning, match="it is built again"):
        assert cache.kept(KEY) is None


def test_a_plan_under_anothers_name_is_noticed(cache: PlanCache) -> None:
    other = replace(KEY, driver="1")
    cache.keep(other, PLAN)
    cache.path(other).rename(cache.path(KEY))
    with pytest.warns(UserWarning, match="is of another GPU, driver, version or network"):
        assert cache.kept(KEY) is None


def test_a_build_that_fails_leaves_nothing(cache: PlanCache) -> None:
    def broken() -> bytes:
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError, match="no memory"):
        cache.plan(KEY, broken)
    assert cache.kept(KEY) is None
    assert not cache.folder.exists()


def test_compiled_kernels_lie_beside_their_plan(cache: PlanCache) -> None:
    assert cache.kernels(KEY) is None
    cache.keep_kernels(KEY, b"kernels")
    assert cache.kernels(KEY) == b"kernels"
    assert cache.kernels(replace(KEY, driver="1")) is None


def test_the_users_cache_can_be_put_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVE_SMLM_CACHE", str(tmp_path))
    assert user_cache().folder == tmp_path / "plans"
    monkeypatch.delenv("LIVE_SMLM_CACHE")
    assert "live-smlm" in user_cache().folder.parts
