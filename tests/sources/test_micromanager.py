"""Micro-Manager's demo camera as a source: the real core, in this process."""

import ast
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from live_smlm.core import (
    CameraModel,
    FrameBatch,
    FrameSource,
    InputError,
    LiveSource,
    SourceFault,
    options,
)
from live_smlm.sources import micromanager, mm_errors
from live_smlm.sources.micromanager import MicroManagerSource, connected
from live_smlm.sources.mm_settings import MicroManager, Region
from live_smlm.testing.source import SourceContract

FAST = {"Camera.FastImage": 1, "Camera.OnCameraCCDXSize": 80, "Camera.OnCameraCCDYSize": 64}


def camera_for(shape: tuple[int, int]) -> CameraModel:
    return CameraModel(shape=shape, pixel_size_nm=100.0)


def until_fault(stream: Iterator[FrameBatch], taken: list[FrameBatch]) -> str:
    """Take all frames; why it ended."""
    try:
        taken.extend(stream)
    except SourceFault as fault:
        return str(fault)
    return "it ended without a fault"


def settings(**changed: object) -> MicroManager:
    told: dict[str, object] = {"buffer_mb": 16, "exposure_ms": 2.0, "properties": FAST}
    return MicroManager(**{**told, **changed})  # type: ignore[arg-type] # the fields' own types


def numbers(batches: list[FrameBatch]) -> list[int]:
    return [int(i) for batch in batches for i in batch.index]


@pytest.fixture
def camera() -> Iterator[MicroManagerSource]:
    with connected(settings(), camera_for) as source:
        yield source


class TestContract(SourceContract):
    @pytest.fixture
    def source(self) -> Iterator[FrameSource]:
        with connected(settings(frames=60), camera_for) as source:
            yield source

    @pytest.mark.skip(reason="a camera does not repeat itself")
    def test_opening_again_gives_the_same_frames(self, source: FrameSource) -> None:
        pass


def test_what_it_is_is_told_before_the_first_frame(camera: MicroManagerSource) -> None:
    live: LiveSource = camera
    assert live.info.name == "Micro-Manager DemoCamera 'Camera'"
    assert live.info.camera.shape == (64, 80)
    assert live.info.frame_interval_s == 0.002
    assert live.info.expected_frames is None
    assert not live.info.simulated
    assert not live.info.can_wait
    assert live.status().frames == 0


def test_frames_have_no_gaps_and_the_cameras_times(camera: MicroManagerSource) -> None:
    with camera.open() as stream:
        batches = []
        for batch in stream:
            batches.append(batch)
            if batch.index[-1] >= 100:
                camera.stop()
    index = numbers(batches)
    assert index == list(range(len(index)))
    times = np.concatenate([batch.time_s for batch in batches])
    assert (np.diff(times) > 0).all()
    assert times[-1] - times[0] >= 0.9 * 0.002 * (len(times) - 1)
    status = camera.status()
    assert (status.frames, status.lost, status.overflowed) == (len(index), 0, False)


def test_stop_from_another_thread_drains_the_buffer(camera: MicroManagerSource) -> None:
    with camera.open() as stream:
        next(stream)
        time.sleep(0.1)  # the buffer fills
        stopper = threading.Thread(target=camera.stop)
        stopper.start()
        stopper.join()
        rest = numbers(list(stream))
    assert rest == list(range(rest[0], rest[0] + len(rest)))
    assert len(rest) > 10, "frames that were taken before the stop come"
    assert camera.status().lost == 0


def test_it_can_be_opened_again_and_numbers_begin_at_0(camera: MicroManagerSource) -> None:
    for _ in range(2):
        with camera.open() as stream:
            assert next(stream).index[0] == 0


def test_two_openings_at_once_are_refused(camera: MicroManagerSource) -> None:
    with (
        camera.open() as stream,
        pytest.raises(InputError, match="is streaming already"),
        camera.open(),
    ):
        pass
    assert next(stream, None) is None


def test_a_slow_reader_and_a_tiny_buffer_overflow_and_keep_what_came_before() -> None:
    large = {**FAST, "Camera.OnCameraCCDXSize": 512, "Camera.OnCameraCCDYSize": 512}
    with connected(settings(buffer_mb=4, exposure_ms=1.0, properties=large), camera_for) as source:
        taken: list[FrameBatch] = []
        with source.open() as stream:
            taken.append(next(stream))
            time.sleep(0.1)  # longer than the buffer's 8 frames take
            why = until_fault(stream, taken)
        index = numbers(taken)
        assert index == list(range(len(index)))
        assert len(index) >= 8
        assert f"buffer of 8 frames was full after frame {index[-1]}" in why
        assert source.status().overflowed
        with source.open() as stream:  # the camera is not lost
            assert next(stream).index[0] == 0


def test_devices_are_set_and_read_while_it_streams(camera: MicroManagerSource) -> None:
    with camera.open() as stream:
        next(stream)
        camera.set("Camera.Gain", 3)
        assert camera.get("Camera.Gain") == "3"
        camera.set_exposure(5.0)
        assert camera.exposure() == 5.0
        camera.move(10.0, -20.0)
        assert next(stream).index[0] > 0


def test_a_move_of_the_stage_moves_the_image_by_as_much() -> None:
    beads = {"Camera.Mode": "Fluorescent Beads", "Camera.BeadDensity": 200, "XY.Velocity": 1e6}
    with connected(
        settings(properties={**beads, "Camera.BeadBrightness": 8}), camera_for
    ) as source:
        frames = []
        with source.open() as stream:
            for x_um, y_um in ((255.0, 255.0), (261.0, 252.0)):
                source.move(x_um, y_um)
                last = next(stream).index[-1] + 3
                frames.append(next(b for b in stream if b.index[-1] > last).pixels[-1].astype(int))
    # 1 um a pixel; the stage steps by 15 nm, so it stands exactly at multiples of 3 um.
    here, there = frames[0][:-3, 6:], frames[1][3:, :-6]
    assert here.max() > 1000
    assert np.abs(here - there).max() <= 1, "but for the rounding of the camera"
    assert np.abs(frames[0] - frames[1]).max() > 1000


def test_a_setting_that_changes_the_frames_is_seen() -> None:
    with connected(settings(), camera_for) as source, source.open() as stream:
        before = next(stream)
        assert before.pixels.shape[1:] == (64, 80)
    with connected(settings(roi="32x16+8+4", binning="1"), camera_for) as source:
        assert source.info.camera.shape == (16, 32)
        assert source.description.corner == (4, 8)
        with source.open() as stream:
            assert next(stream).pixels.shape[1:] == (16, 32)
    with connected(settings(binning="2"), camera_for) as source:
        assert source.info.camera.shape == (32, 40)


def test_eight_bit_cameras_give_eight_bits() -> None:
    grey = settings(properties={**FAST, "Camera.PixelType": "8bit"})
    with connected(grey, camera_for) as source, source.open() as stream:
        assert next(stream).pixels.dtype == np.uint8


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"properties": {"Camera.Gian": 1}}, "'Camera' has no property 'Gian'; it has Gain"),
        ({"properties": {"Laser.Power": 1}}, "'Laser.Power' names no device; give Device.Prop"),
        ({"properties": {"Camera.Gain": 99}}, "does not take Gain = 99; give -5 to 8"),
        ({"properties": {"Camera.PixelType": "12bit"}}, "choose one of 16bit, 32bit"),
        ({"properties": {"Camera.PixelType": "32bitRGB"}}, "set one channel, grey, 8 or 16 bits"),
        ({"binning": "3"}, "does not take Binning = 3; choose one of 1, 2, 4, 8"),
        ({"config": Path("absent.cfg")}, "absent.cfg does not exist"),
        ({"adapters": Path("here")}, "there is no config; give both, or neither"),
    ],
)
def test_wrong_settings_are_named_in_one_line(changed: dict[str, object], message: str) -> None:
    with (
        pytest.raises(InputError, match=message) as caught,
        connected(settings(**changed), camera_for),
    ):
        pass
    assert "\n" not in str(caught.value)


def test_after_a_refused_core_the_next_one_works(tmp_path: Path) -> None:
    config = tmp_path / "wrong.cfg"
    config.write_text("Device,Cam,NoSuchAdapter,Cam\nProperty,Core,Initialize,1\n")
    with (
        pytest.raises(InputError, match="holds no device adapters"),
        connected(settings(config=config), camera_for),
    ):
        pass
    import mm_test_adapters  # noqa: PLC0415 - its folder is wanted here only

    adapters = Path(mm_test_adapters.device_adapter_path())
    with (
        pytest.raises(InputError, match=r"wants the device adapter 'NoSuchAdapter', which .*libs"),
        connected(settings(config=config, adapters=adapters), camera_for),
    ):
        pass
    with connected(settings(), camera_for) as source, source.open() as stream:
        assert len(next(stream)) > 0


def test_a_second_core_in_one_process_is_refused(camera: MicroManagerSource) -> None:
    with (
        pytest.raises(InputError, match="a Micro-Manager core is open in this process already"),
        connected(settings(), camera_for),
    ):
        pass
    with camera.open() as stream:
        assert len(next(stream)) > 0


def test_a_camera_model_of_another_region_is_refused() -> None:
    with (
        pytest.raises(InputError, match="reads 64x80 pixels but the camera model is 9x9"),
        connected(settings(), camera_for((9, 9))),
    ):
        pass


def test_interface_numbers_that_differ_become_one_plain_sentence() -> None:
    said = OSError(
        'Line 7: Device,DHub,DemoCamera,DHub\nFailed to load device adapter "DemoCamera" from '
        '"x" [ Incompatible device interface version (MMCore requires 74; device adapter has 75) ]'
    )
    told = str(mm_errors.config_refused(said, Path("a.cfg"), Path("/mm")))
    assert told == (
        "/mm has device adapters of interface 75 but the installed pymmcore speaks interface 74; "
        "install one for them: pip install 'pymmcore==*.*.*.75.*'"
    )


@pytest.mark.parametrize(
    ("roi", "region"),
    [("64x32+8+4", Region(8, 4, 64, 32)), ([8, 4, 64, 32], Region(8, 4, 64, 32)), (None, None)],
)
def test_regions_are_said_as_text_or_numbers(roi: str | list[int], region: Region | None) -> None:
    assert MicroManager(roi=roi).region == region


def test_properties_are_said_as_text_or_a_table() -> None:
    kind, said = options.parse("micromanager:properties=Camera.Gain:3/Camera.Mode: a:b", "source")
    assert kind == "micromanager"
    told = options.build(MicroManager, said, "source")
    assert told.preset == {"Camera.Gain": "3", "Camera.Mode": "a:b"}
    assert MicroManager(properties={"Camera.Gain": 3}).preset == {"Camera.Gain": 3}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"properties": "Gain:3"}, "properties has 'Gain:3'; write Device.Property:value"),
        ({"properties": "Camera.Gain"}, "properties has 'Camera.Gain'; write"),
        ({"properties": "C.G:1/C.G:2"}, "properties says 'C.G' twice"),
        ({"roi": "64x32"}, "roi is '64x32'; give WIDTHxHEIGHT"),
        ({"roi": "0x32+1+1"}, r"roi is 0x32\+1\+1"),
        ({"roi": [1, 2, 3]}, "give .x, y, width, height."),
        ({"backend": "c++"}, "backend is 'c\\+\\+'; choose one of python, java"),
        ({"frames": 0}, "frames is 0"),
        ({"exposure_ms": -1.0}, "exposure_ms is -1"),
        ({"port": 70000}, "port is 70000"),
        ({"backend": "java", "config": Path("x.cfg")}, "config and adapters are for backend py"),
    ],
)
def test_settings_that_cannot_be_are_refused(changed: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        settings(**changed)


def test_a_program_that_fails_while_streaming_leaves_without_noise() -> None:
    program = (
        "from live_smlm.core import CameraModel\n"
        "from live_smlm.sources.micromanager import connected\n"
        "from live_smlm.sources.mm_settings import MicroManager\n"
        "model = lambda shape: CameraModel(shape=shape, pixel_size_nm=100.0)\n"
        "try:\n"
        "    with connected(MicroManager(buffer_mb=16), model) as s, s.open() as stream:\n"
        "        next(stream)\n"
        "        raise InterruptedError\n"
        "except InterruptedError:\n"
        "    print('left')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("left\n", "")


def test_one_module_imports_pycromanager_and_only_when_needed() -> None:
    room = Path(micromanager.__file__).parent
    importing = {
        file.name
        for file in room.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in [getattr(node, "module", None) or "", *(a.name for a in node.names)]
        if name.split(".")[0] in {"pycromanager", "mmpycorex", "pyjavaz", "pymmcore"}
    }
    assert importing == {"micromanager.py"}
    program = (
        "import sys, live_smlm.sources.specimen, live_smlm.sources.recorded\n"
        "print({'pycromanager', 'pymmcore', 'zarr', 'mm_test_adapters'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "set()\n"
