"""What all figures share."""

import csv
from datetime import date
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sim.analysis.words import named
from sim.figures import style


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.01, 0.12)), min_size=1, max_size=8))
def test_spread_labels_do_not_overlap(labels):
    wanted, sizes = zip(*labels, strict=True)
    placed = style.spread(wanted, sizes, 0, 1)
    order = np.argsort(wanted, kind="stable")
    tops, bottoms = (placed + np.array(sizes) / 2)[order], (placed - np.array(sizes) / 2)[order]
    assert (tops[:-1] <= bottoms[1:] + 1e-12).all()
    assert bottoms[0] >= -1e-12
    assert tops[-1] <= 1 + 1e-12


def test_spread_moves_as_little_as_possible():
    assert style.spread([0.9, 0.1, 0.5], [0.1] * 3, 0, 1).tolist() == pytest.approx([0.9, 0.1, 0.5])
    assert style.spread([0.5, 0.5, 0.2], [0.1] * 3, 0, 1).tolist() == pytest.approx([0.45, 0.55, 0.2])
    assert style.spread([0.0, 0.0], [0.2] * 2, 0, 1).tolist() == pytest.approx([0.1, 0.3])
    assert style.spread([0.5] * 3, [0.5] * 3, 0, 1).tolist() == pytest.approx([-0.25, 0.25, 0.75])  # no room
    assert style.spread([], [], 0, 1).size == 0


def test_wrap():
    assert style.wrap("rollout.committee_capacity", 12) == "rollout.\ncommittee_\ncapacity"
    assert style.wrap("median 35.2 of 150", 11) == "median 35.2\nof 150"
    assert style.wrap("5%\u00a0by\u00a0Dec", 4) == "5%\u00a0by\u00a0Dec"
    assert style.wrap("short", 40) == "short"


LEVERS = [
    "calls.applications.value=[pert,60.123456,70.123456,80.123456]",
    "hiring.attrition.value=[uniform,0.0123456,0.0423456]",
    "goals.jobs_25000.label='$a$ <i> $b$ and more than fits a line'",
    "rollout.evaluation.value=[pert,1.0000001,3.0000001,8.0000001]",
    "initiative.training_places=20000",
]


@pytest.mark.images
@pytest.mark.parametrize("width", [5.4, 9.5])
@style.styled
def test_levers_are_said_below_a_figure(run, tmp_path, cut_off, width):
    """Whole, each line by itself, and as text: dollars are no formula."""
    moved = SimpleNamespace(manifest=run.manifest | {"command": ["sim", "run", *LEVERS]}, config=run.config)
    figure = style.new_figure(width, 4, moved, "A caption.")
    axes = figure.subplots()
    axes.set_xlabel("x")
    png, *_ = style.save(figure, tmp_path, "name", moved, {"a": [1]})
    assert cut_off(figure) == []
    source = figure.texts[1:]
    assert " ".join(text.get_text() for text in source) == (
        f"{named(moved.manifest)}: seed 2027, n = 60, config 0123456789ab, sim 0.1.0"
    )
    assert "$a$ <i> $b$" in named(moved.manifest)
    assert not any(text.get_parse_math() for text in figure.texts)
    boxes = [text.get_window_extent() for text in figure.texts]
    assert all(above.y0 >= below.y1 - 1 for above, below in pairwise([axes.get_tightbbox(), *boxes]))
    with Image.open(png) as image:
        assert image.text["Title"] == f"{named(moved.manifest, 'title')}: name"


@style.styled
def test_the_names_of_many_leave_room_for_the_figure(run):
    names = " / ".join(f"sweep: calls.applications={number}" for number in range(100))
    many = SimpleNamespace(manifest=run.manifest | {"experiment": names, "config_digest": f"{'a' * 64} / {'b' * 64}"})
    _, *source = (text.get_text() for text in style.new_figure(9.5, 4, many, "A caption.").texts)
    assert 2 < len(source) < 6
    assert " ".join(source).endswith(f"...: seed 2027, n = 60, config {'a' * 12} / {'b' * 12}, sim 0.1.0")


def test_csv_reads_back_exactly(run, tmp_path):
    columns = {
        "float": [0.1 + 0.2, np.float64(1 / 3), float("nan")],
        "int": [1, np.int64(2), None],
        "flag": [True, np.bool_(False), None],
        "date": [date(2027, 12, 31), np.datetime64("2027-02-28"), np.datetime64("NaT")],
        "text": ["a, b", "$", ""],
    }
    *_, path = style.save(style.new_figure(4, 3, run, "A caption."), tmp_path / "new", "name", run, columns)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["float"] for row in rows] == ["0.30000000000000004", "0.3333333333333333", ""]
    assert [row["int"] for row in rows] == ["1", "2", ""]
    assert [row["flag"] for row in rows] == ["true", "false", ""]
    assert [row["date"] for row in rows] == ["2027-12-31", "2027-02-28", ""]
    assert [row["text"] for row in rows] == ["a, b", "$", ""]


def test_uneven_columns_are_refused(run, tmp_path):
    with pytest.raises(ValueError, match="shorter"):
        style.save(style.new_figure(4, 3, run, "A caption."), tmp_path, "name", run, {"a": [1, 2], "b": [1]})


def test_labels_that_would_touch_are_kept_apart_whether_laid_out_before_or_not(run, saved):
    figure = style.new_figure(4, 3, run, "A caption.")
    axes = figure.subplots()
    for write, at in ((style.label_right, 0.3), (style.label_right, 0.7), (style.label_top, 0.5)):
        write(axes, [style.Label(at, "alone", "k")])
        write(axes, [style.Label(at + 0.1 + less, "together", "k") for less in (0, -1e-3, -2e-3)])
    boxes = [text.get_window_extent() for text in axes.texts if text.get_text() == "together"]
    assert len(boxes) == 9
    for one in range(0, 9, 3):
        assert not any(a.overlaps(b) for a, b in pairwise(boxes[one : one + 3]))
