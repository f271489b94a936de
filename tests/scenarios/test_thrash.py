"""More memory touched than there is: each process goes on, and each page holds what was written to it."""

import re
import time

import pytest
from paging_files import NbdServer, nbdkit_is_missing

from test_memory_tools import assert_narrow, part
from test_shell import ENTER, Terminal, script

PATTERNS = ["sequential", "random", "zipf", "loop"]
SMALL = dict(ram="64M", options="mem=16M")
MACHINES = {
    "disk": dict(swap="32M", cpus=2, build="debug"),
    "ramdisk": dict(swap="ramdisk:32M", cpus=1, ram="96M"),
    "none": dict(swap="none", cpus=4),
    "slow": dict(cpus=2),
}


def judge(text):
    assert_narrow(re.sub(r"^backstore: .*$", "", text, flags=re.M))  # the kernel may have something to say meanwhile
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


class Sitter(Terminal):
    """Somebody who looks at memstat while something else runs."""

    def counters(self):
        """Those that the kernel has for thrashing. The other's lines may come between, and in, those of memstat."""
        names = ["memory_full_percent", "thrashing", "thrash_episodes"]
        while True:
            begin = len(self.guest.output)
            self.type("memstat -r", ENTER)
            self.wait_for(r"^frame_entry_bytes=[\s\S]*C:\\> ")
            values = [re.search(rf"^{name}=(\d+)$", self.guest.output[begin:], re.M) for name in names]
            if all(values):
                return {name: int(value[1]) for name, value in zip(names, values)}

    def counters_when(self, name, value):
        while (counters := self.counters())[name] != value:
            time.sleep(0.5)
        return counters

    def in_background(self, command):
        self.type(f"{command} &", ENTER)
        self.wait_for(r"^touched: ")


@pytest.mark.skipif(nbdkit_is_missing(), reason="nbdkit is not installed")
@pytest.mark.parametrize("cpus, build", [(1, "release"), (4, "debug")])
def test_thrashing_has_a_name(machine, cpus, build):
    """On a slow disk: random accesses, and a loop over so much that no page is missed soon after it went. Not what fits."""
    with NbdServer("memory", "64M", filters=["delay"], parameters=["rdelay=20ms", "wdelay=5ms"]) as server:
        sitter = Sitter(machine(cpus=cpus, build=build, swap=server.swap, **SMALL))
        sitter.in_background("thrash -w 50% -a random -P 2 -d 3600")
        before = sitter.counters()
        sitter.type("memstat -t 2 2", ENTER)
        for _ in range(2):
            sitter.wait_for(r"PAGING FILES 1, .*; memory stall \d+ % of the last \d+ s")
        sitter.wait_for(r"C:\\> ")  # until then keys are memstat's
        sitter.type("kill %1", ENTER, "wait", ENTER)
        sitter.wait_for(r"ended: thrash")
        assert before["thrashing"] == before["thrash_episodes"] == 0
        for episode, arguments in enumerate(["-w 130% -a random -P 2", "-w 320% -a sequential -W 0 -P 1"]):
            sitter.in_background(f"thrash {arguments} -d 3600")
            counters = sitter.counters_when("thrashing", 1)
            assert counters["thrash_episodes"] == episode + 1 and counters["memory_full_percent"] >= 10
            sitter.type("memstat", ENTER)
            sitter.wait_for(r"^  thrashing: \d+ % of the last 4 s everybody waited for ")
            sitter.type("kill %1", ENTER, "wait", ENTER)
            sitter.wait_for(r"ended: thrash")
            sitter.counters_when("thrashing", 0)
        sitter.type("exit 0", ENTER)
        sitter.run.finish().judge(0)
    assert len(re.findall(r"backstore: memory thrashes: in \d+ % ", sitter.run.output(), re.M)) >= 1


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
