"""A paging file that takes 20 ms for each request: the pager never waits for itself, whoever fills memory and how."""

import pytest
from paging_files import NbdServer, nbdkit_is_missing

SECONDS = 100  # of the guest's time


@pytest.mark.skipif(nbdkit_is_missing(), reason="nbdkit is not installed")
@pytest.mark.parametrize("build", ["debug"])
def test_crowd_on_a_slow_disk(guest_tests, build):
    """Four CPUs, four processes of four threads, private memory and a section, half as much again as there is."""
    command = f"crowd {SECONDS} 4 4 150"
    with NbdServer("memory", "64M", filters=["delay"], parameters=["rdelay=20ms", "wdelay=20ms"]) as server:
        tests = guest_tests(f"slow-{build}", [command], swap=server.swap, ram="64M", cpus=4, build=build)
    tests.judge(command)
    print(tests.part(command)[0])
