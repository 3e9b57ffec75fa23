"""Where conf/ and experiments/ are, inside the installed package or beside it in a checkout, and Hydra told of them."""

import csv
import json
import re
from datetime import date
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from sim.errors import InputError
from sim.observations import read

_HERE = Path(__file__).resolve().parent


def _find(name: str) -> Path:
    for folder in (_HERE / name, _HERE.parent / name):
        if any(folder.glob("*.yaml")):
            return folder
    raise RuntimeError(f"cannot find the folder {name!r} beside or inside {_HERE}")


CONF = _find("conf")
EXPERIMENTS = _find("experiments")
CHECKOUT = _HERE.parent if (_HERE.parent / "pyproject.toml").is_file() else None


def digest_of_sources() -> str:
    """Digest of the code and of the data that it reads while it runs, the same wherever they are installed.

    Configurations and experiments are left out: what a study uses of them has a digest of its own.
    """
    files = {str(file.relative_to(_HERE)): file for file in _HERE.rglob("*.py")}
    files |= {file.name: file for file in (CONF / "data").glob("*.csv")}
    found = sha256()
    for name, file in sorted(files.items()):
        found.update(f"{name} {sha256(file.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()[:16]


MOST_ALIASES = 20
"""Aliases a file of experiments may have: each may stand for others, so that a few lines could fill any memory."""


def check_own(key: str, folder: str) -> None:
    """Raise InputError if `folder` is none, or a configuration in it has too many aliases, or settings of Hydra itself.

    Hydra would call whatever these name (`_target_`), and an experiment is a file that people send each other.
    """
    import yaml

    if not folder or not Path(folder).is_dir():
        raise InputError(f"{key}: should be a folder (got {folder or 'nothing'!r})")
    for file in sorted(Path(folder).rglob("*.yaml")):
        try:
            text = file.read_text(encoding="utf-8")
            tokens = list(yaml.scan(text))
        except (yaml.YAMLError, ValueError, OSError):  # for Hydra to say, if it is asked for
            continue
        aliases = sum(isinstance(token, yaml.AliasToken) for token in tokens)
        if aliases > MOST_ALIASES:
            raise InputError(f"{file}: should have at most {MOST_ALIASES} aliases (got {aliases})")
        said = [token.value for token in tokens if isinstance(token, yaml.ScalarToken)]
        said += [*file.relative_to(folder).parts, *re.findall(r"@package\s+(.*)", text)]
        if hidden := next((one for one in said if "@" in one and "$" in one), None):
            raise InputError(f"{file}: should say in so many words where it puts what it names (got {hidden!r})")
        names = {part.strip() for one in said for part in SEPARATOR.split(WORDS.sub("", one.strip()))}
        if refused := sorted(names & CALLS):
            raise InputError(f"{file}: should say nothing of {refused[0]}, which would let it run any code")


CALLS = {"hydra", "_target_", "_partial_", "()"}
"""Keys, folders and packages by which a configuration can have Hydra, or logging, call something."""
SEPARATOR, WORDS = re.compile("[.@/:]"), re.compile(r"((override|optional)\s+)*")
"""What is between the names, and before them, in a list of defaults: `override /hydra/x@_global_.hydra.x`."""


@cache
def register() -> None:
    """Make each experiments/NAME.yaml the Hydra option experiment=NAME, and give configurations two resolvers.

    `${full_or_quick:400,40}` is a choice, `${setting:programme.line_2026}` the value of a parameter, for texts.
    """
    from hydra.core.config_store import ConfigStore
    from omegaconf import OmegaConf

    OmegaConf.register_new_resolver("full_or_quick", _full_or_quick, replace=True)
    OmegaConf.register_new_resolver("setting", _setting, replace=True)

    for file in sorted(EXPERIMENTS.glob("*.yaml")):
        ConfigStore.instance().store(
            group="experiment", name=file.stem, node=OmegaConf.load(file), package="_global_", provider="experiments"
        )


def _full_or_quick(full: Any, quick: Any, *, _root_: Any) -> Any:
    """What a value is at the fidelity of the study."""
    return quick if _root_.get("fidelity") == "quick" else full


def _setting(path: str, *, _root_: Any) -> str:
    """What a parameter is set to, in words, whether with its unit and source or by a bare value."""
    from omegaconf import DictConfig, OmegaConf

    given = OmegaConf.select(_root_, path)
    value = given.get("value") if isinstance(given, DictConfig) else given
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def observations(series: str) -> list[dict[str, Any]]:
    """Dated observations of a series, from conf/data/observations.csv."""
    rows = read(CONF / "data" / "observations.csv")
    found = [row for row in rows if row["series"] == series]
    if not found:
        known = ", ".join(sorted({row["series"] for row in rows}))
        raise InputError(f"observations: should be one of {known} (got {series!r})")
    return found


def comparators() -> list[dict[str, Any]]:
    """What other roll-outs planned and delivered, a row a dated count, from conf/data/comparators.csv.

    `plan` and `delivered` are numbers, `date` is a date, and so is `plan_date`, or None where the plan names none.
    """
    return [
        {
            **row,
            **{name: float(row[name]) for name in ("plan", "delivered")},
            **{name: date.fromisoformat(row[name]) if row[name] else None for name in ("plan_date", "date")},
        }
        for row in _data("comparators")
    ]


def attainment() -> dict[str, float]:
    """Share of their plan that earlier roll-outs reached at its date: mean, sd, n, low and high of fact G10."""
    (fact,) = (row for row in _data("facts") if row["id"] == "G10")
    return {name: float(value) for name, value in re.findall(r"(\w+)[ =]([\d.]+)", fact["value"])} | {
        name: float(fact[name]) for name in ("low", "high")
    }


def not_modelled() -> list[str]:
    """What the model leaves out, a line each, from conf/data/not_modelled.txt."""
    return (CONF / "data" / "not_modelled.txt").read_text(encoding="utf-8").splitlines()


def published_baseline() -> dict[str, Any] | None:
    """Summary of the published baseline, from the package or the checkout; None if there is none."""
    for file in (_HERE / "published" / "baseline.json", _HERE.parent / "results" / "baseline" / "summary.json"):
        if file.is_file():
            return dict(json.loads(file.read_text(encoding="utf-8")))
    return None


def ict_exports() -> dict[date, float]:
    """The country's ICT exports by month (its 15th day), in million dollars, from conf/data/ict_exports_monthly.csv."""
    return {date.fromisoformat(f"{row['month']}-15"): float(row["usd_million"]) for row in _data("ict_exports_monthly")}


def population() -> dict[str, float]:
    """Million people by region: fact L22 of conf/data/facts.csv, which calls Islamabad ICT."""
    (fact,) = (row["value"] for row in _data("facts") if row["id"] == "L22")
    people = dict(entry.rsplit(" ", 1) for entry in fact.split("; "))
    return {{"ICT": "Islamabad"}.get(name, name): float(millions) for name, millions in people.items()}


def _data(name: str) -> list[dict[str, str]]:
    """Rows of a file of conf/data."""
    with (CONF / "data" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
