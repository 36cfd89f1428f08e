"""One publisher of a state at a time in a store that several clones share: a lease, kept in the store itself.

A file's lock holds within one clone. Across clones each publisher writes a tag of its own into the experiment, then
looks: who sees none but its own may go on, who sees another's takes its own back and waits. Of two that came at once
neither goes on, and the one whose tag sorts first is the sooner to try again.
"""

import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mnistgan.errors import TrackingError
from pipeline import provenance

if TYPE_CHECKING:
    from mlflow import MlflowClient

PREFIX = "mnistgan.publishing."
LEASE_SECONDS = 600.0
"""After which a lease counts as left behind by a killed process; publishing a state takes a minute at most."""
WAIT_SECONDS = 20.0
FIRST_AGAIN_SECONDS, OTHERS_AGAIN_SECONDS = 0.1, 0.5


@contextmanager
def held(client: "MlflowClient", experiment: str, root: Path, key: str) -> Iterator[None]:
    """Be the one clone that publishes under ``key``; within the clone that is one process already.

    Where the block fails, the lease is left to this clone's next publishing. Raises TrackingError where another clone
    holds it too long.
    """
    prefix = f"{PREFIX}{key[:12]}."
    mine = prefix + provenance.clone(root)
    until = time.monotonic() + WAIT_SECONDS
    while True:
        client.set_experiment_tag(experiment, mine, f"{time.time():.0f} {socket.gethostname()}")
        others = _live(client.get_experiment(experiment).tags, prefix, mine)
        if not others:
            break
        client.delete_experiment_tag(experiment, mine)
        if time.monotonic() > until:
            host = next(iter(others.values())).partition(" ")[2]
            raise TrackingError(f"another clone, on {host}, publishes to this state's run; try again when it has ended")
        time.sleep(FIRST_AGAIN_SECONDS if mine < min(others) else OTHERS_AGAIN_SECONDS)
    yield
    client.delete_experiment_tag(experiment, mine)


def _live(tags: Mapping[str, str], prefix: str, mine: str) -> dict[str, str]:
    """The leases of others that are not too old to be true."""
    others = {name: value for name, value in tags.items() if name.startswith(prefix) and name != mine}
    return {name: value for name, value in others.items() if abs(time.time() - _since(value)) < LEASE_SECONDS}


def _since(value: str) -> float:
    time_of_day = value.partition(" ")[0]
    return float(time_of_day) if time_of_day.isdigit() else 0.0
