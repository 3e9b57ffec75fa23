"""The command `sim`."""

import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

USAGE = """usage: sim run [experiment=NAME] [key=value ...]   run a study
       sim run -m key=1,2 ...                      one study after the other, a folder each (Hydra multirun)
       sim resume RUN [replications=N]             go on with a run that was stopped, or extend it
       sim reproduce RUN ... [replications=N]      run it again from its manifest, and compare
       sim compare A B [C ...] [out=DIR]           runs, scenarios (RUN#2) or experiments side by side, pair by pair
       sim score RUN OBSERVATIONS.csv [out=DIR]    how well a run forecast what was counted since
       sim merge RUN SHARD ...                     put the shards of a study together (`sim run ... shard=I/N`)
       sim report RUN                              draw the figures and write report.html anew, from the tables
       sim figure-source FILE                      where a figure comes from, and how to make it again
       sim export RUN FOLDER                       the run folder as an RO-Crate (extra `provenance`)
       sim list                                    the experiments and the question each asks
       sim parameters [experiment=NAME] [key=...]  every parameter with value, unit, source
       sim run --help | --version                  run, compare, list, parameters: --config-dir DIR has more experiments

common keys: experiment=baseline fidelity=quick replications=400 seed=1 out=DIR only=REPLICATION end=2030-12-31
a parameter takes a number (hiring.attrition=0.03) or a distribution (hiring.attrition.value=[uniform,0.01,0.04]);
a sweep within one run: '+sweep.grid={calls.applications:[48,113],rollout.committee:[40,80]}'"""
MISTAKE = 2

# Before anything imports numpy: its matrices are small here, more threads only wait for each other (and for the other
# processes of a study), and how a sum is split among them would decide its last digit.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def main() -> None:
    """Entry point: `sim` and `python -m sim`."""
    command, *arguments = sys.argv[1:] or ["--help"]
    from sim.errors import InputError, why

    try:
        if command in COMMANDS and (command == "run" or not {"--help", "-h"} & set(arguments)):
            COMMANDS[command](arguments)
        elif command == "--version":
            from sim import __version__

            print(f"sim {__version__}")
        elif command in (*COMMANDS, "--help", "-h", "help"):
            print(USAGE)
        else:
            raise InputError(f"{command}: no such command; try {', '.join(COMMANDS)}, --help")
        sys.stdout.flush()
    except InputError as mistake:
        _stop(mistake)
    except BrokenPipeError:
        _hush()
    except MemoryError:
        _stop(InputError(f"{command}: out of memory"))
    except OSError as error:  # a full disk, a folder that cannot be read or written
        _stop(InputError(f"{error.filename or command}: {why(error)}"))
    except (KeyboardInterrupt, SystemExit) as end:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends: Ctrl-C again would only change how
        if isinstance(end, SystemExit):
            raise
        print("interrupted", file=sys.stderr)  # before or after the replications, which keep what is done
        sys.exit(130)


def _run(arguments: list[str]) -> None:
    from sim.sources import CONF, register

    if arguments in (["--help"], ["-h"]):  # Hydra's own help composes and prints the whole configuration first
        print(f"{USAGE}\n\nchoices:")
        for group in sorted(folder for folder in CONF.iterdir() if any(folder.glob("*.yaml"))):
            print(f"  {group.name}={'|'.join(sorted(file.stem for file in group.glob('*.yaml')))}")
        print("\nall keys with their values: sim run --cfg job; Hydra's flags: sim run --hydra-help")
        return
    words, own = _own_folder(arguments)
    flags = {word for word in words if word.startswith("-")}
    signal.signal(signal.SIGTERM, _terminate)
    if flags <= {"-m", "--multirun"}:  # Hydra's own messages are long; ours come first
        from omegaconf import open_dict

        from sim.config import compose_config, first_job, read_study, searched

        if flags:  # a value that is wrong in one job is for that job to say: the others may be right
            compose_config([*first_job([word for word in words if word not in flags]), *searched(own)])
        else:
            cfg = compose_config([*words, *searched(own)], whole=True)
            hydra_config = cfg.hydra
            with open_dict(cfg):
                del cfg["hydra"]
            asked = set(hydra_config.overrides.hydra) - set(searched(own))
            if not asked:  # nothing for Hydra to do but to compose it twice more
                code = _start(cfg, hydra_config, own)
                sys.exit(code) if code else None
                return
            read_study(cfg)
    import hydra

    register()
    sys.argv = ["sim run", *arguments]
    hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(_job)()


def _start(cfg: Any, hydra_config: Any, own: list[str], out: Path | None = None) -> int:
    """Run one composed configuration, of which Hydra says what was asked for; the exit code."""
    from sim.config import plain
    from sim.workflow import run

    command = ["sim", "run", *(word for path in own for word in ("--config-dir", os.path.relpath(path)))]
    return run(plain(cfg), hydra_config.runtime.choices["experiment"], out, [*command, *hydra_config.overrides.task])


def _own_folder(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Arguments without `--config-dir DIR`, and that folder."""
    from sim.sources import check_own

    words, own = list(arguments), []
    for i, word in enumerate(arguments):
        name, equals, folder = word.partition("=")
        if name in ("--config-dir", "-cd"):
            folder = folder if equals else "".join(arguments[i + 1 : i + 2])
            del words[i : i + (1 if equals else 2)]
            check_own(name, folder)
            own = [os.path.abspath(folder)]
            break
    return words, own


def _job(cfg: Any) -> None:
    """What Hydra runs: once, or for every combination of a multirun."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from sim.errors import InputError
    from sim.workflow import INTERRUPTED

    hydra_config = HydraConfig.get()
    many = hydra_config.mode == RunMode.MULTIRUN
    out = Path(hydra_config.sweep.dir) / str(hydra_config.job.num) if many else None
    own = [one.path for one in hydra_config.runtime.config_sources if one.provider == "command-line"]
    try:
        code = _start(cfg, hydra_config, own, out)
    except InputError as mistake:
        if many:  # Hydra catches it, prints the line, and goes on with the other jobs
            raise
        _stop(mistake)
    except BrokenPipeError:
        _hush()
        code = 0
    if code == INTERRUPTED and many:  # not for Hydra to catch: the jobs that are left are not begun
        raise KeyboardInterrupt
    if code and many:
        raise InputError(f"exit code {code}")
    sys.exit(code) if code else None


def _folder_and_numbers(command: str, arguments: list[str]) -> tuple[Path, dict[str, int]]:
    """Arguments of a command that takes a run folder, and perhaps replications=N, --replications N, workers=N."""
    from sim.errors import InputError

    words = " ".join(arguments[1:]).replace("--replications ", "--replications=").split()
    changes = {key.removeprefix("--"): value for key, _, value in (word.partition("=") for word in words)}
    if not arguments or not set(changes) <= {"replications", "workers"}:
        raise InputError(f"usage: sim {command} RUN [replications=N] [workers=N]")
    wrong = [
        f"{key}: should be a whole number of at most nine digits (got {value[:60]!r})"
        for key, value in changes.items()
        if not re.fullmatch("[0-9]{1,9}", value)
    ]
    if wrong:
        raise InputError("\n".join(wrong))
    return Path(arguments[0]), {key: int(value) for key, value in changes.items()}


def _resume(arguments: list[str]) -> None:
    """Run what a run folder still lacks, from its own manifest."""
    from sim.results.folder import open_run
    from sim.workflow import run

    path, changes = _folder_and_numbers("resume", arguments)
    manifest = open_run(path).manifest
    command = manifest["command"]
    if "replications" in changes and command:  # what makes all of it
        command = [word for word in command if not word.startswith("replications=")]
        command.append(f"replications={changes['replications']}")
    signal.signal(signal.SIGTERM, _terminate)
    code = run(manifest["config"] | changes, manifest["experiment"], path, command)
    sys.exit(code) if code else None


def _reproduce(arguments: list[str]) -> None:
    """Run studies again from their manifests and compare; the exit code is the worst of them."""
    from sim.errors import InputError
    from sim.reproduce import INTERRUPTED, reproduce

    words: list[str] = []
    for word in arguments:
        if words and words[-1] == "--replications":
            words[-1] += f"={word}"
        else:
            words.append(word)
    folders = [word for word in words if "=" not in word and not word.startswith("--")]
    numbers = [word for word in words if word not in folders]
    signal.signal(signal.SIGTERM, _terminate)
    codes = [0]
    for folder in folders or [""]:
        path, changes = _folder_and_numbers("reproduce", [folder, *numbers] if folder else [])
        if len(folders) > 1:
            print(f"== {path}", flush=True)
        try:
            codes.append(reproduce(path, **changes))
        except InputError as mistake:  # such as a configuration this version does not know; the others may be right
            if len(folders) == 1:
                raise
            print(mistake, file=sys.stderr)
            codes.append(MISTAKE)
        if codes[-1] == INTERRUPTED:
            break
    sys.exit(max(codes)) if any(codes) else None


def _score(arguments: list[str]) -> None:
    """Score a run folder against a file of dated observations."""
    from sim.errors import InputError
    from sim.score import score

    match arguments:
        case [run, file]:
            score(Path(run), Path(file))
        case [run, file, out] if out.startswith("out=") and out != "out=":
            score(Path(run), Path(file), Path(out.removeprefix("out=")))
        case _:
            raise InputError("usage: sim score RUN OBSERVATIONS.csv [out=DIR]")


def _compare(arguments: list[str]) -> None:
    """Runs or experiments side by side."""
    from sim.compare import compare_runs

    words, own = _own_folder(arguments)
    names = [word for word in words if "=" not in word]
    overrides = [word for word in words if "=" in word and not word.startswith("out=")]
    out = next((Path(word.removeprefix("out=")) for word in words if word.startswith("out=")), None)
    signal.signal(signal.SIGTERM, _terminate)
    compare_runs(names, out, overrides, own)


def _merge(arguments: list[str]) -> None:
    """The run that shards are parts of."""
    from sim.errors import InputError
    from sim.merge import merge

    if len(arguments) < 2:
        raise InputError("usage: sim merge RUN SHARD ...")
    signal.signal(signal.SIGTERM, _terminate)
    out, *shards = map(Path, arguments)
    code = merge(out, shards)
    sys.exit(code) if code else None


def _report(arguments: list[str]) -> None:
    """Figures and report.html of a run folder, from its tables."""
    from sim.config import read_study
    from sim.errors import InputError
    from sim.results.folder import open_run
    from sim.workflow import report

    if len(arguments) != 1:
        raise InputError("usage: sim report RUN")
    run = open_run(Path(arguments[0]))
    read_study(run.config)  # before anything is drawn
    run.check()
    report(run.path)


def _figure_source(arguments: list[str]) -> None:
    """What is written in the metadata of a figure."""
    from sim.errors import InputError
    from sim.figures.provenance import in_words

    if len(arguments) != 1:
        raise InputError("usage: sim figure-source FILE")
    print(in_words(Path(arguments[0])))


def _export(arguments: list[str]) -> None:
    """A run folder as an RO-Crate."""
    from sim.errors import InputError
    from sim.export import export

    if len(arguments) != 2:
        raise InputError("usage: sim export RUN FOLDER")
    export(*map(Path, arguments))
    print(f"RO-Crate: {arguments[1]}")


def _list(arguments: list[str]) -> None:
    from sim.config import experiments
    from sim.errors import InputError

    words, own = _own_folder(arguments)
    if words:
        raise InputError("usage: sim list [--config-dir DIR]")
    found = list(experiments(own))
    width = max(len(name) for name, _ in found)
    for name, question in found:
        print(f"{name:{width}}  {question}")


def _parameters(arguments: list[str]) -> None:
    from sim.analysis import words
    from sim.config import compose_config, parameter_rows, read_study, searched

    head = ("parameter", "value", "unit", "drawn per", "source", "meaning")
    overrides, own = _own_folder(arguments)
    rows = [head, *parameter_rows(read_study(compose_config([*overrides, *searched(own)])))]
    print(words.table(rows))


def _terminate(*_: object) -> NoReturn:
    """SIGTERM ends a run as Ctrl-C does: what is finished is kept."""
    raise KeyboardInterrupt


def _hush() -> None:
    """No reader is left (`sim run | head`): everything is on disk by the time it is printed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _stop(mistake: Exception) -> NoReturn:
    print(mistake, file=sys.stderr)
    sys.exit(MISTAKE)


COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "run": _run,
    "resume": _resume,
    "reproduce": _reproduce,
    "compare": _compare,
    "score": _score,
    "merge": _merge,
    "report": _report,
    "figure-source": _figure_source,
    "export": _export,
    "list": _list,
    "parameters": _parameters,
}
