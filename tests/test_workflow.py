"""What CI makes of a push and of a pull request: the workflow's own commands, run in real repositories."""

import json
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.engines import working
from scripts import experiment
from tests.actions import SKIPPED, SUCCESS, Event, Job, Runner
from tests.committed import lay_out
from tests.pipeline.checkout import RULES, Checkout
from tests.pipeline.repository import Repository

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS: dict[str, dict[str, Any]] = {
    path.name: YAML(typ="safe", pure=True).load(path.read_text("utf-8")) for path in sorted(FOLDER.iterdir())
}
WORKFLOW, EXPERIMENT = WORKFLOWS["ci.yml"], WORKFLOWS["experiment.yml"]
JOBS = {f"{file}: {name}": job for file, workflow in WORKFLOWS.items() for name, job in workflow["jobs"].items()}
STEPS = {name: job.get("steps", []) for name, job in JOBS.items()}
REPOSITORY, NUMBER = "ada/mnistgan", 7
GH = """#!{python}
import json, os, pathlib, subprocess, sys
words = sys.argv[1:]
with open(os.environ["CALLS"], "a") as calls:
    body = [pathlib.Path(word.split("=@")[1]).read_text() for word in words if "=@" in word]
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


def pull_request(origin: Repository, branch: str, base: str = "main", of: str = REPOSITORY) -> Event:
    """What GitHub makes of a branch that is ahead of ``base``: a merge of both, under a ref of its own."""
    sides = [origin.git("rev-parse", side) for side in (base, branch)]
    merge = origin.git("commit-tree", f"{branch}^{{tree}}", "-p", sides[0], "-p", sides[1], "-m", "merge")
    origin.git("update-ref", f"refs/pull/{NUMBER}/merge", merge)
    told = {"number": NUMBER, "base": {"sha": sides[0]}, "head": {"sha": sides[1], "repo": {"full_name": of}}}
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
        of: str = REPOSITORY,
        **variables: str,
    ) -> Job:
        def prepare(folder: Path) -> None:
            furnish(folder)
            change(folder)

        event = pull_request(pull_requests, branch, of=of)
        if base:
            event.payload["pull_request"]["base"]["sha"] = base
        runner = Runner(tmp_path, pull_requests.root, event, variables=variables, after_checkout=prepare)
        (job,) = runner.run(WORKFLOW, only=("compare",))
        return job

    return call


def test_a_change_that_keeps_the_rules_is_green_and_its_first_screen_has_the_gates_word_six_figures_and_the_samples(
    compare: Compare, pull_requests: Checkout
) -> None:
    job = compare("fine")
    assert job.ok, job.log
    assert annotations(job) == []
    assert job.outputs["conclusion"] == "success"
    assert summary(job).startswith("**gate passed: 3 passed of 3 rules**\n\ncan't tell yet: FID 27 → 26.5 (")
    first, folded = summary(job).split("<details>", 1)
    assert len(first.splitlines()) <= 25
    rows = re.findall(r"^\| ([a-z_.\\]+)\s\S \| .+ \|$", first, re.MULTILINE)
    assert len(rows) == 6
    assert {"fid", "coverage", "classes.smallest\\_ratio", "repetition.worst"} < {*rows}
    assert "- params: recipe.learning\\_rate 0.0014 → 0.002\n" in first
    addresses = re.findall(r'src="https://github.example/ada/mnistgan/raw/(\w+)/plots/samples.png"', first)
    assert addresses == [pull_requests.git("rev-parse", side) for side in ("main", "fine")]
    assert "| kid ↓ |" in folded
    assert "\n### Provenance" in folded
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


@pytest.mark.parametrize(("of", "ok"), [(REPOSITORY, True), ("eve/mnistgan", False)])
def test_what_can_not_be_told_is_no_green_tick_a_check_says_it_or_of_a_fork_a_red_job(
    compare: Compare, of: str, ok: bool
) -> None:
    job = compare("unclear", of=of)
    assert (job.ok, job.outputs["conclusion"]) == (ok, "neutral"), job.log
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

    def call(*comments: dict[str, Any], conclusion: str = "success") -> list[dict[str, Any]]:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        (folder / "artifacts" / "comparison").mkdir(parents=True)
        (folder / "artifacts" / "comparison" / "summary.md").write_text(SUMMARY)
        told = {"number": NUMBER, "head": {"sha": "c0ffee", "repo": {"full_name": REPOSITORY}}}
        event = Event("pull_request", "0" * 40, f"refs/pull/{NUMBER}/merge", {"pull_request": told})
        runner = Runner(folder, folder, event, hub.programs, {}, hub.variables(*comments), called=WORKFLOWS)
        done = Job("compare", folder, outputs={"artifact": "1", "conclusion": conclusion})
        (job,) = runner.run(WORKFLOW, only=("comment",), before={"compare": done})
        assert job.ok, job.log
        return hub.asked

    return call


def by(login: str, number: int, body: str) -> dict[str, Any]:
    return {"id": number, "user": {"login": login}, "body": body}


def test_without_a_comment_of_ours_one_is_written(comment: Comment) -> None:
    marker = "<!-- mnistgan: gate -->"  # GitHub shows nothing of it
    asked, written, _ = comment(by("ada", 1, marker), by("github-actions[bot]", 2, f"quoted: {marker}"))
    assert f"repos/{REPOSITORY}/issues/7/comments?per_page=100" in asked["words"]
    assert "--paginate" in asked["words"]
    assert written["words"][1:3] == ["--method", "POST"]
    assert f"repos/{REPOSITORY}/issues/7/comments" in written["words"]
    first, rest = written["body"].split("\n", 1)
    assert first == marker
    assert rest.startswith(SUMMARY)
    assert "https://github.example/ada/mnistgan/actions/runs/42" in rest


def test_a_comment_of_ours_is_written_anew_and_not_repeated(comment: Comment) -> None:
    _, first, _ = comment()
    ours = [by("github-actions[bot]", number, first["body"]) for number in (22, 33)]
    _, again, _ = comment(by("ada", 1, "hello"), *ours)
    assert again["words"][1:3] == ["--method", "PATCH"]
    assert f"repos/{REPOSITORY}/issues/comments/22" in again["words"]
    assert again["body"] == first["body"]


@pytest.mark.parametrize(("conclusion", "given"), [("neutral", "neutral"), ("", "failure")])
def test_the_commit_gets_a_check_that_ends_as_the_gate_did(comment: Comment, conclusion: str, given: str) -> None:
    *_, check = comment(conclusion=conclusion)
    assert f"repos/{REPOSITORY}/check-runs" in check["words"]
    fields = dict(word.split("=", 1) for word in check["words"] if "=" in word)
    assert (fields["name"], fields["head_sha"], fields["conclusion"]) == ("gate", "c0ffee", given)
    assert fields["output[title]"] == "gate passed: 3 passed of 3 rules"
    assert check["body"] == SUMMARY


def test_only_jobs_that_run_nothing_of_a_pull_request_may_write() -> None:
    for workflow in WORKFLOWS.values():
        assert workflow["permissions"] in ({}, {"contents": "read"})
        assert "pull_request_target" not in workflow["on"]
    says = {"checks": "write", "pull-requests": "write"}
    writing = {name: job["permissions"] for name, job in JOBS.items() if "permissions" in job}
    assert writing == {
        **dict.fromkeys(("ci.yml: comment", "comment.yml: write", "experiment.yml: comment"), says),
        "experiment.yml: push": {"contents": "write"},
    }
    for name in writing:
        used = {step["uses"].split("@")[0] for step in STEPS[name] if "uses" in step}
        assert used <= {"actions/download-artifact", *(["actions/checkout"] if "push" in name else [])}
        commands = "".join(step.get("run", "") for step in STEPS[name])
        assert not re.findall(r"\b(?:make|python\d?|bash|sh|eval|source|dvc)\b", commands)


@pytest.mark.parametrize(("workflow", "judge"), [("ci.yml", "compare"), ("experiment.yml", "judge")])
def test_a_fork_gets_no_comment_and_a_failed_comparison_does(workflow: str, judge: str) -> None:
    comment = JOBS[f"{workflow}: comment"]
    condition = " ".join(comment["if"].split())
    assert "github.event.pull_request.head.repo.full_name == github.repository" in condition
    assert "!cancelled()" in condition  # else it would be skipped where that failed
    assert condition.replace("(github.event_name == 'workflow_dispatch' || ", "").count("||") == 0
    assert judge in comment["needs"]
    assert JOBS["experiment.yml: push"]["if"].startswith("github.event_name == 'workflow_dispatch' && ")


def test_no_command_holds_what_a_pull_request_wrote() -> None:
    commands = [step["run"] for steps in STEPS.values() for step in steps if "run" in step]
    assert [command for command in commands if "${{" in command] == []


def test_every_job_ends_and_no_checkout_keeps_its_token() -> None:
    assert [name for name, job in JOBS.items() if "steps" in job and "timeout-minutes" not in job] == []
    checkouts = [step for steps in STEPS.values() for step in steps if "actions/checkout@" in step.get("uses", "")]
    assert len(checkouts) == 7
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_what_was_made_is_what_the_comment_takes() -> None:
    (taken,) = (step["with"] for step in STEPS["comment.yml: write"] if "uses" in step)
    for name in ("ci.yml: compare", "experiment.yml: judge"):
        (kept,) = [step["with"] for step in STEPS[name] if "upload-artifact@" in step.get("uses", "")]
        assert {"name": kept["name"], "path": kept["path"]} == taken == {"name": "comparison", "path": "comparison"}


def test_an_experiment_takes_two_hours_of_runners_at_most() -> None:
    beside = [JOBS[f"experiment.yml: {name}"]["timeout-minutes"] for name in ("plan", "push", "judge")]
    assert sum(beside) + JOBS["comment.yml: write"]["timeout-minutes"] == experiment.RESERVED
    assert JOBS["experiment.yml: train"]["timeout-minutes"] == "${{ fromJSON(needs.plan.outputs.minutes) }}"


def test_dependabot_keeps_actions_and_packages_fresh() -> None:
    settings = YAML(typ="safe", pure=True).load((ROOT / ".github" / "dependabot.yml").read_text("utf-8"))
    assert {update["package-ecosystem"] for update in settings["updates"]} == {"github-actions", "pip"}


def test_every_action_is_pinned_by_digest_with_its_version_beside_it() -> None:
    text = "".join(path.read_text("utf-8") for path in FOLDER.iterdir())
    pins = re.findall(r"uses: ([^.].+)", text)
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
    at_push = Runner(
        tmp_path / "push",
        pushed.root,
        push,
        {"make": MAKE},
        caches,
        {"STOOD_IN": str(stood_in)},
        after_checkout=furnish,
    )
    at_pull = Runner(
        tmp_path / "pull",
        pull_requests.root,
        pull_request(pull_requests, "fine"),
        hub.programs,
        variables=hub.variables(),
        after_checkout=furnish,
        called=WORKFLOWS,
    )
    jobs = at_push.run(WORKFLOW) + at_pull.run(WORKFLOW, only=("compare", "comment"))
    assert {job.name: job.log for job in jobs if job.outcome not in (SUCCESS, SKIPPED)} == {}
    steps = [step for name, each in STEPS.items() if "experiment" not in name for step in each]
    ran = {command for job in jobs for command in job.ran}
    assert {step["run"] for step in steps if "run" in step} - ran == {"exit 3"}  # of forks
    assert set(stood_in.read_text().splitlines()) == set(LONG)
    assert [call["words"][2] for call in hub.asked if "--method" in call["words"]] == ["POST", "POST"]


def trained(made: Checkout, folder: Path, fid: float, seed: int, learning_rate: float) -> None:
    """Leave what a job of the matrix would: a run with this seed and FID, of the first seed on another machine."""
    params = made.params
    params["train"]["seed"] = seed
    (made.root / "params.yaml").write_text(json.dumps(params))
    made.run_made_up(fid, learning_rate=learning_rate)
    (made.root / "metrics" / "machine.json").write_text(json.dumps({"processor": "another" if seed else "made up"}))
    made.lock(weights=f"weights of FID {fid}")
    folder.mkdir(parents=True)
    for kept in working.RESULTS:
        place = made.root / kept
        (shutil.copytree if place.is_dir() else shutil.copy)(place, folder / kept)


def test_what_was_trained_is_judged_as_two_groups_by_the_rules_about_the_change(tmp_path: Path) -> None:
    """Of a fork's pull request, inconclusive: red with the reason, since no check can say so."""
    made = Checkout.create(tmp_path / "repository")
    for side, rate, fids in (("base", 0.001, (27.0, 26.0, 28.0)), ("head", 0.002, (31.0, 38.0, 26.5))):
        for seed, fid in enumerate(fids):
            trained(made, tmp_path / "run" / "artifacts" / f"trained-{side}-{seed}", fid, seed, rate)
    commit = made.commit()
    told = {"number": NUMBER, "base": {"sha": commit}, "head": {"sha": commit, "repo": {"full_name": "eve/mnistgan"}}}
    event = Event("pull_request", commit, "refs/heads/main", {"pull_request": told, "label": {"name": "experiment"}})
    planned = Job("plan", tmp_path, outputs={"head": commit, "set_base": "a=1", "told": "Three seeds"})
    before = {"plan": planned, "train": Job("train", tmp_path), "push": Job("push", tmp_path, outcome=SKIPPED)}
    runner = Runner(tmp_path / "run", made.root, event, after_checkout=furnish, called=WORKFLOWS)
    (job,) = runner.run(EXPERIMENT, only=("judge",), before=before)
    assert (job.ok, job.outputs["conclusion"]) == (False, "neutral"), job.log
    first, folded = job.page.split("<details>", 1)
    assert first.startswith("**gate inconclusive: 1 inconclusive of 1 rules")
    assert "t test on log FID, 3 and 3 seeds" in first
    assert "\nThree seeds\n" in first
    assert len(first.splitlines()) <= 25
    assert "its members ran on different machines" in folded
    assert (job.folder / "comparison" / "seed-0.html").exists()


@pytest.mark.slow
def test_an_experiment_trains_both_sides_judges_them_and_pushes_them(mnist_cache: Path, tmp_path: Path) -> None:
    """Dispatched on this repository as it is, at small params: the matrix, each job in a fresh clone."""
    origin, hub = Repository(tmp_path / "origin"), Hub(tmp_path / "calls")
    lay_out(origin.root, ".")
    origin.git("init", "--quiet", "--initial-branch=main")
    event = Event("workflow_dispatch", origin.commit(), "refs/heads/main", {})
    fast = "recipes/dcgan.yaml:fast"
    small = f"{fast}.images=128 {fast}.epochs=1 {fast}.recompute_batchnorm=false evaluate.samples=1000"
    given = {
        "ref": "main",
        "base": "main",
        "set": f"{fast}.learning_rate=0.0007",
        "both": small,
        "seeds": "1",
        "rate": "",
    }
    runner = Runner(
        *(tmp_path / "run", origin.root, event, hub.programs, {"~/.cache/mnistgan": mnist_cache}, hub.variables()),
        after_checkout=furnish,
        called=WORKFLOWS,
        inputs={**given, "push": "true"},
    )
    jobs = runner.run(EXPERIMENT)
    assert {job.name: job.log for job in jobs if not job.ok} == {}
    names = ["plan", "train-base-0", "train-head-0", "push", "judge", "write"]
    assert [job.name for job in jobs] == names
    pushed = origin.git("for-each-ref", "--format=%(objectname)", "refs/exps").splitlines()
    assert len(pushed) == 2
    judge = jobs[names.index("judge")]
    first = judge.page.split("<details>")[0]
    assert "- params: recipe.learning\\_rate 0.0014 → 0.0007\n" in first
    shown = re.findall(r"src='https://github.example/ada/mnistgan/raw/(\w+)/plots/samples.png'", first)
    assert sorted(shown) == sorted(pushed)
    (check,) = [
        call["words"] for call in hub.asked if "--method" in call["words"]
    ]  # and no comment, of no pull request
    assert f"--raw-field conclusion={judge.outputs['conclusion']}" in " ".join(check)
    again = replace(runner, folder=tmp_path / "again").run(EXPERIMENT, only=("train",), before={"plan": jobs[0]})
    assert [re.findall(r"Stage '(\w+)' is cached", job.log) for job in again] == [["train", "evaluate", "render"]] * 2
