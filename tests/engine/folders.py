"""Folders of recordings for tests, deeper ones than a path can name among them."""

import os
from pathlib import Path


def put(path: Path, data: bytes = b"sound") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def bury(folder: Path) -> Path:
    """Put a recording so deep that no path leads there, until the first folder is renamed; the folder it is in."""
    longest = os.pathconf("/", "PC_PATH_MAX")
    descriptor, path = os.open(folder, os.O_RDONLY), folder
    while len(str(path)) < longest:
        name = "x" * max(1, min(200, longest + 50 - len(str(path))))
        os.mkdir(name, dir_fd=descriptor)
        below = os.open(name, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor, path = below, path / name
    os.close(os.open("a.mp3", os.O_WRONLY | os.O_CREAT, dir_fd=descriptor))
    os.close(descriptor)
    return path


def dig_up(folder: Path) -> None:
    """Let a path lead there."""
    (folder / ("x" * 200)).rename(folder / "x")
