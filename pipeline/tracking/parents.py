"""Publishes the parent run of a group of seeds: found by the group's digest, so that showing it again changes nothing.

A run of a recipe, data and pins belongs to their one group, and is its parent's child wherever the group has a parent.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from mnistgan.comparison import seeds
from pipeline.tracking import publication
from pipeline.tracking.connection import Connection
from pipeline.tracking.groups import Group
from pipeline.tracking.lease import set_status
from pipeline.tracking.publication import NOTE, RECIPE_DIGEST, RUN_KEY, Point, Publication, Status
from pipeline.tracking.reading import RESULTS, tag
from pipeline.tracking.writing import log_points

if TYPE_CHECKING:
    from mlflow.entities import Run

GROUP = "mnistgan.group"
"""Tag of a parent: its group's digest."""
PARENT = "mlflow.parentRunId"
TABLE = "seeds.csv"
TABLE_DIGEST = "mnistgan.seeds_table"
NOTE_DIGEST = "mnistgan.note"
"""Tag of a parent: of the description that was written here last; another one is a person's, and stays."""


def publish(at: Connection, group: Group, author: Mapping[str, str]) -> tuple["Run", Counter[str]]:
    """Brings a group's parent run up to date, and its children under it; returns the run, and how much was added.

    Args:
        author: The tags that name who publishes it first.
    """
    found = at.search(f"tags.`{RECIPE_DIGEST}` = '{group.digest}'")
    children = _one_a_state(found)
    family = next((child.data.params.get(publication.FAMILY) for child in children), None)
    name = f"{family}/{group.name}" if family else group.name
    made = {GROUP: group.digest, **author}
    run = find(at, group.digest) or at.client.create_run(at.experiment, tags=made, run_name=name)
    run_id = run.info.run_id
    tags = {
        GROUP: group.digest,
        **_note(run, group.note()),
        publication.PINS: group.rows[0].figures.pins,
        "mnistgan.seeds": ", ".join(str(row.seed) for row in group.rows),
    }
    table = seeds.dumps(group.rows)
    added = Counter(
        params=_add_params(at, run, group, children),
        points=_add_points(at, run, group.points()),
        children=sum(adopt(at, child, run_id) for child in children)
        + sum(_release(at, run) for run in found if run not in children),
        files=_add_table(at, run, table),
        tags=at.set_tags(run, tags),
    )
    set_status(at, run, Status.FINISHED if group.is_complete else Status.SCHEDULED, None)
    return run, added


def find(at: Connection, digest: str) -> "Run | None":
    """Finds the parent run of a group; the oldest, should two machines have made one at once."""
    runs = at.search(f"tags.`{GROUP}` = '{digest}'")
    return min(runs, key=lambda run: (run.info.start_time, run.info.run_id), default=None)


def join(at: Connection, run: "Run", content: Publication) -> None:
    """Puts the run of a state under the parent of its group of seeds, where that is there already."""
    digest = content.tags.get(RECIPE_DIGEST)
    if digest and (parent := find(at, digest)):
        of_state = at.search(f"tags.`{RUN_KEY}` = '{content.state.run_key}'")
        [child] = _one_a_state(of_state) or [run]
        adopt(at, child, parent.info.run_id)
        for other in of_state:
            if other.info.run_id != child.info.run_id:
                _release(at, other)


def _one_a_state(runs: Iterable["Run"]) -> list["Run"]:
    """Picks of each state's runs the one that counts: the first that is finished, else the first."""
    by_age = sorted(runs, key=lambda run: (not tag(run, RESULTS), run.info.start_time, run.info.run_id))
    first: dict[str, Run] = {}
    for run in by_age:
        first.setdefault(tag(run, RUN_KEY) or run.info.run_id, run)
    return list(first.values())


def adopt(at: Connection, child: "Run", parent: str) -> bool:
    """Puts a run under a parent; returns whether it was not."""
    if child.data.tags.get(PARENT) == parent:
        return False
    at.client.set_tag(child.info.run_id, PARENT, parent)
    return True


def _release(at: Connection, run: "Run") -> bool:
    """Takes a run from under its parent: a group counts each of its seeds once. Returns whether it was under one."""
    if PARENT not in run.data.tags:
        return False
    at.client.delete_tag(run.info.run_id, PARENT)
    return True


def _add_params(at: Connection, run: "Run", group: Group, children: Iterable["Run"]) -> int:
    """Logs what all children were trained with; the recipe's name where there are none."""
    first, *others = [child.data.params.items() for child in children] or [dict[str, str]().items()]
    shared = {item for item in first if all(item in other for other in others)}
    told = {"train.recipe": group.recipe, **dict(shared)}
    new = [name for name in sorted(told) if name not in run.data.params and name != publication.SEED]
    for name in new:
        at.client.log_param(run.info.run_id, name, told[name])
    return len(new)


def _add_points(at: Connection, run: "Run", points: Iterable[Point]) -> int:
    """Logs what differs from the last value at its step; of several at one step MLflow shows the last."""
    new = [point for point in points if _last(at, run, point) != point.value]
    if new:
        log_points(at, run.info.run_id, new)
    return len(new)


def _last(at: Connection, run: "Run", point: Point) -> float | None:
    if point.metric not in run.data.metrics:
        return None
    history = at.client.get_metric_history(run.info.run_id, point.metric)
    held = [known for known in history if known.step == point.step]
    return max(held, key=lambda known: known.timestamp).value if held else None


def _note(run: "Run", note: str) -> dict[str, str]:
    """Makes the tags that describe a parent; none where a person has described it."""
    held, ours = run.data.tags.get(NOTE), run.data.tags.get(NOTE_DIGEST)
    if held and ours and _digest(held) != ours:
        return {}
    return {NOTE: note, NOTE_DIGEST: _digest(note)}


def _add_table(at: Connection, run: "Run", table: str) -> int:
    """Logs the rows as a file, where the store has none of its size; a tag, set once it is there whole, says which."""
    digest = _digest(table)
    sizes = {file.path: file.file_size for file in at.client.list_artifacts(run.info.run_id)}
    if run.data.tags.get(TABLE_DIGEST) == digest and sizes.get(TABLE) == len(table.encode()):
        return 0
    at.client.log_text(run.info.run_id, table, TABLE)
    at.client.set_tag(run.info.run_id, TABLE_DIGEST, digest)
    return 1


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
