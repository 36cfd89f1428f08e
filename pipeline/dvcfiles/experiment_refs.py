"""Tells which git refs are DVC's experiments: private parts of DVC, as SEEN_IN has them."""

import re

SEEN_IN = "3.67"
EXPERIMENTS = "refs/exps"
"""Below it an experiment is ``refs/exps/AB/REST/NAME``, AB and REST being the id of the commit that it stands on."""
NO_RESULTS = tuple(f"{EXPERIMENTS}/{inner}" for inner in ("apply/*", "celery/*", "exec/*", "stash", "temp/*"))
"""What DVC keeps for itself there, as patterns for git: experiments still to run, for one."""
_EXPERIMENT = re.compile(rf"{EXPERIMENTS}/[0-9a-f]{{2}}/[0-9a-f]{{38}}/(.+)")


def ref_of(commit: str, name: str) -> str:
    """Names the ref of an experiment that stands on a commit, 40 hexadecimal digits."""
    return f"{EXPERIMENTS}/{commit[:2]}/{commit[2:]}/{name}"


def name_of(ref: str) -> str | None:
    """Finds the name of the experiment that a ref is; None for any other ref."""
    found = _EXPERIMENT.fullmatch(ref)
    return found[1] if found else None
