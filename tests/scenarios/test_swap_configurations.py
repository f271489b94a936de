"""The guest tests that reclaim matters to, with every kind of paging file, several at once, and what their priorities do.

BACKSTORE_MATRIX=all: each kind of paging file on each machine (48 machines, about ten minutes). Otherwise
each kind once, so that each number of CPUs and each build meets several.
"""

import os

import pytest
from paging_files import PAGE, Holder, NbdServer, SwapFile, nbdkit_is_missing

TESTS = ["pressure 3 140 1", "commit", "sections", "fork_pressure", "cow"]
KINDS = {
    "none": "none", "one-page": "4K", "small": "1M", "disk": "64M", "ramdisk": "ramdisk:32M", "nbd": None,
    "ramdisk-and-disk": "ramdisk:8M@9,64M@1", "two-disks": "32M@5,32M@5",
}
MACHINES = [(cpus, build) for cpus in (1, 2, 4) for build in ("release", "debug")]
ALL = os.environ.get("BACKSTORE_MATRIX") == "all"
CASES = [pytest.param(kind, cpus, build, id=f"{kind}-{cpus}-{build}") for number, kind in enumerate(KINDS)
         for at, (cpus, build) in enumerate(MACHINES) if ALL or at == number * 5 % len(MACHINES)]

needs_nbdkit = pytest.mark.skipif(nbdkit_is_missing(), reason="nbdkit is not installed")


@pytest.mark.parametrize("kind, cpus, build", CASES)
def test_guest(guest_tests, kind, cpus, build):
    def judge(swap):
        ram = "96M" if "ramdisk" in swap else "64M"
        tests = guest_tests(f"{kind}-{cpus}-{build}", TESTS, swap=swap, ram=ram, cpus=cpus, build=build)
        for test in TESTS:
            tests.judge(test)
    if KINDS[kind]:
        judge(KINDS[kind])
    elif nbdkit_is_missing():
        pytest.skip("nbdkit is not installed")
    else:
        with NbdServer("memory", "64M") as server:
            judge(server.swap)


def test_ramdisk_above_4_gib(machine):
    """The machine's memory lies on both sides of 4 GiB; the paging file is above, whole and right."""
    held = Holder(machine(ram="3G", swap="ramdisk:64M", options="mem=64M check=call"))
    files, _ = held.state()
    assert files[0]["physical"] >= 4 << 30
    held.out()
    held.all_right(1)
    held.all_right(2)
    held.state()
    held.end()


# ---- priorities ----

@pytest.fixture
def two_files(tmp_path):
    """two_files(size, size): their SwapFiles."""
    def make(*sizes):
        return [SwapFile(tmp_path / f"swap{number}.img", size) for number, size in enumerate(sizes)]
    return make


def bytes_used(file):
    """Of its pages, those that are not all zeros."""
    data = file.read()
    return sum(data[at:at + PAGE].count(0) != PAGE for at in range(0, len(data), PAGE)) * PAGE


@pytest.mark.parametrize("cpus, build", [(1, "release"), (4, "debug")])
def test_the_lower_priority_waits(machine, two_files, cpus, build):
    """Its bytes stay as they were until the higher one is full."""
    low, high = two_files(64 << 20, 16 << 20)
    held = Holder(machine(ram="64M", swap=f"{low.path}@1,{high.path}@9", cpus=cpus, build=build, options="check=call"))
    held.out()
    assert bytes_used(high) >= 2 * held.pages * PAGE
    assert bytes_used(low) == 0, "the file of the lower priority was written to before the higher one was full"
    held.end("pressure 3 180 1")
    held.run.expect(r"^ok \d+ - no page was wrong")
    assert bytes_used(high) >= 15 << 20 and bytes_used(low) > 0


@pytest.mark.parametrize("cpus", [1, 4])
def test_equal_priorities_take_turns(machine, two_files, cpus):
    files = two_files(32 << 20, 32 << 20)
    held = Holder(machine(ram="64M", swap=",".join(f"{file.path}@5" for file in files), cpus=cpus, options="check=call"),
                  pages=1024)
    held.out()
    used = [bytes_used(file) for file in files]
    assert sum(used) >= 2 * held.pages * PAGE
    assert abs(used[0] - used[1]) <= 2 * 64 * PAGE, f"they got {used} bytes: not cluster by cluster"
    held.all_right(1)
    held.all_right(2)
    held.end()


# ---- adding and removing while the system runs ----

@needs_nbdkit
@pytest.mark.parametrize("cpus, build", [(1, "release"), (4, "debug")])
def test_swapoff_and_swapon(machine, tmp_path, cpus, build):
    """30 MiB leave a paging file for another one, while pressure runs, and nothing is lost."""
    file = SwapFile(tmp_path / "swap.img", 64 << 20)
    with NbdServer("memory", "96M") as server:
        run = machine(ram="64M", swap=f"{file.path}@9,{server.swap}@1", cpus=cpus, build=build, options="check=call")
        guest = run.start()

        def type_and_wait(line, answer):
            guest.write(line + "\r")
            run.wait_for(answer)

        type_and_wait("", r"C:\\> ")
        # What does not fit elsewhere is refused, with the numbers.
        type_and_wait("swapoff vd2", r"C:\\> ")
        type_and_wait("hog 2000 &", r"hog: \d+ pages are in use")
        type_and_wait("swapoff vd1", r"vd1 stays: the commit charge is [\d.]+ MiB, and without it the limit would be [\d.]+ MiB")
        type_and_wait("kill %1", r"C:\\> ")
        type_and_wait("wait", r"ended: hog")
        type_and_wait("swapon -p 1 vd2", r"C:\\> ")
        # With pages in it, while processes go on using them.
        type_and_wait("testrun 'pressure 3 200 4' &", r"all of them have their memory")
        type_and_wait("swapoff vd1 && echo removed", r"^removed$")
        before = file.read()
        type_and_wait("", r"# testrun: 0 of 1 failed")
        assert file.read() == before, "a removed paging file was written to"
        type_and_wait("swapon", r"vd2 +1 ")
        guest.write("exit 0\r")
        run.finish().judge(0)
        run.expect(r"^ok \d+ - no page was wrong")
        run.expect(r"^ok \d+ - the memory manager's structures agree")


@needs_nbdkit
@pytest.mark.parametrize("cpus, build", [(1, "release"), (4, "debug")])
def test_swapoff_of_a_disk_that_does_not_answer(machine, cpus, build):
    """It is not waited for without end: Ctrl-C and kill end that, and the file is what it was; later it can be removed."""
    with NbdServer("memory", "64M") as server:
        held = Holder(machine(ram="64M", swap=server.swap, cpus=cpus, build=build, options="check=call"))
        held.out()
        held.guest.write("sh\r")
        held.wait(r"C:\\> ")

        def type_and_wait(keys, *answers):
            held.guest.write(keys)
            for answer in answers:
                held.wait(answer)

        server.pause()
        type_and_wait("swapoff vd1\r", r"^swapoff: vd1 is being emptied; Ctrl-C gives up$")
        type_and_wait("\x03", r"^swapoff: vd1 stays$", r"C:\\> ")
        type_and_wait("swapoff vd1 &\r", r"^\[1\] process \d+$", r"C:\\> ")
        type_and_wait("kill %1\rwait\r", r"^\[1\] ended: swapoff vd1")
        type_and_wait("swapon\r", r"^ +0 vd1 .* open$", r"C:\\> ")
        server.pause(False)
        type_and_wait("swapoff vd1 && echo removed\r", r"^removed$")
        type_and_wait("exit 0\r", r"^done: sh$")
        held.all_right(1)
        held.all_right(2)
        held.state()
        held.end()
