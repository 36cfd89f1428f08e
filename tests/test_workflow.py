"""What CI makes of a pull request: the workflow's own commands, run in a real repository of two branches."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.pipeline.checkout import RULES, Checkout

ROOT = Path(__file__).resolve().parent.parent
WORKFLOW: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))
JOBS = WORKFLOW["jobs"]
SHELL = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"]  # what `shell: bash` is on GitHub
GH = """#!{python}
import json, os, pathlib, subprocess, sys
words = sys.argv[1:]
with open(os.environ["CALLS"], "a") as calls:
    body = [pathlib.Path(word.removeprefix("body=@")).read_text() for word in words if word.startswith("body=@")]
    print(json.dumps({{"words": words, "body": "".join(body)}}), file=calls)
if "--jq" in words:
    program = words[words.index("--jq") + 1]
    subprocess.run(["jq", "--raw-output", program], input=os.environ["COMMENTS"], text=True, check=True)
"""


@dataclass(frozen=True)
class Job:
    """How a job's commands ended, and what they left."""

    ok: bool
    log: str
    folder: Path
    page: str
    """What the run's page shows."""

    @property
    def summary(self) -> str:
        return (self.folder / "comparison" / "summary.md").read_text("utf-8")

    @property
    def annotations(self) -> list[str]:
        return re.findall(r"^::(\w+) ", self.log, re.MULTILINE)


def run(job: str, folder: Path, given: Mapping[str, str], path: str, **environment: str) -> Job:
    """Run a job's commands as GitHub does: the first that fails ends it, but for steps that run even then.

    ``given``: what GitHub would put for each expression of a step's environment.
    """
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("COV_", "DVC_", "MAKE", "MFLAGS"))
    }
    page = folder.parent / f"{folder.name}.page"
    page.touch()
    environment = {**kept, **environment, "PATH": path, "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(page)}
    ok, log = True, ""
    for step in JOBS[job]["steps"]:
        if "run" not in step or not (ok or "!cancelled()" in step.get("if", "")):
            continue
        values = {name: filled(value, given) for name, value in step.get("env", {}).items()}
        command = [*SHELL, step["run"]]
        done = subprocess.run(command, cwd=folder, env={**environment, **values}, capture_output=True, text=True)
        ok, log = ok and done.returncode == 0, log + done.stdout + done.stderr
    return Job(ok, log, folder, page.read_text("utf-8"))


def filled(value: str, given: Mapping[str, str]) -> str:
    return re.sub(r"\$\{\{ (.+?) \}\}", lambda found: given[found[1]], value)


@pytest.fixture(scope="module")
def pull_requests(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A repository of `main` and of a branch for each fate that a pull request may have."""
    made = Checkout.create(tmp_path_factory.mktemp("pulls") / "repository")
    made.run_made_up(27.0)
    made.record_seeds()
    made.commit()
    made.git("branch", "stale")
    for branch, fid in (("fine", 26.5), ("worse", 60.0), ("unclear", 33.0)):
        made.git("checkout", "--quiet", "-b", branch, "main")
        made.run_made_up(fid, learning_rate=0.002)
        made.commit()
    made.git("checkout", "--quiet", "-b", "otherwise", "main")
    made.measure(samples=2000)
    made.run_made_up(27.0)
    made.commit()
    made.git("checkout", "--quiet", "stale")
    made.turn(learning_rate=0.003)
    made.commit()
    return made


Compare = Callable[..., Job]


@pytest.fixture
def compare(pull_requests: Checkout, tmp_path: Path) -> Compare:
    """Gives what the job `compare` makes of a branch; ``change`` is called in its checkout before."""
    if not (ROOT / ".venv" / "made-from").exists():
        pytest.skip("no .venv here; `make venv` makes it")

    def call(
        branch: str,
        change: Callable[[Checkout], object] = lambda _: None,
        base: str | None = None,
        **environment: str,
    ) -> Job:
        folder = tmp_path / branch
        subprocess.run(["git", "clone", "--quiet", "--branch", branch, pull_requests.root, folder], check=True)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        change(Checkout(folder))
        base = base or pull_requests.git("rev-parse", "main")
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return run("compare", folder, {"github.event.pull_request.base.sha": base}, path, **environment)

    return call


def test_a_change_that_keeps_the_rules_is_green_and_its_summary_begins_with_the_gates_word(compare: Compare) -> None:
    job = compare("fine")
    assert job.ok, job.log
    assert job.annotations == []
    assert job.summary.startswith("**gate passed: 3 passed of 3 rules**\n")
    assert "| fid ↓ |" in job.summary
    assert "recipe.learning\\_rate" in job.summary
    assert "\n### Provenance" in job.summary
    assert job.page == job.summary
    assert (job.folder / "comparison" / "report.html").read_text("utf-8").startswith("<!doctype html>")
    assert sorted(path.name for path in (job.folder / "comparison").iterdir()) == ["report.html", "summary.md"]


def test_a_change_that_breaks_a_rule_is_red_and_has_its_summary_and_report_all_the_same(compare: Compare) -> None:
    job = compare("worse")
    assert not job.ok
    assert job.annotations == ["error"]
    assert job.summary.startswith("**gate failed: 2 passed, 1 failed of 3 rules**\n")
    assert "| fail | fid |" in job.summary
    assert job.page == job.summary
    assert (job.folder / "comparison" / "report.html").exists()


def test_what_can_not_be_told_is_green_with_a_warning(compare: Compare) -> None:
    job = compare("unclear")
    assert job.ok, job.log
    assert job.annotations == ["warning"]
    assert job.summary.startswith("**gate inconclusive: 2 passed, 1 inconclusive of 3 rules**\n")


def test_a_record_that_is_not_in_sync_is_red_and_nothing_is_compared(compare: Compare) -> None:
    job = compare("stale")
    assert not job.ok
    assert job.annotations == ["error"]
    assert job.summary.startswith("**gate not asked: dvc.lock is not in sync**\n")
    assert "learning_rate: 0.003, dvc.lock records 0.001" in job.summary
    assert job.page == job.summary
    assert re.findall(r"^\$ python -m pipeline (\w+)", job.log, re.MULTILINE) == ["verify"]
    assert not (job.folder / "comparison" / "report.html").exists()


def test_a_base_that_is_not_there_is_red_and_the_page_says_why(compare: Compare) -> None:
    job = compare("fine", base="--nowhere")
    assert not job.ok
    assert job.page.startswith("**gate not asked: there is no such base**\n")
    assert "'--nowhere' is no commit, branch or tag here" in job.summary


def test_a_base_that_was_measured_otherwise_is_red_and_the_page_says_why(compare: Compare) -> None:
    job = compare("fine", base="origin/otherwise")
    assert not job.ok
    assert job.page.startswith("**gate not asked: the results can't be compared**\n")
    assert "the number of samples" in job.summary


def test_it_takes_ten_seconds_of_a_processor_at_most_and_none_of_the_heavy_libraries(compare: Compare) -> None:
    before = os.times()
    job = compare("fine", PYTHONPROFILEIMPORTTIME="1")
    after = os.times()
    assert job.ok, job.log
    loaded = {name.strip().split(".")[0] for name in re.findall(r"^import time:.+\|(.+)$", job.log, re.MULTILINE)}
    assert "pipeline" in loaded
    assert loaded & {"tensorflow", "keras", "mlflow", "dvc", "matplotlib", "scipy"} == set()
    assert after.children_user + after.children_system - before.children_user - before.children_system < 10


def test_a_pull_request_that_loosens_the_rules_or_is_not_committed_says_so(compare: Compare) -> None:
    def loosen(checkout: Checkout) -> None:
        (checkout.root / "gate.yaml").write_text(RULES.replace("25%", "300%"))
        checkout.commit()
        (checkout.root / "Makefile").write_text(f"{(checkout.root / 'Makefile').read_text('utf-8')}\n")

    job = compare("worse", loosen)
    assert job.summary.startswith("**gate passed")
    assert "- note: the rules themselves differ: gate.yaml is not the base's" in job.summary
    assert "- note: what is not committed was verified, but not compared" in job.summary


Comment = Callable[..., list[dict[str, Any]]]
SUMMARY = "**gate passed: 3 passed of 3 rules**\n\n$(exit 7) `exit 7` | ${NUMBER} | 👍\n"


@pytest.fixture
def comment(tmp_path: Path) -> Comment:
    """Gives what the job `comment` asks of GitHub where these comments stand; no checkout, and a gh that only notes."""
    if shutil.which("jq") is None:
        pytest.skip("no jq here, by which the program gh filters")
    folder, programs, calls = tmp_path / "empty", tmp_path / "programs", tmp_path / "calls"
    (folder / "comparison").mkdir(parents=True)
    (folder / "comparison" / "summary.md").write_text(SUMMARY)
    programs.mkdir()
    (programs / "gh").write_text(GH.format(python=sys.executable))
    (programs / "gh").chmod(0o755)
    given = {
        "github.token": "token",
        "github.repository": "ada/mnistgan",
        "github.event.pull_request.number": "7",
        "github.server_url": "https://github.example",
        "github.run_id": "42",
    }

    def call(*comments: dict[str, Any]) -> list[dict[str, Any]]:
        calls.write_text("")
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        job = run("comment", folder, given, path, CALLS=str(calls), COMMENTS=json.dumps(comments))
        assert job.ok, job.log
        return [json.loads(line) for line in calls.read_text().splitlines()]

    return call


def by(login: str, number: int, body: str) -> dict[str, Any]:
    return {"id": number, "user": {"login": login}, "body": body}


def test_without_a_comment_of_ours_one_is_written(comment: Comment) -> None:
    marker = JOBS["comment"]["steps"][-1]["env"]["MARKER"]
    asked, written = comment(by("ada", 1, marker), by("github-actions[bot]", 2, f"quoted: {marker}"))
    assert "repos/ada/mnistgan/issues/7/comments?per_page=100" in asked["words"]
    assert "--paginate" in asked["words"]
    assert written["words"][1:3] == ["--method", "POST"]
    assert "repos/ada/mnistgan/issues/7/comments" in written["words"]
    first, rest = written["body"].split("\n", 1)
    assert first == marker
    assert re.fullmatch(r"<!-- .+ -->", marker)  # GitHub shows nothing of it
    assert rest.startswith(SUMMARY)
    assert "https://github.example/ada/mnistgan/actions/runs/42" in rest


def test_a_comment_of_ours_is_written_anew_and_not_repeated(comment: Comment) -> None:
    (_, first) = comment()
    ours = [by("github-actions[bot]", number, first["body"]) for number in (22, 33)]
    _, again = comment(by("ada", 1, "hello"), *ours)
    assert again["words"][1:3] == ["--method", "PATCH"]
    assert "repos/ada/mnistgan/issues/comments/22" in again["words"]
    assert again["body"] == first["body"]


def test_only_the_job_that_runs_nothing_of_the_pull_request_may_write() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert {name: job["permissions"] for name, job in JOBS.items() if "permissions" in job} == {
        "comment": {"pull-requests": "write"}
    }
    used = [step["uses"].split("@")[0] for step in JOBS["comment"]["steps"] if "uses" in step]
    assert used == ["actions/download-artifact"]
    commands = "".join(step.get("run", "") for step in JOBS["comment"]["steps"])
    assert not re.findall(r"\b(?:make|python\d?|bash|sh|eval|source|git)\b", commands)
    assert "pull_request_target" not in WORKFLOW["on"]


def test_a_fork_gets_no_comment_and_a_failed_comparison_does() -> None:
    condition = " ".join(JOBS["comment"]["if"].split())
    assert "github.event.pull_request.head.repo.full_name == github.repository" in condition
    assert "!cancelled()" in condition  # else it would be skipped where compare failed
    assert "||" not in condition
    assert JOBS["comment"]["needs"] == "compare"
    assert JOBS["compare"]["if"] == "github.event_name == 'pull_request'"


def test_no_command_holds_what_a_pull_request_wrote() -> None:
    commands = [step["run"] for job in JOBS.values() for step in job["steps"] if "run" in step]
    assert [command for command in commands if "${{" in command] == []


def test_every_job_ends_and_no_checkout_keeps_its_token() -> None:
    assert [name for name, job in JOBS.items() if "timeout-minutes" not in job] == []
    checkouts = [step for job in JOBS.values() for step in job["steps"] if "actions/checkout@" in step.get("uses", "")]
    assert len(checkouts) == len(JOBS) - 1
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_the_base_is_in_the_checkout_and_what_was_made_is_what_the_comment_takes() -> None:
    compare, comment = (JOBS[name]["steps"] for name in ("compare", "comment"))
    assert compare[0]["with"]["fetch-depth"] == 0
    (kept,) = [step["with"] for step in compare if "upload-artifact@" in step.get("uses", "")]
    assert (kept["name"], kept["path"]) == ("comparison", "comparison")
    assert comment[0]["with"] == {"name": kept["name"], "path": kept["path"]}


def test_dependabot_keeps_actions_and_packages_fresh() -> None:
    settings = YAML(typ="safe", pure=True).load((ROOT / ".github" / "dependabot.yml").read_text("utf-8"))
    assert {update["package-ecosystem"] for update in settings["updates"]} == {"github-actions", "pip"}


def test_every_action_is_pinned_by_digest_with_its_version_beside_it() -> None:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    pins = re.findall(r"uses: (.+)", text)
    assert pins
    assert [pin for pin in pins if not re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", pin)] == []
    assert len(set(pins)) == len({pin.split("@")[0] for pin in pins})  # one version of each
