from pathlib import Path

import pytest

from live_smlm.config import RunConfig
from live_smlm.core import Actuator, InputError
from live_smlm.pipeline.dispatcher import Overload
from live_smlm.session import Control, RunPlan, Session
from live_smlm.session.folder import run_into
from live_smlm.session.light import read_light
from live_smlm.session.sources import opened
from live_smlm.store.record import Finish, read_events

LASER = "Laser.Voltage"


def acquire(config: RunConfig, out: Path, states: list[dict[str, object]]) -> tuple[str, str]:
    """A run; how it finished, and the laser's value at the end."""
    light = read_light(config.laser)
    with opened(config) as (source, psf):
        sessions: list[Session] = []
        outcome = run_into(
            out,
            source,
            RunPlan(engine="gauss-mle", psf=psf, overload=Overload.THIN, most_frames=config.frames),
            config.as_dict(),
            record_raw=False,
            control=Control(),
            started=sessions.append,
            light=light,
        )
        states.append(dict(sessions[0].state()["laser"]))
        assert isinstance(source, Actuator)
        assert outcome.finish is Finish.COMPLETED
        return outcome.finish.value, source.get(LASER)


def test_the_light_is_turned_while_frames_come_and_safe_afterwards(tmp_path: Path) -> None:
    config = RunConfig(
        source="demo:size=32x32,exposure_ms=4,density=2",
        frames=500,
        laser=f"{LASER}:set_point_per_um2=0.1,highest=10,safe=0.5,every_frames=20",
    )
    states: list[dict[str, object]] = []
    _, value = acquire(config, tmp_path / "run", states)
    assert float(value) == 0.5
    told = [(event["what"], event["detail"]) for event in read_events(tmp_path / "run")]
    turned = [detail for what, detail in told if what == "density control"]
    assert turned
    assert all(detail.startswith(LASER) for detail in turned)
    assert ("laser safe", f"{LASER} is 0.5") in told
    assert states[0]["property"] == LASER
    assert states[0]["failure"] is None


@pytest.mark.parametrize(
    ("laser", "said"),
    [
        ("Laser.Voltage", "write as"),
        ("Laser.Voltage:highest=10", "needs set_point_per_um2"),
        ("Laser.Voltage:set_point_per_um2=0,highest=10", "set_point_per_um2 is 0"),
        ("Laser.Voltage:set_point_per_um2=1,highest=10,speed=3", "'speed'"),
    ],
)
def test_what_is_no_light_is_refused(laser: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        read_light(laser)
    assert said in str(refused.value)


def test_frames_without_devices_have_no_light(tmp_path: Path) -> None:
    config = RunConfig(
        source="simulated:frames=10", laser=f"{LASER}:set_point_per_um2=0.1,highest=10"
    )
    with pytest.raises(InputError, match="without devices"):
        acquire(config, tmp_path / "run", [])
    assert not (tmp_path / "run").exists()
