"""Says in words what of two results differs beside their figures: params, data, code, machine; and what to note."""

from collections.abc import Iterator, Mapping, Sequence

from mnistgan.comparison import wording
from mnistgan.comparison.compare import Comparison
from mnistgan.comparison.sides import Change, changes
from pipeline.results.checkout import Results

KINDS = ("params", "data", "code", "machine")


def changed(a: Results, b: Results) -> dict[str, list[Change]]:
    """Lists what differs, by kind."""
    return {kind: list(changes(getattr(a, kind), getattr(b, kind))) for kind in KINDS}


def notes(found: Comparison, a: Results, b: Results) -> list[str]:
    """Lists what is to be noted of either side and of the comparison, once each."""
    return list(dict.fromkeys((*a.notes, *b.notes, *wording.notes(found))))


def lines(a: Results, b: Results, changed: Mapping[str, Sequence[Change]]) -> Iterator[str]:
    """Lists what differs in params, data and code, the training budget first; the processor, where one records it."""
    if unknown := [side.side.name for side in (a, b) if not side.recorded]:
        yield f"params, data, code: not recorded for {' and '.join(unknown)}, so what differs is unknown"
        return
    if budget := [change for change in changed["params"] if change.of_budget]:
        yield f"the training budget differs: {_listed(budget)}"
    yield f"params: {_listed([change for change in changed['params'] if not change.of_budget]) or 'the same'}"
    for kind in ("data", "code"):
        yield f"{kind}: {', '.join(_file_change(change) for change in changed[kind]) or 'the same'}"
    unknown = [side.side.name for side in (a, b) if not side.machine]
    if len(unknown) < 2:
        yield f"machine: {f'not recorded for {unknown[0]}' if unknown else _listed(changed['machine']) or 'the same'}"


def _listed(changes: Sequence[Change]) -> str:
    return ", ".join(
        f"{change.name} {wording.or_none(change.before)} → {wording.or_none(change.after)}" for change in changes
    )


def _file_change(change: Change) -> str:
    if change.before is None:
        return f"{change.name} (new)"
    return f"{change.name} (gone)" if change.after is None else change.name
