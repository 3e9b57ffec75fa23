"""Shards put together: the run they are parts of, from the folders of `sim run ... shard=I/N`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sim.errors import InputError
from sim.results.folder import environment, open_run, otherwise
from sim.workflow import run

SAME = ("experiment", "seed", "config_digest")


def merge(out: Path, shards: Sequence[Path]) -> int:
    """Make the run folder that the study would have made at once; the shards stay as they are.

    Returns
    -------
    int
        Exit code as of `sim.workflow.run`.

    Raises
    ------
    InputError
        If one is no finished shard, they are not of one study, one is missing, or one was made in another environment
        than this, which the merged run says it was made in.
    """
    manifests = {path: open_run(path).manifest for path in shards}
    seen: dict[int, Path] = {}
    (reference, first), *_ = manifests.items()
    for path, manifest in manifests.items():
        if not (shard := manifest["config"].get("shard")):
            raise InputError(f"{path}: is no shard (it was not made with shard=I/N)")
        if manifest["status"] not in ("complete", "failed"):
            raise InputError(f"{path}: is {manifest['status']}; `sim resume {path}` goes on")
        for key in SAME:
            if manifest[key] != first[key]:
                raise InputError(f"{path}: is of another study: {key} {manifest[key]}, and {first[key]} in {reference}")
        if other := otherwise(manifest, environment()):
            raise InputError(
                f"{path}: was made in another environment ({'; '.join(other)}); make and merge all shards in the same"
            )
        number, of = map(int, shard.split("/"))
        if of != (wanted := int(first["config"]["shard"].split("/")[1])):
            raise InputError(f"{path}: is shard {shard}, and {reference} one of {wanted}")
        if number in seen:
            raise InputError(f"{path}: is shard {shard}, and so is {seen[number]}")
        seen[number] = path
    if missing := [number for number in range(1, wanted + 1) if number not in seen]:
        raise InputError(f"shards {', '.join(f'{number}/{wanted}' for number in missing)} are missing")
    command = [word for word in first["command"] if not word.startswith(("shard=", "out="))]
    return run(first["config"] | {"shard": None, "out": None}, first["experiment"], out, command, shards=shards)
