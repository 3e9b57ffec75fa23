"""report.html: one file that needs nothing else, safe against what is written into it, readable on a phone."""

import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from sim import workflow
from sim.figures.provenance import in_words
from sim.report import write_report
from sim.study import montecarlo
from tests.helpers import config

END = "2026-06-30"
HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>' & </title>"


@pytest.fixture(scope="module", autouse=True)
def few_figures():
    """All figures of a portfolio take 10 seconds; tests/figures has each of them."""
    from sim.figures import goal_probability, hubs_open, tile_map

    def draw(run, folder):
        figures = (hubs_open, goal_probability, tile_map) if len(run.manifest["scenarios"]) == 1 else ()
        return [file for figure in figures for file in figure.draw(run, folder)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sim.figures.draw_all", draw)
        yield


@pytest.fixture(scope="module")
def portfolio(tmp_path_factory):
    path = tmp_path_factory.mktemp("portfolio") / "run"
    assert workflow.run(config({"replications": 3, "figures": True}, "portfolio", END), "portfolio", path) == 0
    return path


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """A sweep whose names want to be more than text."""
    path = tmp_path_factory.mktemp("sweep") / "run"
    listed = [{"name": f"{HOSTILE} {places}", "rollout.committee": places} for places in (20, 80)]
    goal = {"metric": "hubs_open", "level": 45, "by": END, "label": HOSTILE, "source": "assumption"}
    told = {"title": HOSTILE, "question": HOSTILE}
    cfg = config({"replications": 2, "sweep": {"list": listed}, "figures": True, **told}, end=END)
    assert workflow.run(cfg | {"goals": {"hubs_45": goal}}, HOSTILE[:20], path, ["sim", "run", HOSTILE]) == 0
    return path


@pytest.fixture(params=["portfolio", "sweep"])
def report(request):
    return request.getfixturevalue(request.param) / "report.html"


class Page(HTMLParser):
    """Tags with their attributes, and text, as a browser would take them apart."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.styles, self.text, self._in = [], "", "", ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.styles += f"{dict(attrs).get('style') or ''};"
        self._in = tag

    def handle_endtag(self, tag):
        self._in = ""

    def handle_data(self, data):
        if self._in == "style":
            self.styles += data
        else:
            self.text += data

    def all(self, *names):
        return [attrs for tag, attrs in self.tags if tag in names]


def test_it_needs_nothing_else(report):
    page = Page(report.read_text(encoding="utf-8"))
    assert not page.all("script", "link", "iframe", "object", "embed", "base", "form")
    for tag, attrs in page.tags:
        for name, value in attrs.items():
            if name in ("src", "href", "xlink:href", "srcset", "data", "poster", "action", "background"):
                assert tag == "a" or value.startswith(("#", "data:image/png;base64,")), (tag, name, value[:80])
            assert not name.startswith("on"), (tag, name)
    assert re.findall(r"url\(\s*['\"]?(?!#)", page.styles) == []
    assert "@import" not in page.styles
    assert report.stat().st_size < 3_000_000


def test_every_figure_says_what_it_shows(report):
    page = Page(report.read_text(encoding="utf-8"))
    pictures = page.all("svg", "img")
    assert len(pictures) == len(list((report.parent / "figures").glob("*.png")))
    assert pictures or "sweep" in str(report)
    for attrs in pictures:
        assert len(attrs.get("aria-label") or attrs.get("alt") or "") > 20
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    known = set(ids)
    links = [attrs[name] for _, attrs in page.tags for name in ("href", "xlink:href") if name in attrs]
    assert {link[1:] for link in links if link.startswith("#")} <= known


def test_hostile_names_are_text(sweep):
    text = (sweep / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert "<script" not in text
    assert "onerror" not in {name for _, attrs in page.tags for name in attrs}
    assert page.text.count("<script>alert(1)</script>") >= 4  # question, title, scenarios: shown as they are
    assert not page.all("img") or all(attrs["src"].startswith("data:") for attrs in page.all("img"))
    assert len(page.all("title")) == 1


def test_what_a_hostile_figure_says_is_text(portfolio, tmp_path):
    """Captions come from the metadata of files that may not be ours."""
    path = shutil.copytree(portfolio, tmp_path / "run")
    (path / "figures" / "hubs_open.svg").unlink()
    before = (path / "report.html").read_text(encoding="utf-8")
    text = write_report(path).read_text(encoding="utf-8")
    assert text != before
    assert Page(text).all("img")[0]["alt"].startswith("Hubs open in the whole country.")


def test_it_is_made_anew_from_the_tables_alone(portfolio, tmp_path, monkeypatch):
    """Without simulating, the same to the byte, wherever the folder is; figures as well."""
    monkeypatch.chdir(tmp_path)
    path = shutil.copytree(portfolio, tmp_path / "elsewhere")
    shutil.rmtree(path / "figures")
    (path / "report.html").unlink()

    def never(*_):
        raise AssertionError("a report is no reason to simulate")

    monkeypatch.setattr(montecarlo, "simulate", never)
    workflow.report(Path("elsewhere"))
    made = {file.name: file.read_bytes() for file in (path / "figures").iterdir()}
    assert made == {file.name: file.read_bytes() for file in (portfolio / "figures").iterdir()}
    old, new = ((folder / "report.html").read_text(encoding="utf-8") for folder in (portfolio, path))
    assert new == old.replace(f"sim reproduce {portfolio}", "sim reproduce elsewhere")
    workflow.report(Path("elsewhere"))
    assert (path / "report.html").read_text(encoding="utf-8") == new


def test_it_says_what_the_run_says(portfolio):
    page = Page((portfolio / "report.html").read_text(encoding="utf-8"))
    manifest, summary = (json.loads((portfolio / f"{name}.json").read_text()) for name in ("manifest", "summary"))
    said = [manifest["question"], summary["answer"], manifest["config_digest"], f"seed {manifest['seed']}"]
    said += [table["digest"] for table in manifest["tables"].values()]
    said += [goal["label"] for goal in manifest["config"]["goals"].values()]
    for text in said:
        assert text in page.text


def test_a_lever_that_was_moved_is_said_of_the_run_and_its_figures(portfolio, tmp_path):
    """Of the same run with a command: on the page, in the names of its figures, and by `sim figure-source`."""
    path = shutil.copytree(portfolio, tmp_path / "moved")
    manifest = json.loads((path / "manifest.json").read_text())
    command = ["sim", "run", "experiment=portfolio", "replications=3", "calls.applications=60", f"goals={HOSTILE}"]
    (path / "manifest.json").write_text(json.dumps(manifest | {"command": command}))
    workflow.report(path)
    moved = f"with calls.applications=60 and goals={HOSTILE}"[:60]
    for folder, said in ((portfolio, False), (path, True)):
        text = (folder / "report.html").read_text(encoding="utf-8")
        page = Page(text)
        assert "<script" not in text
        head, _, rest = page.text.partition(manifest["question"])
        assert head.lstrip().startswith(f"{manifest['title']}, {moved}" if said else f"{manifest['title']}: ")
        assert (f"portfolio, {moved}" in rest) == said
        assert (f"<strong>{manifest['experiment']}, with calls" in text) == said
        for file in (*(folder / "figures").glob("*.png"), *(folder / "figures").glob("*.svg")):
            assert (f"experiment portfolio, {moved}" in in_words(file)) == said
            assert (", with calls.applications=60 and" in title_of(file)) == said


def title_of(file):
    if file.suffix == ".svg":
        return re.search("<dc:title>(.*?)</dc:title>", file.read_text(encoding="utf-8")).group(1)
    with Image.open(file) as image:
        return image.text["Title"]


# --- in a browser


@pytest.fixture(scope="module")
def browser():
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if os.environ.get("CI"):
        pytest.skip("no browser is asked of CI")
    if not found:
        pytest.skip("needs Chromium on the PATH")
    return found


PROBE = """<script>addEventListener("load", () => setTimeout(() => parent.postMessage(JSON.stringify({
  width: innerWidth, scroll: document.documentElement.scrollWidth,
  figures: document.querySelectorAll("figure").length,
  named: document.querySelectorAll("figure svg[aria-label], figure img[alt]").length,
  beyond: [...document.querySelectorAll("body *")].filter(e => !e.closest(".wide") && !e.closest("svg")
    && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName)}), "*"), 50))</script>"""
FRAME = """<body style="margin:0"><iframe src="page.html" style="border:0;width:{width}px;height:4000px"></iframe>
<script>addEventListener("message", message => {{ document.title = message.data }})</script>"""


@pytest.mark.parametrize("width", [390, 1280])
def test_in_a_browser(report, browser, width, tmp_path):
    """In a frame of that width, as windows have a least one: nothing said on the console, nothing beyond the edge."""
    text = report.read_text(encoding="utf-8")
    (tmp_path / "page.html").write_text(text.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    (tmp_path / "frame.html").write_text(FRAME.format(width=width), encoding="utf-8")
    done = subprocess.run(
        [
            browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--log-level=0",
            "--virtual-time-budget=10000", "--dump-dom", f"--user-data-dir={tmp_path / 'profile'}",
            (tmp_path / "frame.html").as_uri(),
        ],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    found = re.search(r"<title>(.*?)</title>", done.stdout)
    assert found, done.stderr[-2000:]
    probe = json.loads(found.group(1).replace("&amp;", "&"))
    assert probe["width"] == width
    assert probe["scroll"] <= width
    assert probe["beyond"] == []
    assert probe["named"] == probe["figures"]
    assert probe["figures"] or "sweep" in str(report)
