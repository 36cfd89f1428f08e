"""Sets TensorFlow up and names what it ran on: all outside the science that decides a stage's bytes."""

import os
import platform
import sys
import tempfile
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mnistgan.errors import UsageError

if TYPE_CHECKING:
    from mnistgan.families.contract import Precision

Device = Literal["cpu", "gpu"]

LIBRARIES = ("tensorflow", "keras", "numpy")
"""Those that decide the numbers."""
SETTINGS = (
    *("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ONEDNN_CPU_ISA_HINTS", "DNNL_CPU_ISA_HINTS"),
    *("ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE", "TF_SET_ONEDNN_FPMATH_MODE"),
    *("TF_ENABLE_ONEDNN_OPTS", "TF_ENABLE_ZENDNN_OPTS", "TF_USE_DEEP_CONV2D"),
    *("OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES", "NPY_ENABLE_CPU_FEATURES", "GLIBC_TUNABLES"),
)
"""Environment variables that have TensorFlow, oneDNN, NumPy or libm compute otherwise on the same processor.

They stay as a person set them, and are named beside the processor.
"""
COMPUTES_BFLOAT16 = ("ALL", "DEFAULT", "BF16", "FP16", "AMX", "AVX10")
"""What the name of an instruction set that oneDNN is held to has in it, where that has bfloat16 too."""
BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16"})
"""The processor's flags for instructions on bfloat16."""
CPUINFO = Path("/proc/cpuinfo")
_DECIDED = {
    "KERAS_BACKEND": "tensorflow",
    "KERAS_HOME": os.devnull,  # no folder: a person's keras.json may ask for float64, channels_first or another epsilon
    "TF_USE_LEGACY_KERAS": "0",
}
"""What the environment would decide of the arithmetic, decided here."""
_LEFT_OUT = ("TF_XLA_FLAGS", "XLA_FLAGS")  # meant for a compiler that is not used here; at a typo it ends the process


def load_tensorflow(verbose: bool, threads: int | None = None, device: "Device" = "cpu") -> None:
    """Imports TensorFlow and, given ``threads`` within an operation, makes it deterministic: the same bits every time.

    Its greetings are kept off stderr unless ``verbose``. Whatever a person's Keras is set to, here it is as shipped.
    Any GPU is hidden unless ``device`` asks for one. Raises UsageError where TensorFlow finds none then.
    """
    os.environ.update(_DECIDED)
    if device == "cpu":  # another device computes other bytes
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    for name in _LEFT_OUT:
        os.environ.pop(name, None)
    if not verbose and "tensorflow" not in sys.modules:
        _import_quietly()
    if threads is None:
        return
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    if device == "gpu":
        tf.config.set_visible_devices(_gpu(), "GPU")


def precision(wanted: "Precision", device: "Device" = "cpu") -> tuple["Precision", str]:
    """Decides what precision this machine trains at, and says why it is not the one ``wanted``; "" where it is.

    Without instructions for it bfloat16 would be slower, not faster; where the system doesn't list them, as outside
    Linux, there are none.
    """
    if wanted == "float32":
        return wanted, ""
    if device == "gpu":
        return "float32", "only oneDNN computes in it here, on a processor"
    if setting := _without_bfloat16():
        return "float32", f"{setting} turns off what computes in it"
    if not BFLOAT16 & set(_of_cpu("flags").split()):
        return "float32", "this processor has no instructions for it"
    return wanted, ""


def machine(precision: str, device: "Device" = "cpu") -> dict[str, str]:
    """Describes what of a machine may make other bytes of the same params, data and code.

    ``precision`` is the one trained at, which may be another than the recipe's where the processor can't do that. A
    device other than the processor is named.
    """
    facts = {"processor": cpu_model(), "precision": precision}
    if device == "gpu":
        import tensorflow as tf

        facts["device"] = tf.config.experimental.get_device_details(_gpu()).get("device_name", "a GPU of no known name")
    return facts


def cpu_model() -> str:
    """Names the processor as the system does, for instance ``Intel(R) Xeon(R) CPU @ 2.20GHz``, then any settings()."""
    named = _of_cpu("model name") or platform.processor() or platform.machine()
    return " ".join([named, *([f"({', '.join(settings())})"] if settings() else [])])


def settings() -> list[str]:
    """Lists what the environment sets of SETTINGS, each ``NAME=value``; nothing where nobody set anything."""
    told = {name: os.environ.get(name, "").strip() for name in SETTINGS}
    if "glibc.cpu." not in told["GLIBC_TUNABLES"]:  # others tune the allocator
        del told["GLIBC_TUNABLES"]
    return [f"{name}={value}" for name, value in told.items() if value]


def installed_versions() -> dict[str, str]:
    """Reads the versions of the libraries that decide the numbers, from metadata, importing none of them."""
    return {library: _version(library) for library in LIBRARIES}


def _version(library: str) -> str:
    """A library's version; TensorFlow's, whichever of its two packages is installed."""
    if library == "tensorflow":
        with suppress(metadata.PackageNotFoundError):
            return metadata.version("tensorflow-cpu")
    return metadata.version(library)


def _gpu() -> Any:
    """Finds the first GPU that TensorFlow sees. Raises UsageError where it sees none."""
    import tensorflow as tf

    if found := tf.config.list_physical_devices("GPU"):
        return found[0]
    wanted = f"tensorflow[and-cuda]=={_version('tensorflow')}"
    raise UsageError(
        "train.device: gpu, but TensorFlow finds none; it needs an NVIDIA card with its driver, CUDA's libraries, "
        f"which requirements.lock leaves out (`pip install '{wanted}'`), and no CUDA_VISIBLE_DEVICES that hides the "
        "card. `train.device: cpu` needs none of it"
    )


def _without_bfloat16() -> str | None:
    """Finds the setting that keeps oneDNN from computing in bfloat16 on any processor; None where none does."""
    for setting in settings():
        name, _, value = setting.partition("=")
        held = name.endswith("MAX_CPU_ISA") and not any(part in value.upper() for part in COMPUTES_BFLOAT16)
        if held or (name == "TF_ENABLE_ONEDNN_OPTS" and value.lower() in ("0", "false")):
            return setting
    return None


def _of_cpu(field: str) -> str:
    """Reads a field of the system's first processor; "" where it says nothing."""
    try:
        lines = CPUINFO.read_text("utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(field)), "")


def _import_quietly() -> None:
    """Imports TensorFlow with its greetings caught at the file descriptor: C++ writes them before it reads a log level.

    Should the import fail, they are shown after all.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            import keras  # noqa: F401 - for its import alone
        except BaseException:
            chatter.seek(0)
            os.write(kept, chatter.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
