"""The page of published results: `python -m sim.results.index results`, which `make results` runs at its end."""

from __future__ import annotations

import sys
from pathlib import Path

from sim.results.folder import Run

HEAD = """# Published results

Made by one command, in a checkout of the commit that each `manifest.json` names:

    make results

which runs, for each experiment, `sim run experiment=NAME out=results/NAME` with the seed and the number of replications
of its configuration. Kept here: the manifest, the summary, the table with a row a replication, and the figures with
their numbers. The two large tables (`monthly`, `sites`) are left out; the manifest has their digests, and the command
makes them anew. This page is made from the folders by `python -m sim.results.index results`.

| experiment | seed | replications | version | commit | configuration | answer |
|---|---|---|---|---|---|---|
"""


def index(folder: Path) -> str:
    """The page: a row for each run folder in `folder`."""
    rows = []
    for path in sorted(file.parent for file in folder.glob("*/manifest.json")):
        run = Run(path)
        manifest = run.manifest
        commit = str(manifest["commit"])[:12] + ("+" if manifest["dirty"] else "")
        cells = (
            f"[{path.name}]({path.name}/)",
            manifest["seed"],
            manifest["replications"],
            manifest["version"],
            commit,
            manifest["config_digest"][:12],
            run.summary["answer"],
        )
        rows.append(f"| {' | '.join(map(str, cells))} |\n")
    return HEAD + "".join(rows)


if __name__ == "__main__":
    (Path(sys.argv[1]) / "README.md").write_text(index(Path(sys.argv[1])), encoding="utf-8")
