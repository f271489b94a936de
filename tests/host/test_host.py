"""Builds the unit tests with sanitizers and runs each program as one test case, judged by the TAP that it prints.

Environment: B, the build directory (default: build); HOST_SEED, the seed to replay, as a failed run printed it.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("B", "build"))
FUZZERS = {"fat": 6000, "pe": 30000}  # inputs: a few seconds each
NAMES = sorted(p.stem for p in Path(__file__).parent.glob("test_*.c"))
TAP_LINE = re.compile(r"(?P<failed>not )?ok (?P<number>\d+)(?: - (?P<name>.*))?$")
TIME_LIMIT = 120  # seconds; all of the programs together take about ten on an idle core


def build(target):
    command = ["make", "--silent", "--file=tests/host/host.mk", f"B={BUILD}", target]
    # Run by make itself, this must not inherit the outer make's options and job slots.
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    made = subprocess.run(command, cwd=TOP, env=environment, capture_output=True, text=True)
    assert made.returncode == 0, f"{' '.join(command)}\n{made.stdout}{made.stderr}"
    return TOP / BUILD / "host"


@pytest.fixture(scope="session")
def programs():
    """The directory with the test programs, built."""
    return build("host-tests")


def tap_failures(output):
    """What is wrong with a TAP text: each failed line with the comments before it, and a plan that does not fit."""
    failures, comments, numbers, plan = [], [], [], None
    for line in output.splitlines():
        if line.startswith("#"):
            comments.append(line)
        elif match := TAP_LINE.match(line):
            numbers.append(int(match["number"]))
            if match["failed"]:
                failures.append("\n".join([*comments, line]))
            comments = []
        elif line.startswith("1.."):
            plan = int(line[3:])
    if plan is None:
        failures.append("\n".join([*comments, "no plan: the program ended early"]))
    elif numbers != list(range(1, plan + 1)):
        failures.append(f"{plan} test cases planned, but these ran: {numbers}")
    if not numbers:
        failures.append("no test cases")
    return failures


@pytest.mark.parametrize("name", NAMES)
def test_host(programs, name):
    program = programs / name
    assert program.exists(), f"{name} is missing in HOST_TESTS in tests/host/host.mk"
    command = [program, *filter(None, [os.environ.get("HOST_SEED")])]
    run = subprocess.run(command, cwd=TOP, capture_output=True, text=True, errors="replace", timeout=TIME_LIMIT)
    failures = tap_failures(run.stdout)
    if run.returncode and not failures:
        failures.append(f"exit code {run.returncode}")
    if failures:
        seed = run.stdout.partition("\n")[0]
        report = "\n\n".join(failures)
        pytest.fail(f"{program} ({seed})\n{report}\n{run.stderr}", pytrace=False)


@pytest.mark.parametrize("name", FUZZERS)
def test_fuzz(name, tmp_path):
    """The same inputs each time, made from the corpus; "make fuzz" looks for others, and for longer."""
    fuzzer = build("fuzzers") / f"fuzz_{name}"
    command = [fuzzer, "-seed=1", f"-runs={FUZZERS[name]}", "-max_len=8192", "-timeout=20", "-close_fd_mask=1",
               f"-artifact_prefix={BUILD.absolute()}/host/fuzz_{name}-", tmp_path, TOP / "tests/host/corpus" / name]
    run = subprocess.run(command, cwd=TOP, capture_output=True, text=True, errors="replace", timeout=TIME_LIMIT)
    assert run.returncode == 0, run.stderr[-5000:]
