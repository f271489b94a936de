"""The guest tests (tests/guest) on several machines. All that want the same machine run in one boot."""

import pytest

TESTS = [
    "memory_calls", "sections", "sections_shared", "cow", "image", "image_damaged", "heap", "process", "threads",
    "commit", "fault_exit", "bad_calls", "files", "c_library", "pressure",
    "memory_queries", "working_set", "section_calls", "awe", "large_pages", "win32_calls", "win32_system",
    "virtual_alloc2", "free_modes", "reset", "write_watch", "lock", "protections", "stacks", "other_process",
    "prefetch_info", "fork",
]

# Each value of each parameter meets each value of each other one.
MACHINES = {
    "disk-1cpu-release": dict(swap="64M", cpus=1, build="release", ram="64M"),
    "none-4cpu-release": dict(swap="none", cpus=4, build="release", ram="64M"),
    "ram-1cpu-release": dict(swap="ramdisk:32M", cpus=1, build="release", ram="96M"),
    "disk-4cpu-debug": dict(swap="64M", cpus=4, build="debug", ram="64M"),
    "none-1cpu-debug": dict(swap="none", cpus=1, build="debug", ram="64M", options="check=exit"),
    "ram-4cpu-debug": dict(swap="ramdisk:32M", cpus=4, build="debug", ram="96M"),
}

# Tests of more than the usual size, or of machines of their own.
LARGE = {
    "small-memory": (["memory_calls", "sections", "cow", "commit", "pressure 2"],
                     dict(swap="64M", options="mem=16M", ram="64M", build="debug")),
    "small-swap": (["commit", "pressure"], dict(swap="2M", ram="64M", build="debug")),
    "many-processes": (["process 1000 100", "threads"], dict(swap="64M", ram="256M", cpus=4)),
    "much-pressure": (["pressure 6 200 3", "sections"], dict(swap="128M", ram="64M", cpus=2)),
    "overcommit": (["commit", "memory_calls", "pressure"], dict(swap="64M", ram="64M", options="commit=overcommit")),
    "fixed-addresses": (["image", "memory_calls", "fault_exit"], dict(swap="none", ram="64M", options="aslr=off")),
    "tiny-swap": (["reset", "write_watch", "lock", "virtual_alloc2", "prefetch_info"],
                  dict(swap="1M", ram="64M", cpus=2)),
    "lazy-writecopy": (["protections", "lock", "other_process", "virtual_alloc2", "cow", "sections", "commit_lazy", "fork"],
                       dict(swap="64M", ram="64M", cpus=2, build="debug", options="commit=lazy-writecopy")),
    "random-calls": (["bad_calls 40 1000"], dict(swap="64M", ram="64M", cpus=2, build="debug")),
}


def cases(machines):
    for machine in machines:
        for test in machines[machine][0] if isinstance(machines[machine], tuple) else TESTS:
            yield pytest.param(machine, test, id=f"{machine}-{test}", marks=pytest.mark.xdist_group(machine))


@pytest.mark.parametrize("machine_name, test", cases(MACHINES))
def test_guest(guest_tests, machine_name, test):
    guest_tests(machine_name, TESTS, **MACHINES[machine_name]).judge(test)


@pytest.mark.parametrize("machine_name, test", cases(LARGE))
def test_large(guest_tests, machine_name, test):
    commands, options = LARGE[machine_name]
    guest_tests(machine_name, commands, **options).judge(test)


def test_console_input(boot):
    run = boot(console=b"console_input\nfirst line\nsecond, longer line\n")
    run.expect(r"^ok 2 - the second line")
    run.expect(r"^1\.\.4$")
