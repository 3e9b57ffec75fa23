"""Where a figure comes from: written into the metadata of every PNG and SVG, and read back."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from shlex import quote
from typing import Any

from sim.analysis import words
from sim.errors import InputError

KEYS = ("experiment", "seed", "replications", "config_digest", "version", "commit", "dirty", "command")


def provenance(manifest: dict[str, Any], name: str, caption: str) -> dict[str, Any]:
    """What is written into a figure: its name and caption, and of the run what made it."""
    command = [word for word in manifest.get("command", ()) if not word.startswith(("out=", "figures="))]
    return {"figure": name, "caption": caption, **{key: manifest.get(key) for key in KEYS}, "command": command}


def read_provenance(file: Path) -> dict[str, Any]:
    """What is written in a PNG or SVG file; empty if it is none of ours."""
    try:
        if file.suffix == ".png":
            from PIL import Image

            with Image.open(file) as picture:
                text = str(picture.info.get("Source", ""))
        else:
            found = re.search(r"<dc:source>(.*?)</dc:source>", file.read_text(encoding="utf-8"), re.DOTALL)
            text = unescape(found.group(1)) if found else ""
        return dict(json.loads(text)) if text else {}
    except (OSError, ValueError):
        return {}


def in_words(file: Path) -> str:
    """Where a figure comes from, and the command that makes it again.

    Raises
    ------
    InputError
        If the file cannot be read or says nothing.
    """
    if file.suffix not in (".png", ".svg") or not file.is_file():
        raise InputError(f"figure-source: {file} should be a PNG or SVG file")
    found = read_provenance(file)
    if not found:
        raise InputError(f"figure-source: {file} does not say where it comes from")
    at = f" at commit {found['commit']}" if found.get("commit") else ""
    changed = ", with uncommitted changes" if found.get("dirty") else ""
    return (
        f"{found['figure']}: {found['caption']}\n"
        f"experiment {words.named(found)}, seed {found['seed']}, {found['replications']:,} replications, "
        f"configuration {found['config_digest']}, sim {found['version']}{at}{changed}\n"
        f"again: {' '.join(map(quote, found['command'])) or '(run from a program)'}"
    )
