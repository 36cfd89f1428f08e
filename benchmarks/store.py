"""Times what asks MLflow's store, beside one run and beside many: sync, trace, diff, best, the table of runs.

.venv/bin/python -m benchmarks.store --runs 1000 --versions 10000

In one process, whose imports are not counted. The runs are a made-up one of the size of the record's, copied by SQL
with keys, names and FID of their own; in a SQLite file of a scratch folder, or in the empty database that --uri names.
"""

import argparse
import io
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks import ROOT
from benchmarks.ending import ending

MOST = 100_000
CURVE_ROWS, LOOKS = 200, 9
"""Points of each curve, and looks, of the run that is copied."""
OWN_TAGS = ("mnistgan.run_key", "mnistgan.train_key", "mnistgan.weights", "mnistgan.recipe_digest")
FID = "scores/fid"


@contextmanager
def workspace() -> Iterator[Path]:
    """Makes a scratch folder with a state in it that could have been trained, the current folder meanwhile."""
    from mnistgan.families import sampling
    from mnistgan.families.dcgan import networks
    from tests.pipeline.fabricated import Workspace

    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="mnistgan-bench-") as folder:
        sampling.save(Path(folder) / "generator.npz", "dcgan", networks.generator(0))
        made = Workspace.create(Path(folder) / "workspace", seed=0)
        os.chdir(made.root)
        made.train(Path(folder) / "generator.npz", LOOKS)
        made.curves(CURVE_ROWS)
        made.lock("train")
        made.evaluate()
        shutil.copy(ROOT / "metrics" / "evaluation.json", "metrics/evaluation.json")
        made.lock("evaluate")
        made.render()
        made.lock("render")
        shutil.copy(ROOT / "gate.yaml", "gate.yaml")
        try:
            yield made.root
        finally:
            os.chdir(before)


def fill(address: str, run_id: str, runs: int, versions: int) -> str:
    """Copies a run until there are so many, and its model's versions too; returns the id of the last copy."""
    engine, tables = sa.create_engine(address), sa.MetaData()
    tables.reflect(engine)
    draw = random.Random(0)
    fresh = [draw.randbytes(16).hex() for _ in range(runs - 1)]
    with engine.begin() as connection:
        for copy in fresh:
            for name in ("runs", "tags", "params", "latest_metrics", "metrics"):
                _copy(connection, tables.tables[name], {"run_uuid": run_id}, {"run_uuid": copy})
            tags, figures = tables.tables["tags"], tables.tables["latest_metrics"]
            for tag in OWN_TAGS:
                _change(connection, tags, copy, tag, draw.randbytes(32).hex())
            _change(connection, tags, copy, "mlflow.runName", f"dcgan/fast/{copy[:6]} · {copy[:12]}")
            _change(connection, figures, copy, FID, 2 + draw.random())
        registered = tables.tables["model_versions"]
        for of_model in connection.execute(sa.select(registered)).mappings().all():
            for number in range(2, versions + 1):
                new = {"version": number, "run_id": fresh[number % len(fresh)] if fresh else run_id}
                connection.execute(registered.insert().values({**of_model, **new}))
    engine.dispose()
    return fresh[-1] if fresh else run_id


def _copy(connection: Any, table: Any, of: dict[str, str], changed: dict[str, str]) -> None:
    """Inserts the rows of a table that have these values again, with others."""
    columns = [sa.literal(changed[one.name]) if one.name in changed else one for one in table.columns]
    rows = sa.select(*columns).where(*(table.columns[name] == value for name, value in of.items()))
    connection.execute(table.insert().from_select([one.name for one in table.columns], rows))


def _change(connection: Any, table: Any, run_id: str, key: str, value: object) -> None:
    where = (table.columns.run_uuid == run_id, table.columns.key == key)
    connection.execute(table.update().where(*where).values(value=value))


def questions(root: Path, run_id: str) -> dict[str, Callable[[], object]]:
    """Lists what is timed, of a store that holds the run."""
    from pipeline.commands.diff import compared
    from pipeline.commands.sync import sync
    from pipeline.commands.trace import trace
    from pipeline.tracking.connection import connect
    from pipeline.tracking.gathering import gather
    from pipeline.tracking.registry import point_aliases
    from pipeline.tracking.sources import of_lock

    at, content = connect(root), gather(of_lock(), root)
    return {
        "sync": sync,
        "trace, the beginning of a run's id": lambda: trace(run_id[:8]),
        "diff run: run:": lambda: compared(f"run:{run_id[:8]}", f"run:{run_id}", 0.25),
        "best": lambda: point_aliases(at, content),
        "table of runs, its first 100": lambda: at.client.search_runs([at.experiment], max_results=100),
    }


def seconds(ask: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Times a question: the least of several, by the clock and of this process's processor."""
    took = []
    for _ in range(rounds):
        clock, processor = time.perf_counter(), time.process_time()
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            ask()
        took.append((time.perf_counter() - clock, time.process_time() - processor))
    return min(took)


def main() -> None:
    """Fills a store and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, choices=range(2, MOST + 1), metavar="N", default=1000)
    parser.add_argument("--versions", type=int, choices=range(1, MOST + 1), metavar="N", default=10_000)
    parser.add_argument("--uri", help="address of an empty database, as MLFLOW_TRACKING_URI takes it")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with workspace() as root:
        address = asked.uri or f"sqlite:///{root.parent}/mlflow.db"
        os.environ["MLFLOW_TRACKING_URI"] = address
        from pipeline.tracking.gathering import gather
        from pipeline.tracking.sources import of_lock
        from pipeline.tracking.store import Store

        done = Store(root).publish(gather(of_lock(), root))
        assert done is not None
        alone = {name: seconds(ask, asked.rounds) for name, ask in questions(root, done.run_id).items()}
        last = fill(address, done.run_id, asked.runs, asked.versions)
        among = {name: seconds(ask, asked.rounds) for name, ask in questions(root, last).items()}
    print(
        f"| seconds (of this process's processor) | 1 run | {asked.runs:,} runs, {asked.versions:,} versions a model |"
    )
    print("|---|---|---|")
    for name, (clock, processor) in alone.items():
        print(f"| {name} | {clock:.2f} ({processor:.2f}) | {among[name][0]:.2f} ({among[name][1]:.2f}) |")


if __name__ == "__main__":
    ending(main)
