"""The systems that are measured: this one, Linux kernels with the same benchmark as their first process, and the bare
machine, which is the floor.

Linux is Debian's cloud kernel, out of its package, and "lean": the source that Debian has, built here as small and fast as
it can be (linux_lean.config). Both are kept in the build directory.
"""

import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "boot"))

from disks import Disk  # noqa: E402
from machine import Machine  # noqa: E402

# The time-stamp counter counts instructions; the clock jumps over what the machine would wait for.
ICOUNT = ["-icount", "shift=0,sleep=off", "-rtc", "base=2024-01-01,clock=vm", "-seed", "1"]
TIMEOUT = 3600  # seconds: an end for what hangs, not a judgement of what is slow
SWAP_SIZE = 512 << 20
DISK_SIZE = 512 << 20
DISK_MAKE = {"vfat": ["/usr/sbin/mkfs.fat", "-F", "32"], "ext4": ["/usr/sbin/mkfs.ext4", "-q", "-F"]}
DRIVERS = "virtio_blk", "virtio_pci", "nls_cp437", "nls_ascii", "vfat"  # others are in the kernel itself
LEAN_CONFIG = Path(__file__).with_name("linux_lean.config")
LEAN_SOURCE = "linux-source-6.1"


class BenchError(Exception):
    """What could not be run, and why."""


def progress(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def figures(output, system):
    """{row: value} of a run's output."""
    if "bench end" not in output:
        raise BenchError(f"{system}: the benchmark did not end:\n{output[-3000:]}")
    return {name: float(value) for name, value in re.findall(r"^bench (\S+) +([0-9.]+) ", output, re.M)}


@dataclass
class Setup:
    """A machine: its paging file is new in each run, and there is one only with swap. disk: a disk with this file system
    for Linux, and FAT32 for us."""

    swap_image: Path
    accel: str = "tcg,thread=single"
    extra: list = field(default_factory=lambda: list(ICOUNT))
    ram: str = "256M"
    cpus: int = 1
    swap: bool = False
    disk: str = None


@dataclass
class Backstore:
    image: Path

    def run(self, setup, words):
        """{row: value} of the program bench with these words behind its name."""
        machine = Machine(str(self.image), ram=setup.ram, cpus=setup.cpus, run=" ".join(["bench", *words]),
                          accel=setup.accel, extra=setup.extra, swap=f"{SWAP_SIZE >> 20}M" if setup.swap else "none",
                          swap_image=setup.swap_image, disks=[disk_make(setup, "vfat")] if setup.disk else [])
        with machine.start(stdin=subprocess.DEVNULL) as guest:
            return figures(guest.wait(timeout=TIMEOUT).output, "Backstore")


def run_kernel(name, setup, *arguments):
    """{row: value} of a machine that QEMU starts without firmware."""
    command = ["qemu-system-x86_64", "-nodefaults", "-no-reboot", "-machine", "q35,sata=off,usb=off,smbus=off,i8042=off",
               "-nic", "none", "-display", "none", "-vga", "none", "-accel", setup.accel, "-cpu", "qemu64",
               "-smp", str(setup.cpus), "-m", setup.ram, "-serial", "stdio", *arguments, *setup.extra]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, text=True)
    return figures(done.stdout.replace("\r", "") + done.stderr, name)


@dataclass
class Floor:
    """The bare machine (floor.c). Has the rows that it can have."""

    program: Path

    def run(self, setup, _words):
        return run_kernel("floor", setup, "-kernel", str(self.program))


@dataclass
class Linux:
    name: str
    kernel: Path
    initramfs: Path
    options: str

    def run(self, setup, words):
        append = " ".join(["console=ttyS0 quiet panic=-1", self.options, "--", *words])
        disk = []
        if setup.disk:
            append = f"BENCH_DISK={setup.disk} {append}"
            disk = disk_make(setup, setup.disk).arguments()
        elif setup.swap:
            make_swap_file(setup.swap_image)
            disk = Disk(str(setup.swap_image), "swap").arguments()
        return run_kernel(self.name, setup, "-kernel", str(self.kernel), "-initrd", str(self.initramfs),
                          "-append", append, *disk)


def file_make(path, size):
    path.unlink(missing_ok=True)
    with open(path, "xb") as file:
        file.truncate(size)


def disk_make(setup, kind):
    """A disk with a new file system, the same for all systems as far as QEMU is concerned."""
    path = setup.swap_image.with_name("bench-disk.img")
    file_make(path, DISK_SIZE)
    subprocess.run([*DISK_MAKE[kind], str(path)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return Disk(str(path), "disk2")


def make_swap_file(path):
    file_make(path, SWAP_SIZE)
    subprocess.run(["/usr/sbin/mkswap", "-q", str(path)], check=True, stderr=subprocess.DEVNULL)


def package_unpack(name, directory):
    """What the newest package of that name holds."""
    done = subprocess.run(["apt-get", "download", "-q", name], cwd=directory, capture_output=True, text=True)
    packages = list(directory.glob("*.deb"))
    if not packages:
        raise BenchError(f'the package {name} can\'t be had ("apt-get update" may help):\n{done.stderr}')
    subprocess.run(["dpkg-deb", "-x", str(packages[0]), str(directory)], check=True)
    packages[0].unlink()


def cloud_fetch(directory):
    """Debian's cloud kernel, from its package: the file vmlinuz, and the drivers of a disk in modules/."""
    made = directory / "modules" / "order"
    if made.exists() and set(DRIVERS) <= {Path(line).stem for line in made.read_text().splitlines()}:
        return
    name = re.search(r"Depends: (linux-image-\S+)", subprocess.run(
        ["apt-cache", "depends", "linux-image-cloud-amd64"], capture_output=True, text=True).stdout)
    if not name:
        raise BenchError('no package linux-image-cloud-amd64 is known here: "apt-get update" may help')
    progress(f"fetching {name[1]}")
    with tempfile.TemporaryDirectory() as scratch:
        package_unpack(name[1], Path(scratch))
        modules = directory / "modules"
        modules.mkdir(parents=True, exist_ok=True)
        shutil.copy(next(Path(scratch).glob("boot/vmlinuz-*")), directory / "vmlinuz")
        found = {file.stem: file for file in Path(scratch).glob("lib/modules/**/*.ko")}
        order = []
        for driver in DRIVERS:
            module_add(driver, found, order)
        for module in order:
            shutil.copy(found[module], modules)
        (modules / "order").write_text("".join(f"/modules/{module}.ko\n" for module in order))


def module_add(name, found, order):
    """Appends what a module needs, and the module, to order. Each says in its section .modinfo what it depends on."""
    if name in order:
        return
    needs = re.search(rb"\0depends=([^\0]*)\0", found[name].read_bytes())[1].decode()
    for need in filter(None, needs.split(",")):
        module_add(need, found, order)
    order.append(name)


def lean_build(directory):
    """The lean kernel: the file vmlinuz. Built when its configuration or the compiler is another one than last time."""
    compiler = subprocess.run(["gcc", "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    inputs = f"{LEAN_SOURCE}\n{compiler}\n{LEAN_CONFIG.read_text()}"
    made_of = directory / "made-of"
    if made_of.exists() and made_of.read_text() == inputs:
        return
    done = subprocess.run(["sh", str(ROOT / "boot/packages.sh"), "lean"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise BenchError(done.stderr.strip())
    directory.mkdir(parents=True, exist_ok=True)
    made_of.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        progress(f"fetching {LEAN_SOURCE}")
        package_unpack(LEAN_SOURCE, Path(scratch))
        progress(f"building the lean Linux; some minutes, once ({directory}/log says what happens)")
        with open(directory / "log", "w") as log:
            kernel = lean_make(Path(scratch), log)
        shutil.copy(kernel, directory / "vmlinuz")
    made_of.write_text(inputs)


def lean_make(scratch, log):
    """Unpacks, configures and builds; the path of the kernel."""
    def run(*command, **options):
        done = subprocess.run(["nice", *map(str, command)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, **options)
        if done.returncode:
            raise BenchError(f"the lean Linux could not be built: {' '.join(map(str, command))} failed; see {log.name}")

    run("tar", "-xJf", next(scratch.glob(f"usr/src/{LEAN_SOURCE}.tar.xz")), "-C", scratch)
    source, output = scratch / LEAN_SOURCE, scratch / "output"
    output.mkdir()
    # As "make tinyconfig" does it; all that none of these files names is off.
    parts = [*sorted(source.glob("kernel/configs/tiny*.config")), source / "arch/x86/configs/tiny.config", LEAN_CONFIG]
    (output / "all.config").write_text("".join(part.read_text() for part in parts if part.exists()))
    # A make inside a make: nothing of the outer one's is meant for it.
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name and name != "MFLAGS"}
    make = ["make", "-s", "-C", source, f"O={output}"]
    run(*make, f"KCONFIG_ALLCONFIG={output / 'all.config'}", "allnoconfig", env=environment)
    config_check((output / ".config").read_text(), LEAN_CONFIG.read_text())
    run(*make, f"-j{os.cpu_count()}", "bzImage", env=environment)
    return output / "arch/x86/boot/bzImage"


def config_check(made, wanted):
    """An option that needs another one is dropped without a word when that is missing."""
    missing = [line for line in wanted.splitlines() if line.startswith("CONFIG_") and line not in made.splitlines()]
    if missing:
        raise BenchError(f"the lean Linux does not take {', '.join(missing)} of {LEAN_CONFIG.name}")


def initramfs_make(path, program, modules=()):
    """An archive of the program, as /init, and the modules. Format: "newc", as the Linux kernel's documentation says in
    "initramfs buffer format"."""
    def entry(name, mode, data=b""):
        fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)

    archive = entry("init", 0o100755, program.read_bytes()) + entry("dev", 0o040755) + entry("modules", 0o040755)
    for file in modules:
        archive += entry(f"modules/{file.name}", 0o100644, file.read_bytes())
    path.write_bytes(gzip.compress(archive + entry("TRAILER!!!", 0), 1))


def system_make(name, image, program, build):
    """The system that SYSTEMS= and a table's column call so."""
    cloud, lean = build / "linux", build / "linux-lean"
    if name == "Backstore":
        return Backstore(image)
    if name == "floor":
        return Floor(build / "bench-floor")
    if name == "lean":
        lean_build(lean)
        initramfs_make(lean / "initramfs", program)
        return Linux(name, lean / "vmlinuz", lean / "initramfs", "mitigations=off")
    cloud_fetch(cloud)
    initramfs_make(cloud / "initramfs", program, sorted((cloud / "modules").iterdir()))
    return Linux(name, cloud / "vmlinuz", cloud / "initramfs", {"Linux": "mitigations=off", "defaults": "BENCH_DEFAULTS=1"}[name])
