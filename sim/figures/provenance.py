"""Where a figure comes from: written into the metadata of every PNG and SVG, and read back."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

KEYS = ("experiment", "seed", "replications", "config_digest", "version", "commit", "dirty", "command")


def provenance(manifest: dict[str, Any], name: str, caption: str) -> dict[str, Any]:
    """What is written into a figure: its name and caption, and of the run what made it."""
    command = [word for word in manifest.get("command", ()) if not word.startswith("out=")]
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
