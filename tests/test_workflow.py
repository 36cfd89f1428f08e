"""What CI makes of a push and of a pull request: the workflow's own commands, run in real repositories."""

import json
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.actions import SKIPPED, SUCCESS, Event, Job, Runner
from tests.committed import lay_out
from tests.pipeline.checkout import RULES, Checkout
from tests.pipeline.repository import Repository

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS: dict[str, dict[str, Any]] = {
    path.name: YAML(typ="safe", pure=True).load(path.read_text("utf-8")) for path in sorted(FOLDER.iterdir())
}
WORKFLOW = WORKFLOWS["ci.yml"]
JOBS = WORKFLOW["jobs"]
REPOSITORY, NUMBER = "ada/mnistgan", 7
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
LONG = ("make check PYTHON=python", "make test PYTHON=python", "make test-slow PYTHON=python")
"""What takes minutes and runs elsewhere: these alone are stood in for, by a look at what they would do."""
MAKE = f"""#!/bin/sh
case "make $*" in {"|".join(map(shlex.quote, LONG))}) echo "make $*" >>"$STOOD_IN"; set -- --dry-run "$@" ;; esac
exec {shutil.which("make")} "$@"
"""


def pull_request(origin: Repository, branch: str, base: str = "main") -> Event:
    """What GitHub makes of a branch that is ahead of ``base``: a merge of both, under a ref of its own."""
    sides = [origin.git("rev-parse", side) for side in (base, branch)]
    merge = origin.git("commit-tree", f"{branch}^{{tree}}", "-p", sides[0], "-p", sides[1], "-m", "merge")
    origin.git("update-ref", f"refs/pull/{NUMBER}/merge", merge)
    told = {"number": NUMBER, "base": {"sha": sides[0]}, "head": {"repo": {"full_name": REPOSITORY}}}
    return Event("pull_request", merge, f"refs/pull/{NUMBER}/merge", {"pull_request": told})


def furnish(folder: Path) -> None:
    """Give a checkout the environment that is here, which takes minutes and gigabytes to make."""
    if not (ROOT / ".venv" / "made-from").exists():
        pytest.skip("no .venv here; `make venv` makes it")
    (folder / ".venv").symlink_to((ROOT / ".venv").resolve())
    (folder / ".git" / "info" / "exclude").write_text(".venv\n")  # what is ignored is a folder


def summary(job: Job) -> str:
    return (job.folder / "comparison" / "summary.md").read_text("utf-8")


def annotations(job: Job) -> list[str]:
    return re.findall(r"^::(\w+) ", job.log, re.MULTILINE)


@pytest.fixture(scope="module")
def pull_requests(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A repository of `main` and of a branch for each fate that a pull request may have."""
    made = Checkout.create(tmp_path_factory.mktemp("pulls") / "repository")
    made.run_made_up(27.0)
    made.record_seeds()
    made.commit()
    made.git("branch", "stale")
    for branch, fid in (("fine", 26.5), ("worse", 60.0), ("unclear", 30.0)):
        made.git("checkout", "--quiet", "-b", branch, "main")
        made.run_made_up(fid, learning_rate=0.002)
        made.commit()
    made.git("checkout", "--quiet", "-b", "loosened", "worse")
    (made.root / "gate.yaml").write_text(RULES.replace("25%", "300%"))
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

    def call(
        branch: str,
        change: Callable[[Path], object] = lambda _: None,
        base: str | None = None,
        **variables: str,
    ) -> Job:
        def prepare(folder: Path) -> None:
            furnish(folder)
            change(folder)

        event = pull_request(pull_requests, branch)
        if base:
            event.payload["pull_request"]["base"]["sha"] = base
        runner = Runner(tmp_path, pull_requests.root, event, variables=variables, after_checkout=prepare)
        (job,) = runner.run(WORKFLOW, only=("compare",))
        return job

    return call


def test_a_change_that_keeps_the_rules_is_green_and_its_summary_begins_with_the_gates_word(compare: Compare) -> None:
    job = compare("fine")
    assert job.ok, job.log
    assert annotations(job) == []
    assert summary(job).startswith("**gate passed: 3 passed of 3 rules**\n")
    assert "| fid ↓ |" in summary(job)
    assert "recipe.learning\\_rate" in summary(job)
    assert "\n### Provenance" in summary(job)
    assert job.page == summary(job)
    assert (job.folder / "comparison" / "report.html").read_text("utf-8").startswith("<!doctype html>")
    assert sorted(path.name for path in (job.folder / "comparison").iterdir()) == ["report.html", "summary.md"]


def test_a_change_that_breaks_a_rule_is_red_and_has_its_summary_and_report_all_the_same(compare: Compare) -> None:
    job = compare("worse")
    assert not job.ok
    assert annotations(job) == ["error"]
    assert summary(job).startswith("**gate failed: 2 passed, 1 failed of 3 rules**\n")
    assert "| fail | fid |" in summary(job)
    assert job.page == summary(job)
    assert (job.folder / "comparison" / "report.html").exists()


def test_what_can_not_be_told_is_green_with_a_warning(compare: Compare) -> None:
    job = compare("unclear")
    assert job.ok, job.log
    assert annotations(job) == ["warning"]
    assert summary(job).startswith("**gate inconclusive: 2 passed, 1 inconclusive of 3 rules; fid: 4 seeds a side")


def test_a_record_that_is_not_in_sync_is_red_and_nothing_is_compared(compare: Compare) -> None:
    job = compare("stale")
    assert not job.ok
    assert annotations(job) == ["error"]
    assert summary(job).startswith("**gate not asked: dvc.lock is not in sync**\n")
    assert "learning_rate: 0.003, dvc.lock records 0.001" in summary(job)
    assert job.page == summary(job)
    assert re.findall(r"^\$ python -m pipeline (\w+)", job.log, re.MULTILINE) == ["verify"]
    assert not (job.folder / "comparison" / "report.html").exists()


def test_a_base_that_is_not_there_is_red_and_the_page_says_why(compare: Compare) -> None:
    job = compare("fine", base="--nowhere")
    assert not job.ok
    assert job.page.startswith("**gate not asked: there is no such base**\n")
    assert "'--nowhere' is no commit, branch or tag here" in summary(job)


def test_a_base_that_was_measured_otherwise_is_red_and_the_page_says_why(compare: Compare) -> None:
    job = compare("fine", base="origin/otherwise")
    assert not job.ok
    assert job.page.startswith("**gate not asked: the results can't be compared**\n")
    assert "the number of samples" in summary(job)


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
    def edit(folder: Path) -> None:
        with (folder / "Makefile").open("a") as file:
            file.write("\n")

    job = compare("loosened", edit)
    assert summary(job).startswith("**gate passed")
    assert "- note: the rules themselves differ: gate.yaml is not the base's" in summary(job)
    assert "- note: what is not committed was verified, but not compared" in summary(job)


Comment = Callable[..., list[dict[str, Any]]]
SUMMARY = "**gate passed: 3 passed of 3 rules**\n\n$(exit 7) `exit 7` | ${NUMBER} | 👍\n"


@dataclass(frozen=True)
class Hub:
    """A stand-in for the program gh, which notes what it is asked and tells the comments that stand."""

    calls: Path

    @property
    def programs(self) -> dict[str, str]:
        if shutil.which("jq") is None:
            pytest.skip("no jq here, by which the program gh filters")
        return {"gh": GH.format(python=sys.executable)}

    def variables(self, *comments: dict[str, Any]) -> dict[str, str]:
        self.calls.write_text("")
        return {"CALLS": str(self.calls), "COMMENTS": json.dumps(comments)}

    @property
    def asked(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.calls.read_text("utf-8").splitlines()]


@pytest.fixture
def comment(tmp_path: Path) -> Comment:
    """Gives what the job `comment` asks of GitHub where these comments stand and `compare` left a summary."""
    hub = Hub(tmp_path / "calls")

    def call(*comments: dict[str, Any]) -> list[dict[str, Any]]:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        (folder / "artifacts" / "comparison").mkdir(parents=True)
        (folder / "artifacts" / "comparison" / "summary.md").write_text(SUMMARY)
        told = {"number": NUMBER, "head": {"repo": {"full_name": REPOSITORY}}}
        event = Event("pull_request", "0" * 40, f"refs/pull/{NUMBER}/merge", {"pull_request": told})
        runner = Runner(folder, folder, event, hub.programs, variables=hub.variables(*comments))
        done = Job("compare", folder, outputs={"artifact": "1"})
        (job,) = runner.run(WORKFLOW, only=("comment",), before={"compare": done})
        assert job.ok, job.log
        return hub.asked

    return call


def by(login: str, number: int, body: str) -> dict[str, Any]:
    return {"id": number, "user": {"login": login}, "body": body}


def test_without_a_comment_of_ours_one_is_written(comment: Comment) -> None:
    marker = JOBS["comment"]["steps"][-1]["env"]["MARKER"]
    asked, written = comment(by("ada", 1, marker), by("github-actions[bot]", 2, f"quoted: {marker}"))
    assert f"repos/{REPOSITORY}/issues/7/comments?per_page=100" in asked["words"]
    assert "--paginate" in asked["words"]
    assert written["words"][1:3] == ["--method", "POST"]
    assert f"repos/{REPOSITORY}/issues/7/comments" in written["words"]
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
    assert f"repos/{REPOSITORY}/issues/comments/22" in again["words"]
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
    text = "".join(path.read_text("utf-8") for path in FOLDER.iterdir())
    pins = re.findall(r"uses: (.+)", text)
    assert pins
    assert [pin for pin in pins if not re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", pin)] == []
    assert len(set(pins)) == len({pin.split("@")[0] for pin in pins})  # one version of each


@pytest.mark.slow
def test_every_command_of_every_workflow_runs_as_on_github(
    pull_requests: Checkout, mnist_cache: Path, tmp_path: Path
) -> None:
    """A push to this repository as it is, and a pull request to one whose record agrees with its code."""
    stood_in, hub = tmp_path / "stood-in", Hub(tmp_path / "calls")
    caches = {"~/.cache/mnistgan": mnist_cache}
    pushed = Repository(tmp_path / "pushed")
    lay_out(pushed.root, ".")
    pushed.git("init", "--quiet", "--initial-branch=main")
    pushed.commit()
    push = Event("push", pushed.commit(), "refs/heads/main")
    at_push = Runner(tmp_path / "push", pushed.root, push, {"make": MAKE}, caches, {"STOOD_IN": str(stood_in)}, furnish)
    at_pull = Runner(
        tmp_path / "pull",
        pull_requests.root,
        pull_request(pull_requests, "fine"),
        hub.programs,
        variables=hub.variables(),
        after_checkout=furnish,
    )
    jobs: list[Job] = []
    for workflow in WORKFLOWS.values():
        jobs += at_push.run(workflow) + at_pull.run(workflow, only=("compare", "comment"))
    assert {job.name: job.log for job in jobs if job.outcome not in (SUCCESS, SKIPPED)} == {}
    steps = [step for workflow in WORKFLOWS.values() for job in workflow["jobs"].values() for step in job["steps"]]
    assert {step["run"] for step in steps if "run" in step} == {command for job in jobs for command in job.ran}
    assert set(stood_in.read_text().splitlines()) == set(LONG)
    assert [call["words"][2] for call in hub.asked if "--method" in call["words"]] == ["POST"]
