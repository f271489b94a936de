"""The paging file's bytes, seen from outside: a kernel's own counters are no witness."""

import random
import subprocess

import pytest
from machine import Disk

PAGE = 4096
MASK = (1 << 64) - 1
OWNER_SECTION, OWNER_BLOCK = 3, 4  # of userland/programs/tour
CONSTANT = 0xc5  # what fills the pages of constants in tour, which are only read
STEP = 32  # words between those that a pattern sets


def pattern_word(owner, page, word):
    """userland/programs/pattern.h."""
    x = ((owner << 48) ^ (page << 9) ^ word ^ 0x9e3779b97f4a7c15) & MASK
    x = ((x ^ (x >> 30)) * 0xbf58476d1ce4e5b9) & MASK
    x = ((x ^ (x >> 27)) * 0x94d049bb133111eb) & MASK
    return x ^ (x >> 31)


@pytest.fixture
def swap_file(tmp_path):
    """A paging file of 64 MiB with random contents; its path and the contents."""
    path = tmp_path / "witness.img"
    contents = random.Random(7).randbytes(64 << 20)
    path.write_bytes(contents)
    return path, contents


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
    first_words = {}
    for owner in (OWNER_SECTION, OWNER_BLOCK):
        for page in range(32768):
            first_words[pattern_word(owner, page, 0).to_bytes(8, "little")] = (owner, page)
    found = {OWNER_SECTION: set(), OWNER_BLOCK: set()}
    for slot in range(len(after) // PAGE):
        data = after[slot * PAGE:(slot + 1) * PAGE]
        owner, page = first_words.get(data[:8], (None, None))
        assert data != bytes([CONSTANT]) * PAGE, f"slot {slot} holds an unmodified page of an image"
        if owner is None:
            continue
        for word in range(0, PAGE // 8, STEP):
            assert data[word * 8:word * 8 + 8] == pattern_word(owner, page, word).to_bytes(8, "little"), \
                f"slot {slot}: page {page} of owner {owner} is torn at word {word}"
        found[owner].add(page)
    assert found[OWNER_BLOCK], "no private page of tour's is in the paging file"
    assert found[OWNER_SECTION], "no page of tour's section is in the paging file"
    in_file = int(run.expect(r"Only now pages of the section are in the paging file: ([\d,]+) of")[1].replace(",", ""))
    assert len(found[OWNER_SECTION]) >= in_file, "tour saw more of its section in the paging file than is there"


def test_read_only_paging_file_does_not_stop_the_machine(machine, tmp_path):
    """A swap disk that refuses every write is no worse than none (promise 5)."""
    path = tmp_path / "readonly.img"
    path.write_bytes(bytes(16 << 20))
    disk = Disk(str(path), "swap", drive="cache=unsafe,readonly=on")
    run = machine(run="tour 1 2 5", ram="64M", disks=[disk])
    run.start(stdin=subprocess.DEVNULL)
    run.finish().judge(0)
    run.expect(r"^tour: (\d+) of \1 statements held")


@pytest.fixture
def faulty_swap(tmp_path):
    """faulty_swap(kind, sector): a paging file of 64 MiB on a disk that fails each "read" or each "write", or those of
    one sector, by QEMU's blkdebug."""
    def make(kind, sector=None):
        image, rules = tmp_path / "faulty.img", tmp_path / "blkdebug"
        image.write_bytes(bytes(64 << 20))
        rules.write_text(f'[inject-error]\nevent = "none"\niotype = "{kind}"\nerrno = "5"\nonce = "off"\n'
                         + (f'sector = "{sector}"\n' if sector is not None else ""))
        return Disk(f"blkdebug:{rules}:{image}", "swap")
    return make


@pytest.mark.parametrize("cpus", [1, 4])
def test_paging_file_that_can_not_be_read(machine, faulty_swap, cpus):
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
def test_paging_file_that_can_not_be_written(machine, faulty_swap, cpus):
    """What can't be written stays in memory; when that is full somebody has to go, and the machine goes on."""
    run = machine(console=b"pressure 3 200 1\nhello afterwards\nmemstat -r\nexit 0\n", ram="64M", cpus=cpus,
                  disks=[faulty_swap("write")])
    run.start(stdin=subprocess.DEVNULL)
    run.finish().judge(0)
    run.expect(r"^argument 1: afterwards$")
    assert int(run.expect(r"^swap_errors=(\d+)$")[1]) > 0


@pytest.mark.parametrize("cpus", [1, 4])
def test_paging_file_with_a_bad_sector(machine, faulty_swap, cpus):
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
