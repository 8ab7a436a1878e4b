"""What a run tells of its quality and of its light, for tests of who shows it."""

from typing import Any

_FRC = {
    "condition": "frc < 60 nm",
    "name": "frc_nm",
    "region": "",
    "value": 71.2,
    "low": 68.4,
    "high": 74.9,
    "goal": 60.0,
    "met": False,
    "row": 0,
    "needed": 3,
    "fulfilled": False,
    "frames": {"low": 1500.0, "value": 1800.0, "high": 2400.0},
    "chance": 0.93,
    "limit": "density",
}
_TIME = {
    "condition": "time > 40 s",
    "name": "seconds",
    "region": "",
    "value": 20.0,
    "goal": 40.0,
    "met": False,
    "row": 0,
    "needed": 1,
    "fulfilled": False,
}
DECISION: dict[str, Any] = {
    "frame": 1000,
    "seconds": 20.0,
    "rule": "frc < 60 nm or time > 40 s",
    "fulfilled": False,
    "stops": False,
    "because": "the rule does not hold yet",
    "judged": [_FRC, _TIME],
}
QUALITY: dict[str, Any] = {
    "frame": 1000,
    "seconds": 20.0,
    "values": {"frc_nm": 70.1, "completeness": 0.61, "molecules": 5000.0},
    "forecasts": [
        {
            "name": "frc_nm",
            "goal": 60.0,
            "now": {"low": 68.4, "value": 71.2, "high": 74.9},
            "end": {"low": 38.0, "value": 42.0, "high": 47.0},
            "limit": "density",
        },
        {
            "name": "completeness",
            "now": {"low": 0.57, "value": 0.61, "high": 0.64},
            "end": {"low": 0.9, "value": 0.95, "high": 0.99},
            "limit": "pool",
        },
    ],
    "drift": {"x": -31.2, "y": 12.4, "z": 0.0, "error_nm": [1.2, 1.4, 0.0], "lost": False},
    "regions": {},
    "charts": {
        "frame": [250.0 * n for n in range(1, 5)],
        "frc_nm": [None, 110.0, 84.0, 71.0],
        "completeness": [0.2, 0.38, 0.51, 0.61],
    },
    "rule": "frc < 60 nm or time > 40 s",
    "dry_run": False,
    "held": False,
    "until_frame": None,
    "until_s": None,
    "kind": "going on",
    "left_s": {"low": 10.0, "value": 16.0, "high": 20.0},
    "decision": DECISION,
}
"""In the middle of a run that is to end by its rule."""
LASER: dict[str, Any] = {
    "property": "Laser.Voltage",
    "value": 2.42,
    "mode": "automatic",
    "set_point_per_um2": 0.2,
    "dry_run": False,
    "tuned": True,
    "limit": "",
    "failure": None,
}
