"""Pages: what is generated is current, links lead somewhere, and commands name experiments there are."""

import importlib.util
import json
import re

import numpy as np
import pytest

from sim.config import experiments
from tests.benchmarks import bench
from tests.helpers import ROOT

SPEC = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
generate = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(generate)
PAGES = [page for folder in (ROOT, ROOT / "docs", ROOT / "results") for page in sorted(folder.glob("*.md"))]


def named(page):
    return str(page.relative_to(ROOT))


def test_the_page_of_benchmarks_is_that_of_its_figures():
    found = json.loads((ROOT / "results/benchmarks/benchmarks.json").read_text(encoding="utf-8"))
    assert (ROOT / "results/benchmarks/README.md").read_text(encoding="utf-8") == bench.page(found)


@pytest.mark.parametrize("page", generate.PAGES, ids=named)
def test_what_is_generated_is_current(page):
    text = page.read_text(encoding="utf-8")
    assert generate.generate(text) == text, "python docs/generate.py makes it anew"


def test_every_table_has_its_place():
    text = "".join(page.read_text(encoding="utf-8") for page in generate.PAGES)
    places = re.findall(r"<!-- (\w+): begin -->", text)
    assert sorted(places) == sorted(make.__name__ for make in generate.MAKERS)


def test_a_stale_table_is_noticed():
    """The test above can fail: an answer that nobody gave is replaced."""
    stale = "<!-- answer: begin -->\n\n20 in 20\n\n<!-- answer: end -->\n"
    assert "20 in 20" not in generate.generate(stale)


def test_variances_within_and_between_groups():
    """Groups of any size: standard deviations of 2 within and 3 between are found, and none where none is."""
    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(2000), rng.integers(1, 5, 2000))
    own = 2 * rng.standard_normal(len(group))
    found = generate.variances(3 * rng.standard_normal(2000)[group] + own, group)
    assert found == (pytest.approx(4, rel=0.1), pytest.approx(9, rel=0.1))
    assert generate.variances(own, group)[1] < 0.3
    assert generate.variances(np.array([1.0, 3, 2, 4, 6, 8]), np.array([0, 0, 1, 1, 2, 2])) == (2.0, 6.0)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    lost = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not lost


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_name_experiments_there_are(page):
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"sim run[^`\n]* ?experiment=(\w+)", text))
    written = set(re.findall(r"experiment/(\w+)\.yaml", text))  # the reader's own
    assert named - {"NAME"} - written <= {name for name, _ in experiments()}
