"""The largest commitment that succeeds does not shrink as the paging file grows, from none over one page to many."""


import pytest

SIZES = [0, 4 << 10, 64 << 10, 1 << 20, 16 << 20, 256 << 20]


def grants(boot, tmp_path, size, cpus, build):
    swap = "none"
    if size:
        swap = tmp_path / f"swap-{size}"
        with open(swap, "xb") as file:
            file.truncate(size)
    # Images at the same places, so that all machines' programs have as many page tables.
    run = boot(options="aslr=off", run="tests\\testrun grant", swap=str(swap), cpus=cpus, build=build, ram="64M")
    found = run.expect(r"^# grant: one (\d+), many (\d+) pages.* slots (\d+)")
    assert int(found.group(3)) == size >> 12
    return int(found.group(1)), int(found.group(2))


@pytest.mark.parametrize("cpus, build", [(1, "release"), (4, "debug")])
def test_grant_never_shrinks(boot, tmp_path, cpus, build):
    one, many = zip(*(grants(boot, tmp_path, size, cpus, build) for size in SIZES))
    assert list(one) == sorted(one)
    assert list(many) == sorted(many)
    assert one[-1] > one[0] + 60000, "a paging file of 65536 pages is worth nearly as much"
