"""How accurate every engine is on the standard sets: `python bench/accuracy.py`.

Each movie is simulated once and goes through every engine that is installed and
supports it, opened as `live-smlm localize` opens it. Speeds are frames per second of
processor time, or of the clock with `--device cuda`; OMP_NUM_THREADS=1 gives those of
one thread. `python bench/sets.py` describes the sets. Exit code 1 if the flagship
misses a gate.

    python bench/accuracy.py --engine gauss-mle --engine glint --sets 'astigmatic/*'
    python bench/accuracy.py --engine decode --kept bench/results/accuracy-glint.json
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from itertools import groupby
from math import isfinite
from pathlib import Path
from typing import Any, TypeAlias

from live_smlm.core import (
    Device,
    EngineContext,
    FrameBatch,
    Localizations,
    read_device,
    require,
)
from live_smlm.core.files import replacing
from live_smlm.engines import registry
from live_smlm.engines.chain import Chain
from live_smlm.evaluate import isolated, standard
from live_smlm.evaluate.comparison import FLAGSHIP, Comparison, Row
from live_smlm.evaluate.isolated import IsolatedSet
from live_smlm.evaluate.precision import Estimate
from live_smlm.evaluate.standard import PSFS, TEST_SEEDS, TUNING_SEEDS, StandardSet
from live_smlm.evaluate.trial import Localize, chunks, run

AnySet: TypeAlias = StandardSet | IsolatedSet
Opened: TypeAlias = dict[str, tuple[Localize, tuple[int, int]]]
QUICK_FRAMES = 4
WARM_FRAMES = 4
STANDARD, ALONE = ("low", "high"), ("pulse", "blink")


def installed() -> list[str]:
    """Engines that make molecules of frames, each with its own options."""
    engines = []
    for listing in registry.listing():
        if listing.name == "null" or listing.missing:
            continue
        spec = registry.engine(listing.name).spec
        if spec.consumes is FrameBatch and spec.produces is Localizations:
            engines.append(listing.name)
    return sorted(engines, key=lambda name: name != registry.DEFAULT)


class Contest:
    """What has been run so far: rows, arithmetic, and who could not serve what."""

    def __init__(
        self, engines: Sequence[str], seeds: Sequence[int], device: Device, *, quick: bool
    ) -> None:
        self.rows: list[Row] = []
        self.macs: dict[str, float | None] = dict.fromkeys(engines)
        self.skipped: dict[str, str] = {}
        self._seeds, self._frames = seeds, QUICK_FRAMES if quick else None
        self._device = device
        self._clock = time.process_time if device.kind == "cpu" else time.perf_counter

    def run(self, sets: Sequence[AnySet]) -> None:
        """All engines on sets that share a camera and a PSF."""
        with ExitStack() as stack:
            opened = self._opened(stack, sets[0])
            for one in sets:
                for seed in self._seeds:
                    self.rows += self._compared(one, seed, opened)
                print(f"{one.name:<32} done", file=sys.stderr, flush=True)

    def _opened(self, stack: ExitStack, first: AnySet) -> Opened:
        opened: Opened = {}
        warm = first.movie(TUNING_SEEDS[0], WARM_FRAMES).frames
        for text in self.macs:
            chain = registry.chain(text)
            device = self._device.serving(chain.spec.devices)
            context = EngineContext(
                camera=first.camera, psf=first.psf, device=device.kind, device_index=device.index
            )
            if (reason := chain.unsupported(context)) is not None:
                self.skipped[f"{text} on {first.psf_name}, {first.camera_name}"] = reason
                continue
            self._count(text, chain, context)
            opened[text] = stack.enter_context(chain.open(context)), chain.spec.halo
            for part in chunks(warm, chain.spec.halo):
                opened[text][0](part)
        return opened

    def _count(self, text: str, chain: Chain, context: EngineContext) -> None:
        """Multiply-adds per pixel of the bundle, where the engine runs one."""
        for engine in chain.engines:
            if (bundle := getattr(engine, "bundle", None)) is not None:
                macs = bundle(context).manifest.macs_per_pixel
                self.macs[text] = max(self.macs[text] or 0.0, macs)

    def _compared(self, one: AnySet, seed: int, opened: Opened) -> Iterator[Row]:
        movie = one.movie(seed, self._frames)
        for text, (localize, halo) in opened.items():
            trial = run(localize, movie.frames, halo, self._clock)
            yield Row(
                engine=text,
                set_name=one.name,
                seed=seed,
                frames=len(movie.frames),
                seconds=trial.seconds,
                values=one.judge(trial.found, movie),
            )


def kept(path: Path, seeds: Sequence[int], contest: Contest) -> list[Row]:
    """The rows of an earlier run that are not run again; their speeds compare with nothing here."""
    table = json.loads(path.read_text(encoding="utf-8"))
    require(
        table["seeds"] == list(seeds),
        f"{path} holds seeds {table['seeds']}, not {list(seeds)}; compare on the same movies",
    )
    for engine, macs in table["macs_per_pixel"].items():
        contest.macs.setdefault(engine, macs)
    done = {(row.engine, row.set_name) for row in contest.rows}
    rows = [Row(**{**row, "seconds": 0.0}) for row in table["rows"]]
    return [row for row in rows if (row.engine, row.set_name) not in done]


def chosen(patterns: Sequence[str]) -> list[AnySet]:
    """Sets by patterns of their names; those with one camera and PSF stand together."""
    sets: dict[AnySet, None] = {}
    for pattern in patterns:
        sets |= dict.fromkeys((*standard.named(pattern), *isolated.named(pattern)))
    require(bool(sets), f"no set is named as {' or '.join(patterns)}; see bench/sets.py")
    return sorted(sets, key=_group)


def _group(one: AnySet) -> tuple[int, bool, str]:
    return list(PSFS).index(one.psf_name), isinstance(one, IsolatedSet), one.camera_name


def cell(value: Estimate | None, digits: int, width: int) -> str:
    if value is None:
        return f"{'-':>{width}}"
    bar = f" ±{value.standard_error:.{digits}f}" if isfinite(value.standard_error) else ""
    return f"{f'{value.value:.{digits}f}{bar}':>{width}}"


def rate(value: float | None, width: int) -> str:
    return f"{'-' if value is None else format(value, '.3g'):>{width}}"


def table(told: Comparison, kinds: Sequence[str], columns: Sequence[tuple[str, str, int]]) -> None:
    """Every set and engine: means over seeds and their standard errors."""
    names = "".join(f"{title:>15}" for _, title, _ in columns)
    print(f"\n{'set':<32}{'engine':<22}{names}{'frames/s':>10}{'x gauss-mle':>13}")
    for name in told.sets(*kinds):
        for engine in told.engines:
            if not told.of(engine, name):
                continue
            cells = "".join(cell(told.mean(engine, name, v), d, 15) for v, _, d in columns)
            speed, ratio = told.speed(engine, [name]), told.relative_speed(engine, [name])
            print(f"{name:<32}{engine:<22}{cells}{rate(speed, 10)}{rate(ratio, 13)}")


def summary(told: Comparison) -> None:
    """Engines by PSF: means over signals and cameras."""
    shown = [(k, "efficiency", 1) for k in STANDARD]
    shown += [(k, axis, 3) for k in ALONE for axis in "xyz"]
    titles = "".join(f"{f'{k} {v}':>16}" for k, v, _ in shown)
    print(f"\n{'PSF':<14}{'engine':<22}{titles}{'MAC/pixel':>11}{'x gauss-mle':>13}")
    for psf in PSFS:
        sets = [name for name in told.sets(*STANDARD) if name.startswith(f"{psf}/")]
        for engine in told.engines:
            if not any(r.engine == engine and r.kind[0] == psf for r in told.rows):
                continue
            cells = "".join(cell(told.overall(engine, (psf, k), v), d, 16) for k, v, d in shown)
            ratio = told.relative_speed(engine, sets)
            print(f"{psf:<14}{engine:<22}{cells}{rate(told.macs[engine], 11)}{rate(ratio, 13)}")


def verdict(told: Comparison) -> bool:
    """Print what is asked of the flagship; whether all of it is met."""
    gates = told.gates()
    if not gates:
        print(f"\nno gates: {FLAGSHIP} was not run")
    for gate in gates:
        name, margin = gate.least
        share = f"{len(gate.margins) - len(gate.missed)} of {len(gate.margins)}"
        word = "MISSED" if gate.missed else "met"
        print(f"{word:<7} {gate.name}: {share}, least {margin:+.3g} on {name}")
        for missed in gate.missed:
            print(f"{'':<8}{missed}: {gate.margins[missed]:+.3g}")
    return not any(gate.missed for gate in gates)


def keep(path: Path, contest: Contest, seeds: Sequence[int]) -> None:
    answer: dict[str, Any] = {
        "seeds": list(seeds),
        "macs_per_pixel": contest.macs,
        "skipped": contest.skipped,
    }
    rows = ",\n".join(json.dumps(shortened(asdict(row))) for row in contest.rows)
    head = json.dumps(answer, indent=1).removesuffix("\n}")
    with replacing(path) as draft:
        draft.write_text(f'{head},\n "rows": [\n{rows}\n]}}\n', encoding="utf-8")


def shortened(value: Any) -> Any:
    """Six digits of every number."""
    if isinstance(value, dict):
        return {key: shortened(inner) for key, inner in value.items()}
    return float(f"{value:.6g}") if isinstance(value, float) else value


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", action="append", help="name:options; again for more")
    parser.add_argument("--sets", action="append", metavar="PATTERN", help="of names; again")
    parser.add_argument("--seeds", type=int, default=len(TEST_SEEDS), help="movies of each set")
    parser.add_argument("--tuning", action="store_true", help="seeds that are never scored on")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N, for those that can")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep every row there")
    parser.add_argument(
        "--kept", action="append", default=[], type=Path, metavar="FILE", help="of --json; add it"
    )
    parser.add_argument("--quick", action="store_true", help="a few frames; gates do not count")
    options = parser.parse_args()
    known = TUNING_SEEDS if options.tuning else TEST_SEEDS
    most = len(known)
    require(1 <= options.seeds <= most, f"--seeds is {options.seeds}; give 1 to {most}")
    seeds = list(known[: 1 if options.quick else options.seeds])
    engines, device = options.engine or installed(), read_device(options.device)
    contest = Contest(engines, seeds, device, quick=options.quick)
    for _, sets in groupby(chosen(options.sets or ["*"]), key=_group):
        contest.run(list(sets))
    for path in options.kept:
        contest.rows += kept(path, seeds, contest)
    told = Comparison(contest.rows, contest.macs)
    print("seeds", *seeds)
    report(told)
    for what, reason in contest.skipped.items():
        print(f"skipped {what}: {reason}")
    if options.json:
        keep(options.json, contest, seeds)
    return 0 if verdict(told) or options.quick else 1


def report(told: Comparison) -> None:
    """All tables."""
    errors = [("rmse_lateral_nm", "lateral nm", 1), ("rmse_axial_nm", "axial nm", 1)]
    gains = [(f"efficiency{e}", f"eff{e.replace('_', ' ')}", 1) for e in ("_lateral", "_axial", "")]
    pulls = [(f"pull_std_{axis}", f"pull {axis}", 2) for axis in "xyz"]
    table(told, STANDARD, [("jaccard", "Jaccard", 3), *errors, *gains, *pulls])
    ratios = [(axis, f"std/CRLB {axis}", 3) for axis in "xyz"]
    honest = [(f"pull {axis}", f"pull {axis}", 2) for axis in "xyz"]
    table(told, ALONE, [("recall", "recall", 3), *ratios, *honest])
    summary(told)


if __name__ == "__main__":
    sys.exit(main())
