"""More memory touched than there is: each process goes on, and each page holds what was written to it."""

import re

import pytest
from paging_files import NbdServer, nbdkit_is_missing

from test_memory_tools import assert_narrow, part
from test_shell import script

PATTERNS = ["sequential", "random", "zipf", "loop"]
SMALL = dict(ram="64M", options="mem=16M")
MACHINES = {
    "disk": dict(swap="32M", cpus=2, build="debug"),
    "ramdisk": dict(swap="ramdisk:32M", cpus=1),
    "none": dict(swap="none", cpus=4),
    "slow": dict(cpus=2),
}


def judge(text):
    assert_narrow(text)
    assert "WRONG" not in text and "FAILED" not in text and "no progress" not in text, text
    assert re.search(r"^(every|the) process made progress, and each page held what was written to it$", text, re.M), text


def run_patterns(boot, commands, **options):
    run = script(boot, *commands, "exit 0", **SMALL | options)
    for command in commands:
        judge(part(run, command))
    return run


@pytest.mark.parametrize("name", MACHINES)
def test_patterns(boot, name):
    """Each pattern on each kind of paging file; processes, sections."""
    commands = [f"thrash -w 150% -a {pattern} -d 1 -P 3" for pattern in PATTERNS]
    commands.append("thrash -w 150% -a random -d 1 -m section -W 20")
    if name != "slow":
        commands.append("thrash -w 60% -n 5000 -P 1 -s 7")
        run = run_patterns(boot, commands, **MACHINES[name])
    else:
        if nbdkit_is_missing():
            pytest.skip("nbdkit is not installed")
        with NbdServer("memory", "64M", filters=["delay"], parameters=["rdelay=10ms", "wdelay=10ms"]) as server:
            run = run_patterns(boot, commands, swap=server.swap, **MACHINES[name])
    for command in commands:
        refused = re.search(r"^refused by the commit limit: [\d,]+ of [\d,]+ pages", part(run, command), re.M)
        assert bool(refused) == (name == "none" and "150%" in command)


def test_usage(boot):
    wrong = {
        "thrash -w x": "-w wants a size (64M) or percent of memory (150%): x",
        "thrash -w 0%": "-w wants a size (64M) or percent of memory (150%): 0%",
        "thrash -a up": "-a wants sequential, random, zipf or loop: up",
        "thrash -W 101": "-W wants percent, 0 to 100: 101",
        "thrash -P 17": "-P wants a number of processes, 1 to 16: 17",
        "thrash -d 0": "-d wants seconds, 1 to 86400: 0",
        "thrash -m heap": "-m wants private or section: heap",
        "thrash -x": "unknown option: -x",
    }
    run = script(boot, "thrash -h", *wrong, "exit 0")
    assert_narrow(part(run, "thrash -h"))
    for command, text in wrong.items():
        assert part(run, command).startswith(f"thrash: {text}\nusage: ")
