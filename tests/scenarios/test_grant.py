"""The largest grant never shrinks as the paging file grows: a paging file that is too small is no worse than none."""

import pytest
from machine import Disk

SIZES = [0, 4 << 10, 64 << 10, 1 << 20, 16 << 20, 256 << 20]
TOUCHED = 1 << 20  # up to this size each page of all that was granted is written as well, and read back


def grants(boot, tmp_path, size, **machine):
    """(the largest single commitment, the largest sum of pieces of 64 KiB), in pages. The machine always has the disk,
    as a disk's own driver takes memory; size 0: it is no paging file."""
    path = tmp_path / f"disk-{size}.img"
    with open(path, "wb") as file:
        file.truncate(size or 4096)
    command = "largest_grant touch" if size <= TOUCHED else "largest_grant"
    swap = dict(swap=str(path)) if size else dict(swap="none", disks=[Disk(str(path), "spare")])
    run = boot(run=command, options="check=call", **swap, **machine)
    match = run.expect(r"^# single=(\d+) pieces=(\d+) limit=\d+ memory=\d+ paging_files=(\d+)$")
    # One that would cost more than it gives is not used at all.
    assert int(match[3]) == (size // 4096 if size > 4096 else 0), "the paging file is not as large as its disk"
    return int(match[1]), int(match[2])


@pytest.mark.parametrize("ram, cpus", [("64M", 1), ("128M", 4)])
def test_largest_grant_never_shrinks(boot, tmp_path, ram, cpus):
    found = [grants(boot, tmp_path, size, ram=ram, cpus=cpus) for size in SIZES]
    for what, row in (("single commitment", [pair[0] for pair in found]), ("sum of pieces", [pair[1] for pair in found])):
        print(what, dict(zip(SIZES, row)))
        assert row == sorted(row), f"largest {what}, by size of the paging file: {dict(zip(SIZES, row))}"
    # What a paging file adds, it adds: at least nine tenths of it.
    assert found[-1][0] - found[0][0] >= SIZES[-1] // 4096 * 9 // 10
