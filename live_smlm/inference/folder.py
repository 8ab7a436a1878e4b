"""A folder of plain files that was sealed: what bundles and models have in common.

A manifest in JSON lists every file with its SHA-256, and is verified with
them before anything is used; its `hash` covers the manifest and, through the
list, all files. A folder appears whole or not at all. Reading runs no code.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any, TypeVar

from live_smlm.core import InputError, require

WEIGHTS = "weights.safetensors"
_MODELS = "models"
Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Sealed:
    """What was read and verified."""

    folder: Path
    table: Mapping[str, Any]
    """The manifest without `format`, `files` and `hash`."""
    files: Mapping[str, str]
    """SHA-256 by file name."""
    hash: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of such folders."""

    what: str
    """Names it in errors."""
    manifest: str
    """The file that says what lies there."""
    format: int

    def read(self, folder: Path) -> Sealed:
        """Verified; refuses what is missing, changed or of a newer format."""
        table = self._table(folder)
        sealed, files = table.pop("hash", None), table.pop("files", None)
        require(
            isinstance(files, dict) and bool(files),
            f"{self.what} {folder} lists no files; export it again",
        )
        listed: dict[str, str] = dict(files or {})
        for name, said in listed.items():
            self._verify(folder, name, said)
        whole = table_hash({**table, "files": listed})
        require(
            whole == sealed,
            f"{self.what} {folder}: {self.manifest} was changed: its hash is {whole}, it says "
            f"{sealed}; copy the {self.what} again",
        )
        table.pop("format")
        return Sealed(folder, table, listed, whole)

    def write(
        self,
        folder: Path,
        table: Mapping[str, Any],
        fill: Callable[[Path], None],
        load: Callable[[Path], Read],
    ) -> Read:
        """Fill a folder, seal it and put it in its place, where `load` reads it; or nothing.

        An older one in its place is replaced.
        """
        self.check_place(folder)
        folder = folder.resolve() if folder.is_symlink() else folder
        draft = folder.with_name(f".{folder.name}.{os.getpid()}.part")
        draft.mkdir()
        try:
            fill(draft)
            self._seal(draft, table)
            load(draft)
            _put(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return load(folder)

    def check_place(self, folder: Path) -> None:
        """Refuse a folder where none can be written."""
        require(
            bool(folder.name) and (not folder.exists() or self.lies_in(folder)),
            f"{folder} exists and is no {self.what}; choose another name",
        )
        parent = folder.parent
        require(parent.is_dir(), f"folder {parent} does not exist; create it to write there")
        require(os.access(parent, os.W_OK), f"folder {parent} is not writable; choose another")

    def lies_in(self, folder: Path) -> bool:
        """Whether such a folder's manifest is there."""
        return (folder / self.manifest).is_file()

    def within(self, folder: Path) -> dict[str, Path]:
        """Those that lie in a folder, by name."""
        return {path.parent.name: path.parent for path in sorted(folder.glob(f"*/{self.manifest}"))}

    def shipped(self, package: str) -> dict[str, Path]:
        """Those in the folder `models` of an installed package, by name."""
        models = package_files(package) / _MODELS
        if not isinstance(models, Path) or not models.is_dir():
            return {}
        return self.within(models)

    def _seal(self, draft: Path, said: Mapping[str, Any]) -> None:
        hashes = {path.name: sha256(path) for path in sorted(draft.iterdir())}
        table = {"format": self.format, **said, "files": hashes}
        table["hash"] = table_hash(table)
        text = json.dumps(table, indent=2, ensure_ascii=False, allow_nan=False)
        (draft / self.manifest).write_text(text + "\n", encoding="utf-8")

    def _table(self, folder: Path) -> dict[str, Any]:
        what = self.what
        require(folder.exists(), f"{what} {folder} does not exist; check the path")
        require(
            folder.is_dir(),
            f"{what} {folder} is a file; give the folder (unpack it if it is a zip)",
        )
        path = folder / self.manifest
        require(
            path.is_file(), f"folder {folder} has no {self.manifest}; give the folder of a {what}"
        )
        try:
            table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path} is not valid JSON: {error}; copy the {what} again") from error
        require(isinstance(table, dict), f"{path} holds no table; copy the {what} again")
        found = table.get("format")
        require(
            not (isinstance(found, int) and found > self.format),
            f"{what} {folder} has format {found}, newer than {self.format}; update live-smlm",
        )
        require(
            found == self.format,
            f"{what} {folder} has format {found!r}, not {self.format}; export it again",
        )
        return table

    def _verify(self, folder: Path, name: str, said: str) -> None:
        what = self.what
        require(
            name == Path(name).name and name not in ("", ".", ".."),
            f"{what} {folder} lists {name!r}; files lie in the folder itself",
        )
        require((folder / name).is_file(), f"{what} {folder} lacks {name}; copy it again")
        found = sha256(folder / name)
        require(
            found == said,
            f"{what} {folder}: {name} was changed: its SHA-256 is {found}, the manifest says "
            f"{said}; copy the {what} again",
        )


def put(draft: Path, files: Mapping[str, Path | bytes]) -> None:
    """Files by name into a folder, from memory or from elsewhere."""
    for name, content in files.items():
        data = content if isinstance(content, bytes) else content.read_bytes()
        (draft / name).write_bytes(data)


def sha256(path: Path) -> str:
    """Of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def table_hash(table: Mapping[str, Any]) -> str:
    """Of a manifest without its hash."""
    text = json.dumps(table, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _put(draft: Path, folder: Path) -> None:
    """Move the draft to its place; for a moment the older one lies beside it."""
    older = draft.with_suffix(".old")
    if folder.exists():
        folder.rename(older)
    draft.rename(folder)
    shutil.rmtree(older, ignore_errors=True)
