"""memstat, vmmap, rammap and testlimit: their numbers add up, and agree with each other."""

import re

import pytest

from test_shell import ENTER, Terminal, script

COLUMNS = 80
NAMES = ["sh", "ls", "cat", "ps", "kill", "memstat", "vmmap", "rammap", "testlimit", "tour"]

MACHINES = {
    "no-swap": dict(ram="64M", swap="none"),
    "disk": dict(ram="64M", swap="64M"),
    "16-MiB": dict(ram="64M", swap="16M", options="mem=16M"),
    "1-GiB": dict(ram="1G", swap="64M"),
    "debug": dict(ram="64M", swap="16M", build="debug", cpus=2, options="check=exit"),
}


def part(run, command):
    """What a command of the script wrote."""
    output = run.output()
    start = output.index(f"> {command}\n") + len(command) + 3
    end = output.find("C:\\> ", start)
    return output[start:end if end >= 0 else len(output)]


def counters(text):
    return {name: int(value) for name, value in re.findall(r"^(\w+)=(\d+)$", text, re.M)}


def numbers(words):
    return [0 if word == "-" else int(word.replace(",", "")) for word in words]


def rows(text, title):
    """The rows of the table whose title begins so: name -> the numbers behind it."""
    lines = text[text.index(title):].splitlines()[1:]
    found = {}
    for line in lines:
        match = re.match(r"^(\S.*?) +((?:[\d,]+|-)(?: +(?:[\d,]+|-))*)$", line)
        if not match:
            break
        found[match[1]] = numbers(match[2].split())
    return found


def assert_narrow(text):
    wide = [line for line in text.splitlines() if len(line.rstrip()) > COLUMNS]
    assert not wide, wide


def test_usage(boot):
    """-h of each program fits the terminal; what is not known is named, with the usage and exit code 2."""
    run = script(boot, *[f"{name} -h" for name in NAMES], "rammap -z", "vmmap -z", "memstat -z", "testlimit -z",
                 "ps -z", "help", "time hello", "kill -e x", "exit 0")
    assert_narrow(part(run, "help"))
    assert_narrow(part(run, "time hello"))
    assert part(run, "kill -e x").startswith("kill: -e wants an exit code: x\nusage: kill")
    for name in NAMES:
        text = part(run, f"{name} -h")
        assert text.startswith(f"usage: {name}")
        assert_narrow(text)
    for name in ["rammap", "vmmap", "memstat", "testlimit", "ps"]:
        text = part(run, f"{name} -z")
        assert re.match(rf"{name}: unknown \w+: -z\nusage: ", text)
        assert text.endswith("exit code 2\n")


@pytest.mark.parametrize("name", MACHINES)
def test_rammap(boot, name):
    """All frames are in the table once, and in the tables by process and by file once."""
    run = script(boot, "rammap", "memstat -r", "rammap -m", "rammap -p 0x200", "rammap -p 0xffffffff", "exit 0",
                 **MACHINES[name])
    text, memory = part(run, "rammap"), counters(part(run, "memstat -r"))
    assert_narrow(text)
    uses = rows(text, "USE ")
    for row in uses.values():
        assert sum(row[:-1]) == row[-1]
    total = uses.pop("all")
    for column in range(len(total)):
        assert sum(row[column] for row in uses.values()) == total[column]
    assert total[-1] == memory["frames_total"]
    processes = re.findall(r"^(?: +\d+)? +(\d+) +(\d+) +(\d+) +(\d+) +(?:(\d+) +)?(\d+) +(?:\d+ +)? (\S.*)$",
                           text[text.index("   ID "):text.index("SHARED: ")], re.M)
    files = re.findall(r"^ +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)  (\S.*)$", text[text.index("FILE OR SECTION"):], re.M)
    assert {"sh.exe", "rammap.exe"} <= {row[-1] for row in processes}
    assert {"sh.exe", "ntdll.dll", "kernel32.dll", "msvcrt.dll", "rammap.exe", "all"} <= {row[-1] for row in files}
    owned = sum(sum(map(int, row[:4])) for row in processes)
    owned += sum(int(row[4]) for row in files if row[-1] != "all")
    assert owned == sum(uses[use][-1] for use in ["private", "section", "image", "data file", "clones", "AWE",
                                                  "large pages"])
    table = part(run, "rammap -m")
    assert_narrow(table)
    assert len(re.findall(r"^ +[0-9a-f]+ .{1,64}$", table, re.M)) <= 32
    assert part(run, "rammap -p 0x200").startswith("Frame 0x200, physical address 0x200000: ")
    assert "the highest is 0x" in part(run, "rammap -p 0xffffffff")


@pytest.mark.parametrize("name", MACHINES)
def test_vmmap(boot, name):
    """Columns add up; the sums are what the kernel counts for the process."""
    run = script(boot, "vmmap sh", "vmmap", "vmmap sh -p 0", "vmmap sh -p 10000", "vmmap sh -p 210000 2", "vmmap sh -p ffffffffffff",
                 "vmmap 4 -s -f", "vmmap 4 5", "vmmap -p x", "exit 0", **MACHINES[name])
    for command in ["vmmap sh", "vmmap"]:
        text = part(run, command)
        assert_narrow(text)
        backing, sets = rows(text, "TYPE              SIZE"), rows(text, "TYPE       CHARGED")
        size = backing.pop("free")[0] + backing["all"][0]
        assert size == (1 << 47) // 1024 - 64
        for row in backing.values():
            if len(row) > 1:
                assert row[1] == sum(row[2:])
        for table in (backing, sets):
            total = table.pop("all")
            for column in range(len(total)):
                assert sum(row[column] for row in table.values() if len(row) > column) == total[column]
        for row in sets.values():
            assert row[1] == row[2] + row[3] and row[4] <= row[3]
        text = text.replace("\n", " ")
        charged, working_set = re.search(r"(\d+) KiB charged, \d+ KiB of it for AWE; (\d+) KiB in the working set", text).groups()
        if command == "vmmap sh":
            # The others' pages can be trimmed in between when memory is short; nobody else changes the charge.
            assert rows(part(run, command), "TYPE       CHARGED")["all"][0] == int(charged)
            assert abs(rows(part(run, command), "TYPE       CHARGED")["all"][1] - int(working_set)) <= 64
    assert re.search(r"^0 +free: nothing is allocated here$", part(run, "vmmap sh -p 0"), re.M)
    assert re.search(r"^10000 +not committed: only the address is taken", part(run, "vmmap sh -p 10000"), re.M)
    page = part(run, "vmmap sh -p 210000 2")
    assert re.search(r"^210000 is byte 0x0 of private memory at 210000$", page, re.M)
    assert re.search(r"^210000 +rw- +in memory alone: it was written to, and memory has not been$", page, re.M)
    assert re.search(r"^ +so short since that it had to be paged out \(private, frame$", page, re.M)
    assert_narrow(page)
    assert "an address that programs can't have" in part(run, "vmmap sh -p ffffffffffff")
    assert "ADDRESS" not in part(run, "vmmap 4 -s -f")
    assert part(run, "vmmap 4 5").startswith("vmmap: one process at a time: 5\nusage: ")
    assert part(run, "vmmap -p x").startswith("vmmap: -p wants a hexadecimal address: x\nusage: ")


def test_memstat(boot):
    """Frames add up to all, and charges to the charge; -t gives as many tables as it was asked for."""
    run = script(boot, "memstat -r", "memstat", "memstat -t 1 2", "memstat -t 0", "memstat -t 1 x", "memstat -r -t 1 2",
                 "exit 0")
    m = counters(part(run, "memstat -r"))
    assert m["frames_total"] == sum(m[f"frames_{state}"] for state in [
        "free", "zeroed", "standby", "modified", "active", "transition", "kernel", "physical"])
    assert m["commit_charge"] == sum(m[f"commit_{owner}"] for owner in [
        "private", "sections", "page_tables", "kernel", "physical", "clones"])
    assert_narrow(part(run, "memstat"))
    assert_narrow(part(run, "memstat -t 1 2"))
    assert part(run, "memstat -t 1 2").count("COMMIT (strict)") == 2
    assert "\x1b" not in run.output()
    assert part(run, "memstat -t 0").startswith("memstat: SECONDS is a number")
    assert part(run, "memstat -t 1 x").startswith("memstat: COUNT is a number")
    assert len(re.findall("^commit_charge=", part(run, "memstat -r -t 1 2"), re.M)) == 2


@pytest.mark.parametrize("policy", ["strict", "overcommit", "lazy-writecopy"])
def test_policy_names(boot, policy):
    run = script(boot, "memstat", "exit 0", options=f"commit={policy}")
    assert part(run, "memstat").startswith(f"COMMIT ({policy})")


def test_memstat_on_a_terminal(machine):
    """In place, 24 lines at most, until Ctrl-C; then the shell goes on."""
    terminal = Terminal(machine(cpus=1))
    terminal.type("memstat -t", ENTER)
    terminal.wait_for(r"\x1b\[Hmemstat each 1 s(.|\n)*\x1b\[Hmemstat each 1 s(.|\n)*\x1b\[J")
    screens = terminal.run.output().split("\x1b[H")[1:]
    for screen in screens[:2]:
        lines = re.sub(r"\x1b\[[KJ]", "", screen).split("\n")
        assert len(lines) <= 24
        assert_narrow("\n".join(lines))
    terminal.type("\x03")
    terminal.wait_for(r"\nC:\\> ")
    terminal.type("echo after", ENTER)
    terminal.wait_for(r"^after$")
    terminal.type("exit 0", ENTER)
    terminal.run.finish().judge(0)


def test_testlimit(boot):
    """Each kind is refused by what should refuse it, says so with numbers, and gives all back."""
    refused = {
        "testlimit -m 8": "ERROR_COMMITMENT_LIMIT, 1455",
        "testlimit -s 8M": "ERROR_COMMITMENT_LIMIT, 1455",
        "testlimit -r": "ERROR_NOT_ENOUGH_MEMORY, 8",
        "testlimit -v": "ERROR_WORKING_SET_QUOTA, 1453",
        "testlimit -v -w": "ERROR_WORKING_SET_QUOTA, 1453",
        "testlimit -a 4M": None,
        "testlimit -l": None,
    }
    granted = ["testlimit -d 1M -c 4", "testlimit -H -c 100", "testlimit -H -u -c 100", "testlimit -t -c 20",
               "testlimit -t -n 128 -c 20", "testlimit -p -c 4", "testlimit -p -n -c 4", "testlimit -m 4K -c 2 -e 1"]
    wrong = {
        "testlimit -m 0": "not a size: 0",
        "testlimit -m -d": "only one of -a -d -H -l -m -p -r -s -t -v at a time: -d",
        "testlimit -u -m": "-u goes with -H",
        "testlimit -m -c": "-c wants a number of requests: -c",
        "testlimit -m -x 65": "-x wants a number of processes from 1 to 64: 65",
        "testlimit -g": "there are no windows and nothing to draw on: -g",
        "testlimit": "what should it ask for: -a, -d, -H, -l, -m, -p, -r, -s, -t or -v?",
    }
    run = script(boot, *refused, *granted, *wrong, "exit 0", ram="64M", swap="16M")
    for command, error in refused.items():
        text = part(run, command)
        assert_narrow(text)
        text = text.replace("\n", " ")
        assert re.search(r" request [\d,]+ was refused: .*\(" + (error or "ERROR_"), text), text
        assert "exit code" not in text
    for command in granted:
        text = part(run, command)
        assert_narrow(text)
        assert re.search(r"^nothing was refused$", text, re.M), text
    for command, problem in wrong.items():
        assert part(run, command).startswith(f"testlimit: {problem}\nusage: ")


def test_testlimit_in_many_processes(boot):
    """Together they get what there is: the sum, and not a page more, is charged."""
    run = script(boot, "memstat -r", "testlimit -m 2M -x 4", "testlimit -d 1M -x 3 -c 8", "exit 0", ram="64M",
                 swap="16M", cpus=2)
    m = counters(part(run, "memstat -r"))
    text = part(run, "testlimit -m 2M -x 4")
    assert_narrow(text)
    assert len(re.findall(r"^ +\d+ +\d+ +.* 1455  the commit limit is reached$", text, re.M)) == 4
    all_requests = int(re.search(r"^ +all +([\d,]+) ", text, re.M)[1].replace(",", ""))
    assert all_requests == sum(int(n) for n in re.findall(r"^ +\d+ +(\d+) .* 1455 ", text, re.M))
    left = m["commit_limit"] - m["commit_charge"] - all_requests * 512
    assert 0 <= left < 4 * 512
    text = part(run, "testlimit -d 1M -x 3 -c 8")
    assert re.search(r"^ +all +24 +24 MiB  committed and touched private memory$", text, re.M)
