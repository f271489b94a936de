"""The program trace: what it shows, what it leaves out, and when it ends."""

import csv
import re

import pytest
from paging_files import IO_DEVICE_ERROR, PAGE, Holder, NbdServer, SwapFile, nbdkit_is_missing

from test_memory_tools import assert_narrow, part
from test_shell import ENTER, Terminal, script

KINDS = ["zero", "section", "copy", "steal", "swap-in", "transition", "guard", "image-read", "in-page-error", "trim",
         "discard", "write", "read", "refused", "bad-slot", "kill", "file-read", "file-write"]
LINE = re.compile(r"^ *(\d+\.\d{6}) +(\d+) +(\d+) (\S+) +([a-z-]+) +(.*)$", re.M)
needs_nbdkit = pytest.mark.skipif(nbdkit_is_missing(), reason="nbdkit is not installed")


def summary(text):
    """{(process, event): (times, pages or 0)} of a summary."""
    rows = re.findall(r"^ *\d+ (\S+) +([a-z-]+) +([\d,]+) +([\d,]*) *$", text, re.M)
    found = {}
    for process, event, times, pages in rows:
        numbers = [int(word.replace(",", "") or 0) for word in (times, pages)]
        found[process, event] = tuple(map(sum, zip(numbers, found.get((process, event), (0, 0)))))
    return found


def test_program(boot):
    """A program from its start to its end, and nobody else; with its exit code."""
    run = script(boot, "trace -h", "trace -e list", "trace -- hello 'x y'", "trace -c -- hello", "trace -q -- sh -c exit 5",
                 "trace -e refused -- testlimit -m 8M", "exit 0", swap="16M", ram="64M", cpus=2)
    for command in ["trace -h", "trace -e list"]:
        assert_narrow(part(run, command))
    assert re.findall(r"^  ([a-z-]+) ", part(run, "trace -e list"), re.M) == KINDS
    text = part(run, "trace -- hello 'x y'")
    events = [match.groups() for match in LINE.finditer(text)]
    assert_narrow(text)
    assert "argument 1: x y" in text
    assert len({event[2] for event in events}) == 1 and {event[3] for event in events} == {"hello.exe"}
    assert {"zero", "section", "copy"} <= {event[4] for event in events} <= set(KINDS)
    assert [float(event[0]) for event in events] == sorted(float(event[0]) for event in events)
    assert all(re.match(r"[0-9a-f]{12} [rwx]'?$", event[5]) for event in events if event[4] == "zero")

    rows = [line.split(",") for line in part(run, "trace -c -- hello").splitlines() if line.count(",") == 10]
    names, rows = rows[0], rows[1:]
    assert names == "time_ns,cpu,process,name,thread,kind,address,access,unit,place,count".split(",")
    assert len(rows) > 30 and all(row[3] == "hello.exe" and int(row[1]) < 2 and int(row[6]) % 4096 == 0 for row in rows)
    assert "exit code 5" in part(run, "trace -q -- sh -c exit 5")
    assert re.search(r" refused +2048 pages: private memory$", part(run, "trace -e refused -- testlimit -m 8M"), re.M)


def test_wrong_usage(boot):
    wrong = {
        "trace -e zero,nothing": "-e wants kinds of events (-e list names them): nothing\nusage: ",
        "trace -n 0": "-n wants a number of events: 0\nusage: ",
        "trace -t x": "-t wants seconds, 86400 at most: x\nusage: ",
        "trace -z": "unknown option: -z\nusage: ",
        "trace --": "-- wants a program\nusage: ",
        "trace -p sh -- hello": "-p or -- PROGRAM, not both\nusage: ",
        "trace -p 9999": "9999: there is no such process",
        "trace -p nobody": "nobody: there is no such process",
        "trace -- no_such": "no_such: no such program",
        "trace -o C:\\no\\file -t 1": "C:\\no\\file: ",
    }
    run = script(boot, *wrong, "exit 0")
    for command, text in wrong.items():
        assert part(run, command).startswith(f"trace: {text}"), part(run, command)
        assert re.search(r"^exit code [12]$", part(run, command), re.M)


def test_all_processes(boot):
    """Of everybody but itself, for a while; the counts, and processes, of all that paging out brings."""
    run = script(boot, "trace -q -b 16384 -t 8 &", "thrash -w 120% -d 1 -P 2", "wait", "memstat -r", "exit 0", swap="32M",
                 ram="64M", options="mem=16M", cpus=1)
    rows = summary(run.output())
    assert not [row for row in rows if row[0] == "trace.exe"]
    events = {event for _, event in rows}
    assert {"zero", "section", "swap-in", "transition", "trim", "discard", "write", "read"} <= events
    assert rows["(kernel)", "write"][1] >= rows["(kernel)", "write"][0]
    assert rows["thrash.exe", "zero"][0] > 1000
    assert rows["thrash.exe", "swap-in"][1] >= rows["thrash.exe", "swap-in"][0]
    assert rows["thrash.exe", "read"][1] >= rows["thrash.exe", "swap-in"][1]  # and what was read ahead of a walk


def test_victim(boot):
    """Who is ended when memory is exhausted."""
    run = script(boot, "trace -e kill -- testlimit -d 4M", "exit 0", swap="none", ram="64M", options="commit=overcommit")
    assert re.search(r"testlimit\.ex +kill +\d+ pages$", run.output(), re.M)


@needs_nbdkit
def test_failing_disk(boot):
    """A slot that can't be written."""
    with NbdServer("memory", "64M", filters=["error"],
                   parameters=["error=EIO", "error-pwrite-rate=100%", "error-file={error_file}"]) as server:
        server.fail()
        run = script(boot, "trace -e bad-slot -n 1 &", "thrash -w 120% -d 2 -P 2", "wait", "exit 0", swap=server.swap,
                     ram="64M", options="mem=16M", cpus=2)
    assert re.search(r" bad-slot +0:\d+$", run.output(), re.M)


@needs_nbdkit
@pytest.mark.parametrize("cpus, build", [(1, "release"), (4, "debug")])
def test_pages_that_can_not_be_read(machine, tmp_path, cpus, build):
    """Each in-page error: whose, at which address, in which slot, as the file itself says where the page is."""
    file = SwapFile(tmp_path / "swap.img", 64 << 20)
    with NbdServer("file", file.path, filters=["error"],
                   parameters=["error=EIO", "error-pread-rate=100%", "error-file={error_file}"]) as server:
        held = Holder(machine(ram="64M", swap=server.swap, cpus=cpus, build=build, options="check=call"), pages=128,
                      before=["trace -e in-page-error,bad-slot -c &"])
        held.out()
        where = file.slots(1, 1, held.pages)
        server.fail()
        held.all_lost(1, IO_DEVICE_ERROR)
        server.fail(False)
        held.all_right(1)
        held.all_right(2)
        held.end("kill trace", "wait")
    rows = list(csv.DictReader(line for line in held.run.output().splitlines() if line.count(",") == 10))
    errors = [row for row in rows if row["kind"] == "in-page-error"]
    assert len({row["process"] for row in errors}) == len({row["thread"] for row in errors}) == 1
    assert {row["name"] for row in errors} == {"swap_holder.exe"}
    assert all((row["access"], row["unit"], row["count"]) == ("4", "0", "1") for row in errors)
    # Read in order: half of the pages in a row at one place, half at another.
    half = held.pages // 2
    for part_of in errors[:half], errors[half:]:
        first = int(part_of[0]["address"])
        assert first % PAGE == 0 and [int(row["address"]) for row in part_of] == [first + i * PAGE for i in range(half)]
    assert [int(row["place"]) for row in errors] == [where[page] for page in range(held.pages)]
    bad = [(row["process"], row["unit"], int(row["place"])) for row in rows if row["kind"] == "bad-slot"]
    assert len(bad) == len(set(bad)) and {("0", "0", slot) for slot in where.values()} <= set(bad)


def test_keyboard(machine):
    """Until Ctrl-C; then the shell goes on."""
    terminal = Terminal(machine(cpus=1))
    terminal.type("trace -s", ENTER)
    terminal.wait_for(r"^ +SECONDS C ")
    terminal.type("\x03")
    terminal.wait_for(r"^  all +\d+\n")
    terminal.wait_for(r"C:\\> ")
    terminal.type("trace -- cat", ENTER)  # which has no input
    terminal.wait_for(r"cat\.exe")
    terminal.wait_for(r"C:\\> ")
    terminal.type("trace -n 3 -- testlimit -d 1M -c 4 -k 60", ENTER)
    terminal.wait_for(r"^4 MiB of committed")
    terminal.type("\x03")
    terminal.wait_for(r"ended by Ctrl-C")
    terminal.type("exit 0", ENTER)
    terminal.run.finish().judge(0)
