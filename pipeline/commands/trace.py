"""Traces a result to all that belongs to it: run, commit, params, data, weights, rulers."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mnistgan.errors import UsageError
from pipeline import console
from pipeline.dvcfiles import digests, git, layout
from pipeline.results import consistency, history
from pipeline.results.history import Recorded
from pipeline.runs import journal, keys, patches
from pipeline.runs.journal import Kind

if TYPE_CHECKING:
    from pipeline.tracking.reading import Runs, TracedRun

FEWEST = 6  # hex digits of a key or digest that are enough to ask by
INDENT = 12


@dataclass(frozen=True)
class _Found:
    """The states that something leads to, and why; or else a run that tells of itself."""

    why: str
    states: Sequence[Recorded]
    asked: str = ""  # what to ask MLflow for where there are no states


def trace(
    what: Annotated[
        str,
        typer.Argument(
            help="A commit, branch, tag or DVC experiment; the beginning of a key, of an out's MD5 or of the weights' "
            "sha256; a file of an out, or a PNG that was drawn by weights, wherever it lies now; an MLflow run's id, "
            "the beginning of it, or name."
        ),
    ],
) -> None:
    """Say where a result comes from, and what came of it.

    That is: run, commit, params, data, weights, outs and rulers. Looks through dvc.lock in the workspace, in every
    commit and in every experiment, through the journals here, DVC's cache beside them, and MLflow's store where it can
    be reached.
    """
    records = history.records()
    is_file = os.path.isfile(what)  # noqa: PTH113 - Path's raises where it is too long for a name
    found = _of_file(Path(what), records) if is_file else _of_name(what, records)
    from pipeline.tracking.reading import Runs

    runs = Runs(layout.main_root())
    if found is None:
        found = _of_run(what, records, runs)
    if found is None:
        raise UsageError(_nothing(what, records, runs))
    lines = [f"{what}: {found.why}"]
    for each in found.states:
        lines += ["", *_lines_of_record(each, runs)]
    if not found.states:
        lines += _lines_of_run(runs.named(found.asked), runs)
    console.summary("\n".join(lines))


def _of_file(path: Path, records: Sequence[Recorded]) -> _Found | None:
    """Finds states by a file's bytes: an out of a state, or a picture that names its weights."""
    digest = digests.md5_of(path)
    with path.open("rb") as file:
        drawn_by = history.digest_of_weights(file)
    names = [(name, each) for each in records for name, made in each.files() if made == digest]
    if names:
        return _Found(f"the bytes of {names[0][0]}", list({each.blob: each for _, each in names}.values()))
    if drawn_by:
        from pipeline.results import published

        drawn_by = published.full(drawn_by)
        matching = [each for each in records if each.weights == drawn_by]
        return _Found(f"drawn by the weights {drawn_by}", matching, drawn_by)
    return None


def _of_name(what: str, records: Sequence[Recorded]) -> _Found | None:
    blob = history.blob_at(what)
    if blob == "":
        raise UsageError(f"{what}: that commit has no {layout.LOCK}, so no run of the pipeline is recorded there")
    if blob is not None:
        return _Found(f"{layout.LOCK} there records", [each for each in records if each.blob == blob])
    if len(what) < FEWEST or set(what) - set("0123456789abcdef"):
        return None
    for title, of in _HANDLES.items():
        if matching := [each for each in records if any(handle.startswith(what) for handle in of(each))]:
            return _Found(f"the {title} of", matching)
    return None


def _of_run(what: str, records: Sequence[Recorded], runs: "Runs") -> _Found | None:
    run = runs.named(what)
    if run is None:
        return None
    matching = [each for each in records if each.state and each.state.run_key == run.tags.get("mnistgan.run_key")]
    same = [each for each in matching if each.weights == run.tags.get("mnistgan.weights")]
    why = "MLflow's run of" if matching else f"MLflow's run of a state that no {layout.LOCK} here records"
    return _Found(why, same or matching, what)


def _keys(name: str) -> Callable[[Recorded], list[str]]:
    return lambda each: [getattr(each.state, name)] if each.state else []


_HANDLES: Mapping[str, Callable[[Recorded], list[str]]] = {
    "run key": _keys("run_key"),
    "train key": _keys("train_key"),
    "data digest": _keys("data_digest"),
    "MD5 of an out": lambda each: [digest for _, digest in each.files()],
    "sha256 of the weights": lambda each: [each.weights] if each.weights else [],
}


def _lines_of_record(each: Recorded, runs: "Runs") -> Iterator[str]:
    """Lists all that belongs to a recorded state."""
    now = each.state
    if now is None:
        yield _line("key", "not known: no train and evaluate are recorded, or the library versions are nowhere here")
    else:
        yield _line("run key", now.run_key)
        yield _line("train key", now.train_key)
    held = runs.of_key(now.run_key) if now else []
    same = [run.tags for run in held if run.tags.get("mnistgan.weights") == each.weights]
    tags = next(iter([*same, *(run.tags for run in held)]), {})  # of the run of these very weights, else of any
    here = ["the workspace"] if each.in_workspace else []
    yield from _listed("recorded in", [*here, *map(str, each.commits)])
    lacking = "no run of this key in the store here; `python -m pipeline sync` gives the workspace's its run"
    found = [f"{run.id} {run.name!r} {run.status}" for run in held]
    yield from _listed("MLflow", found or [runs.problem or lacking])
    yield from _making(each, tags)
    yield from _listed("params", [f"{name} {value}" for name, value in now.params.items()] if now else [])
    yield from _data(each, tags)
    yield _line("libraries", ", ".join(f"{name} {version}" for name, version in each.versions.items()) or "not known")
    yield _line("weights", each.weights or "their file is neither here nor in DVC's cache")
    yield from _rulers(each)
    outs = [(path, digest) for part in each.parts.values() for path, digest in part.outs.items()]
    yield from _listed("outs (MD5)", [f"{digest} {path}" for path, digest in outs])


def _lines_of_run(run: "TracedRun | None", runs: "Runs") -> Iterator[str]:
    """Lists what a run says by itself, where no record leads on from it."""
    if run is None:
        yield f"  no {layout.LOCK} and no run here has weights of that sha256: fetch the branch or experiment that has"
        yield from [_line("MLflow", runs.problem)] if runs.problem else []
        return
    yield _line("MLflow", f"{run.id} {run.name!r} {run.status}")
    yield from _listed("params", [f"{name} {value}" for name, value in sorted(run.params.items())])
    shown = ("mlflow.source.git.commit", *sorted(name for name in run.tags if name.startswith("mnistgan.")))
    yield from _listed("tags", [f"{name} {run.tags[name]}" for name in shown if name in run.tags])


def _making(each: Recorded, tags: Mapping[str, str]) -> Iterator[str]:
    """Finds the commit and machine of each stage that made the state: by the journals here, else as the run says."""
    if each.state is None:
        return
    root = layout.main_root()
    journals = {"train": each.state.train_key, "evaluate": each.state.run_key}
    events = journal.making_events(root, journals["train"], journals["evaluate"])
    starts = {event.stage: event for event in events if event.kind is Kind.START}
    for stage, event in starts.items():
        facts = event.facts
        patch = patches.path_of(root, journals[stage])
        tree = ""
        if facts.get("dirty"):
            tree = f", and the changes in {patch.relative_to(root)}" if patch.exists() else ", and changes not kept"
        yield _line(stage, f"by commit {str(facts.get('commit'))[: keys.SHORT]}{tree}")
        yield _line("", f"{event.time:%Y-%m-%d %H:%M} UTC on {facts.get('cpu')}")
    processor = each.processor or tags.get("mnistgan.cpu")
    if "train" not in starts and (commit := tags.get("mlflow.source.git.commit")):
        tree = ", and the run's tree.patch" if tags.get("mnistgan.dirty") == "true" else ""
        yield _line("train", f"by commit {commit[: keys.SHORT]}{tree}, on {processor or 'a processor not known'}")
    elif not starts:
        yield _line("train", "by which commit is not known: no journal here tells of it")
        yield from [_line("", f"on {processor}")] if processor else []


def _data(each: Recorded, tags: Mapping[str, str]) -> Iterator[str]:
    from mnistgan.datasets import contract

    summary = each.read_json("prepare", "summary")
    described = summary.get("splits", {})
    splits = {name: split.get("sha256") for name, split in described.items()}
    source = journal.data_source(layout.main_root(), splits) or tags.get("mnistgan.data_source")
    lines = [each.state.data_digest] if each.state else []
    lines.append(f"from {source}" if source else "from a source that no journal or run here tells of")
    built_in = (held for held in map(contract.load, contract.names()) if held.files == summary.get("raw"))
    lines += [f"{held.title}'s own, whoever gave it: every raw file has the pinned sha256" for held in built_in]
    lines += [f"{name} {split.get('count')} images, sha256 {split.get('sha256')}" for name, split in described.items()]
    yield from _listed("data", lines)


def _rulers(each: Recorded) -> Iterator[str]:
    if "evaluate" not in each.parts:
        return
    measured_by = each.read_json("evaluate", "metrics").get("pins", "not known")
    cards = {name: each.card(name).get("sha256") for name in consistency.RULERS}
    yield from _listed(
        "rulers", [f"pins {measured_by}", *(f"{name} {digest}" for name, digest in cards.items() if digest)]
    )


def _nothing(what: str, records: Sequence[Recorded], runs: "Runs") -> str:
    commits = {commit.id for each in records for commit in each.commits}
    store = runs.problem or "MLflow's store"
    return (
        f"{what}: nothing here matches. Looked through: the file of that name; {len(records)} states that "
        f"{layout.LOCK} records in the workspace and {len(commits)} commits, {len(git.experiments())} of them "
        f"experiments; keys, MD5s and sha256 of weights from {FEWEST} digits on; {store}. "
        f"{git.how_to_fetch()}, and so may `dvc exp pull` and `dvc pull`"
    )


def _listed(title: str, lines: Sequence[Any]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield _line(title if number == 0 else "", str(line))


def _line(title: str, text: str) -> str:
    return f"  {title:<{INDENT}}{text}".rstrip()
