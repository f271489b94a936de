"""What a panic prints. An NMI from the machine's monitor makes one, whatever the kernel is doing."""

import re
import subprocess

import pytest

EXIT_PANIC = 126


@pytest.mark.parametrize("build, cpus", [("release", 1), ("debug", 4)])
def test_panic(machine, build, cpus):
    run = machine(build=build, cpus=cpus)
    run.start(stdin=subprocess.PIPE)
    run.wait_for(r"C:\\> ")
    run.guest.qmp("inject-nmi")
    run.finish().judge(EXIT_PANIC)
    run.expect(r"^backstore: panic: .*NMI")
    run.expect(r"^rip [0-9a-f]{16} ")
    run.expect(r"^stack:$")
    # Functions by name, of every CPU.
    assert len(re.findall(r"^cpu \d, thread \d+ ", run.output(), re.M)) == cpus, run.output()
    run.expect(r"^  [0-9a-f]{16} idle_run\+0x[0-9a-f]+$")
