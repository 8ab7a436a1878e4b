"""What a run is judged by, as its configuration says."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from live_smlm.config import RunConfig
from live_smlm.core import FrameSource, InputError, Stage
from live_smlm.feedback import rules
from live_smlm.feedback.rules import StopSettings, stop_settings
from live_smlm.feedback.rules_words import All, Either, EveryRoi, Limit, Rule
from live_smlm.pipeline.desk import Archive
from live_smlm.session.analysis import Aims, Analysis, prepare
from live_smlm.session.analyst import Analyst
from live_smlm.session.plan import Control
from live_smlm.session.recentre import Axes, Recentre, read_axes
from live_smlm.session.regions import read_regions
from live_smlm.store.quality import QualityLog

_RESOLUTIONS = frozenset({"frc_nm", "frc_halfbit_nm", "resolution_nm", "nyquist_nm"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """What is to be found out, and what ends the run."""

    aims: Aims = field(default_factory=Aims)
    stop: StopSettings | None = None
    """None: nothing stops it but time, frames and people."""
    recentre_nm: float | None = None
    """Drift at which the stage takes the sample back; None: never."""
    axes: Axes = field(default_factory=Axes)


def judging_of(run: RunConfig) -> Judging | None:
    """As the configuration says; None where it is not to be judged."""
    if not run.judge:
        return None
    stop = None
    if run.stop is not None:
        stop = stop_settings(
            run.stop,
            least_frames=run.stop_after,
            in_a_row=run.stop_checks,
            dry_run=run.stop_dry_run,
        )
    regions = read_regions(run.regions or "")
    if stop is not None and not regions and any(_roi_wise(stop.rule)):
        raise InputError(
            f"stop rule {run.stop!r} asks for every roi and there is none; say regions, "
            "or drop 'in every roi'"
        )
    target = None if stop is None else min(_resolutions(stop.rule), default=None)
    return Judging(
        aims=Aims(regions=regions, target_nm=target, drift=run.drift),
        stop=stop,
        recentre_nm=run.recentre_nm,
        axes=read_axes(run.stage_axes),
    )


def analyst_of(
    judging: Judging,
    source: FrameSource,
    archive: Archive,
    log: QualityLog,
    control: Control,
    *,
    alone: bool,
) -> Analyst:
    """The judge of a run that is to begin; `alone`: its engine looks at each frame alone."""
    info = source.info
    recentre = None
    if judging.recentre_nm is not None:
        if not isinstance(source, Stage):
            raise InputError(
                f"recentre_nm is {judging.recentre_nm:g}, but {info.name} has no stage"
            )
        source.position()  # refused where there is none
        recentre = Recentre(source, judging.recentre_nm, judging.axes)
    prepare(info.camera)
    analysis = Analysis(info.camera, info.frame_interval_s, judging.aims, alone)
    rule = None if judging.stop is None else rules.start(judging.stop)
    return Analyst(archive, analysis, control, log, rule=rule, recentre=recentre)


def _resolutions(rule: Rule) -> Iterator[float]:
    """The resolutions that a rule asks for, nm."""
    if isinstance(rule, Limit):
        if rule.quantity.name in _RESOLUTIONS:
            yield rule.goal
    elif isinstance(rule, EveryRoi):
        yield from _resolutions(rule.rule)
    elif isinstance(rule, (All, Either)):
        for part in rule.parts:
            yield from _resolutions(part)


def _roi_wise(rule: Rule) -> Iterator[bool]:
    if isinstance(rule, EveryRoi):
        yield True
    elif isinstance(rule, (All, Either)):
        for part in rule.parts:
            yield from _roi_wise(part)
