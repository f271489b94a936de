"""Paging files that fail, lie, are full, or go away while pages are in them.

Who needs a page that is lost gets an in-page error; nobody else notices, nothing else is lost, and no page is ever
delivered with contents other than its own.
"""

import os
import random
import subprocess

import pytest
from disks import Disk
from harness import TestRun
from paging_files import CRC_ERROR, IO_DEVICE_ERROR, PAGE, Holder, NbdServer, SwapFile, nbdkit_is_missing

PAGES = 512  # of each of two children of swap_holder
EIO = 5

needs_nbdkit = pytest.mark.skipif(nbdkit_is_missing(), reason="nbdkit is not installed")
machines = pytest.mark.parametrize("cpus, build", [(1, "release"), (4, "debug")])


@pytest.fixture
def holder(machine):
    """holder(swap, **options of the machine): swap_holder on a machine, with its pages in memory."""
    def make(**options):
        return Holder(machine(ram="64M", options="check=call", **options), pages=PAGES)
    return make


def failing(kind, rate="100%", error="EIO", size="64M"):
    """A server whose "pread" or "pwrite" requests fail while it is told so."""
    return NbdServer("memory", size, filters=["error"],
                     parameters=[f"error={error}", f"error-{kind}-rate={rate}", "error-file={error_file}"])


# ---- reading and writing fail ----

@needs_nbdkit
@machines
def test_reads_fail_for_a_while(holder, cpus, build):
    with failing("pread") as server:
        held = holder(swap=server.swap, cpus=cpus, build=build)
        held.out()
        server.fail()
        held.all_lost(1, IO_DEVICE_ERROR)
        held.touch_ends(2)
        files, memory = held.state()
        assert files[0]["errors"] > PAGES and memory["swap_errors"] == files[0]["errors"]
        server.fail(False)
        held.all_right(1)  # they were never gone
        held.command("fill 1")
        held.out()
        held.all_right(1)
        held.end()


@needs_nbdkit
@machines
def test_some_reads_fail(holder, cpus, build):
    with failing("pread", rate="30%") as server:
        held = holder(swap=server.swap, cpus=cpus, build=build)
        held.out()
        server.fail()
        right, unreadable = held.check(1)
        assert right + unreadable == PAGES and right > 0 and unreadable > 0
        server.fail(False)
        held.all_right(1)
        held.all_right(2)
        held.state()
        held.end()


@needs_nbdkit
@pytest.mark.parametrize("cpus, build, error", [(1, "release", "ENOSPC"), (4, "debug", "EIO")])
def test_writes_fail_for_a_while(holder, cpus, build, error):
    """What can't be written stays in memory; when writing works again, it is written elsewhere."""
    with failing("pwrite", error=error) as server:
        held = holder(swap=server.swap, cpus=cpus, build=build)
        server.fail()
        assert held.out(all_of_them=False) == 0
        held.state_when(lambda file: file["errors"] > 0 and file["bad"] > 0 and file["used"] == 0)
        held.all_right(1)
        server.fail(False)
        held.out()
        held.all_right(1)
        held.all_right(2)
        files, memory = held.state()
        assert files[0]["pages_written"] >= 2 * PAGES
        held.end("pressure 3 140 1")
        held.run.expect(r"^ok \d+ - no page was wrong")


@needs_nbdkit
@pytest.mark.parametrize("kind, rate", [("pread", "2%"), ("pwrite", "40%")])
def test_some_requests_of_a_busy_machine_fail(machine, kind, rate):
    """Under pressure, on four CPUs: each page is right, or unreadable, or was never written; the shell goes on."""
    with failing(kind, rate) as server:
        held = Holder(machine(ram="64M", options="check=call", swap=server.swap, cpus=4), pages=PAGES)
        held.out()
        server.fail()
        for times in range(1, 101):
            held.check(1)
            held.check(2)
            held.command("fill 2" if kind == "pwrite" else "check 2")
            held.out(all_of_them=False)
            if times >= 4 and held.state()[0][0]["errors"]:  # chance has had its way
                break
        else:
            pytest.fail("the paging file had no error")
        server.fail(False)
        held.all_right(1)
        held.all_right(2)
        held.end()


@pytest.fixture
def faulty_swap(tmp_path):
    """faulty_swap(kind, sector): a paging file of 64 MiB on a disk that fails each "read" or each "write", or those of
    one sector, by QEMU's blkdebug."""
    def make(kind, sector=None):
        image, rules = tmp_path / "faulty.img", tmp_path / "blkdebug"
        SwapFile(image, 64 << 20)
        rules.write_text(f'[inject-error]\nevent = "none"\niotype = "{kind}"\nerrno = "{EIO}"\nonce = "off"\n'
                         + (f'sector = "{sector}"\n' if sector is not None else ""))
        return Disk(f"blkdebug:{rules}:{image}", "swap")
    return make


@pytest.mark.parametrize("cpus", [1, 4])
def test_no_read_ever_works(machine, faulty_swap, cpus):
    """Who needs a page that can't be read ends with an in-page error; the machine goes on, until that is the shell."""
    run = machine(console=b"pressure 3 200 1\nhello afterwards\nexit 0\n", ram="64M", cpus=cpus,
                  disks=[faulty_swap("read")])
    run.start(stdin=subprocess.DEVNULL)
    run.finish()
    run.expect(r"in-page error \(0xc0000006\)")
    shell_ended = "sh.exe ended with code 3221225478" in run.output()
    run.judge(99 if shell_ended else 0)
    if not shell_ended:
        run.expect(r"^argument 1: afterwards$")


@pytest.mark.parametrize("cpus", [1, 4])
def test_no_write_ever_works(machine, faulty_swap, cpus):
    """What can't be written stays in memory; when that is full somebody has to go, and the machine goes on."""
    run = machine(console=b"pressure 3 200 1\nhello afterwards\nmemstat -r\nexit 0\n", ram="64M", cpus=cpus,
                  disks=[faulty_swap("write")])
    run.start(stdin=subprocess.DEVNULL)
    run.finish().judge(0)
    run.expect(r"^argument 1: afterwards$")
    assert int(run.expect(r"^swap_errors=(\d+)$")[1]) > 0


@pytest.mark.parametrize("cpus", [1, 4])
def test_one_bad_sector(machine, faulty_swap, cpus):
    """A slot that can't be written is not used again; its page goes elsewhere, and nothing is lost."""
    run = machine(console=b"tour 3 4 && memstat -r && memstat\n", ram="64M", cpus=cpus,
                  disks=[faulty_swap("write", sector=1000)])
    run.start(stdin=subprocess.DEVNULL)
    run.finish().judge(0)
    held = run.expect(r"^tour: (\d+) of (\d+) statements held")
    assert held[1] == held[2]
    assert int(run.expect(r"^swap_errors=(\d+)$")[1]) > 0
    bad = int(run.expect(r"^ +(\d+) bad slots, \d+ errors$")[1])
    assert 1 <= bad <= 64


@pytest.mark.parametrize("cpus, build", [(1, "release"), (4, "debug")])
def test_swapoff_of_a_file_that_can_not_be_read(machine, faulty_swap, cpus, build):
    """It stays, with the one page that can't be read; the others have moved, and nothing else is lost."""
    run = machine(console=b'testrun "paging_files unreadable 100"\n', ram="64M", cpus=cpus, build=build,
                  options="check=call", disks=[faulty_swap("read", sector=800)])
    run.start(stdin=subprocess.DEVNULL)
    TestRun(run.finish()).judge("paging_files unreadable 100")


def test_read_only_disk(machine, tmp_path):
    """A disk that refuses every write is no worse than none (promise 5)."""
    path = tmp_path / "readonly.img"
    SwapFile(path, 16 << 20)
    disk = Disk(str(path), "swap", drive="cache=unsafe,readonly=on")
    run = machine(run="tour 1 2 5", ram="64M", disks=[disk])
    run.start(stdin=subprocess.DEVNULL)
    run.finish().judge(0)
    run.expect(r"^tour: (\d+) of \1 statements held")


# ---- the contents are not what was written ----

@machines
def test_wrong_contents(holder, tmp_path, cpus, build):
    file = SwapFile(tmp_path / "swap.img", 64 << 20)
    held = holder(swap=str(file.path), cpus=cpus, build=build)
    generation = [0, 1, 1]  # of each child's contents

    def new_contents(how, child):
        held.command(f"{how} {child}")
        generation[child] += 1

    def slots(child):
        found = file.slots(child, generation[child], PAGES)
        assert len(found) == PAGES, "pages that are out of memory are not in the file"
        return found

    # One bit of one page, in a word that no short pattern would look at.
    held.out()
    slot = slots(1)[7]
    whole = file.slot(slot)
    file.write(slot, whole[:1001] + bytes([whole[1001] ^ 0x10]) + whole[1002:])
    assert held.check(1) == (PAGES - 1, 1) and held.status == CRC_ERROR
    held.all_right(2)
    assert held.check(1) == (PAGES - 1, 1)
    file.write(slot, whole)
    held.all_right(1)

    # Pages of zeros, and two pages that changed places.
    new_contents("fill", 1)
    held.out()
    where = slots(1)
    for page in range(0, 100, 10):
        file.write(where[page], bytes(PAGE))
    first, second = file.slot(where[201]), file.slot(where[300])
    file.write(where[201], second)
    file.write(where[300], first)
    assert held.check(1) == (PAGES - 12, 12)

    # What each page was before, where it is now: whole, and out of date.
    new_contents("renew", 1)
    held.out()
    old = {page: file.slot(slot) for page, slot in slots(1).items()}
    new_contents("fill", 1)
    held.out()
    new = slots(1)
    keep = {slot: file.slot(slot) for slot in new.values()}
    for page, slot in new.items():
        file.write(slot, old[page])
    held.all_lost(1, CRC_ERROR)
    held.all_right(2)
    for slot, data in keep.items():
        file.write(slot, data)
    held.all_right(1)

    # Everything that is in the file.
    held.out()
    before = file.read()
    file.write(0, random.Random(3).randbytes(len(before)))
    held.all_lost(1, CRC_ERROR)
    held.touch_ends(2)
    files, memory = held.state()
    assert files[0]["errors"] == memory["swap_errors"] > PAGES
    file.write(0, before)
    held.all_right(1)
    held.state()
    held.end()


# ---- the host's disk is full ----

@needs_nbdkit
def test_full_disk(holder):
    """Every write fails for want of space; what is promised then is what memory holds."""
    with NbdServer("full", "64M") as server:
        held = holder(swap=server.swap, cpus=2)
        assert held.out(all_of_them=False) == 0
        held.all_right(1)
        held.all_right(2)
        held.state_when(lambda file: file["errors"] > 0 and file["bad"] > 0)
        held.end()


@pytest.fixture
def small_volume(tmp_path):
    """A directory that holds 2 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small volume")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2M", "tmpfs", place], capture_output=True, check=False).returncode:
        pytest.skip("a tmpfs can't be mounted here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@machines
def test_disk_of_the_host_becomes_full(holder, small_volume, cpus, build):
    """A sparse file of 64 MiB on a volume of 2 MiB: what fits is written, the rest stays in memory."""
    file = SwapFile(small_volume / "swap.img", 64 << 20)
    held = holder(swap=str(file.path), cpus=cpus, build=build)
    out = held.out(all_of_them=False)
    assert out <= (2 << 20) // PAGE
    held.all_right(1)
    held.all_right(2)
    held.state_when(lambda file: file["peak"] > 0 and file["bad"] > 0)
    held.end()


# ---- the disk is gone ----

@needs_nbdkit
@machines
def test_server_dies(holder, cpus, build):
    with NbdServer("memory", "64M") as server:
        held = holder(swap=server.swap, cpus=cpus, build=build)
        held.out()
        server.kill()
        held.all_lost(1, IO_DEVICE_ERROR)
        held.touch_ends(2)
        files, _ = held.state()
        assert files[0]["errors"] > PAGES
        held.command("renew 1")  # memory that was lost can be given back, and had again
        assert held.out(all_of_them=False) == 0
        held.all_right(1)
        held.state()
        held.end("cow && sections")
        assert "not ok" not in held.run.output()


@needs_nbdkit
@machines
def test_one_of_two_servers_dies(machine, cpus, build):
    """Two paging files of one priority: the pages in the other one are all there, and new ones go there."""
    with NbdServer("memory", "32M") as dies, NbdServer("memory", "32M") as stays:
        run = machine(ram="64M", options="check=call", swap=f"{dies.swap}@5,{stays.swap}@5", cpus=cpus, build=build)
        held = Holder(run, pages=PAGES)
        held.out()
        dies.kill()
        right, unreadable = held.check(1)
        assert right + unreadable == PAGES and right > 0 and unreadable > 0
        held.touch_ends(2)
        files, _ = held.state()
        assert files[0]["errors"] > 0 and files[1]["errors"] == 0 and files[1]["bad"] == 0
        held.command("renew 1")
        written = held.state()[0][1]["pages_written"]
        held.out(all_of_them=False)
        held.all_right(1)
        files, _ = held.state()
        assert files[1]["errors"] == 0 and files[1]["bad"] == 0 and files[1]["pages_written"] > written
        held.end()


@needs_nbdkit
def test_server_dies_before_the_first_write(holder):
    with NbdServer("memory", "64M") as server:
        held = holder(swap=server.swap, cpus=4)
        server.kill()
        assert held.out(all_of_them=False) == 0
        held.all_right(1)
        held.all_right(2)
        held.state_when(lambda file: file["used"] == 0 and file["bad"] > 0)
        held.end()


@needs_nbdkit
@machines
def test_server_dies_under_pressure(machine, cpus, build):
    """In the middle of writes and reads of several processes: whoever loses pages ends, the machine does not."""
    with NbdServer("memory", "64M") as server:
        run = machine(ram="64M", options="check=call", swap=server.swap, cpus=cpus, build=build)
        guest = run.start()
        run.wait_for(r"C:\\> ")
        guest.write("testrun 'pressure 3 160 1000'\r")
        run.wait_for(r"all of them have their memory")
        server.kill()
        run.wait_for(r"# testrun: 1 of 1 failed|sh\.exe ended with code")
        guest.write("hello afterwards\rexit 0\r")
        run.finish()
        shell_ended = "sh.exe ended with code 3221225478" in run.output()
        run.judge(99 if shell_ended else 0)
        if not shell_ended:
            run.expect(r"^argument 1: afterwards$")
