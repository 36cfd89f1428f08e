"""By what a stage computed: the processor, and the settings by which libraries compute otherwise on it."""

import pytest

from pipeline.commands.train import without_bfloat16
from pipeline.runs import checkpoints, provenance
from tests.pipeline.fabricated import Workspace


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in provenance.SETTINGS:
        monkeypatch.delenv(name, raising=False)


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
    plain = provenance.machine("float32")
    monkeypatch.setenv(name, value)
    assert provenance.machine("float32") == {**plain, "processor": f"{plain['processor']} ({name}={value})"}


def test_settings_that_alter_no_byte_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = provenance.machine("float32")
    for name, value in {"ONEDNN_VERBOSE": "1", "OMP_NUM_THREADS": "1", "GLIBC_TUNABLES": "glibc.malloc.trim=1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "")
    assert provenance.machine("float32") == plain


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
    name: str, value: str, off: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert without_bfloat16() is None
    monkeypatch.setenv(name, value)
    assert without_bfloat16() == (f"{name}={value}" if off else None)


def test_a_training_does_not_go_on_by_another_arithmetic_than_it_began_by(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with checkpoints.folder_of(None) as begun:
        pass
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
    with checkpoints.folder_of(None) as other:
        pass
    assert begun != other
