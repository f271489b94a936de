"""tour on machines of all kinds: each of its statements must hold."""

import re

import pytest

MACHINES = {
    "no-swap": dict(swap="none", ram="128M"),
    "disk": dict(swap="64M", ram="128M"),
    "tiny-disk": dict(swap="1M", ram="128M"),
    "ram-disk": dict(swap="ramdisk:32M", ram="128M"),
    "large-disk": dict(swap="512M", ram="64M"),
    "16-MiB": dict(swap="64M", ram="64M", options="mem=16M"),
    "16-MiB-no-swap": dict(swap="none", ram="64M", options="mem=16M"),
    "1-GiB": dict(swap="64M", ram="1G"),
    "debug": dict(swap="64M", ram="64M", build="debug", cpus=2, options="check=exit"),
    "overcommit": dict(swap="64M", ram="64M", options="commit=overcommit"),
    "lazy-writecopy": dict(swap="64M", ram="64M", options="commit=lazy-writecopy"),
    "8-cpus": dict(swap="64M", ram="128M", cpus=8),
    "cpu-max": dict(swap="64M", ram="128M", cpu="max", cpus=2),
    "fixed-addresses": dict(swap="64M", ram="64M", options="aslr=off"),
}


@pytest.mark.parametrize("name", MACHINES)
def test_tour(boot, name):
    run = boot(run="tour -a", **MACHINES[name])  # a busy host must not leave anything out
    held = run.expect(r"^tour: (\d+) of (\d+) statements held")
    assert held[1] == held[2]
    assert int(held[2]) >= 25
    assert "[NOT SO]" not in run.output()
    # The steps, one after the other.
    assert re.findall(r"^Step (\d)\.", run.output(), re.M) == list("12345678")
    has_paging_file = MACHINES[name]["swap"] != "none"
    assert ("There is no paging file." in run.output()) != has_paging_file


@pytest.mark.parametrize("cpu, cpus", [("qemu64", 1), ("qemu64", 3), ("qemu64", 8), ("max", 1), ("max", 4)])
def test_processors(boot, cpu, cpus):
    run = boot(run="hello one two", cpus=cpus, cpu=cpu)
    run.expect(r"^argument 2: two$")
    run.expect(rf"^Backstore .* {cpus} CPU")
