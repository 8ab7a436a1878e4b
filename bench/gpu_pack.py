"""TensorRT-RTX, and vispy, for a machine with a GPU that reaches no registry.

    python bench/gpu_pack.py pack FOLDER           here: FOLDER/1 and FOLDER/2, 31 MB each
    python bench/gpu_pack.py unpack FOLDER/1 INTO  there, and then the same with FOLDER/2
    python bench/gpu_pack.py pack-vispy FOLDER     here: FOLDER/3, 3 MB, to be unpacked likewise

Two halves, because what travels at a time may be limited. INTO is then to stand
in PYTHONPATH; it also tells this project's engines and networks, uninstalled as
it is there. Packing takes three minutes and 3 GB of memory.
"""

import argparse
import hashlib
import importlib.metadata
import importlib.util
import lzma
import subprocess
import sys
import tomllib
from pathlib import Path

LIBRARIES = ("libtensorrt_rtx.so.1", "libtensorrt_onnxparser_rtx.so.1")
"""In the order in which they are loaded."""
DICTIONARY = 256 * 2**20
DRAWING = ("vispy", "hsluv", "freetype-py")
"""vispy and what it imports; libEGL.so.1 and libGL.so.1 must be there (Debian: libegl1 libgl1)."""
PYTHON = "3.12"
"""Of the machine with the GPU."""
HASH = "sha256"
LOADER = '"""Loads what lies here."""\n\nimport ctypes\nfrom pathlib import Path\n\n'


def pack(folder: Path) -> None:
    """Two halves of everything, compressed."""
    found = importlib.util.find_spec("tensorrt_rtx_libs")
    if found is None or found.origin is None:
        sys.exit("tensorrt-rtx is not installed; pip install tensorrt-rtx")
    libraries = Path(found.origin).parent
    halves = folder / "1", folder / "2"
    for half in halves:
        half.mkdir(parents=True, exist_ok=False)
    for name in LIBRARIES:
        data = (libraries / name).read_bytes()
        packed = compressed(data)
        middle = len(packed) // 2
        (halves[0] / f"{name}.xz.1").write_bytes(packed[:middle])
        (halves[1] / f"{name}.xz.2").write_bytes(packed[middle:])
        (halves[1] / f"{name}.{HASH}").write_text(hashlib.sha256(data).hexdigest())
        print(f"{name}: {len(data) / 1e6:.1f} MB, packed {len(packed) / 1e6:.1f} MB")
    version = importlib.metadata.version("tensorrt_rtx_cu13_bindings")
    download(halves[1], f"tensorrt-rtx-cu13-bindings=={version}")
    for half in halves:
        print(f"{half}: {sum(f.stat().st_size for f in half.iterdir()) / 2**20:.1f} MiB")


def pack_vispy(folder: Path) -> None:
    """What draws; small."""
    into = folder / "3"
    into.mkdir(parents=True, exist_ok=True)
    download(into, *(f"{name}=={importlib.metadata.version(name)}" for name in DRAWING))


def download(into: Path, *wanted: str) -> None:
    """Wheels for the machine with the GPU."""
    platforms = [f"--platform=manylinux_2_{n}_x86_64" for n in (17, 27, 28, 31)]
    platforms += ["--platform=manylinux2014_x86_64", "--platform=manylinux1_x86_64"]
    target = ["--only-binary=:all:", f"--python-version={PYTHON}", "--implementation=cp"]
    pip("download", *target, *platforms, f"--dest={into}", *wanted)


def pip(verb: str, *arguments: str) -> None:
    """Without what a package needs besides."""
    command = [sys.executable, "-m", "pip", verb, "--quiet", "--no-deps", *arguments]
    subprocess.run(command, check=True)  # noqa: S603 - our own pip


def compressed(data: bytes) -> bytes:
    """As small as it gets: machine code, and repetitions far apart."""
    level = 9 | lzma.PRESET_EXTREME
    small = {"id": lzma.FILTER_LZMA2, "preset": level, "dict_size": DICTIONARY}
    return lzma.compress(data, filters=[{"id": lzma.FILTER_X86}, small])


def unpack(half: Path, into: Path) -> None:
    """A half; with the second everything is put together and checked."""
    into.mkdir(parents=True, exist_ok=True)
    for part in half.glob("*.xz.*"):
        (into / part.name).write_bytes(part.read_bytes())
    wheels = [str(path) for path in half.glob("*.whl")]
    if not wheels:
        print(f"{half} is unpacked; the second half is to follow")
        return
    pip("install", "--no-index", f"--target={into}", *wheels)
    tell_entry_points(into)
    if not list(half.glob(f"*.{HASH}")):
        print(f"{half} lies in {into}")
        return
    package = into / "tensorrt_rtx_libs"
    package.mkdir(exist_ok=True)
    for name in LIBRARIES:
        packed = b"".join((into / f"{name}.xz.{n}").read_bytes() for n in (1, 2))
        data = lzma.decompress(packed)
        if hashlib.sha256(data).hexdigest() != (half / f"{name}.{HASH}").read_text():
            sys.exit(f"{name} was damaged on the way; pack it again")
        (package / name).write_bytes(data)
    loads = [f"ctypes.CDLL(str(Path(__file__).with_name({name!r})))\n" for name in LIBRARIES]
    (package / "__init__.py").write_text(LOADER + "".join(loads))
    print(f"TensorRT-RTX lies in {into}; export PYTHONPATH={into}")


def tell_entry_points(into: Path) -> None:
    """Where this project's engines and networks are, for an interpreter that has it not."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    told = into / "live_smlm-0.0.0.dist-info"
    told.mkdir(exist_ok=True)
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: live-smlm\nVersion: 0.0.0\n")
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items()), ""]
    (told / "entry_points.txt").write_text("\n".join(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("pack").add_argument("folder", type=Path)
    verbs.add_parser("pack-vispy").add_argument("folder", type=Path)
    unpacking = verbs.add_parser("unpack")
    unpacking.add_argument("half", type=Path)
    unpacking.add_argument("into", type=Path)
    given = parser.parse_args()
    if given.verb == "pack":
        pack(given.folder)
    elif given.verb == "pack-vispy":
        pack_vispy(given.folder)
    else:
        unpack(given.half, given.into)


if __name__ == "__main__":
    main()
