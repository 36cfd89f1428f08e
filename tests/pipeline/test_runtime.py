"""What decides bytes outside the science: the processor, settings of libraries, the precision."""

import os
from pathlib import Path

import pytest

from mnistgan.errors import UsageError
from pipeline import runtime
from pipeline.runs import checkpoints, machine
from tests.pipeline.fabricated import Workspace


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in runtime.SETTINGS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def cpuinfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the system says of its processor: nothing as yet."""
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(runtime, "CPUINFO", path)
    return path


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ONEDNN_MAX_CPU_ISA", "SSE41"),
        ("TF_ENABLE_ONEDNN_OPTS", "0"),
        ("OPENBLAS_CORETYPE", "Nehalem"),
        ("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2"),
    ],
)
def test_a_setting_by_which_the_same_processor_gives_other_bytes_is_named_beside_it(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = runtime.machine("float32")
    monkeypatch.setenv(name, value)
    assert runtime.machine("float32") == {**plain, "processor": f"{plain['processor']} ({name}={value})"}


def test_settings_that_alter_no_byte_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = runtime.machine("float32")
    for name, value in {"ONEDNN_VERBOSE": "1", "OMP_NUM_THREADS": "1", "GLIBC_TUNABLES": "glibc.malloc.trim=1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "")
    assert runtime.machine("float32") == plain


@pytest.mark.parametrize(
    ("name", "value", "off"),
    [
        ("ONEDNN_MAX_CPU_ISA", "avx2", True),
        ("DNNL_MAX_CPU_ISA", "AVX512_CORE_VNNI", True),
        ("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16", False),
        ("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_AMX", False),
        ("ONEDNN_MAX_CPU_ISA", "default", False),
        ("TF_ENABLE_ONEDNN_OPTS", "False", True),
        ("TF_ENABLE_ONEDNN_OPTS", "1", False),
    ],
)
def test_a_setting_that_turns_bfloat16_off_is_told(
    name: str, value: str, off: bool, cpuinfo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpuinfo.write_text("flags : fpu avx512_bf16\n")
    assert runtime.precision("bfloat16") == ("bfloat16", "")
    monkeypatch.setenv(name, value)
    told = ("float32", f"{name}={value} turns off what computes in it") if off else ("bfloat16", "")
    assert runtime.precision("bfloat16") == told
    assert runtime.precision("float32") == ("float32", "")


@pytest.mark.parametrize(
    ("listed", "precision"),
    [
        ("model name : A\nflags : fpu avx512f amx_bf16 amx_tile\n", "bfloat16"),
        ("model name : B\nflags : fpu avx512f avx512_bf16\n", "bfloat16"),
        ("model name : C\nflags : fpu avx2 avx512f\n", "float32"),
        ("model name : D\n", "float32"),
        (None, "float32"),
    ],
)
def test_bfloat16_needs_a_processor_with_instructions_for_it(listed: str | None, precision: str, cpuinfo: Path) -> None:
    if listed:
        cpuinfo.write_text(listed)
    assert runtime.precision("bfloat16")[0] == precision
    assert runtime.precision("float32") == ("float32", "")


def test_a_gpu_is_hidden_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    runtime.load_tensorflow(verbose=False)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "-1"


def test_a_gpu_that_is_asked_for_and_not_there_is_one_error_that_names_what_it_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(UsageError, match=r"^train\.device: gpu, but .*`pip install 'tensorflow\[and-cuda\]==2\."):
        runtime.load_tensorflow(verbose=False, threads=2, device="gpu")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"


def test_a_device_is_named_beside_the_processor_only_where_it_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    assert list(runtime.machine("float32")) == ["processor", "precision"]
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _kind: ["a card"])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", {"a card": {"device_name": "NVIDIA A"}}.get)
    told = runtime.machine("float32", "gpu")
    assert told == {**runtime.machine("float32"), "device": "NVIDIA A"} == machine.facts(told)


def test_bfloat16_is_of_processors_alone(cpuinfo: Path) -> None:
    cpuinfo.write_text("flags : fpu avx512_bf16\n")
    precision, why = runtime.precision("bfloat16", "gpu")
    assert (precision, bool(why)) == ("float32", True)


def test_a_training_does_not_go_on_by_another_arithmetic_than_it_began_by(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with checkpoints.folder_of(None) as begun:
        pass
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
    with checkpoints.folder_of(None) as other:
        pass
    assert begun != other
