import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.lock import EXTRAS, pip_settings, uv_options, uv_variables

ROOT = Path(__file__).resolve().parents[2]


def pinned(lock: str) -> set[tuple[str, str]]:
    """Name and version of every package of a lock."""
    text = (ROOT / lock).read_text("utf-8")
    return set(re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE))


def listed_by_pip(tmp_path: Path, configuration: str, **environment: str) -> str:
    file = tmp_path / "pip.conf"
    file.write_text(configuration)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    return subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        env={**clean, "PIP_CONFIG_FILE": str(file), **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_a_mirror_set_in_pips_configuration_is_handed_on(tmp_path: Path) -> None:
    configuration = "[global]\nindex-url = https://mirror.example/simple\nextra-index-url =\n    https://a.example\n"
    configuration += "    https://b.example\ncert = /certificates.pem\n"
    settings = pip_settings(listed_by_pip(tmp_path, configuration))
    options = uv_options(settings)
    assert options[options.index("--default-index") + 1] == "https://mirror.example/simple"
    assert [options[i + 1] for i, word in enumerate(options) if word == "--index"] == [
        "https://a.example",
        "https://b.example",
    ]
    assert uv_variables(settings)["SSL_CERT_FILE"] == "/certificates.pem"


def test_pips_environment_outranks_its_files_as_it_does_for_pip(tmp_path: Path) -> None:
    configuration = "[global]\nindex-url = https://file.example/\n[install]\nindex-url = https://install.example/\n"
    assert pip_settings(listed_by_pip(tmp_path, configuration))["index-url"] == "https://install.example/"
    listed = listed_by_pip(tmp_path, configuration, PIP_INDEX_URL="https://environment.example/")
    assert pip_settings(listed)["index-url"] == "https://environment.example/"


def test_without_a_configuration_uv_looks_where_it_always_does() -> None:
    assert uv_options(pip_settings("")) == ["--index-strategy", "unsafe-best-match"]
    assert uv_variables({}) == {}


def test_an_index_switched_off_is_off_for_uv_too() -> None:
    assert "--no-index" in uv_options(pip_settings("global.no-index='true'\n"))
    assert "--no-index" not in uv_options(pip_settings("global.no-index='false'\n"))


def test_the_lock_has_what_pyproject_asks_for() -> None:
    """A change of pyproject.toml alone, such as Dependabot's, is red until `make lock`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    asked = {
        "requirements.lock": project["project"]["dependencies"],
        **{f"requirements-{extra}.lock": project["dependency-groups"][extra] for extra in EXTRAS},
        "requirements-dev.lock": [each for each in project["dependency-groups"]["dev"] if isinstance(each, str)],
    }
    missing = [
        f"{lock}: {each}"
        for lock, named in asked.items()
        for each in map(Requirement, named)
        if not any(
            name == canonicalize_name(each.name) and each.specifier.contains(version) for name, version in pinned(lock)
        )
    ]
    assert missing == [], "run `make lock`"


def test_development_tools_bring_no_other_version_of_what_runs() -> None:
    running, tools = pinned("requirements.lock"), pinned("requirements-dev.lock")
    extras = set().union(*(pinned(f"requirements-{extra}.lock") for extra in EXTRAS))
    names = {name for name, _ in running}
    assert {pin for pin in extras | tools if pin[0] in names} <= running
    assert extras <= tools  # so that no test is skipped
    assert {"pytest", "ruff", "mypy"} <= {name for name, _ in tools} - names
