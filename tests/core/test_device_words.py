"""Devices in words."""

import pytest

from live_smlm.core import CPU, Device, InputError, read_device


@pytest.mark.parametrize(
    ("text", "device"),
    [("cpu", CPU), ("cuda", Device("cuda", 0)), (" cuda:3 ", Device("cuda", 3))],
)
def test_words_become_a_device_and_back(text: str, device: Device) -> None:
    assert read_device(text) == device
    assert read_device(str(device)) == device


@pytest.mark.parametrize("text", ["", "gpu", "cpu:1", "cuda:", "cuda:-1", "cuda:1000", "auto"])
def test_other_words_are_refused_with_the_cure(text: str) -> None:
    with pytest.raises(InputError, match=r"give cpu, cuda, cuda:N or auto"):
        read_device(text)


def test_an_engine_that_knows_no_gpu_is_served_by_the_processor() -> None:
    gpu = Device("cuda", 1)
    assert gpu.serving(("cpu", "cuda")) == gpu
    assert gpu.serving(("cpu",)) == CPU
