"""Where conf/ and experiments/ are: inside the installed package, or beside it in a checkout."""

from pathlib import Path

_HERE = Path(__file__).resolve().parent


def _find(name: str) -> Path:
    for folder in (_HERE / name, _HERE.parent / name):
        if any(folder.glob("*.yaml")):
            return folder
    raise RuntimeError(f"cannot find the folder {name!r} beside or inside {_HERE}")


CONF = _find("conf")
EXPERIMENTS = _find("experiments")
CHECKOUT = _HERE.parent if (_HERE.parent / "pyproject.toml").is_file() else None
