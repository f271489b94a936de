"""The guest tests (tests/guest) on several machines. All that want the same machine run in one boot."""

import pytest

TESTS = [
    "memory_calls", "sections", "sections_shared", "cow", "image", "image_kinds", "image_shared", "image_written",
    "imports", "image_damaged", "load_flags", "loader", "loader_threads", "loader_names", "heap", "process", "threads",
    "commit", "fork", "fork_marks", "fork_pressure", "neighbours", "fault_exit", "bad_calls", "bad_arguments",
    "files", "files_wide", "files_write", "file_rules", "file_sections", "c_library", "pipes",
    "pressure",
    "memory_queries", "working_set", "section_calls", "awe", "win32_calls", "win32_system",
    "virtual_alloc2", "free_modes", "reset", "write_watch", "lock", "protections", "stacks", "other_process",
    "prefetch_info", "events", "contexts", "many_views",
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
    "lazy-writecopy": (["commit_lazy", "fork", "fork_marks", "fork_pressure", "commit", "cow", "image", "image_kinds",
                        "memory_calls", "pressure", "protections", "lock", "other_process", "virtual_alloc2", "sections"],
                       dict(swap="64M", ram="64M", options="commit=lazy-writecopy", cpus=2, build="debug")),
    "lazy-writecopy-no-swap": (["commit_lazy", "fork", "fork_pressure", "cow", "pressure"],
                               dict(swap="none", ram="64M", options="commit=lazy-writecopy")),
    "paging-files-disk": (["paging_files"], dict(swap="64M", ram="64M", cpus=4, build="debug")),
    "paging-files-none": (["paging_files"], dict(swap="none", ram="64M", cpus=1)),
    "paging-files-lazy": (["paging_files"],
                          dict(swap="ramdisk:8M", ram="64M", cpus=2, options="commit=lazy-writecopy")),
    "paging-files-overcommit": (["paging_files"], dict(swap="64M", ram="64M", cpus=4, options="commit=overcommit")),
    "many-copies": (["fork 40"], dict(swap="64M", ram="64M", cpus=4)),
    "fixed-addresses": (["image", "loader_names", "memory_calls", "fault_exit"],
                        dict(swap="none", ram="64M", options="aslr=off")),
    "tiny-swap": (["reset", "write_watch", "lock", "virtual_alloc2", "prefetch_info"],
                  dict(swap="1M", ram="64M", cpus=2)),
    # Large pages want memory that is not scattered yet: machines of their own.
    "large-pages-release-1": (["large_pages"], dict(swap="64M", ram="64M", cpus=1)),
    "large-pages-release-4": (["large_pages"], dict(swap="none", ram="64M", cpus=4)),
    "large-pages-debug-4": (["large_pages"], dict(swap="64M", ram="64M", cpus=4, build="debug")),
    "reclaim-disk": (["reclaim"], dict(swap="64M", ram="64M", cpus=4, build="debug")),
    "reclaim-none": (["reclaim"], dict(swap="none", ram="64M", cpus=1)),
    # Each policy by itself, and when everybody is short of memory. Some look at each page for each that goes: less of it in debug.
    **{f"replace-{policy}": (["replacement", "pressure", "working_set"],
                             dict(swap="64M", ram="64M", cpus=2, options=f"replace={policy}"))
       for policy in ("clock", "fifo", "lru", "random")},
    **{f"replace-{policy}-debug": (["replacement", "pressure 2 120 1"],
                                   dict(swap="64M", ram="64M", cpus=4, build="debug", options=f"replace={policy}"))
       for policy in ("clock", "fifo", "lru", "random")},
    **{f"image-lock-{mode}-{cpus}": ([f"image_lock {mode}"],
                                     dict(swap=swap, ram="64M", cpus=cpus, build=build, options=f"image-lock={mode} check=exit"))
       for mode in ("nt", "unix", "none") for cpus, build, swap in ((1, "release", "none"), (4, "debug", "64M"))},
    **{f"image-hostile-{cpus}": (["image_hostile"],
                                 dict(swap=swap, ram="64M", cpus=cpus, build="debug", options="image-lock=none"))
       for cpus, swap in ((1, "64M"), (4, "none"))},
    "random-calls": (["bad_calls 40 1000"], dict(swap="64M", ram="64M", cpus=2, build="debug")),
    # Each thread's calls are the same each time, not their interleaving. "make stress" takes another seed each time.
    "random-memory-1": (["memory_random 1 10", "memory_random 2 5 1 1"], dict(swap="64M", ram="64M", cpus=1)),
    "random-memory-4": (["memory_random 3 10"], dict(swap="1M", ram="64M", cpus=4)),
    "random-memory-none": (["memory_random 4 10"], dict(swap="none", ram="64M", cpus=4)),
    "random-memory-debug-1": (["memory_random 5 10"], dict(swap="none", ram="64M", cpus=1, build="debug")),
    "random-memory-debug-4": (["memory_random 6 10"], dict(swap="64M", ram="64M", cpus=4, build="debug")),
    "random-memory-small": (["memory_random 7 10"], dict(swap="64M", options="mem=16M", ram="64M", cpus=4, build="debug")),
    "random-memory-overcommit": (["memory_random 8 10"],
                                 dict(swap="64M", ram="64M", cpus=4, options="commit=overcommit")),
}

# The properties of commit, with every policy and paging file.
PROPERTIES = {f"{policy}-{swap}": dict(swap=swap, ram="96M" if "ramdisk" in swap else "64M", cpus=cpus,
                                       options=f"commit={policy}")
              for policy, cpus in (("strict", 1), ("lazy-writecopy", 4), ("overcommit", 2))
              for swap in ("none", "1M", "64M", "ramdisk:32M")}


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


@pytest.mark.parametrize("name", PROPERTIES)
def test_commit_properties(guest_tests, name):
    guest_tests(f"commit-{name}", ["commit_properties"], **PROPERTIES[name]).judge("commit_properties")


def test_console_input(boot):
    run = boot(console=b"console_input\nfirst line\nsecond, longer line\n")
    run.expect(r"^ok 2 - the second line")
    run.expect(r"^1\.\.4$")
