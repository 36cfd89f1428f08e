"""Times answers of `make serve` over HTTP on this machine: p50 and p95 of 1, 16 and 256 images of every family.

.venv/bin/python -m benchmarks.serving --rounds 20

The weights are those that a training starts from, zeros among them made small, so that no step is skipped: they draw as
fast as trained ones. Sizes and formats take turns within a round, families one after another. Writes serving.json.
"""

import argparse
import itertools
import os
import socket
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks import ROOT
from benchmarks.mnist import SPEC
from benchmarks.results import Measurement
from mnistgan import families
from mnistgan.files import write_json
from pipeline.runtime import load_tensorflow

RESULTS = ROOT / "benchmarks" / "serving.json"
COUNTS, FORMATS = (1, 16, 256), ("png", "array")
PATIENCE = 120.0  # seconds


def main() -> None:
    """Measures all families, or those named, and prints a row of Markdown for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="answers of each kind")
    parser.add_argument("--families", nargs="*", default=families.names())
    options = parser.parse_args()
    load_tensorflow(verbose=False)
    found = {"begun": vars(Measurement.begin("python -m benchmarks.serving", Path("/nonexistent")))}
    for name in options.families:
        found[name] = {"load": os.getloadavg()[0], **_of_family(name, options.rounds)}
        cells = [
            f"{found[name][f'{count} {kind}'][part]:.3g}" for kind in FORMATS for count in COUNTS for part in (0, 1)
        ]
        print(f"| {name} | {' | '.join(cells)} | {found[name]['load']:.1f} |", flush=True)
    write_json(RESULTS, found)


def _of_family(name: str, rounds: int) -> dict[str, Any]:
    """Measures p50 and p95 in milliseconds, by count and format."""
    import uvicorn

    from pipeline.tracking import serving

    with tempfile.TemporaryDirectory(prefix="mnistgan-bench-") as folder:
        _write(name, Path(folder) / "graph")
        generator = serving.load(Path(folder) / "graph")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(serving.app(generator), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=PATIENCE) as client:
                return _timed(client, rounds)
        finally:
            server.should_exit = True
            thread.join()


def _timed(client: httpx.Client, rounds: int) -> dict[str, Any]:
    kinds = list(itertools.product(COUNTS, FORMATS))
    taken: dict[str, list[float]] = {f"{count} {kind}": [] for count, kind in kinds}
    for number in range(rounds + 1):
        for count, kind in kinds:
            asked = {"inputs": [], "params": {"count": count, "seed": number, "format": kind}}
            begun = time.perf_counter()
            client.post("/invocations", json=asked).raise_for_status()
            if number:  # the first compiles
                taken[f"{count} {kind}"].append(1000 * (time.perf_counter() - begun))
    return {name: [statistics.median(times), float(np.quantile(times, 0.95))] for name, times in taken.items()}


def _write(name: str, folder: Path) -> None:
    from mnistgan import exporting
    from mnistgan.families.sampling import Sampler

    family = families.find(name)
    network = family.build_sampled(SPEC, 0, plain=True)
    noise = np.random.default_rng(0)
    held = network.get_weights()
    network.set_weights([one if one.any() else 0.02 * noise.standard_normal(one.shape) for one in held])
    exporting.write_saved_model(Sampler(family, network, SPEC), folder, {"family": name})


if __name__ == "__main__":
    main()
