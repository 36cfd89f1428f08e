"""Closes runs whose process is gone, as their journal here tells."""

from datetime import datetime
from typing import TYPE_CHECKING

from pipeline.runs import journal
from pipeline.runs.journal import Kind
from pipeline.tracking import gathering, tags
from pipeline.tracking.finding import is_of_one_of, keys, milliseconds
from pipeline.tracking.lease import LockedError, publishing
from pipeline.tracking.publication import Status

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

    from pipeline.tracking.connection import Connection

UNFINISHED = (Status.RUNNING, Status.SCHEDULED)


def close_abandoned(at: "Connection") -> list[str]:
    """Sets the status of runs whose process is gone; returns a sentence on each.

    A run without a journal here is another machine's and left alone.
    """
    unfinished = [run for status in UNFINISHED for run in at.search(f"attributes.status = '{status}'")]
    return [said for run in unfinished if (said := _close_if_abandoned(at, run))]


def set_status(client: "MlflowClient", run: "Run", status: Status, stopped: datetime | None) -> None:
    """Sets a run's status, and where that ends it, when it stopped."""
    if run.info.status == status:
        return
    if status in UNFINISHED:
        client.update_run(run.info.run_id, status.value)
    else:
        client.set_terminated(run.info.run_id, status.value, milliseconds(stopped))


def _close_if_abandoned(at: "Connection", run: "Run") -> str | None:
    """Sets the status of a run that nobody works on; looked at before its lock is taken and once more under it, since a
    stage may begin or end meanwhile."""
    if _settled(at, run) is None:
        return None
    train_key, run_key = keys(run)
    try:
        with publishing(at.root, run_key):
            run = at.client.get_run(run.info.run_id)
            if (status := _settled(at, run)) is None:
                return None
            events = journal.making_events(at.root, train_key, run_key)
            set_status(at.client, run, status, events[-1].time)
    except LockedError:
        return None  # who publishes to it says how it is
    gone = "its process is gone" if journal.outcome(events) is None else "its process ended unseen"
    return f"MLflow run {run.info.run_name!r} said {run.info.status}, but {gone}: now {status}"


def _settled(at: "Connection", run: "Run") -> Status | None:
    """Status due to an unfinished run of this clone; None where it has it, or where a process is at work."""
    events = journal.making_events(at.root, *keys(run))
    starts = [tags.machine_tags(event.facts) for event in events if event.kind is Kind.START]
    if run.info.status not in UNFINISHED or not starts or not is_of_one_of(run, starts):
        return None
    if journal.is_making(at.root, *keys(run)):
        return None
    status = gathering.settled_status(events)
    return None if status == run.info.status else status
