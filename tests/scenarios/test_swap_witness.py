"""Paging files seen from outside, by their bytes and by each request for them: a kernel's own counters are no witness."""

import csv
import random
import re

import pytest
from paging_files import PAGE, WORDS, STEP, Holder, NbdServer, nbdkit_is_missing, pattern_first, pattern_word

OWNER_SECTION, OWNER_BLOCK = 3, 4  # of userland/programs/tour
OWNER_IMAGE, IMAGE_WRITTEN = 5, 16  # of tests/guest/image_written.c, and how many pages it writes
CONSTANT = 0xc5  # what fills the pages of constants in tour, which are only read
CLUSTER = 64 * PAGE  # the most that one request may have
# Each request as the guest made it: QEMU would join those that stand side by side.
NO_MERGING = ["-global", "virtio-blk-device.request-merging=off"]

needs_nbdkit = pytest.mark.skipif(nbdkit_is_missing(), reason="nbdkit is not installed")


@pytest.fixture
def swap_file(tmp_path):
    """A paging file of 64 MiB with random contents; its path and the contents."""
    path = tmp_path / "witness.img"
    contents = random.Random(7).randbytes(64 << 20)
    path.write_bytes(contents)
    return path, contents


@pytest.fixture
def logged():
    """logged(size): a server that logs each request."""
    servers = []

    def make(size):
        servers.append(NbdServer("memory", size, filters=["log"], parameters=["logfile={log}"]).__enter__())
        return servers[-1]
    yield make
    for server in servers:
        server.__exit__()


# ---- by its bytes ----

@pytest.mark.parametrize("console", [
    b"tour 1 2\n",
    b"sections && sections_shared && heap && cow\n",
    b"testlimit -s 4M -c 8 ; testlimit -d 1M -c 16 ; vmmap sh ; ps ; memstat\n",
], ids=["tour", "tests", "testlimit"])
@pytest.mark.parametrize("cpus", [1, 4])
def test_nothing_is_written_without_pressure(boot, swap_file, console, cpus):
    """Promises 1 to 3: sections, private memory and heaps, freed before memory runs short, never touch a disk."""
    path, before = swap_file
    boot(console=console, swap=str(path), ram="128M", cpus=cpus, options="check=call")
    assert path.read_bytes() == before, "the paging file was written to, though memory was never short"


@pytest.mark.parametrize("cpus", [1, 4])
def test_pages_are_written_under_pressure(boot, swap_file, cpus):
    """Promises 3, 7 and 8: under pressure pages are written, whole and right; unmodified image pages are not."""
    path, before = swap_file
    run = boot(run="tour 3 4", swap=str(path), ram="64M", cpus=cpus)
    after = path.read_bytes()
    assert after != before
    first_words = {pattern_first(owner, page): (owner, page)
                   for owner in (OWNER_SECTION, OWNER_BLOCK) for page in range(32768)}
    found = {OWNER_SECTION: set(), OWNER_BLOCK: set()}
    for slot in range(len(after) // PAGE):
        data = after[slot * PAGE:(slot + 1) * PAGE]
        owner, page = first_words.get(data[:8], (None, None))
        assert data != bytes([CONSTANT]) * PAGE, f"slot {slot} holds an unmodified page of an image"
        if owner is None:
            continue
        for word in range(0, WORDS, STEP):
            assert data[word * 8:word * 8 + 8] == pattern_word(owner, page, word).to_bytes(8, "little"), \
                f"slot {slot}: page {page} of owner {owner} is torn at word {word}"
        found[owner].add(page)
    assert found[OWNER_BLOCK], "no private page of tour's is in the paging file"
    assert found[OWNER_SECTION], "no page of tour's section is in the paging file"
    in_file = int(run.expect(r"Only now pages of the section are in the paging file: ([\d,]+) of")[1].replace(",", ""))
    assert len(found[OWNER_SECTION]) >= in_file, "tour saw more of its section in the paging file than is there"


@pytest.mark.parametrize("cpus,build", [(1, "release"), (4, "debug")])
def test_written_image_pages_are_in_the_paging_file(boot, swap_file, cpus, build):
    """Promise 8: constants that were made writable, written and made read-only again are; those that were not written are not."""
    path, _ = swap_file
    boot(run="tests\\image_written", swap=str(path), ram="64M", cpus=cpus, build=build, options="check=call").judge()
    after = path.read_bytes()
    slots = [after[at:at + PAGE] for at in range(0, len(after), PAGE)]
    for page in range(IMAGE_WRITTEN):
        assert b"".join(pattern_word(OWNER_IMAGE, page, word).to_bytes(8, "little") for word in range(PAGE // 8)) in slots, \
            f"page {page} was written, and is not in the paging file"
    assert bytes([CONSTANT]) * PAGE not in slots, "a page that nobody wrote is in the paging file"


# ---- by its requests ----

@needs_nbdkit
@pytest.mark.parametrize("cpus, build", [(1, "release"), (4, "debug")])
def test_no_request_without_pressure(boot, logged, cpus, build):
    """Nothing is written, whatever programs do with memory that there is enough of."""
    server = logged("64M")
    run = boot(console=b"tour 1 2 ; testrun sections sections_shared heap cow image threads process ; memstat -r\n",
               swap=server.swap, ram="128M", cpus=cpus, build=build, options="check=call")
    assert re.findall(r"^not ok .*$", run.output(), re.M) == []
    assert server.requests("Write") == []
    run.expect(r"^swap_write_requests=0$")
    run.expect(r"^swap_read_requests=0$")
    run.expect(r"^# testrun: 0 of 7 failed$")


def judge_requests(requests, size):
    for offset, count in requests:
        assert offset % PAGE == 0 and count % PAGE == 0, f"a request is torn: {count} bytes at {offset}"
        assert 0 < count <= CLUSTER and offset + count <= size, f"{count} bytes at {offset} are not in the file"


def counts_and_requests(held, server, before):
    """What the guest counts, and the log's writes and reads behind the firmware's, of one moment: the writer may be
    at work between the two looks."""
    for _ in range(20):
        files, _ = held.state()
        writes, reads = server.requests("Write"), server.requests("Read")[before:]
        if held.state()[0] == files:
            break
    return files, writes, reads


@needs_nbdkit
@pytest.mark.parametrize("cpus, build, size", [(1, "release", "64M"), (4, "debug", "64M"), (4, "release", "9M")])
def test_requests_are_what_the_guest_counts(machine, logged, cpus, build, size):
    """With pressure: as many writes, of as many pages, as the guest says; each whole, and inside the file."""
    server = logged(size)
    bytes_all = int(size[:-1]) << 20
    held = Holder(machine(ram="64M", cpus=cpus, build=build, options="check=call", swap=server.swap, extra=NO_MERGING))
    before = len(server.requests("Read"))  # the firmware's
    held.out()
    for child in 1, 2:
        held.all_right(child)
        held.command(f"fill {child}")
    held.out()
    held.all_right(2)
    files, writes, reads = counts_and_requests(held, server, before)
    judge_requests(writes, bytes_all)
    judge_requests(reads, bytes_all)
    assert len(writes) == files[0]["write_requests"]
    assert sum(count for _, count in writes) == files[0]["pages_written"] * PAGE
    assert len(reads) == files[0]["read_requests"]
    assert sum(count for _, count in reads) == files[0]["pages_read"] * PAGE
    # No page is read from where none was written.
    written = {slot for offset, count in writes for slot in range(offset // PAGE, (offset + count) // PAGE)}
    assert all(slot in written for offset, count in reads for slot in range(offset // PAGE, (offset + count) // PAGE))
    held.end("pressure 3 140 1")
    judge_requests(server.requests("Write"), bytes_all)


@needs_nbdkit
@pytest.mark.parametrize("cpus, build", [(1, "release"), (4, "debug")])
def test_requests_are_to_the_slots_that_were_traced(boot, logged, cpus, build):
    """The events that a program reads in the guest, and the requests that the server gets: the same slots, one by one."""
    server = logged("64M")
    run = boot(console=b"trace -e write,read -c &\npressure 2 160 1\nmemstat -t 1 2\nkill trace\nexit 0\n", swap=server.swap, ram="64M", cpus=cpus,
               build=build, extra=NO_MERGING)
    traced = {"write": set(), "read": set()}
    for line in csv.DictReader(line for line in run.output().splitlines() if line.count(",") == 10):
        assert line["kind"] != "lost", "trace did not read fast enough"
        if line["kind"] in traced:
            traced[line["kind"]].add((int(line["place"]) * PAGE, int(line["count"]) * PAGE))
    assert len(traced["write"]) > 10
    assert traced["write"] == set(server.requests("Write"))
    assert traced["read"] and traced["read"] <= set(server.requests("Read"))
