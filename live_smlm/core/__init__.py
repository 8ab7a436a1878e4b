"""The language of the house: what crosses from one room to another. numpy only.

Units are nm, photons, seconds, frames. The origin is the outer corner of
pixel (0, 0); x along columns, y along rows, z away from the objective.
"""

from live_smlm.core.actuator import Actuator, Safeguard, Stage
from live_smlm.core.arrays import F32, F64, I16, I32, I64, AnyArray, Bool, RawPixels
from live_smlm.core.camera import CameraModel
from live_smlm.core.device import CPU, Device, read_device
from live_smlm.core.drift import STILL, DriftCurve, drift_curve
from live_smlm.core.engine import (
    Choosing,
    DeviceKind,
    Engine,
    EngineContext,
    EngineSpec,
    described,
    envelope_in,
)
from live_smlm.core.errors import InputError, require
from live_smlm.core.feedback import Order, Stop, Will, read_order
from live_smlm.core.frames import FrameBatch, RoiBatch
from live_smlm.core.localizations import COLUMNS, Localizations, concatenate, empty, from_columns
from live_smlm.core.metric import Checkpoint, History
from live_smlm.core.psf import PSF, PsfImage
from live_smlm.core.reconstruction import Reconstruction
from live_smlm.core.side import SideChannel
from live_smlm.core.source import (
    FrameSource,
    LiveSource,
    SourceFault,
    SourceStatus,
    StreamInfo,
)

__all__ = [
    "COLUMNS",
    "CPU",
    "F32",
    "F64",
    "I16",
    "I32",
    "I64",
    "PSF",
    "STILL",
    "Actuator",
    "AnyArray",
    "Bool",
    "CameraModel",
    "Checkpoint",
    "Choosing",
    "Device",
    "DeviceKind",
    "DriftCurve",
    "Engine",
    "EngineContext",
    "EngineSpec",
    "FrameBatch",
    "FrameSource",
    "History",
    "InputError",
    "LiveSource",
    "Localizations",
    "Order",
    "PsfImage",
    "RawPixels",
    "Reconstruction",
    "RoiBatch",
    "Safeguard",
    "SideChannel",
    "SourceFault",
    "SourceStatus",
    "Stage",
    "Stop",
    "StreamInfo",
    "Will",
    "concatenate",
    "described",
    "drift_curve",
    "empty",
    "envelope_in",
    "from_columns",
    "read_device",
    "read_order",
    "require",
]
