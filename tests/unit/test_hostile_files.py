"""Files and folders nobody should name: one clear line each, nothing run that a file says, nothing written."""

import re

import pytest

from sim.config import compose_config
from sim.errors import InputError
from sim.results.folder import open_run
from sim.workflow import run
from tests.helpers import config

LONG = "a" * 5000
FILES = {
    "a Python tag": ("title: !!python/object/apply:os.mkdir [made]", "could not determine a constructor for the tag"),
    "code to be called": (
        "hydra: {callbacks: {x: {_target_: os.mkdir, path: made}}}", "own.yaml: should say nothing of _target_, which",
    ),
    "settings of Hydra": ("? !!str hydra\n: {job_logging: null}", "own.yaml: should say nothing of hydra, which"),
    "a package of Hydra": ("# @package hydra.job_logging", "own.yaml: should say nothing of hydra, which"),
    "a package in a package": (
        "# @package _global_.hydra.job_logging\nroot: {level: INFO}", "own.yaml: should say nothing of hydra, which",
    ),
    "a package in the defaults": (
        "defaults: [/own@_global_.hydra.job_logging: x]", "own.yaml: should say nothing of hydra, which",
    ),
    "an override of Hydra": ("defaults: [override hydra/job_logging: none]", "should say nothing of hydra, which"),
    "a package that is hidden": ("a: hydra_\ndefaults: ['/own@_global_.${a}: x']", "should say in so many words where"),
    "a factory of logging": ('x: {"()": os.mkdir, path: made}', "own.yaml: should say nothing of (), which"),
    "a huge integer": ("seed: " + "9" * 400, "seed: should be less than 9223372036854775808"),
    "a larger one": ("seed: 0x" + "f" * 5000, "seed: should be less than 9223372036854775808"),
    "a list of files of states": ("start: {states_file: [a]}", "should be the name of a file (got ['a'])"),
    "a folder of states": ("start: {states_file: /}", "start.states_file: cannot read / (it is no file)"),
    "a device of states": ("start: {states_file: /dev/zero}", "cannot read /dev/zero (it is no file)"),
    "states that are none": (
        "start: {states_file: data.json}", "start.states_file: cannot read data.json (list indices must be integers",
    ),
    "deep states": ("start: {states_file: deep.json}", "start.states_file: cannot read deep.json (maximum recursion"),
    "more scenarios than fit": (
        "sweep: {grid: {" + ", ".join(f"key{n}: [{', '.join('1' * 20)}]" for n in range(9)) + "}}",
        "sweep should have at most 10,000 scenarios, got 512,000,000,000",
    ),
    "deep lists": ("hiring: {attrition: {value: " + "[" * 3000 + "]" * 3000 + "}}", "maximum recursion depth exceeded"),
    "deep mappings": ("hiring: " + "{a: " * 3000 + "1" + "}" * 3000, "maximum recursion depth exceeded"),
    "aliases of aliases": (
        "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60)),
        "should have at most 20 aliases (got 118)",
    ),
    "a mapping that holds itself": ("hiring: &a\n  attrition: *a", "maximum recursion depth exceeded"),
    "not a number": ("hiring: {attrition: {value: .nan}}", "hiring.attrition: should be a number or a distribution"),
    "1e308": ("calls: {applications: {value: 1.0e+308}}", "calls.applications: should be between 0 and 100000"),
    "an unknown variable": ("title: ${oc.env:NOT_THERE}", "Environment variable 'NOT_THERE' not found"),
    "half a character": ('title: "\\ud800"', "a text of the configuration cannot be written"),
    "a NUL in out": ('out: "a\\0b"', "out: cannot write to 'a\\x00b' (embedded null byte)"),
    "a NUL in the file": ("\0", "unacceptable character #x0000"),
    "half a list": ("hiring: [", "expected the node content, but found '<stream end>'"),
    "the same key twice": ("seed: 1\nseed: 2", "found duplicate key seed"),
    "a list": ("- 1\n- 2", "cannot read"),
}  # fmt: skip
STATES = {"data.json": "[]", "deep.json": "[" * 100_000}


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_experiment_is_refused_in_a_line(sim, tmp_path, name):
    """In a folder with odd characters, which a path may have."""
    text, words = FILES[name]
    folder = tmp_path / "it's mine, [really]"
    (folder / "experiment").mkdir(parents=True)
    (folder / "experiment" / "own.yaml").write_text(f"# @package _global_\nquestion: why?\n{text}\n")
    for name, content in STATES.items():
        (tmp_path / name).write_text(content)
    out = [] if text.startswith("out") else ["out=new"]
    code, said, err = sim("run", "--config-dir", folder.name, "experiment=own", "replications=1", "goals=none", *out)
    assert code in (1, 2)
    assert said == ""
    assert "Traceback" not in err
    assert len(err) < 3000
    assert words in " ".join(err.split())
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"own.yaml", *STATES}
    assert not (tmp_path / "made").exists()


def test_an_experiment_of_ones_own(sim, tmp_path):
    folder = tmp_path / "mine" / "experiment"
    folder.mkdir(parents=True)
    text = "# @package _global_\ntitle: A hydra of a committee\nhiring: {attrition: {value: 0.0321}}\n"
    (folder / "own.yaml").write_text(text)
    (folder / "bare.yaml").write_text("hiring: {attrition: {value: 0.0321}}\n")
    code, out, _ = sim("parameters", "--config-dir", "mine", "experiment=own")
    assert code == 0
    assert "0.0321" in out
    code, out, _ = sim("list", "--config-dir", "mine")
    assert (code, out.splitlines()[-1].split()[0]) == (0, "own")
    small = ("end=2025-11-30", "goals=none", "replications=2", "workers=1", "figures=false")
    code, out, err = sim("compare", "--config-dir=mine", "baseline", "own", *small, "out=cmp")
    (line,) = err.splitlines()
    assert (code, line.endswith("; own (2 replications), kept in cmp_own")) == (0, True)
    assert re.search(r"configured: .*hiring.attrition\S* .*0.0321", out), out
    command = open_run(tmp_path / "cmp_own").manifest["command"]
    assert command[:5] == ["sim", "run", "--config-dir", "mine", "experiment=own"]
    code, out, err = sim("run", "--config-dir", "mine", "experiment=bare", "goals=none", "out=new")
    assert (code, out) == (2, "")
    assert err.startswith("experiment: the first line of its file should be `# @package _global_`")


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("experiment=../../../etc/passwd", "Could not find 'experiment/../../../etc/passwd'"),
        ("experiment=مرکز", "مرکز"),
        (f"experiment={LONG}", "File name too long"),
        (f"out=a/{LONG[:300]}", "File name too long"),
        ("out=/dev/null/run", "out: cannot write to /dev/null/run (Not a directory)"),
        (f"hiring.attrition={'[' * 3000}{']' * 3000}", "cannot read"),
    ],
    ids=lambda value: value[:30].encode("unicode_escape").decode(),
)
def test_hostile_names_are_refused_in_a_line(sim, tmp_path, argument, words):
    code, out, err = sim(
        "run", "replications=1", "workers=1", "goals=none", "end=2025-11-30", "figures=false", argument
    )
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert len(err) < 6000
    assert words in err
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("out", ["../beside", "a b/مرکز/$(touch made)/<b>%s{}", "a" * 255])
def test_odd_folders_are_folders(out, monkeypatch, tmp_path):
    """What is named is where it goes, and nothing else is made; only users name it, so it may be anywhere."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert run(config({"replications": 1, "tables": ["runs"], "out": out}, end="2025-11-30"), "baseline") == 0
    made = tmp_path / "here" / out
    assert open_run(made).manifest["status"] == "complete"
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and made.resolve() not in path.parents]


def test_what_is_quoted_is_cut():
    with pytest.raises(InputError) as caught:
        compose_config([f"hiring.attrition=[{LONG}"])
    assert len(str(caught.value)) < 4000
