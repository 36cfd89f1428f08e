"""Trains what a comparison needs, piece by piece, as .github/workflows/experiment.yml does; a person can do so too.

    python -m scripts.experiment plan --base origin/main --head HEAD --both recipes/dcgan.yaml:fast.epochs=2 --seeds 3
    python -m scripts.experiment work --seed 0 --set recipes/dcgan.yaml:fast.epochs=2 --out results/head/head-0
    python -m scripts.compare --head results/head --change-only -- results/base

`plan` says what it will cost, and refuses what costs more than two hours of runners. `work` trains the commit that is
checked out, with overrides and a seed, as `python -m pipeline jobs run` does, and leaves the small results in a folder,
which `diff` and all others take; `key` names what `work` would train. Exit codes: 0 done, 2 refused or failed, 75 this
machine can't.
"""

import argparse
import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pipeline  # noqa: F401 - which puts src/ on the path

# isort: split
from mnistgan import params, reading
from mnistgan.datasets import contract
from mnistgan.errors import MnistganError, UsageError
from pipeline.dvcfiles import dvc_yaml, git, layout
from pipeline.engines import dvc_queue, overriding, planning, working
from pipeline.engines.jobs import Job
from pipeline.results import datasets

LIMIT, RESERVED, AROUND = 120, 22, 5
"""Minutes of runners: for all jobs together; of those, for the jobs beside the trainings; of a training's job, for its
environment, data, evaluation and pictures."""
RATES = {"dcgan": 174.0}
"""Images a second of a family's recipes, the slowest seen: fast on two cores of an AMD EPYC without bfloat16."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    planned = commands.add_parser("plan", help="say what a comparison trains and costs")
    planned.add_argument("--base", required=True, help="a commit, branch or tag")
    planned.add_argument("--head", default="HEAD", help="the same; it is judged")
    planned.add_argument("--set", default="", help="overrides of the head alone, as `dvc exp run -S` takes them")
    planned.add_argument("--both", default="", help="overrides of both sides, for instance a smaller budget")
    planned.add_argument("--seeds", type=int, default=3, help="how many a side")
    planned.add_argument("--rate", type=float, help="images a second, where the family's is not recorded")
    for name in ("key", "work"):
        command = commands.add_parser(name)
        command.add_argument("--seed", type=int, required=True)
        command.add_argument("--set", default="", help="overrides, as `dvc exp run -S` takes them")
        if name == "work":
            command.add_argument("--out", type=Path, required=True, help="the folder to leave the results in")
    given = parser.parse_args(arguments)
    try:
        if given.command == "plan":
            told = plan(given.base, given.head, given.set, given.both, given.seeds, given.rate)
        else:
            name = key(given.seed, shlex.split(given.set))
            told = {"name": name}
            if given.command == "work":
                settings = (*shlex.split(given.set), f"{planning.SEED}={given.seed}")
                print(working.work(Job(name, str(git.find_commit("HEAD")), settings), given.out), flush=True)
    except (MnistganError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return getattr(error, "exit_code", 2)
    lines = [f"{name}={value}" for name, value in told.items()]
    print("\n".join(lines), flush=True)
    if output := os.environ.get("GITHUB_OUTPUT"):
        with Path(output).open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
    return 0


def plan(base: str, head: str, of_head: str, of_both: str, seeds: int, rate: float | None) -> dict[str, Any]:
    """Works out both sides and the most that they cost. Raises UsageError where that is too much, or nothing differs.

    Returns commits, overrides, seeds and the minutes that each training's job may take, by the names of the outputs.
    """
    if not 1 <= seeds <= 20:
        raise UsageError(f"got {seeds} seeds a side; takes 1 to 20")
    if "\n" in of_head + of_both:
        raise UsageError("overrides are one line, KEY=VALUE, separated by blanks")
    sides = {"base": (base, of_both), "head": (head, f"{of_both} {of_head}".strip())}
    commits = {side: git.find_commit(name) for side, (name, _) in sides.items()}
    for side, (name, _) in sides.items():
        if commits[side] is None:
            raise UsageError(f"{name!r} is no commit, branch or tag here; {git.how_to_fetch()}")
        if git.blob(str(commits[side]), Path("scripts/experiment.py")) is None:
            raise UsageError(f"{name!r} has no scripts/experiment.py, so no job can train it; give a later commit")
    if commits["base"] == commits["head"] and not of_head.strip():
        raise UsageError("both sides are one commit with the same overrides: there is nothing to compare")
    each = (LIMIT - RESERVED) // (2 * seeds)
    minutes = {side: _minutes(str(commits[side]), shlex.split(sides[side][1]), rate) for side in ("head", "base")}
    whole = RESERVED + seeds * sum(minutes.values())
    if max(minutes.values()) > each:
        raise UsageError(
            f"{seeds} seeds a side would take about {whole:.0f} minutes of runners ({minutes['base']:.0f} a seed of "
            f"the base, {minutes['head']:.0f} of the head); takes {LIMIT} in all, so {each} a seed; train less on both "
            "sides, for instance recipes/dcgan.yaml:fast.epochs=2, or fewer seeds"
        )
    print(f"{seeds} seeds a side: about {whole:.0f} minutes of runners, {LIMIT} at most", flush=True)
    changed = f", the head's with `{of_head}`" if of_head.strip() else ""
    budget = f", all with `{of_both}`, so that only the rules about the change hold" if of_both.strip() else ""
    told = f"Trained for this, seeds a side: {seeds}{budget}{changed}; at most {whole:.0f} minutes of runners"
    return {
        **commits,
        "set_base": sides["base"][1],
        "set_head": sides["head"][1],
        "seeds": json.dumps(list(range(seeds))),
        "minutes": each,
        "told": told,
    }


def _minutes(commit: str, overrides: Sequence[str], rate: float | None) -> float:
    """The most minutes that a job takes which trains a commit with overrides."""
    listed = git.line("ls-tree", "-r", "--name-only", commit, "--", "recipes").splitlines()
    files = [layout.PARAMS, *map(Path, listed)]
    texts = {file: reading.decoded(git.blob(commit, file) or b"", str(file)) for file in files}
    texts = overriding.overridden(texts, overrides) if overrides else texts
    if commit == git.find_commit("HEAD"):  # another commit may have params of another schema
        recipes = {file.stem: text for file, text in texts.items() if file.parts[1:]}
        sets = {name: params.text_of(contract.file_of(name)) for name in contract.names()}
        params.parse(texts[layout.PARAMS], recipes, sets, commit)
    held: Mapping[str, Any] = reading.yaml_document(texts[layout.PARAMS], "params.yaml")
    family, recipe = held["train"]["family"], held["train"]["recipe"]
    knobs = reading.yaml_document(texts[Path(f"recipes/{family}.yaml")], family).get(recipe)
    if knobs is None:
        raise UsageError(f"{commit}: its family {family} has no recipe {recipe}")
    every = datasets.of_params(dict(reading.flatten(held))).images.train
    wholes = {"all": every, "train": every - held["prepare"]["validation_size"]}
    speed = rate or RATES.get(family)
    if speed is None:
        raise UsageError(f"no speed is recorded for the family {family}; give --rate IMAGES-A-SECOND")
    images = int(wholes.get(knobs["images"], knobs["images"]))
    return AROUND + images * int(knobs["epochs"]) / speed / 60


def key(seed: int, overrides: Sequence[str]) -> str:
    """Names what `work` would train here: by params, data and code, so that a cache can hold it under that name."""
    dvc_yaml.declared()
    if not planning.is_prepared(overrides):
        dvc_queue.prepare(planning.of_data(overrides))
    return planning.plan(seed + 1, overrides).name(seed)


if __name__ == "__main__":
    sys.exit(main())
