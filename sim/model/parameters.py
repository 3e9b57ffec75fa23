"""What describes a world: every parameter with its unit, its bounds and what it is drawn for.

The values and their sources live in conf/. A parameter there is either a bare number or

    {value: [pert, 1, 3, 8], unit: months, per: hub, source: P10 P29 B12}

where `value` is a number or a distribution (`sim.model.distributions`). Unit and `per` are repeated
in conf/ for the reader and must agree with the declarations here.
"""

import datetime
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain
from math import inf, isclose, nan
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple
from zlib import crc32

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from sim.model import distributions
from sim.model.distributions import POSITIVE, Distribution
from sim.model.site import Draw
from sim.model.streams import Purpose, Streams

Per = Literal["run", "hub", "park", "firm", "call", "fiscal year", "round", "event"]
MOST: Mapping[str, float] = {
    "share": 1.0, "probability": 1.0, "per year": 10_000.0, "parks a month": 1_000.0, "hubs": 100_000.0,
    "applications": 100_000.0, "parks": 10_000.0, "firms": 10_000.0, "firms a year": 100_000.0,
}  # fmt: skip
"""Upper bounds by unit: shares, and what becomes events, so that no configuration runs for ever."""
ANYTHING = 1e12
"""Upper bound of all other parameters: far beyond any use, and far from overflow."""
LAST = 1 - 2.0**-53
"""The largest uniform a stream gives: where it leads is the upper end of a distribution without one."""
FISCAL_DRAWS = 6
"""Uniforms that a fiscal year's releases take."""
OVERRIDDEN = "set by the experiment or on the command line"


class Spec(NamedTuple):
    """How a parameter is declared: unit, what a distribution is drawn for, bounds, whole numbers only."""

    about: str
    unit: str
    per: Per
    low: float
    high: float
    whole: bool


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number or a distribution, with unit, what it is drawn per, and where it comes from."""

    value: float | Distribution
    source: str
    spec: Spec

    @property
    def least(self) -> float:
        """The least value it takes."""
        return self.value.low if isinstance(self.value, Distribution) else self.value


def parameter(
    about: str, unit: str, per: Per = "run", *, low: float = 0.0, high: float = ANYTHING, whole: bool = False
) -> Any:
    """Declare a parameter of a `Group`. Some units bound it without being told."""
    high = min(high, MOST.get(unit, ANYTHING))
    # pydantic types this as JSON, but keeps any object; nothing here is written as a JSON schema
    declared: dict[str, Any] = {"spec": Spec(about, unit, per, low, high, whole)}
    return Field(json_schema_extra=declared)


class Group(BaseModel):
    """A part of the world. Unknown keys are refused; parameters are read as their declaration says."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    @field_validator("*", mode="before")
    @classmethod
    def _read_parameter(cls, raw: Any, info: ValidationInfo) -> Any:
        spec = spec_of(cls, str(info.field_name))
        return raw if spec is None else read(raw, spec)


def spec_of(group: type[BaseModel], field: str) -> Spec | None:
    """Declaration of a group's field, or None if the field is no parameter."""
    extra = group.model_fields[field].json_schema_extra
    spec: Any = extra.get("spec") if isinstance(extra, dict) else None  # see `parameter`
    return spec if isinstance(spec, Spec) else None


def read(raw: Any, spec: Spec) -> Parameter:
    """Turn a number or a mapping from conf/ into a Parameter, or raise ValueError saying what is allowed."""
    if not isinstance(raw, dict):
        raw = {"value": raw, "source": OVERRIDDEN}
    unknown = set(raw) - {"value", "unit", "per", "source"}
    if unknown or "value" not in raw:
        raise ValueError(f"a parameter is a number or {{value, unit, per, source}}, got the keys {sorted(raw)}")
    for key, declared in (("unit", spec.unit), ("per", spec.per)):
        if raw.get(key, declared) != declared:
            raise ValueError(f"{key} must be {declared!r} here, got {raw[key]!r}")
    value, allowed = raw["value"], allowed_values(spec)
    if isinstance(value, list):
        value = distributions.parse(value)
        low, high, whole = value.low, _most(value), value.whole
    elif isinstance(value, int | float) and not isinstance(value, bool) and -inf < value < inf:
        low = high = value
        whole = value == int(value)
    else:
        raise ValueError(f"should be a number or a distribution such as [pert, 1, 3, 8], in {spec.unit}")
    if low < spec.low or high > spec.high:
        most = f" and at most {ANYTHING:g}" if high > spec.high == ANYTHING else ""
        raise ValueError(f"should be {allowed}{most} ({spec.unit})")
    if spec.whole and not whole:
        raise ValueError(f"should be a whole number ({spec.unit})")
    return Parameter(value, str(raw.get("source", OVERRIDDEN)), spec)


def _most(value: Distribution) -> float:
    """The largest value that is ever drawn."""
    try:
        return value.high if value.high < inf else value.quantile(LAST)
    except OverflowError:
        return inf


def allowed_values(spec: Spec) -> str:
    """Bounds of a parameter in words."""
    return f"at least {spec.low:g}" if spec.high >= ANYTHING else f"between {spec.low:g} and {spec.high:g}"


class Region(Group):
    """One of the seven regions."""

    name: str
    remote: bool
    planned_hubs: Parameter = parameter("hubs planned here; hubs fall to regions in this proportion", "hubs")
    talent_share: Parameter = parameter("share of the nation's new talent that is here", "share")
    large_city_share: Parameter = parameter("share of hubs here that stand in a large city", "share")
    contractors: Parameter = parameter("fit-outs that can go on here at one time", "contractors", low=1, whole=True)
    stps_older: Parameter = parameter("older software technology parks open here", "parks", whole=True)
    stps_recent: Parameter = parameter("recent ones, in smaller places; new ones follow them", "parks", whole=True)


class UnderWay(NamedTuple):
    """A hub under way on the start date: its stage, and what a run that led there knows of it.

    `left` are the days of work left in the stage, were the hub not abandoned: None if the work has not begun, nan if
    that is not known. What decides how long a hub stays in its stage is not as in new hubs: the longer, the more of
    them are found there. So place, kind and the uniforms that matter in the stage come along, by their names in
    `sim.model.site.Draw`; that of `abandoned_at` is the share of the days left.
    """

    stage: Literal["evaluation", "finance", "money", "fit_out", "connectivity"]
    left: float | None = nan
    region: str | None = None
    brownfield: bool | None = None
    grant: float | None = None
    abandonment: float | None = None
    abandoned_at: float | None = None

    @property
    def draws(self) -> dict[Draw, float]:
        """Uniforms of the hub that are known."""
        known = {draw: getattr(self, draw.name) for draw in (Draw.grant, Draw.abandonment, Draw.abandoned_at)}
        return {draw: u for draw, u in known.items() if u is not None}


class Known(Group):
    """One state in which the start date may have found the programme.

    `hubs` are those under way. `balance` is programme money not yet spent (Rs million), with all releases up to the
    one of the quarter that began on `released`, and `fiscal_years` has the uniforms of the years whose releases are
    not over. If those are not known, the balance has whatever was due before the start. `parameters` are the
    parameters of the run that led there, by dotted path: they hold on.
    """

    hubs: list[UnderWay]
    balance: float = Field(ge=0, allow_inf_nan=False)
    released: datetime.date | None = None
    fiscal_years: dict[int, list[float]] = {}
    parameters: dict[str, float]

    @model_validator(mode="after")
    def _check(self) -> "Known":
        if any(hub.left is not None and (hub.left < 0 or hub.left == inf) for hub in self.hubs):
            raise ValueError("days left should be at least 0")
        uniforms = chain(*(hub.draws.values() for hub in self.hubs), *self.fiscal_years.values())
        if not all(0 < u < 1 for u in uniforms):
            raise ValueError("uniforms of hubs and fiscal years should be between 0 and 1")
        if self.released and (self.released.day != 1 or self.released.month % 3 != 1):
            raise ValueError(f"released should be the first day of a quarter, got {self.released}")
        if any(len(draws) != FISCAL_DRAWS for draws in self.fiscal_years.values()):
            raise ValueError(f"fiscal_years should have {FISCAL_DRAWS} uniforms each")
        return self


_READ: list[tuple[Any, list[Known]]] = []
"""States as they were given and as they were read, the last time."""


class Start(Group):
    """The initial state: what is known on the start date.

    Each replication begins with one of `states`, which `sim.config.plain` reads from `states_file`. `prior` has the
    distributions that the parameters of the states were drawn from before they were held to what was seen: a state's
    value holds where the configuration still has that distribution; who puts another number or distribution there gets
    it. `openings` are cumulative counts of openings. `next_call` is a call known of that runs lead up to and do
    not hold, nor any of their own that it would follow too soon.
    """

    date: datetime.date
    calls: list[datetime.date]
    next_call: datetime.date | None = None
    open_hubs: Parameter = parameter("hubs open on the start date", "hubs", whole=True)
    openings: dict[datetime.date, int]
    openings_source: str
    states_file: str | None
    states: list[Known]
    states_source: str
    prior: dict[str, list[Any]]

    @field_validator("states", mode="wrap")
    @classmethod
    def _read_states(cls, given: Any, read: ValidatorFunctionWrapHandler) -> list[Known]:
        """Read states once that scenario after scenario has: they are larger than all the rest."""
        if _READ and _READ[0][0] == given:
            return _READ[0][1]
        copy, states = deepcopy(given), read(given)
        _READ[:] = [(copy, states)]
        return states

    @model_validator(mode="after")
    def _check(self) -> "Start":
        if not self.calls:
            raise ValueError("calls should list at least one call, the first one")
        if sorted(self.calls) != self.calls:
            raise ValueError(f"calls should be in order of date, got {[str(c) for c in self.calls]}")
        counts = [self.openings[day] for day in sorted(self.openings)]
        if any(day > self.date for day in self.openings):
            raise ValueError(f"openings should not be after the start date {self.date}")
        if sorted(counts) != counts:
            raise ValueError("openings should be cumulative counts that never fall")
        if any(known.released and known.released > self.date for known in self.states):
            raise ValueError(f"released should not be after the start date {self.date}")
        for path, prior in self.prior.items():
            try:
                distributions.parse(prior)
            except ValueError as error:
                raise ValueError(f"prior of {path}: {error}") from None
        return self


class Calls(Group):
    """Calls for applications."""

    interval: Parameter = parameter("time from one call to the next", "months", "call", low=0.1)
    applications: Parameter = parameter("mean number of eligible applications a call", "applications")
    applications_sd: Parameter = parameter("standard deviation between calls; 0 = exactly the mean", "applications")
    outreach: Parameter = parameter("applications of calls still to come, over those of calls listed", "factor")

    @model_validator(mode="after")
    def _check(self) -> "Calls":
        sd = self.applications_sd.value
        mean = (
            self.applications.value.high
            if isinstance(self.applications.value, Distribution)
            else (self.applications.value)
        )
        if isinstance(sd, Distribution) or (sd > 0 and sd**2 <= mean):
            raise ValueError(
                f"applications_sd should be 0 or a number whose square exceeds applications (here up to {mean:g})"
            )
        return self


class Rollout(Group):
    """The way of one hub from application to opening."""

    committee: Parameter = parameter("applications evaluated at one time", "places", low=1, whole=True)
    evaluation: Parameter = parameter("technical evaluation", "months", "hub")
    rejection: Parameter = parameter("application rejected on technical grounds", "probability")
    finance: Parameter = parameter("loan sanction, site and partner", "months", "hub")
    refusal: Parameter = parameter("loan refused", "probability")
    self_finance: Parameter = parameter("applicant goes on without the refused loan", "probability")
    grant: Parameter = parameter("programme money for one hub", "Rs million", "hub")
    loan: Parameter = parameter("bank loan of one hub", "Rs million", "hub")
    fit_out: Parameter = parameter("fit-out by a contractor", "months", "hub")
    abandonment: Parameter = parameter("hub abandoned during fit-out", "probability")
    connectivity: Parameter = parameter("connectivity and commissioning", "months", "hub")
    programme_shock: Parameter = parameter("common factor on all durations", "factor")
    remote_factor: Parameter = parameter("factor on finance, fit-out, connectivity in remote regions", "factor")
    brownfield_share: Parameter = parameter("hubs that convert an existing workspace", "share")
    brownfield_factor: Parameter = parameter("factor on finance, fit-out, connectivity of conversions", "factor")


class Programme(Group):
    """Programme money."""

    line_2024: Parameter = parameter("budget line of the initiative, fiscal year 2024 and before", "Rs million a year")
    line_2025: Parameter = parameter("budget line of the initiative, fiscal year 2025", "Rs million a year")
    line_2026: Parameter = parameter("budget line of the initiative, fiscal year 2026 and after", "Rs million a year")
    hub_share: Parameter = parameter("share of the line meant for hubs", "share")
    execution: Parameter = parameter("share of the year's budget released at all", "share", "fiscal year")
    first_quarter: Parameter = parameter("share of the year's releases due in July", "share")
    second_quarter: Parameter = parameter("share of the year's releases due in October", "share")
    third_quarter: Parameter = parameter("share of the year's releases due in January", "share")
    fourth_quarter: Parameter = parameter("share of the year's releases due in April", "share")
    concentration: Parameter = parameter("Dirichlet concentration of the quarterly shares", "number", low=1)
    release_delay: Parameter = parameter("delay of a release after its quarter begins", "months", "fiscal year")

    @model_validator(mode="after")
    def _check(self) -> "Programme":
        shares = [
            share.value for share in (self.first_quarter, self.second_quarter, self.third_quarter, self.fourth_quarter)
        ]
        numbers = [share for share in shares if not isinstance(share, Distribution)]
        if len(numbers) < 4 or abs(sum(numbers) - 1) > 1e-9:
            raise ValueError(f"the shares of the four quarters should be numbers that sum to 1, got {shares}")
        return self


class Hubs(Group):
    """An open hub as a place."""

    seats_large_city: Parameter = parameter("seats of a hub in a large city", "seats", "hub", low=0)
    seats_small_city: Parameter = parameter("seats of a hub elsewhere", "seats", "hub", low=0)
    closure: Parameter = parameter("closure hazard in the first months", "per month")
    closure_later: Parameter = parameter("closure hazard afterwards", "per month")
    closure_change: Parameter = parameter("age at which the closure hazard changes", "months")


class Hiring(Group):
    """People in an open site."""

    round_days: Parameter = parameter("time between hiring rounds", "days", low=1)
    people_per_seat: Parameter = parameter("people who share a seat", "ratio")
    occupancy: Parameter = parameter("mean stable occupancy", "share")
    occupancy_concentration: Parameter = parameter("concentration of hubs' occupancy around the mean", "number", low=1)
    ramp: Parameter = parameter("time constant of the demand ramp", "months", low=POSITIVE)
    ramp_spread: Parameter = parameter("factor of one hub on the ramp", "factor", "hub", low=POSITIVE)
    start: Parameter = parameter("share of stable occupancy wanted on opening", "share", "hub")
    freelancer_share: Parameter = parameter("share of users who are freelancers", "share")
    member_churn: Parameter = parameter("members who leave in a month", "share a month", high=0.99)
    attrition: Parameter = parameter("employees who leave in a month", "share a month", high=0.99)
    time_to_hire: Parameter = parameter("mean time to fill the vacancies of a round", "days", "round", low=POSITIVE)
    experienced_share: Parameter = parameter("vacancies that want experience", "share")
    graduate_delay: Parameter = parameter("added time to hire a graduate", "months")
    additionality: Parameter = parameter("jobs supported that would not exist otherwise", "share")


class Talent(Group):
    """People looking for a job, by region."""

    graduates: Parameter = parameter("computing graduates", "people a year")
    employable_share: Parameter = parameter("graduates an employer would take", "share")
    january_share: Parameter = parameter("graduates who finish in January; the others finish in July", "share")
    trainees: Parameter = parameter("people trained", "people a year")
    hub_ready_share: Parameter = parameter("trainees ready to work in a hub", "share")
    outflow: Parameter = parameter("job seekers who find other work or go abroad", "share a month", high=1.0)
    return_share: Parameter = parameter("leaving employees who look for a job here again", "share")
    women_users: Parameter = parameter("women among members and graduates", "share")
    women_trainees: Parameter = parameter("women among trainees", "share")


class Exports(Group):
    """What people in the sites earn abroad."""

    freelancer: Parameter = parameter("mean exports of a freelancer in a hub", "USD a year", "hub")
    employee: Parameter = parameter("mean exports of a firm employee in a hub", "USD a year", "hub")
    freelancer_ramp: Parameter = parameter("time constant to full productivity, freelancers", "months", low=POSITIVE)
    employee_ramp: Parameter = parameter("time constant to full productivity, employees", "months", low=POSITIVE)


class Outages(Group):
    """Internet outages and other shocks to demand."""

    frequency: Parameter = parameter("shocks that hit a place", "per year")
    national_share: Parameter = parameter("shocks that hit the whole country", "share")
    loss: Parameter = parameter("demand lost while it lasts", "share", "event")
    duration: Parameter = parameter("length of a shock", "months", "event")


class Initiative(Group):
    """Levers of the Prime Minister's initiative, with what they cost."""

    training_places: Parameter = parameter("places beyond the training there is", "people a year")
    training_cost: Parameter = parameter("cost of a training place", "Rs")
    startups: Parameter = parameter("start-ups supported in hubs", "firms a year")
    startup_size: Parameter = parameter("people a supported start-up wants", "people", "firm")
    startup_life: Parameter = parameter("mean life of a supported start-up", "months")
    startup_cost: Parameter = parameter("support of one start-up", "Rs million")
    subsidised_share: Parameter = parameter("members of hubs and the women-only park whose seat is subsidised", "share")
    subsidy_effect: Parameter = parameter("empty stable places filled if all seats are subsidised", "share")
    subsidy_cost: Parameter = parameter("subsidy of a member", "Rs a year")


class Stps(Group):
    """Software technology parks, which are let to firms."""

    staff: Parameter = parameter("people in the parks open on the start date", "people", whole=True)
    firms_older: Parameter = parameter("units in an older park, each with a firm", "firms", whole=True)
    firms_recent: Parameter = parameter("units in a recent or new park", "firms", whole=True)
    exports_per_job: Parameter = parameter("exports a job", "USD a year")
    pace: Parameter = parameter("agreements on new parks", "parks a month")
    conversion: Parameter = parameter("from agreement to opening", "months", "park")
    tenancy_ramp: Parameter = parameter("mean time until a unit of a new park is first let", "months")

    @model_validator(mode="after")
    def _check(self) -> "Stps":
        for name in ("firms_older", "firms_recent", "staff"):
            if isinstance(getattr(self, name).value, Distribution):
                raise ValueError(f"{name} should be a number: the published staff is split evenly over the firms")
        return self


class Firms(Group):
    """Firms in parks."""

    round_days: Parameter = parameter("time between hiring rounds of a firm", "days", low=1)
    room: Parameter = parameter("people a unit has room for, over those it is meant for", "ratio", low=1)
    start: Parameter = parameter("people a firm wants on moving in, over those its unit is meant for", "ratio", "firm")
    growth: Parameter = parameter("mean growth of the people a firm wants", "factor a year", low=POSITIVE)
    volatility: Parameter = parameter("standard deviation of its logarithm over a year", "number")
    exit: Parameter = parameter("firms that leave their park", "per month")
    vacancy: Parameter = parameter("time until a vacated unit is let again", "months", "event")
    from_office: Parameter = parameter("new tenants that bring their people from an office elsewhere", "share")
    from_stp: Parameter = parameter("tenants of IT parks that come from a software technology park", "share")

    @model_validator(mode="after")
    def _check(self) -> "Firms":
        shares = [self.from_office.value, self.from_stp.value]
        highest = sum(share.high if isinstance(share, Distribution) else share for share in shares)
        if highest > 1:
            raise ValueError(f"from_office and from_stp should together be at most 1, got up to {highest:g}")
        return self


class WomenPark(Group):
    """The women-only park."""

    region: str
    agreed: datetime.date
    conversion: Parameter = parameter("from agreement to opening", "months")
    area: Parameter = parameter("floor area", "sq ft")
    area_per_person: Parameter = parameter("floor area a person needs", "sq ft", low=1)


class Park(Group):
    """A large IT park: tender, construction, and firms that move in."""

    name: str
    region: str
    begins: datetime.date
    tender: Parameter = parameter("length of one tender; 0 = the contract has been awarded", "months", "event")
    tender_failure: Parameter = parameter("tender that fails and is held again", "probability", high=0.99)
    construction: Parameter = parameter("construction, from the award or from `begins`", "months")
    contractor_exit: Parameter = parameter("contractor leaves and is replaced", "probability")
    exit_delay: Parameter = parameter("time lost then", "months")
    capacity: Parameter = parameter("jobs at capacity, as claimed", "jobs", whole=True)
    tenants: Parameter = parameter("units, each for a firm", "firms", low=1, whole=True)
    realised_share: Parameter = parameter("units that find a firm in the end", "share")
    tenancy_ramp: Parameter = parameter("mean time until such a unit is let", "months")
    exports_per_job: Parameter = parameter("exports a job", "USD a year")


class World(Group):
    """Everything one replication needs to know, apart from seed and replication.

    The groups from `stps` on are the parks beside the hubs; left empty, they are not simulated.
    """

    start: Start
    end: datetime.date
    regions: dict[str, Region]
    calls: Calls
    rollout: Rollout
    programme: Programme
    hubs: Hubs
    hiring: Hiring
    talent: Talent
    exports: Exports
    outages: Outages
    initiative: Initiative
    stps: Stps | None
    women_park: WomenPark | None
    parks: dict[str, Park]
    firms: Firms | None

    @field_validator("stps", "women_park", "firms", mode="before")
    @classmethod
    def _none(cls, raw: Any) -> Any:
        return None if raw == {} else raw

    @model_validator(mode="after")
    def _check(self) -> "World":
        if not self.regions:
            raise ValueError("regions should name at least one region")
        planned = [region.planned_hubs.value for region in self.regions.values()]
        if not any(isinstance(hubs, Distribution) or hubs > 0 for hubs in planned):
            raise ValueError("regions should plan at least one hub in one region (planned_hubs)")
        shares = {name: region.talent_share.value for name, region in self.regions.items()}
        numbers = [share for share in shares.values() if not isinstance(share, Distribution)]
        if len(numbers) < len(shares) or not isclose(sum(numbers), 1):
            raise ValueError(
                "regions should have shares of the talent (talent_share) that are numbers and sum to 1: what one has "
                f"more others have less; got {', '.join(f'{share} in {name}' for name, share in shares.items())}: "
                f"numbers that sum to {sum(numbers):g}"
            )
        if self.end < self.start.date:
            raise ValueError(f"end should not be before start.date ({self.start.date}), got {self.end}")
        if (self.stps or self.parks) and not self.firms:
            raise ValueError("firms should not be empty when there are stps or parks; firms=observed")
        places = {f"parks.{name}": park.region for name, park in self.parks.items()}
        begun = {f"parks.{name}.begins": park.begins for name, park in self.parks.items()}
        if self.women_park:
            places["women_park"] = self.women_park.region
            begun["women_park.agreed"] = self.women_park.agreed
        for path, day in begun.items():
            if day > self.start.date:
                raise ValueError(f"{path} should not be after start.date ({self.start.date}), got {day}")
        begun |= {"start.date": self.start.date, "end": self.end}
        begun |= {f"start.calls.{i}": day for i, day in enumerate(self.start.calls)}
        begun |= {f"start.openings.{day}": day for day in self.start.openings}
        for path, day in begun.items():
            if not 2000 <= day.year <= 2100:
                raise ValueError(f"{path} should be between the years 2000 and 2100, got {day}")
        for i, state in enumerate(self.start.states):
            places |= {f"start.states.{i}.hubs.{j}": hub.region for j, hub in enumerate(state.hubs) if hub.region}
        for path, region in places.items():
            if region not in self.regions:
                raise ValueError(f"{path}.region should be one of {', '.join(self.regions)}, got {region!r}")
        if taken := {"hub", "stp", "women_park"} & set(self.parks):
            raise ValueError(f"parks should have names of their own, got {', '.join(sorted(taken))}")
        return self

    @property
    def systems(self) -> list[str]:
        """Kinds of site that are simulated: `hub` first, IT parks by their names."""
        others = [name for name in ("stp", "women_park") if getattr(self, name + "s" * (name == "stp"))]
        return ["hub", *others, *self.parks]


def walk(group: BaseModel, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
    """Yield (dotted path, parameter) for every parameter of a group, in the order of declaration."""
    for name in type(group).model_fields:
        child = getattr(group, name)
        if isinstance(child, Parameter):
            yield prefix + name, child
        elif isinstance(child, BaseModel):
            yield from walk(child, f"{prefix}{name}.")
        elif isinstance(child, dict):
            for key, item in child.items():
                if isinstance(item, BaseModel):
                    yield from walk(item, f"{prefix}{name}.{key}.")


STATE = "start.states"
"""What designs call the choice among the states of the start date."""


def state_known(world: World, streams: Streams, uniforms: Mapping[str, float] | None = None) -> Known | None:
    """Which of the states that the start date may have been in a replication begins with.

    Under a design they are in order of the hubs under way, so that a low uniform means few of them.
    """
    states = world.start.states
    if not states:
        return None
    if uniforms and STATE in uniforms:
        return sorted(states, key=lambda one: (len(one.hubs), one.balance))[int(uniforms[STATE] * len(states))]
    (u,) = streams.block(Purpose.BACKLOG, 0, 1)
    return states[int(u * len(states))]


def held(world: World) -> list[str]:
    """Paths of the parameters that come with the state of the start date: still distributed as they were before."""
    declared = dict(walk(world)) if world.start.states else {}
    return [
        path
        for path in (world.start.states[0].parameters if world.start.states else ())
        if path in world.start.prior and str(distributions.parse(world.start.prior[path])) == str(declared[path].value)
    ]


def realise(
    world: World,
    streams: Streams,
    known: Known | None = None,
    uniforms: Mapping[str, float] | None = None,
    fixed: Mapping[str, float] | None = None,
) -> tuple[SimpleNamespace, dict[str, float]]:
    """Draw what is drawn per run.

    Parameters
    ----------
    world, streams
        What to draw, and from where: each parameter has its own stream.
    known
        State of the start date, with parameters that go with it.
    uniforms
        Dotted path -> uniform, where a design says it instead of the parameter's stream.
    fixed
        Dotted path -> value, where a design says even that.

    Returns
    -------
    values
        The world as nested namespaces. What is constant or drawn per run is a number; what is drawn per hub,
        call, round, ... is a function from a uniform to a value.
    drawn
        Dotted path and value of every parameter that was drawn for this run.
    """
    values: dict[str, Any] = {}
    drawn: dict[str, float] = {}
    held = known.parameters if known else {}
    prior = {path: distributions.parse(world.start.prior[path]) for path in held if path in world.start.prior}
    for path, declared in walk(world):
        value: Any = declared.value
        if declared.spec.per != "run":
            value = value.quantile if isinstance(value, Distribution) else _constant(value)
        elif fixed and path in fixed:
            value = drawn[path] = fixed[path]
        elif isinstance(value, Distribution):
            if path in prior and str(prior[path]) == str(value):
                value = held[path]
            else:
                u = uniforms.get(path) if uniforms else None
                if u is None:
                    (u,) = streams.block(Purpose.PARAMETER, crc32(path.encode()), 1)
                value = float(value.quantile(u))
            drawn[path] = value
        *groups, name = path.split(".")
        level = values
        for group in groups:
            level = level.setdefault(group, {})
        level[name] = value
    return _namespace(values), drawn


def _constant(value: float) -> distributions.Quantile:
    return lambda u: value


def _namespace(values: dict[str, Any]) -> SimpleNamespace:
    return SimpleNamespace(**{k: _namespace(v) if isinstance(v, dict) else v for k, v in values.items()})
