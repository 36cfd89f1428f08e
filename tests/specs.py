"""The facts of MNIST that tests build networks by, and its raw files."""

from mnistgan.datasets import contract
from mnistgan.datasets.fetching import raw
from mnistgan.families.contract import Spec
from pipeline import ROOT

DATASET = contract.load("mnist", ROOT)
FILES = raw.files_of(DATASET)
COUNTS = DATASET.counts
MNIST = Spec.of(COUNTS)
