"""What a valid study is, how it is read, and what is said when it is not valid."""

import datetime
import difflib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import lru_cache
from hashlib import sha256
from itertools import pairwise, product
from math import floor, prod
from pathlib import Path
from typing import Annotated, Any, Literal

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import CompactHydraException, ConfigCompositionException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sim.analysis.costs import names
from sim.errors import InputError
from sim.model.clock import DAYS_PER_MONTH
from sim.model.metrics import metrics
from sim.model.parameters import Group, World, walk
from sim.sources import CONF, EXPERIMENTS, register

STATES = "start.states_file"

HOW_IT_RUNS = ("workers", "cluster", "shard", "out", "only", "observations", "fidelity", "figures")
"""Keys that say how a study is run or drawn, not what comes out (what `fidelity` stands for is in other keys)."""

LONGEST = 1500
"""A message about a mistake quotes no more than this."""
MOST_SCENARIOS = 10_000
"""Scenarios of one sweep: each is a configuration of its own that is checked and kept."""

GROUPS = tuple(sorted(folder.name for folder in CONF.iterdir() if any(folder.glob("*.yaml"))))
"""Config groups: folders of conf/ with an option a file."""

SWEPT = tuple(name for name in World.model_fields if name not in ("start", "end"))
"""Groups a sweep may vary: all scenarios share dates and goals, or their figures could not stand side by side."""


class Goal(Group):
    """A metric that should reach a level by a date."""

    metric: str
    level: float = Field(allow_inf_nan=False)
    by: datetime.date
    held: bool = False  # the level must be met on the day; otherwise, on some day up to it
    label: str
    source: str


class Claim(Group):
    """What is claimed of a system (exports a year), to be set beside what is simulated; `earlier` jobs by date."""

    name: str
    sites: int = Field(ge=0, le=10**12)
    jobs: int = Field(ge=0, le=10**12)
    exports_usd: float = Field(ge=0, allow_inf_nan=False)
    by: datetime.date
    source: str
    earlier: dict[datetime.date, int]


class Sweep(BaseModel):
    """Scenarios to run side by side, on the same random numbers: one of `grid`, `zip`, `list` and `packages`.

    `grid` is every combination of the values listed for each key, `zip` the first value of each, the second of each,
    and so on, `list` one mapping of keys to values for each scenario, `packages` every combination of named mappings:
    {plan: {as it is: {}, ...}, world: {...}}. A key is dotted, or names a config group, whose
    value is one of its options. `options` holds the content of the options that are named, so that a manifest says
    all; it is filled in by `resolve`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    grid: dict[str, list[Any]] = {}
    zipped: dict[str, list[Any]] = Field(default={}, alias="zip")
    listed: list[dict[str, Any]] = Field(default=[], alias="list")
    packages: dict[str, dict[str, dict[str, Any]]] = {}
    options: dict[str, dict[str, Any]] = {}

    @model_validator(mode="after")
    def _check(self) -> "Sweep":
        if sum(map(bool, (self.grid, self.zipped, self.listed, self.packages))) > 1:
            raise ValueError("sweep should have one of grid, zip, list and packages")
        lengths = {key: len(values) for key, values in self.zipped.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"sweep.zip should list as many values for each key, got {lengths}")
        for levers in (self.grid, self.packages):  # before they are multiplied out
            if (number := prod(map(len, levers.values()))) > MOST_SCENARIOS:
                raise ValueError(f"sweep should have at most {MOST_SCENARIOS:,} scenarios, got {number:,}")
        named = [one["name"] for one in self.listed if "name" in one]
        if twice := [name for name in named if named.count(name) > 1]:
            raise ValueError(f"sweep.list should give each scenario a name of its own, got {twice[0]!r} twice")
        keys = [(kind, key) for kind, packages in self.packages.items() for one in packages.values() for key in one]
        for (kind, key), (other, part) in product(keys, keys):
            if kind != other and f"{part}.".startswith(f"{key.removesuffix('.value')}."):
                raise ValueError(f"sweep.packages: {part} should be in one kind of packages, got {kind} and {other}")
        return self

    def combinations(self) -> list[dict[str, Any]]:
        """Overrides of each scenario, without their names."""
        if self.listed:
            return [{key: value for key, value in one.items() if key != "name"} for one in self.listed]
        if self.zipped:
            return [dict(zip(self.zipped, values, strict=True)) for values in zip(*self.zipped.values(), strict=True)]
        if self.packages:
            return [
                {key: value for package in chosen for key, value in package.items()}
                for chosen in product(*(kind.values() for kind in self.packages.values()))
            ]
        return [dict(zip(self.grid, values, strict=True)) for values in product(*self.grid.values())]

    def levers(self) -> list[dict[str, Any]]:
        """What tells each scenario from the others: its overrides, or which packages it has."""
        if self.packages:
            return [dict(zip(self.packages, names, strict=True)) for names in product(*self.packages.values())]
        return self.combinations()

    def named_values(self) -> Iterator[tuple[str, str, Any]]:
        """(where it stands, key, value) of every value that is swept."""
        for kind, lever in (("grid", self.grid), ("zip", self.zipped)):
            for key, values in lever.items():
                if not values:
                    raise InputError(f"sweep.{kind}.{key}: should list at least one value (got [])")
                for value in values:
                    yield f"sweep.{kind}.{key}", key, value
        for kind, packages in self.packages.items():
            for name, package in packages.items():
                for key, value in package.items():
                    yield f"sweep.packages.{kind}.{name}.{key}", key, value
        for i, one in enumerate(self.listed):
            for key, value in one.items():
                if key != "name":
                    yield f"sweep.list.{i}.{key}", key, value

    def names(self) -> list[str]:
        """What each scenario is called: by its entry in the list, or by its levers and their values."""
        if self.packages:
            return [" in ".join(lever.values()) for lever in self.levers()]
        given = [one.get("name") for one in self.listed] or [None] * len(self.combinations())
        return [
            str(name) if name else ", ".join(_alternative(key, value) for key, value in overrides.items())
            for name, overrides in zip(given, self.combinations(), strict=True)
        ]


class Precision(BaseModel):
    """Go on until a goal's chance, or the mean of METRIC@DATE or METRIC (on the last judged date), is known so well.

    `half_width` is a probability, or in the unit of the metric. See `sim.analysis.precision`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    metric: str
    half_width: float = Field(gt=0, allow_inf_nan=False)
    confidence: float = Field(gt=0, lt=1, default=0.95)


class Plan(BaseModel):
    """A kind of study, or a part of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MonteCarlo(Plan):
    """Run the replications of the world as it stands, or of every scenario of the sweep."""

    kind: Literal["montecarlo"]


class Discrepancy(Plan):
    """What the model leaves out of an observation, as a standard deviation, and why; the dates it may be of."""

    dates: list[datetime.date] = []  # none: the date it has
    sd: float = Field(gt=0, allow_inf_nan=False)
    why: str


class Calibrate(Plan):
    """Hold uncertain parameters to dated observations (approximate Bayesian computation on a quasi-random design).

    Replications are those of the design. `parameters` are the ones whose values are kept, `draws` the number of states
    kept, `truths` how many runs of the design take the part of the truth to check the method by. `forecast` is the
    experiment that is then run under prior and posterior.
    """

    kind: Literal["calibrate"]
    series: str
    metric: str
    discrepancy: dict[datetime.date, Discrepancy]
    parameters: list[str]
    draws: int = Field(ge=1)
    truths: int = Field(ge=1)
    forecast: str
    forecast_replications: int = Field(ge=1)


class Plans(Plan):
    """Weigh the packages `plan` of the sweep in the packages `world`, by goals: which is never far from the best."""

    kind: Literal["plans"]
    goals: list[str] = Field(min_length=1)


class Lever(Plan):
    """What planners can change: its values, from how things are to the end of its range, and what each value sets.

    `set` lists keys that take the value, `scale` keys with a number that is multiplied by it (and rounded, if it is
    whole), `options` what each value overrides. The first value overrides nothing: it only says how things are, and so
    may the first of `options`.
    """

    label: str
    values: list[float] = Field(min_length=2)
    assigned: list[str] = Field(default=[], alias="set")
    scale: dict[str, int | float] = {}
    options: list[dict[str, Any]] = []
    source: str

    @model_validator(mode="after")
    def _check(self) -> "Lever":
        steps = [b - a for a, b in pairwise(self.values)]
        if not (all(step > 0 for step in steps) or all(step < 0 for step in steps)):
            raise ValueError(f"values should rise or fall from how things are to the end, got {self.values}")
        if not (self.assigned or self.scale or self.options):
            raise ValueError("should change something: set, scale or options")
        if self.options and len(self.options) != len(self.values):
            raise ValueError("options should have one mapping a value, the first of them how things are, or empty")
        return self

    def overrides(self, number: int) -> dict[str, Any]:
        """What its value of this number overrides; nothing for the first."""
        return self.says(number) if number else {}

    def says(self, number: int) -> dict[str, Any]:
        """What keys are at its value of this number."""
        value = self.values[number]
        value = int(value) if value == int(value) else value
        return {
            **dict.fromkeys(self.assigned, value),
            **{key: floor(value * x + 0.5) if isinstance(x, int) else value * x for key, x in self.scale.items()},
            **(self.options[number] if self.options else {}),
        }


class Amount(Plan):
    """A number with its source."""

    amount: float = Field(gt=0, allow_inf_nan=False)
    source: str


class Item(Plan):
    """What something costs: Rs million (`amount`) for one of a `quantity` (see `sim.analysis.costs`)."""

    label: str
    quantity: str
    amount: float = Field(allow_inf_nan=False)
    unit: str
    source: str

    @model_validator(mode="after")
    def _check(self) -> "Item":
        names(self.quantity)
        return self


class Costs(Plan):
    """What levers cost."""

    rupees_per_dollar: Amount
    items: dict[str, Item]


class Solve(Plan):
    """Find the cheapest values of levers with which a goal is met with a probability of at least `target`.

    A plan that is called certified does so with `confidence`. `budget` (Rs million) is the most it may cost. `design`
    points are run `design_replications` times, then `rounds` batches of `batch` points `batch_replications` times; at
    most `candidates` plans are tested on `certify_replications` fresh runs each.
    """

    kind: Literal["solve"]
    goal: str
    target: float = Field(gt=0, lt=1)
    confidence: float = Field(gt=0.5, lt=1)
    budget: float | None = Field(ge=0, allow_inf_nan=False)
    levers: dict[str, Lever] = Field(min_length=1)
    costs: Costs
    design: int = Field(ge=1, le=1024)
    design_replications: int = Field(ge=1)
    rounds: int = Field(ge=0, le=50)
    batch: int = Field(ge=1, le=200)
    batch_replications: int = Field(ge=1)
    candidates: int = Field(ge=1, le=50)
    certify_replications: int = Field(ge=1)


class Limit(Plan):
    """What may hold the programme back, and its configuration without that limit and with a tighter one."""

    label: str
    removed: dict[str, Any]
    tightened: dict[str, Any]
    why: str


class Bottlenecks(Plan):
    """What each limit costs the goals: it alone removed and tightened, and groups of limits removed in all orders.

    `metrics` are the goals whose metrics are explained. `groups` names the limits removed together; runs of all
    combinations of groups are made with `group_replications`, of each limit with the replications of the study.
    """

    kind: Literal["bottlenecks"]
    goals: list[str] = Field(min_length=1)
    limits: dict[str, Limit] = Field(min_length=1)
    groups: dict[str, list[str]] = Field(min_length=1, max_length=8)
    group_replications: int = Field(ge=2)


class Sensitivity(Plan):
    """What matters: Sobol indices, elementary effects and a tornado, in rounds of one design (`sim.study.design`).

    `parameters` are the uncertain ones that are looked at (none: every one drawn per run; the others then count as
    luck), `levers` those of the planners, with the ends of what they may be. Every outcome is a goal, for its chance,
    or a metric, for its mean on the last judged date. A round has `rows` rows of Saltelli's design and `trajectories`
    of Morris's, each point with `lucks` replications, and `pairs` of everything drawn for the tornado; there are as
    many rounds as `replications` allow.
    """

    kind: Literal["sensitivity"]
    outcomes: list[str] = Field(min_length=1)
    parameters: list[str]
    levers: dict[str, tuple[float, float]]
    lucks: int = Field(ge=2)
    rows: int = Field(ge=1)
    trajectories: int = Field(ge=1)
    pairs: int = Field(ge=1)
    resamples: int = Field(ge=100)


class Discover(Plan):
    """Where it fails: boxes of uncertain parameters in which runs miss `goal` (PRIM; `sim.analysis.discover`).

    `parameters` may be in the limits of a box (none: every one drawn per run), and so may the columns METRIC@DATE of
    tables/runs in `also`. A step peels off the share `peel` of a box, which keeps the share `least` of the runs; the
    last box that holds the share `coverage` of the misses is chosen, up to `boxes` times. `about` says in words what
    plan it is.
    """

    kind: Literal["discover"]
    about: str
    goal: str
    parameters: list[str]
    also: list[str]
    coverage: float = Field(gt=0, lt=1)
    peel: float = Field(gt=0, le=0.5)
    least: float = Field(gt=0, lt=1)
    boxes: int = Field(ge=1)
    permutations: int = Field(ge=19)


class Decision(Plan):
    """A choice among plans (scenarios of the sweep; none: all), by the expectation of `value`.

    `value` is a weight for each goal (1 if it is met) and metric (on the last judged date). With `bar`, the choice is
    whether to go ahead with the one plan: only if it is worth more than the bar.
    """

    label: str
    unit: str
    value: dict[str, Annotated[float, Field(allow_inf_nan=False)]] = Field(min_length=1)
    plans: list[str] = []
    bar: float | None = Field(default=None, allow_inf_nan=False)


class ValueOfInformation(Plan):
    """What to find out first: what knowing a parameter would be worth for decisions among the plans of the sweep."""

    kind: Literal["value_of_information"]
    decisions: dict[str, Decision] = Field(min_length=1)
    parameters: list[str]
    resamples: int = Field(ge=100)


Kind = MonteCarlo | Calibrate | Plans | Solve | Bottlenecks | Sensitivity | Discover | ValueOfInformation


def _alternative(key: str, value: Any) -> str:
    """A lever and its value in words; an option of a config group speaks for itself."""
    return str(value) if key in GROUPS else f"{key}={value}"


class Study(World):
    """A world, the goals it is judged by, and the replications that are run of it."""

    question: str
    title: str
    goals: dict[str, Goal]
    claims: dict[str, Claim]
    replications: int = Field(ge=1, le=10**6)
    precision: Precision | None = None
    fidelity: Literal["full", "quick"] = "full"
    seed: int = Field(ge=0, lt=2**63)
    workers: int = Field(ge=0, le=1024)
    cluster: str | None = None
    shard: str | None = None
    only: int | None = Field(ge=0, lt=10**6)
    record_on: list[datetime.date]
    observations: str | None
    figures: bool = True
    tables: list[Literal["runs", "monthly", "sites"]]
    study: Kind = Field(discriminator="kind")
    design: Literal["random", "antithetic", "latin_hypercube", "sobol", "sensitivity"]
    designed: list[str]
    sweep: Sweep
    out: Path | None

    @model_validator(mode="after")
    def _check_goals(self) -> "Study":
        known = metrics(self.systems)
        for name, goal in self.goals.items():
            if goal.metric not in known:
                raise ValueError(f"goals.{name}.metric should be one of {', '.join(known)}; got {goal.metric!r}")
            if not self.start.date <= goal.by <= self.end:
                raise ValueError(
                    f"goals.{name}.by should be between start.date {self.start.date} and end {self.end}, got {goal.by}"
                    "; end later, or say goals=none"
                )
        return self

    @model_validator(mode="after")
    def _check_next_call(self) -> "Study":
        """Runs that lead up to a known call hold none after it: they should end before there would be one."""
        call, last = self.start.next_call, self.start.calls[-1]
        if call is None:
            return self
        least = self.calls.interval.least * DAYS_PER_MONTH
        if (call - last).days < least or not 0 <= (self.end - call).days <= least:
            raise ValueError(
                f"start.next_call should come {least:,.0f} days (the least of calls.interval) or more after the call "
                f"of {last}, and the end, {self.end}, at most as long after it; got {call}"
            )
        return self

    @model_validator(mode="after")
    def _check_precision(self) -> "Study":
        if self.precision is None:
            return self
        metric, at, day = self.precision.metric.partition("@")
        days = [str(day) for day in self.judged]
        if not at and metric not in self.goals and metric not in metrics(self.systems):
            known = ", ".join([*self.goals, *metrics(self.systems)])
            raise ValueError(f"precision.metric should be a goal or a metric, one of {known}; got {metric!r}")
        if at and (metric not in metrics(self.systems) or day not in days):
            raise ValueError(
                f"precision.metric should be METRIC@DATE with a metric and one of {', '.join(days)}; "
                f"got {self.precision.metric!r}"
            )
        if self.design != "random" or self.study.kind != "montecarlo":
            raise ValueError(
                f"precision should be null with design={self.design}, study.kind={self.study.kind}: its intervals are "
                "made for independent runs and no other question, got one"
            )
        return self

    @model_validator(mode="after")
    def _check_places(self) -> "Study":
        if self.cluster is not None and not re.fullmatch(r"(tcp|tls)://[^\s/]+:\d{1,5}", self.cluster):
            raise ValueError(f"cluster should be tcp://HOST:PORT or tls://HOST:PORT, got {self.cluster!r}")
        if self.shard is None:
            return self
        number, of = map(int, self.shard.split("/")) if re.fullmatch(r"\d{1,5}/\d{1,5}", self.shard) else (0, 0)
        if not 1 <= number <= of <= self.replications:
            raise ValueError(
                f"shard should be I/N, part I of N, with N no more than the {self.replications:,} replications; "
                f"got {self.shard!r}"
            )
        if self.precision is not None or self.only is not None:
            raise ValueError(
                f"shard should be null with precision or only: it needs a fixed number; got {self.shard!r}"
            )
        return self

    @property
    def numbers(self) -> range:
        """Replications that are run, if their number is fixed: all, the only one, or those of a shard."""
        if self.only is not None:
            return range(self.only, self.only + 1)
        number, of = map(int, (self.shard or "1/1").split("/"))
        return range(self.replications * (number - 1) // of, self.replications * number // of)

    @model_validator(mode="after")
    def _check_kind(self) -> "Study":
        """Whether this kind of study has such a sweep and design; what else it asks for is checked beside it."""
        plan = self.study
        if not isinstance(plan, MonteCarlo | Plans | ValueOfInformation) and self.sweep.combinations() != [{}]:
            raise ValueError(f"sweep should be empty for study.kind={plan.kind}, which is about one world; got one")
        if not isinstance(plan, MonteCarlo | Calibrate | Sensitivity) and self.design != "random":
            raise ValueError(
                f"design should be random for study.kind={plan.kind}, whose intervals are made for independent runs; "
                f"got {self.design}"
            )
        if isinstance(plan, Sensitivity) and self.design != "sensitivity":
            raise ValueError(f"design should be sensitivity for this kind of study, got {self.design}")
        if self.design == "sensitivity" and not isinstance(plan, Sensitivity):
            raise ValueError(f"design sensitivity is for study=sensitivity, got study {plan.kind}")
        return self

    @property
    def judged(self) -> list[datetime.date]:
        """Dates the metrics are taken at: those of the goals and `record_on`, or else the last day."""
        return sorted({*(goal.by for goal in self.goals.values()), *self.record_on} or {self.end})


def experiments(own: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
    """Names of the experiments with their question; after them those of folders of one's own."""
    for folder in (EXPERIMENTS, *(Path(path) / "experiment" for path in own)):
        for file in sorted(folder.glob("*.yaml")):
            try:
                yield file.stem, str(OmegaConf.select(OmegaConf.load(file), "question") or "")
            except Exception as error:  # of many kinds, on odd files
                yield file.stem, f"(cannot be read: {_one_line(error)})"


def searched(own: Sequence[str]) -> list[str]:
    """The override that has Hydra look into a folder too."""
    return ["hydra.searchpath=['file://{}']".format(path.replace("'", "\\'")) for path in own]


def compose_config(overrides: list[str], whole: bool = False) -> DictConfig:
    """Compose the configuration with Hydra, or raise InputError with one line that says what is wrong.

    The `whole` has Hydra's own settings too, under `hydra`.
    """
    register()
    inside = GlobalHydra.instance().is_initialized()  # a job of Hydra's, which knows conf/ already
    with nullcontext() if inside else initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        try:
            return compose("config", overrides=overrides, return_hydra_config=whole)
        except ConfigCompositionException as error:
            raise InputError(_composition_message(error, overrides)) from None
        except (CompactHydraException, OSError) as error:
            raise InputError(_one_line(error)) from None
        except Exception as error:  # Hydra's parser leaks exceptions of many kinds on odd input such as "=3"
            raise InputError(f"cannot read {_cut(' '.join(overrides))}: {_one_line(error)}") from None


def first_job(overrides: list[str]) -> list[str]:
    """Overrides of the first job of a multirun: of every list of values the first."""
    try:
        parsed = OverridesParser.create().parse_overrides(overrides)
    except Exception as error:
        raise InputError(_one_line(error)) from None
    return [
        f"{override.key_or_group}={next(override.sweep_string_iterator())}"
        if override.is_sweep_override()
        else str(override.input_line)
        for override in parsed
        if not str(override.key_or_group).startswith("hydra.")
    ]


def _composition_message(error: Exception, overrides: list[str]) -> str:
    """One line for what Hydra says in several, with the nearest key for a misspelt one."""
    text = str(error)
    if "Could not override '" in text:
        key = text.split("Could not override '")[1].split("'")[0]
        known = dotted_keys(OmegaConf.to_container(compose("config"), resolve=False))
        got = next((o.split("=", 1)[1] for o in overrides if o.split("=", 1)[0].lstrip("+~") == key and "=" in o), "")
        if got.startswith("{"):
            return f"{key}: takes no new keys like this; write +{key}={got}, in quotes"
        return f"{key}: no such key{nearest(key, known)} (got {got})"
    if text.startswith("Error merging override ") and "=[" in text:
        key, value = text.removeprefix("Error merging override ").split("=", 1)
        return f"{key}: is no list; a distribution is written {key}.value={value}"
    return _one_line(f"{text} {error.__cause__ or ''}")


def _one_line(error: object) -> str:
    """Hydra's message on one line, without its search path and links."""
    text = " ".join(str(error).split())
    if found := re.match("Error parsing override '(.*)' missing EQUAL", text):
        return _cut(f"{found[1]}: settings are KEY=VALUE, without spaces around the =, as in experiment=baseline")
    return _cut(text.split(" Config search path:")[0].split(" See https:")[0])


def plain(cfg: DictConfig) -> dict[str, Any]:
    """A composed configuration as plain data, with the states of the start date read from their file.

    Raises
    ------
    InputError
        If a value refers to another that is not there, or the file cannot be read.
    """
    try:
        raw: Any = OmegaConf.to_container(cfg, resolve=True)
    except OmegaConfBaseException as error:
        raise InputError(_one_line(error)) from None
    start = raw.get("start")
    if isinstance(start, dict) and (file := start.get("states_file")):
        if not isinstance(file, str):
            raise InputError(f"start.states_file: should be the name of a file (got {_shown(file)})")
        start |= read_states(file)
    return raw


@lru_cache(maxsize=8)
def read_states(file: str) -> dict[str, Any]:
    """`states` and `prior` of a file: one of conf/data, or a path."""
    path = CONF / "data" / file if (CONF / "data" / file).is_file() else Path(file)
    try:
        if path.exists() and not path.is_file():
            raise ValueError("it is no file")  # a pipe or a device might never end
        content = json.loads(path.read_text(encoding="utf-8"))
        return {"states": content["states"], "prior": content["prior"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"start.states_file: cannot read {_cut(file)} ({_one_line(error)})") from None


def read_study(cfg: DictConfig | dict[str, Any]) -> Study:
    """Validate a composed configuration; all mistakes at once.

    Raises
    ------
    InputError
        With a line for each mistake: the key, what is allowed, the value.
    """
    try:
        return Study.model_validate(plain(cfg) if isinstance(cfg, DictConfig) else cfg)
    except ValidationError as errors:
        lines = [_cut(_validation_message(dict(error))) for error in errors.errors()]
        raise InputError("\n".join(dict.fromkeys(lines))) from None


def _cut(line: str) -> str:
    """A line that can be read, whatever it quotes."""
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} ..."


def _shown(value: object) -> str:
    """A value as Python writes it, which it does not with a number of many thousand digits."""
    try:
        return repr(value)
    except ValueError:
        return "a number of too many digits"


def _validation_message(error: dict[str, Any]) -> str:
    path = ".".join(str(part) for part in error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    message = re.sub("be a valid dictionary or instance of .*", "be a mapping, as {key: value}", message)
    if error["type"] == "extra_forbidden":
        parent = _field_names(error["loc"][:-1])
        if path == "experiment":
            return "experiment: the first line of its file should be `# @package _global_` (as in docs/how-to.md)"
        return f"{path}: no such key{nearest(str(error['loc'][-1]), parent)} (got {_shown(error['input'])})"
    if error["type"] == "missing":
        return f"{path}: is missing"
    got = error["input"]
    if isinstance(got, dict):
        got = got.get("value", None)
        if got is None or not path:
            return f"{path}: {message}" if path else message
    return f"{path}: {message}" if "got " in message else f"{path}: {message} (got {_shown(got)})"


def _field_names(path: tuple[Any, ...]) -> list[str]:
    """Names of the fields of the model at a path of the study."""
    model: Any = Study
    for part in path:
        field = getattr(model, "model_fields", {}).get(part)
        annotation = field.annotation if field else model
        arguments = getattr(annotation, "__args__", ())
        model = arguments[-1] if arguments else annotation
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def nearest(key: str, known: list[str], otherwise: str = "; `sim parameters` lists them") -> str:
    """Hint at the known key that is most like a misspelt one."""
    close = difflib.get_close_matches(key, known, 1, 0.6)
    if not close:  # the right name in the wrong group
        close = [k for k in known if k.rsplit(".", 1)[-1] == key.rsplit(".", 1)[-1]][:1]
    return f", did you mean {close[0]}?" if close else otherwise


def dotted_keys(node: Any, prefix: str = "") -> list[str]:
    """Dotted paths of every key in a nested mapping."""
    keys: list[str] = []
    if isinstance(node, dict):
        for name, child in node.items():
            keys.append(f"{prefix}{name}")
            keys += dotted_keys(child, f"{prefix}{name}.")
    return keys


def resolve(cfg: dict[str, Any]) -> dict[str, Any]:
    """Add to `sweep.options` what config groups' options and files named in the sweep contain; the rest stays."""
    sweep = read_study(cfg).sweep
    options: dict[str, dict[str, Any]] = json.loads(json.dumps(sweep.options))
    for where, key, value in sweep.named_values():
        if key == STATES and value is not None and not isinstance(value, str):
            raise InputError(f"{where}: should be the name of a file of states, or null (got {value!r})")
        if key in GROUPS and (not isinstance(value, str) or value not in options.get(key, {})):
            known = sorted(file.stem for file in (CONF / key).glob("*.yaml"))
            if value not in known:
                raise InputError(f"{where}: should be one of {', '.join(known)} (got {value!r})")
            content = OmegaConf.to_container(compose_config(["experiment=baseline", f"{key}={value}"])[key])
            options.setdefault(key, {})[value] = content
        elif key == STATES and value and value not in options.get(key, {}):
            options.setdefault(key, {})[value] = read_states(value)
    return cfg | {"sweep": {**cfg["sweep"], "options": options}} if options else cfg


def scenarios(cfg: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Expand `sweep`: (overrides, configuration) of every scenario; one with no overrides if nothing is swept."""
    cfg = resolve(cfg)
    study = read_study(cfg)
    sweep = study.sweep
    places = {key: where for where, key, _ in sweep.named_values()}
    for key, where in places.items():
        if key.split(".")[0] not in SWEPT and key not in ("start.open_hubs", STATES):
            raise InputError(f"{where}: should begin with one of {', '.join(SWEPT)}, or be start.open_hubs or {STATES}")
    expanded = []
    for name, overrides in zip(sweep.names(), sweep.combinations(), strict=True):
        variant = json.loads(json.dumps(cfg | {"sweep": {}, "start": cfg["start"] | {"states": []}}))
        variant["start"]["states"] = cfg["start"]["states"]
        for key, value in sorted(overrides.items(), key=lambda one: one[0] not in GROUPS):  # groups, then keys in them
            if key in GROUPS:
                value = sweep.options[key][value]
            _assign(variant, key, value, places[key])
            if key == STATES:
                variant["start"] |= sweep.options[key][value] if value else {"states": [], "prior": {}}
        try:
            read_study(variant)
        except InputError as mistake:
            raise InputError(f"sweep, scenario {name}: {mistake}" if name else str(mistake)) from None
        expanded.append((overrides, variant))
    return expanded


def _assign(cfg: dict[str, Any], key: str, value: Any, where: str) -> None:
    *parents, name = key.split(".")
    level: Any = cfg
    for part in (*parents, name):
        if not isinstance(level, dict) or part not in level:
            raise InputError(f"{where}: no such key{nearest(key, dotted_keys(cfg))}")
        parent, level = level, level[part]
    parent[name] = value


def digest(cfg: dict[str, Any]) -> str:
    """Digest of a configuration: SHA-256 of what decides the results, as canonical JSON."""
    decides = {key: value for key, value in cfg.items() if key not in HOW_IT_RUNS}
    return sha256(json.dumps(decides, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def parameter_rows(study: Study) -> list[tuple[str, str, str, str, str, str]]:
    """(key, value, unit, drawn per, source, meaning) of every parameter; a number is not drawn."""
    rows = []
    for path, p in walk(study):
        value, per = (f"{p.value:g}", "-") if isinstance(p.value, int | float) else (str(p.value), p.spec.per)
        rows.append((path, value, p.spec.unit, per, p.source, p.spec.about))
    return rows
