"""Publishes what files say to MLflow, so that publishing again changes nothing.

What a run already holds is asked of the store: its points, params, inputs, model; and its files, of which the run's own
list says which arrived whole, since a person may have deleted them. A publishing that was cut off anywhere is so
completed by the next one, which writes over what may be half there by the name it has.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mnistgan.files import sha256
from pipeline.tracking import gathering, holdings, lease, parents, publication, registry, writing
from pipeline.tracking.connection import connect
from pipeline.tracking.failures import again_where_two_collided, speaking_plainly
from pipeline.tracking.groups import Group
from pipeline.tracking.publication import FORMER_FIGURES, Point, Publication
from pipeline.tracking.reading import PUBLISHER, REPLACES, RESULTS, called, run_for, tag
from pipeline.tracking.writing import Known

if TYPE_CHECKING:
    from mlflow.entities import Run

OF_ONE_RUN = (RESULTS, PUBLISHER, "mlflow.runName", "mlflow.loggedImages", "mlflow.log-model.history")
"""Tags that a run's replacement does not take over."""
FEW = 5
"""Names that one message lists."""


@dataclass(frozen=True)
class Published:
    """The run that a publishing added to, and what it added."""

    run_id: str
    name: str
    added: Mapping[str, int]
    blank: Sequence[str] = ()  # what the run doesn't tell, since only a journal knew it
    mended: Sequence[str] = ()  # sentences on what had gone from the store, or was doubled there, and is right again

    @property
    def is_news(self) -> bool:
        return any(self.added.values())

    def __str__(self) -> str:
        added = ", ".join(f"{count} {what}" for what, count in self.added.items() if count)
        return f"MLflow run {self.name!r}: {f'added {added}' if self.is_news else 'already holds it all'}"


class Store:
    """MLflow's store, as one process publishes to it. Each method raises TrackingError where it can't be reached."""

    def __init__(self, root: Path) -> None:
        self._at = connect(root)
        self._memory: dict[str, Known] = {}
        self._begun: dict[str, str] = {}  # the run that this process publishes to, by key
        self._news: list[str] = []

    @property
    def experiment(self) -> str:
        return self._at.experiment

    @again_where_two_collided
    def publish(self, content: Publication) -> Published | None:
        """Brings the run of a state up to date; None where its run is finished and these results are still to come."""
        try:
            with speaking_plainly():
                run = self._begun_run(content)
                done = self._publish_to(run, content) if run else self._publish_alone(content)
        except BaseException:
            self._memory.clear()  # what the store holds now is not known
            raise
        if done:
            self._begun[content.state.run_key] = done.run_id
        return done

    @again_where_two_collided
    def publish_group(self, group: Group) -> Published:
        """Brings the parent run of a group of seeds up to date, and puts the runs of its recipe under it."""
        key = f"group-{group.digest}"
        with speaking_plainly(), lease.publishing(self._at.root, key), lease.held(self._at, key):
            run, added = parents.publish(self._at, group, gathering.author_tags(self._at.root))
        return Published(run.info.run_id, group.name, added)

    def close_abandoned(self) -> list[str]:
        with speaking_plainly():
            return lease.close_abandoned(self._at)

    def _publish_alone(self, content: Publication) -> Published | None:
        """Finds or makes a state's run and publishes to it, while no other clone does."""
        with lease.held(self._at, content.state.run_key):
            run = run_for(self._at, content, self._news)
            if run is None:
                return None
            if tag(run, PUBLISHER) not in ("", self._at.clone):
                self._memory.pop(run.info.run_id, None)  # it may hold more by now
            if content.results and self._is_doubled(run):
                return self._publish_in_place_of(run, content)
            return self._publish_to(run, content)

    def _begun_run(self, content: Publication) -> "Run | None":
        """Finds the run that this process goes on with; None where it is another's, finished, or in MLflow's bin.

        A lease would cost three calls each time that the curves grow. It isn't needed: which points are there is known
        by the memory, and a clone that adds to the run says so in a tag of it. One that does in this very moment may
        leave points twice; that is looked for with the results, and mended.
        """
        run_id = self._begun.pop(content.state.run_key, None)  # a publishing that fails forgets it
        if run_id is None or content.results:
            return None
        run = self._at.client.get_run(run_id)
        is_ours = tag(run, PUBLISHER) == self._at.clone and not tag(run, RESULTS)
        return run if is_ours and run.info.lifecycle_stage == "active" else None

    def _publish_in_place_of(self, doubled: "Run", content: Publication) -> Published:
        """Publishes into a fresh run what one shows whose points are there twice, which MLflow can't take away."""
        client, old = self._at.client, doubled.info.run_id
        kept = {name: value for name, value in doubled.data.tags.items() if name not in OF_ONE_RUN}
        begun = self._at.search(f"tags.`{REPLACES}` = '{old}'")
        made = (self._at.experiment, doubled.info.start_time, {**kept, REPLACES: old}, doubled.info.run_name)
        fresh = begun[0] if begun else client.create_run(*made)
        told = {point.metric for point in content.points}
        others = [
            Point(name, step, value)
            for name in sorted(doubled.data.metrics.keys() - told)
            for step, value in {one.step: one.value for one in client.get_metric_history(old, name)}.items()
        ]
        client.delete_run(old)
        self._news.append(
            f"{called(doubled)} had points twice, as two publishers at once leave them: it is in MLflow's bin now, "
            f"and {fresh.info.run_id} in its place"
        )
        return self._publish_to(fresh, replace(content.beside(kept), points=[*content.points, *others]))

    def _publish_to(self, run: "Run", content: Publication) -> Published:
        at, run_id = self._at, run.info.run_id
        if is_finished := bool(content.results) and tag(run, RESULTS) == content.results:
            content = _as_it_was(run, content.beside(run.data.tags))
        else:
            at.set_tags(run, {PUBLISHER: at.clone})
        memory = self._memory_of(run_id)
        if is_first := memory.manifest is None:
            memory.manifest = holdings.read(at, run_id)
        manifest = dict(memory.manifest or {})
        gone = writing.take_out_gone(at, run, content, manifest) if is_first and manifest else []
        if is_finished and not manifest:
            gone.append("all files of the run")
        added = Counter(
            params=writing.add_params(at, run, content),
            tags=at.set_tags(run, content.tags) + writing.add_note(at, run, content),
            inputs=writing.add_dataset(at, run, content),
            points=writing.add_points(at, run_id, content.points, memory),
            images=writing.add_grids(at, run_id, content.grids, manifest),
            files=writing.add_files(at, run_id, content.artifacts, manifest)
            + writing.add_strip(at, run_id, content, manifest)
            + writing.add_report(at, run_id, content, manifest),
        )
        added["models"], lost = self._add_model(run_id, content, manifest)
        if manifest != memory.manifest:
            holdings.write(at, run_id, manifest)
            memory.manifest = manifest
        gone += [f"the model {name}, or its version" for name in lost]
        if gone:
            listed = ", ".join(gone[:FEW]) + (f" and {len(gone) - FEW} more" if len(gone) > FEW else "")
            self._news.append(f"MLflow's store had lost {listed}: made again")
        if content.results:
            # Last: a run that says which results it holds holds all of them.
            at.set_tags(run, {RESULTS: content.results})
            added["aliases"] = registry.point_aliases(at, content)
        if is_first or content.results:
            parents.join(at, run, content)
        lease.set_status(at, run, content.status, content.stopped)
        told = {*run.data.tags, *run.data.metrics, *content.tags, *(point.metric for point in content.points)}
        mended, self._news = tuple(self._news), []
        return Published(run_id, run.info.run_name, added, publication.untold(told), mended)

    def _add_model(self, run_id: str, content: Publication, manifest: dict[str, str]) -> tuple[int, list[str]]:
        """Logs the generator as a model and registers it, unless both are there whole.

        Returns whether it did, and the registered models whose version the store had lost.
        """
        if content.generator is None:
            return 0, []
        names = registry.names(content)
        model, is_logged = registry.add_model(self._at, run_id, content)
        made = [name for name in names if registry.add_version(self._at, name, run_id, model, content)]
        lost = [name for name in (names if is_logged else made) if name in manifest]
        manifest |= dict.fromkeys(names, sha256(content.generator))
        return int(is_logged or bool(made)), lost

    def _memory_of(self, run_id: str) -> Known:
        return self._memory.setdefault(run_id, Known(self._at, run_id))

    def _is_doubled(self, run: "Run") -> bool:
        steps = self._memory_of(run.info.run_id).steps
        return any(max(steps(name).values(), default=0) > 1 for name in run.data.metrics)


def _as_it_was(run: "Run", content: Publication) -> Publication:
    """Reduces what is told to a finished run from before families: nothing in today's names, only lost files."""
    if not any(name.startswith(FORMER_FIGURES) for name in run.data.metrics):
        return content
    kept = {name: value for name, value in content.tags.items() if run.data.tags.get(name) == value}
    return replace(content, points=(), params={}, tags=kept, line="", baseline=None)
