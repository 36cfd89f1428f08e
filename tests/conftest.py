"""What tests everywhere share: an environment that is no person's, IDX files of any make, and the real MNIST."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np
import pytest

from mnistgan.datasets import contract
from mnistgan.datasets.fetching import raw, sources
from tests import committed

PERSONAL = (
    *("DVC_", "GIT_", "MLFLOW_", "_MLFLOW_", "MNISTGAN_", "GITHUB_", "ACTIONS_", "RUNNER_", "_PIPELINE_"),
    *("KERAS_", "TF_", "XLA_", "ONEDNN_", "DNNL_", "OMP_", "PYTHON", "MPL", "MAKE", "MFLAGS", "GNUMAKE"),
    *("FORCE_COLOR", "NO_COLOR", "PY_COLORS", "CLICOLOR", "COLORTERM", "COLUMNS", "LINES", "TERM", "TTY_"),
    *("LC_", "LANG", "TZ", "EMAIL", "XDG_CONFIG_", "XDG_DATA_", "BASH_ENV", "CDPATH"),
)
"""How the names of variables begin by which we, or a program that we start, would do another thing."""
KEPT = {"MNISTGAN_CACHE_DIR", "PYTHONDONTWRITEBYTECODE"}
"""Among them, what says where MNIST's files are, and what keeps a tree clean."""
HOME = tempfile.mkdtemp(prefix="mnistgan-home-")
LONGEST_FIRST = (
    *("survival/test_seeds_queue.py", "survival/test_pipeline.py", "pipeline/test_repro.py"),
    *("pipeline/commands/test_train.py", "pipeline/test_outages.py", "test_workflow.py"),
    *("families/test_dcgan_step.py", "training/test_loop.py", "pipeline/commands/test_evaluate.py"),
    *("evaluation/test_making.py", "evaluation/test_measuring.py"),
    *("browser/test_mlflow_pages.py", "survival/test_added_family.py"),
)
_CODES = {"uint8": 0x08, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D}

MakeIdx = Callable[[np.ndarray], bytes]


def leave_the_person_out() -> None:
    """Hide a person's variables from the tests, and the settings in their home: of git, DVC, Keras, matplotlib.

    Caches, which decide nothing, stay where they are: MNIST's, and those of fonts and browsers.
    """
    os.environ.setdefault("MNISTGAN_CACHE_DIR", str(sources.default_cache()))
    os.environ.setdefault("XDG_CACHE_HOME", str(Path("~/.cache").expanduser()))
    for name in [name for name in os.environ if name.startswith(PERSONAL) and name not in KEPT]:
        del os.environ[name]
    os.environ |= {"HOME": HOME, "DVC_GLOBAL_CONFIG_DIR": HOME, "DVC_SYSTEM_CONFIG_DIR": HOME}
    os.environ |= dict.fromkeys(("NO_PROXY", "no_proxy"), "localhost,127.0.0.1") | {"GIT_CONFIG_NOSYSTEM": "1"}
    os.umask(0o022)
    time.tzset()


leave_the_person_out()  # before a conftest.py below imports TensorFlow, and a test typer, which read it then


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds what CI asks for, where all that tests need is there."""
    parser.addoption("--no-skips", action="store_true", help="fail a test that would be skipped")


def pytest_unconfigure() -> None:
    """Removes the tests' home; when a worker exits would be too late, since it may be killed then."""
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Makes a failure of what is skipped, where none may be."""
    report = yield
    if report.skipped and item.config.getoption("no_skips"):
        report.outcome = "failed"
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Has the files that take longest begin first: one that begins last would keep one worker alone busy."""
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(autouse=True, scope="session")
def heeding_ctrl_c() -> None:
    """Let what tests start heed Ctrl-C, even where they themselves run in a shell's background, which ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def make_idx() -> MakeIdx:
    """Gives the bytes of an IDX file that holds an array."""

    def make(array: np.ndarray) -> bytes:
        header = bytes([0, 0, _CODES[array.dtype.name], array.ndim]) + np.array(array.shape, ">u4").tobytes()
        return header + array.astype(array.dtype.newbyteorder(">")).tobytes()

    return make


@pytest.fixture(scope="session")
def mnist_cache() -> Path:
    """The folder of raw files, MNIST's in `mnist`; fetched as `prepare` would, where they aren't yet."""
    return _fetched("mnist")


@pytest.fixture(scope="session")
def fashion_cache() -> Path:
    """The same with Fashion-MNIST's in `fashion-mnist`, for tests that are slow."""
    return _fetched("fashion-mnist")


def _fetched(name: str) -> Path:
    cache, dataset = Path(os.environ["MNISTGAN_CACHE_DIR"]), contract.load(name, committed.ROOT)
    sources.fetch(raw.files_of(dataset), [*committed.parsed().prepare.sources, *dataset.sources], cache / name)
    return cache
