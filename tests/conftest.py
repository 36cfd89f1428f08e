"""What tests everywhere share: IDX files of any make, and the real MNIST."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mnistgan import params
from mnistgan.fetching import raw, sources

ROOT = Path(__file__).resolve().parent.parent
_CODES = {"uint8": 0x08, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D}

MakeIdx = Callable[[np.ndarray], bytes]


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
    """The folder of the raw MNIST files; fetched as `python -m pipeline prepare` would, where they aren't yet."""
    cache = Path(os.environ.get("MNISTGAN_CACHE_DIR") or sources.default_cache())
    sources.fetch(raw.MNIST, params.load(ROOT / "params.yaml").prepare.sources, cache)
    return cache
