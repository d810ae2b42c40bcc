"""Models made of others on this machine: put together of their parts, or brought into MLX's form. For workers.

Each is made in a folder beside its own and then renamed, so that a half-made one is never found.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from engine.models import catalog, places
from engine.stages.base import DiskFull, UnusableInput

CONVERTER = "engine.stages.asr.mlx_weights"
"""The program that converts; in a process of its own, since it holds all the weights at once, twice."""
LARGEST = 2.2
"""How many times its size a model may have once it is converted: 16-bit numbers become 32-bit ones."""


class CannotMake(UnusableInput):
    """A model cannot be made of another; one clear sentence for the user."""


def join(name: str, environment: Mapping[str, str]) -> Path:
    """Put a model together of its parts, unless that was done; its folder.

    Raises:
        CannotMake: a part cannot be read, or the folder not be written.
        DiskFull: there is no room for it.
    """
    if (whole := places.joined(name, environment)) is not None:
        return whole
    parts = places.parts(name)

    def fill(folder: Path) -> None:
        with (folder / "model.bin").open("wb") as out:
            for part in parts:
                with part.open("rb") as half:
                    shutil.copyfileobj(half, out, 2**20)
        for each in places.beside(name):
            shutil.copyfile(each, folder / each.name)

    needed = sum(each.stat().st_size for each in parts)
    return _make(name, places.own_folder(environment) / name, needed, fill)


def converted(source: Path, environment: Mapping[str, str]) -> Path | None:
    """Where the MLX form of a CTranslate2 model lies, if it was made, and of this very model."""
    target = _target(source, environment)
    return target if places.is_model(target, _MLX_KIND) else None


def convert(name: str, source: Path, environment: Mapping[str, str]) -> Path:
    """Bring a CTranslate2 model into MLX's form, unless that was done; the folder.

    Raises:
        CannotMake: it cannot be converted; the message says why.
        DiskFull: there is no room for it.
    """
    if (there := converted(source, environment)) is not None:
        return there

    def fill(folder: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-m", CONVERTER, str(source), str(folder)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            last = " ".join(done.stderr.split("\n")[-2:]).strip() or f"it ended with {done.returncode}"
            raise CannotMake(f'The model "{name}" cannot be converted for MLX ({last.rstrip(".")}).')

    return _make(name, _target(source, environment), round(places.size(source) * LARGEST), fill)


_MLX_KIND = catalog.Kind(("weights.safetensors",), ())


def _target(source: Path, environment: Mapping[str, str]) -> Path:
    """A name of the source's own: by its weights' size and time, another model of the same name has another one."""
    stat = (source / "model.bin").stat()
    name = next((each.removeprefix("models--") for each in source.parts if each.startswith("models--")), source.name)
    return places.own_folder(environment) / "mlx" / f"{name}-{stat.st_size:x}-{stat.st_mtime_ns:x}"


def _make(name: str, target: Path, needed: int, fill: Callable[[Path], None]) -> Path:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(target.parent).free < needed:
            raise DiskFull(
                f'The model "{name}" needs {needed / 1e6:,.0f} MB in {target.parent}, where there is no room.'
            )
        with tempfile.TemporaryDirectory(
            dir=target.parent, prefix=f".{target.name}-", ignore_cleanup_errors=True
        ) as at:
            folder = Path(at) / target.name
            folder.mkdir()
            fill(folder)
            try:
                os.rename(folder, target)
            except OSError:  # another worker was quicker; or what lies there is of other parts
                if not _same(folder, target):
                    shutil.rmtree(target)
                    os.rename(folder, target)
    except OSError as error:
        raise CannotMake(f'The model "{name}" cannot be put into {target} ({error.strerror or error}).') from error
    return target


def _same(one: Path, other: Path) -> bool:
    return {(each.name, each.stat().st_size) for each in one.iterdir()} == {
        (each.name, each.stat().st_size) for each in other.iterdir()
    }
