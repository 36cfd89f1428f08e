"""Carries a training's checkpoints from one machine to another."""

from enum import StrEnum
from typing import Annotated

import typer

from pipeline import console
from pipeline.runs import checkpoints as kept


class Way(StrEnum):
    """To the remote, or from there."""

    PUSH = "push"
    PULL = "pull"


def checkpoints(way: Annotated[Way, typer.Argument(help="To DVC's remote, or from there.")]) -> None:
    """Push a training's checkpoints to DVC's remote, or pull them to go on where another machine was.

    They are those of the training that params.yaml and the code here ask for, by its key, and lie in the folder
    `checkpoints` of the default remote. A training that goes on elsewhere ends in the same bytes where processor and
    libraries are of one kind. A machine that may be taken away pushes now and then, while it trains.
    """
    console.summary(kept.push() if way is Way.PUSH else kept.pull())
