"""What all figures share: colours, text placement, the caption, and files that are the same whenever they are drawn."""

from __future__ import annotations

import csv
import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary, WeakSet

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, MaxNLocator
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sim.analysis import words
from sim.analysis.goals import Goal, read_goals
from sim.analysis.intervals import Floats
from sim.analysis.precision import Precision, read_precision
from sim.analysis.tables import simulated
from sim.figures.provenance import provenance

BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
)
PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
"""Okabe and Ito (2008), Color Universal Design; its yellow is left out: too pale for lines on white."""

GREY = "#666666"
SMALL = 8.0
"""Font size of labels and caption, in points."""

styled = matplotlib.style.context(
    [
        "default",
        {
            "axes.axisbelow": True,
            "axes.edgecolor": GREY,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlelocation": "left",
            "axes.titlesize": 11,
            "axes.titleweight": "bold",
            "font.size": 9,
            "savefig.dpi": 150,
            "svg.fonttype": "none",  # text stays text
            "svg.hashsalt": "sim",  # the same file each time
            "text.parse_math": False,  # dollars are dollars
            "xtick.color": GREY,
            "ytick.color": GREY,
            "xtick.labelcolor": "black",
            "ytick.labelcolor": "black",
        },
    ]
)
"""Decorator: draw under this style, whatever the user's own matplotlib settings, and leave those alone."""

_LINE = SMALL * 1.45 / 72  # height of a line of caption, inches
_CHARACTERS = 15.0  # of caption per inch, on the safe side
_LEAST = 0.4  # of the room that axes have once laid out is left when all else is added
_laid_out: WeakSet[Figure] = WeakSet()
_captions: WeakKeyDictionary[Figure, tuple[str, float]] = WeakKeyDictionary()  # and the share of the height it takes


class Run(Protocol):
    """What figures read of a run folder (see ``sim.results.folder``)."""

    @property
    def path(self) -> Path:
        """The folder."""

    @property
    def manifest(self) -> dict[str, Any]:
        """Seed, replications, experiment, title, version, config_digest, scenarios, tables."""

    @property
    def config(self) -> dict[str, Any]:
        """The resolved configuration; here, its goals and its sweep."""

    @property
    def summary(self) -> dict[str, Any]:
        """Goals and metrics, and pairs of scenarios if they are alternatives."""

    def has_table(self, name: str) -> bool:
        """Whether the table is in the folder."""

    def table(self, name: str) -> Any:
        """The table `runs`, `monthly` or `sites` (a pyarrow.Table)."""


class Label(NamedTuple):
    """Text that wants to stand at a position of an axis, in data units."""

    at: float
    text: str
    colour: str


def has(run: Run, *names: str) -> bool:
    """Whether a run kept these tables, and they are still there."""
    return all(name in run.manifest["tables"] and run.has_table(name) for name in names)


def is_portfolio(run: Run) -> bool:
    """Whether a run kept its results and has more kinds of sites than hubs."""
    return has(run, "runs") and len(simulated(run.table("runs"))) > 1


def goals_of(run: Run, *metrics: str) -> list[Goal]:
    """Goals of a run, those on the given metrics only if any are given."""
    goals = read_goals(run.config.get("goals"))
    return [goal for goal in goals if not metrics or goal.metric in metrics]


def runs_a_scenario(manifest: Mapping[str, Any]) -> str:
    """Number of finished runs, or the least and the greatest where scenarios stopped by themselves: 50 to 400."""
    counts = [one.get("replications", manifest["replications"]) for one in manifest.get("scenarios", ())]
    return words.span(counts) if counts else f"{manifest['replications']:,}"


def precision_of(run: Run) -> Precision | None:
    """The precision that decided how many runs there are; None if their number was fixed."""
    dates = [name.partition("@")[2] for name in run.table("runs").column_names if "@" in name]
    return read_precision(run.config, goals_of(run), max(dates, default=""))


def new_figure(width: float, height: float, run: Run, caption: str) -> Figure:
    """Empty figure with its caption at the bottom.

    Parameters
    ----------
    width, height : float
        Size in inches, caption included.
    run : Run
        Named below the caption by experiment, levers moved, seed, replications, configuration and version.
    caption : str
        What is shown, in plain words.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    manifest = run.manifest
    characters = int(width * _CHARACTERS)
    name = words.cut(words.named(manifest), 3 * characters)
    source = (
        f"{name}: seed {manifest['seed']}, n = {runs_a_scenario(manifest)}, "
        f"config {' / '.join(one[:12] for one in manifest['config_digest'].split(' / '))}, sim {manifest['version']}"
    )
    said = textwrap.wrap(caption, characters)
    lines = said + textwrap.wrap(source, characters)
    for index, text in enumerate(lines):
        y = (len(lines) - index - 0.4) * _LINE / height
        colour = BLACK if index < len(said) else GREY
        figure.text(0.1 / width, y, text, fontsize=SMALL, color=colour, va="center", in_layout=False)
    below = (len(lines) + 0.8) * _LINE / height
    _captions[figure] = (caption, below)
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(rect=(0.005, below, 0.99, 0.995 - below))
    return figure


def headline(figure: Figure, text: str) -> None:
    """Title over all axes of a figure."""
    figure.suptitle(wrap(text, int(8.9 * figure.get_figwidth())), x=0.01, ha="left", fontsize=11, fontweight="bold")


def wrap(text: str, width: int) -> str:
    """Break a text into lines: after spaces and, in dotted names, after dots and underscores."""
    lines = [""]
    for piece in re.split(r"(?<=[ _])|(?<=\.)(?=[A-Za-z_])", text):
        if lines[-1] and len(lines[-1]) + len(piece.rstrip(" ")) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip(" ") for line in lines)


def spread(wanted: Sequence[float], sizes: Sequence[float], low: float, high: float) -> Floats:
    """Positions nearest to the wanted ones (least squares) at which labels of given sizes do not overlap.

    Parameters
    ----------
    wanted, sizes : sequence of float, shape (n,)
        Centre and extent of each label, in one unit. Labels keep the order of their wanted centres.
    low, high : float
        Range to stay in. If the labels do not fit, they run past its lower end.

    Notes
    -----
    Taking the room that labels need off their positions leaves an isotonic regression, solved by pooling adjacent
    violators (Barlow et al. 1972, Statistical Inference under Order Restrictions).
    """
    if not len(wanted):
        return np.empty(0)
    order = np.argsort(wanted, kind="stable")
    size = np.asarray(sizes, dtype=np.float64)[order]
    room = np.cumsum(size) - size / 2
    blocks: list[list[float]] = []
    for position in np.asarray(wanted, dtype=np.float64)[order] - room:
        blocks.append([float(position)])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    pooled = np.concatenate([np.full(len(block), np.mean(block)) for block in blocks])
    placed = np.empty(len(order))
    placed[order] = np.minimum(np.maximum(pooled, low), high - size.sum()) + room
    return placed


def value_axis(axis: Axis, metric: str) -> None:
    """Ticks in the words of a metric; those of counts are whole numbers."""
    axis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 2.5, 5, 10], integer=not metric.endswith("_share")))
    axis.set_major_formatter(FuncFormatter(lambda value, _: words.amount(metric, value)))


def label_right(axes: Axes, labels: Sequence[Label]) -> None:
    """Write labels right of the axes, each as near as possible to its height, equals in order from the top."""
    if not labels:
        return
    labels = labels[::-1]
    bottom, top = axes.get_ylim()
    wanted = [(label.at - bottom) / (top - bottom) for label in labels]
    inches = [(label.text.count("\n") + 1.35) * SMALL * 1.2 / 72 for label in labels]
    for label, y in zip(labels, _spread_along(axes, 1, wanted, inches, 0.04), strict=True):
        axes.text(
            1.012, y, label.text, transform=axes.transAxes, va="center", fontsize=SMALL, color=label.colour,
            clip_on=False,
        )  # fmt: skip


def label_top(axes: Axes, labels: Sequence[Label]) -> None:
    """Write one-line labels above the axes, each as near as possible to its place from left to right."""
    if not labels:
        return
    left, right = axes.get_xlim()
    wanted = [(label.at - left) / (right - left) for label in labels]
    inches = [(len(label.text) + 2) * SMALL * 0.55 / 72 for label in labels]
    for label, x in zip(labels, _spread_along(axes, 0, wanted, inches, 0.02), strict=True):
        axes.text(
            x, 1.012, label.text, transform=axes.transAxes, ha="center", va="bottom", fontsize=SMALL,
            color=label.colour, clip_on=False,
        )  # fmt: skip


def _spread_along(axes: Axes, side: int, wanted: Sequence[float], inches: Sequence[float], beyond: float) -> Floats:
    """`spread` along the width (0) or the height (1) of axes, in shares of it and a little beyond its ends."""

    def placed(size: float) -> Floats:
        return spread(wanted, [one / size for one in inches], -beyond, 1 + beyond)

    # Laying out is slow, and once is enough for labels that would be apart in a fraction of the room it left.
    if axes.get_figure(root=True) in _laid_out:
        sparsely = placed(_LEAST * axes.get_window_extent().size[side] / axes.figure.dpi)
        if np.allclose(sparsely, wanted, rtol=0, atol=1e-9):
            return sparsely
    return placed(axes_size(axes)[side])


def save(figure: Figure, folder: Path, name: str, run: Run, columns: Mapping[str, Sequence[Any]]) -> list[Path]:
    """Write NAME.png, NAME.svg and NAME.csv, the plotted numbers; return the paths.

    The images carry their caption and where they come from (`sim.figures.provenance`) as metadata, and no time: drawn
    again, they are the same files.

    Parameters
    ----------
    columns : mapping of equally long sequences
        The plotted numbers, as `write_csv` takes them.
    """
    manifest = run.manifest
    caption, _ = _captions[figure]
    source = json.dumps(provenance(manifest, name, caption))
    table = write_csv(folder, name, columns)
    _settle(figure)
    png, svg = table.with_suffix(".png"), table.with_suffix(".svg")
    title = f"{words.named(manifest, 'title')}: {name}"
    software = f"sim {manifest['version']}"
    about = {"Title": title, "Description": caption, "Source": source}
    _save_png(figure, png, {**about, "Software": software})
    _save_svg(figure, svg, {**about, "Creator": software, "Date": None})
    return [png, svg, table]


def _settle(figure: Figure) -> None:
    """Lay the figure out for good, on round numbers: the last digits of the layout differ from time to time."""
    _lay_out(figure)
    figure.set_layout_engine(None)  # "none" leaves a stand-in, for which every file would be drawn twice
    for axes in figure.axes:
        x, y, width, height = (round(value, 5) for value in axes.get_position(original=True).bounds)
        axes.set_position((x, y, width, height))
    for title in _titles(figure):
        x, y = (round(value, 5) for value in title.get_position())
        title.set_position((x, y))


def _titles(figure: Figure) -> list[Text]:
    """The title over all axes, if there is one; the other texts of a figure are its caption."""
    return [text for text in figure.texts if text.get_text() == figure.get_suptitle()]


def _save_png(figure: Figure, file: Path, metadata: dict[str, str]) -> None:
    """Write the figure in 256 colours, which is all that plots need and a third of the bytes."""
    drawn = BytesIO()
    figure.savefig(drawn, format="png", pil_kwargs={"compress_level": 0})
    about = PngInfo()
    for key, text in metadata.items():
        about.add_text(key, text)
    with Image.open(drawn) as image:
        colours = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        colours.save(file, pnginfo=about, dpi=image.info["dpi"], optimize=True)


def _save_svg(figure: Figure, file: Path, metadata: dict[str, Any]) -> None:
    """Write the figure without the caption printed below it: pages have it as text, with the metadata."""
    titles = _titles(figure)
    printed = [text for text in figure.texts if text not in titles]
    for text in printed:
        text.set_visible(False)
    figure.savefig(file, metadata=metadata)
    for text in printed:
        text.set_visible(True)
    width, height = (72 * inches for inches in figure.get_size_inches())
    height *= 1 - _captions[figure][1]
    drawn = file.read_text(encoding="utf-8")
    # Matplotlib hashes addresses of objects into the names of paths, so that they differ from time to time.
    for number, name in enumerate(dict.fromkeys(re.findall(r'id="([A-Za-z]+[0-9a-f]{10})"', drawn))):
        drawn = drawn.replace(name, f"path{number}")
    head, _, rest = drawn.partition("<metadata>")
    size = f'width="{width:g}pt" height="{height:g}pt" viewBox="0 0 {width:g} {height:g}"'
    file.write_text(
        re.sub(r'width="[^"]*" height="[^"]*" viewBox="[^"]*"', size, head) + f"<metadata>{rest}", encoding="utf-8"
    )


def write_csv(folder: Path, name: str, columns: Mapping[str, Sequence[Any]]) -> Path:
    """Write NAME.csv and return its path.

    Parameters
    ----------
    columns : mapping of equally long sequences
        One observation a row. Floats are written so that they read back exactly; None, nan and NaT are left empty.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / f"{name}.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_cell(value) for value in row] for row in zip(*columns.values(), strict=True))
    return table


def axes_size(axes: Axes) -> tuple[float, float]:
    """Width and height of the axes in inches, as they are laid out now."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    _lay_out(figure)
    box = axes.get_window_extent()
    return box.width / figure.dpi, box.height / figure.dpi


def _lay_out(figure: Figure) -> None:
    """Give all axes the room that their labels leave."""
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.execute(figure)
    _laid_out.add(figure)


def _cell(value: Any) -> Any:
    """A value as it is written in a CSV file; dates are ISO dates by themselves."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value != value:
        return ""
    return str(value).lower() if isinstance(value, bool) else value
