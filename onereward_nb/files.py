"""Writing files so that nothing is lost when writing fails."""

import json
import os
from pathlib import Path


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


def write_json(path, content):
    """Write numbers, strings, lists and dictionaries as a JSON file."""
    write(
        path, lambda temporary: temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    )
