"""How well a run forecast what was observed: where each observation fell among the runs, and what it scored.

Nothing is fitted here. Observations are compared with the ensemble of replications as it stands, at their own date.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.analysis import words
from sim.analysis.intervals import Floats
from sim.analysis.tables import FEW, QUANTILES, Paths, has_paths, national, quantiles
from sim.model.metrics import metrics

if TYPE_CHECKING:
    import pyarrow as pa

SERIES = {"hubs_functional": "hubs_open", "stp_parks": "sites_open.stp"}
"""Series of observations that have another name than the metric they observe."""
COMPARATOR = "comparator"
"""Role of observations of another programme."""
CALIBRATION = "calibration"
"""Role of observations that were known when the model was made."""
NOTES = """PIT: share of runs below what was observed, half of those equal to it included (mid-PIT).
CRPS: continuous ranked probability score, fair for the number of runs; 0 is perfect, in the unit of the figure;
within bounds: its mean over all values between the bounds, each as likely, where no more than these is known.
PIT, error and intervals are judged by the value itself."""
SCORES = ("pit", "pit_low", "pit_high", "crps", "crps_within_bounds", "absolute_error", "inside_50", "inside_90")


def crps(ensemble: Floats, value: float) -> float:
    """Continuous ranked probability score of an ensemble: 0 is perfect, in the unit of the value, as an error is.

    Parameters
    ----------
    ensemble : ndarray, shape (n,)
        Exchangeable forecasts; fewer than two give nan.
    value : float
        What was observed.

    Notes
    -----
    E|X - y| - E|X - X'| / 2 (Gneiting and Raftery 2007, J. Am. Stat. Assoc. 102, 359-378, equation 21), the last
    expectation over pairs of different members: its mean over ensembles does not depend on their size (the fair score:
    Ferro 2014, Q. J. R. Meteorol. Soc. 140, 1917-1923). A single score may so be a little below 0.
    """
    return crps_within(ensemble, value, value)


def crps_within(ensemble: Floats, low: float, high: float) -> float:
    """Mean of `crps` over a value of which only bounds are known, each value between them as likely as another."""
    n = ensemble.size
    if n < 2:
        return float("nan")
    distance = np.abs(ensemble - (low + high) / 2)
    if high > low:
        inside = (low <= ensemble) & (ensemble <= high)
        x = ensemble[inside]
        distance[inside] = ((x - low) ** 2 + (high - x) ** 2) / (2 * (high - low))
    ranks = 2 * np.arange(n) - n + 1
    return float(distance.mean() - (ranks * np.sort(ensemble)).sum() / (n * (n - 1)))


def pit(ensemble: Floats, value: float) -> float:
    """Probability integral transform: the share of the ensemble below a value, and half of that equal to it.

    The half (mid-PIT) is for counts, where many runs say just what was observed: the mean stays 1/2 if forecasts are
    right. It is chosen over a random number, which would give another answer each time.
    """
    return float(np.mean(ensemble < value) + np.mean(ensemble == value) / 2)


def score(monthly: pa.Table, observations: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Score each observation against the runs of the first scenario, at its date, linear between recorded dates.

    Parameters
    ----------
    monthly : pyarrow.Table
        A row a month, region and kind of site.
    observations : iterable of mappings
        Each with series, date (a date or ISO text), value and, possibly, low and high (None: not known), role and
        fact_ids.

    Returns
    -------
    list of dict
        An entry an observation, in their order: what was observed; ``metric``; ``not_scored``, the reason, or None;
        ``n`` runs, their quantiles p05 to p95, the `SCORES`; and ``in_words``. What is not scored has None there.
    """
    known = set(metrics(np.unique(monthly.column("kind").to_numpy(zero_copy_only=False)).tolist()))
    paths: dict[str, Paths] = {}
    entries = []
    for row in observations:
        entry = _observed(row)
        metric = entry["metric"]
        if metric not in paths and metric in known and has_paths(monthly, metric):
            paths[metric] = national(monthly, metric)
        reason, ensemble = _forecast(entry, paths.get(metric))
        entry |= {"not_scored": reason, "n": ensemble.size or None, **dict.fromkeys((*QUANTILES, *SCORES))}
        if not reason:
            entry |= _scores(entry, ensemble)
        entries.append(entry | {"in_words": in_words(entry, ensemble)})
    return entries


def summarise(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How many observations were scored and fell inside, and the mean scores of each metric, in its unit."""
    scored = [entry for entry in entries if not entry["not_scored"]]
    return {
        "observations": len(entries),
        "scored": len(scored),
        "known_before": sum(entry["role"] == CALIBRATION for entry in scored),
        "inside_50": sum(entry["inside_50"] for entry in scored),
        "inside_90": sum(entry["inside_90"] for entry in scored),
        "metrics": [
            {
                "metric": metric,
                "scored": len(own),
                **{
                    f"mean_{name}": float(np.mean([entry[name] for entry in own]))
                    for name in ("crps", "crps_within_bounds", "absolute_error")
                },
            }
            for metric in dict.fromkeys(entry["metric"] for entry in scored)
            if (own := [entry for entry in scored if entry["metric"] == metric])
        ],
    }


def in_words(entry: Mapping[str, Any], ensemble: Floats) -> str:
    """An entry as a sentence: what was observed, what the forecast said, where the observation fell."""
    metric, value, (low, high), when = entry["metric"], entry["value"], bounds(entry), words.day(entry["date"])
    if entry["not_scored"]:
        return f"{entry['series']} {words.number(value)} on {when}: not scored ({entry['not_scored']})"
    within = f" (known within {words.amount(metric, low)} to {words.amount(metric, high)})" if low < high else ""
    seen = f"{words.quantity(metric, value)}{within} on {when}"
    median = words.amount(metric, entry["p50"])
    if ensemble.size < FEW:
        ends = [words.amount(metric, end) for end in (ensemble.min(), ensemble.max())]
        return f"{seen}: the forecast said {median} ({ensemble.size} runs, too few for bands: {ends[0]} to {ends[1]})"
    ends = [words.amount(metric, entry[name]) for name in ("p10", "p90")]
    side = "above" if value > entry["p50"] else "below"
    fell = (
        "in the middle half"
        if entry["inside_50"]
        else f"{side} the middle half, within the middle 90%"
        if entry["inside_90"]
        else f"{side} the middle 90%"
    )
    return f"{seen}: the forecast said {median} (8 in 10 runs: {ends[0]} to {ends[1]}); it fell {fell}"


def text(entries: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> str:
    """Entries as sentences, a table of those that were scored, and the summary, as lines of text."""
    lines = [entry["in_words"] for entry in entries]
    scored = [entry for entry in entries if not entry["not_scored"]]
    if not scored:
        return "\n".join([*lines, "", f"None of {len(entries)} observations could be scored."])
    head = ["", "", "observed", "median", "50% interval", "90% interval", "PIT", "CRPS", "within bounds", "|error|"]
    lines += ["", words.table([head, *map(_cells, scored)]), ""]
    lines.append(
        f"{len(scored)} of {len(entries)} observations scored: {summary['inside_50']} in the 50% interval, "
        f"{summary['inside_90']} in the 90% interval."
    )
    for each in summary["metrics"]:
        metric = each["metric"]
        mean, within, error = (
            words.difference(metric, each[f"mean_{name}"]) for name in ("crps", "crps_within_bounds", "absolute_error")
        )
        over = f" ({within} over the bounds)" if within != mean else ""
        said = words.capital(words.name(metric))
        lines.append(f"{said}: mean CRPS {mean}{over}; the median alone, as a point forecast, {error}.")
    if known := summary["known_before"]:
        were = "was" if known == 1 else "were"
        lines.append(f"{known} {were} known when the model was made ({CALIBRATION}): agreement there is no foresight.")
    lines.append(NOTES)
    return "\n".join(lines)


def _cells(entry: Mapping[str, Any]) -> list[str]:
    """Cells of an entry in the table."""
    metric, (low, high) = entry["metric"], bounds(entry)

    def said(*values: float) -> str:
        return " to ".join(words.amount(metric, value) for value in values)

    return [
        words.name(metric),
        entry["date"].isoformat(),
        said(entry["value"]) + (f" ({said(low, high)})" if low < high else ""),
        said(entry["p50"]),
        said(entry["p25"], entry["p75"]),
        said(entry["p05"], entry["p95"]),
        f"{entry['pit']:.2f}",
        *(words.difference(metric, entry[name]) for name in ("crps", "crps_within_bounds", "absolute_error")),
    ]


def bounds(entry: Mapping[str, Any]) -> tuple[float, float]:
    """Bounds of what was observed; the value itself where none is known."""
    low, high = (entry["value"] if entry[end] is None else entry[end] for end in ("low", "high"))
    return low, high


def _observed(row: Mapping[str, Any]) -> dict[str, Any]:
    """What was observed, and the metric that answers to it."""
    return {
        "series": row["series"],
        "metric": SERIES.get(row["series"], row["series"]),
        "date": date.fromisoformat(str(row["date"])),
        "value": row["value"],
        **{name: row.get(name) for name in ("low", "high")},
        "role": row.get("role", ""),
        "fact_ids": row.get("fact_ids", ""),
    }


def _forecast(entry: Mapping[str, Any], paths: Paths | None) -> tuple[str | None, Floats]:
    """Why an observation is not scored (None: it is), and the value of each run at its date."""
    if entry["role"] == COMPARATOR:
        return "it is of another programme", np.empty(0)
    if paths is None or not paths.values.size:
        return "not simulated", np.empty(0)
    values = paths.between(entry["date"])
    first, last = paths.dates[[0, -1]].tolist()
    if values is None:
        return f"outside the run's dates, {words.day(first)} to {words.day(last)}", np.empty(0)
    if entry["date"] == first:
        return "the run starts from that day: given to it, not forecast", np.empty(0)
    values = values[np.isfinite(values)]
    return (None, values) if values.size > 1 else ("it takes two runs that have a value then", np.empty(0))


def _scores(entry: Mapping[str, Any], ensemble: Floats) -> dict[str, Any]:
    """Quantiles of the runs, and the `SCORES` of an observation."""
    value, (low, high) = entry["value"], bounds(entry)
    band = {name: float(x) for name, x in quantiles(ensemble).items()}
    return band | {
        "pit": pit(ensemble, value),
        "pit_low": pit(ensemble, low),
        "pit_high": pit(ensemble, high),
        "crps": crps(ensemble, value),
        "crps_within_bounds": crps_within(ensemble, low, high),
        "absolute_error": abs(band["p50"] - value),
        "inside_50": band["p25"] <= value <= band["p75"],
        "inside_90": band["p05"] <= value <= band["p95"],
    }
