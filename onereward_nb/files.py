"""Writing files so that nothing is lost when writing fails."""

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory


def write(path, save):
    """Write a file by save(temporary_path), then rename it: where writing fails, the old file stays whole."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        save(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_folder(folder, save):
    """Write files into a folder by save(temporary_folder), then move each to its place: none is ever there in part."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        save(Path(temporary))
        for file in [path for path in Path(temporary).rglob("*") if path.is_file()]:
            place = folder / file.relative_to(temporary)
            place.parent.mkdir(parents=True, exist_ok=True)
            file.replace(place)


def write_json(path, content):
    """Write numbers, strings, lists and dictionaries as a JSON file."""
    write(
        path, lambda temporary: temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    )
