"""Fixtures: the builds, the volume with the tests' files, machines."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "boot"))

import harness  # noqa: E402
import volume_files  # noqa: E402


class Build:
    """A build: its name and its directory (build/release or build/debug)."""

    def __init__(self, name):
        self.name = name
        self.directory = Path(os.environ.get(f"BACKSTORE_{name.upper()}", ROOT / "build" / name))
        self.image = self.directory / "system.img"

    def require(self):
        if not self.image.exists():
            pytest.skip(f'{self.image} is not there: "make image BUILD={self.name}" builds it')
        return self


class Builds:
    """The builds, and a copy of each one's system volume with the tests' files on it."""

    def __init__(self, directory):
        self._directory = directory
        self._volumes = {}

    def get(self, name):
        return Build(name).require()

    def volume(self, name):
        if name not in self._volumes:
            build = self.get(name)
            files = self._directory / f"{name}-files"
            volume_files.make(files, build.directory)
            image = self._directory / f"{name}.img"
            self.copy_image(build.image, image)
            self.mtools("mcopy", "-s", "-o", "-i", image, *sorted(files.iterdir()), "::/")
            self._volumes[name] = image
        return self._volumes[name]

    @staticmethod
    def copy_image(source, target):
        subprocess.run(["cp", "--sparse=always", source, target], check=True)

    @staticmethod
    def mtools(*command):
        """Runs one of the mtools; they know FAT images."""
        subprocess.run([str(word) for word in command], check=True, capture_output=True,
                       env={**os.environ, "MTOOLS_SKIP_CHECK": "1"})


# Those that wait for slow disks most of their time begin first: then they do not wait alone in the end.
WAITING = ["test_swap_slow.py", "test_thrash.py"]


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name not in WAITING)


@pytest.fixture(scope="session")
def builds(tmp_path_factory):
    return Builds(tmp_path_factory.mktemp("volumes"))


@pytest.fixture(scope="session")
def machine_make(builds, tmp_path_factory):
    """machine_make(build="release", volume=None, **options of boot/machine.py's Machine) gives a harness.Run."""
    def make(build="release", volume=None, **options):
        return harness.Run(builds.get(build), tmp_path_factory.mktemp("machine"),
                           volume=volume or builds.volume(build), **options)
    return make


@pytest.fixture
def machine(machine_make):
    """The same; machines that still run are ended after the test."""
    runs = []

    def make(**options):
        runs.append(machine_make(**options))
        return runs[-1]
    yield make
    for run in runs:
        if run.guest:
            run.guest.kill()


@pytest.fixture
def boot(machine):
    """boot(code=0, **options): runs a machine to its end, fails unless it ends with this exit code, returns the Run."""
    def to_the_end(code=0, **options):
        run = machine(**options)
        run.start(stdin=subprocess.DEVNULL)
        return run.finish().judge(code)
    return to_the_end


@pytest.fixture(scope="session")
def guest_tests(machine_make):
    """guest_tests(key, commands, **options): runs guest tests in one boot; once for each key."""
    done = {}

    def run(key, commands, **options):
        if key not in done:
            options["options"] = f"check=call {options.get('options', '')}"
            words = " ".join(f'"{command}"' for command in commands)
            machine = machine_make(console=f"testrun {words}\n".encode(), **options)
            machine.start(stdin=subprocess.DEVNULL)
            try:
                machine.finish()
            except harness.MachineFailure as hang:
                print(hang)
            done[key] = harness.TestRun(machine)
        return done[key]
    return run


@pytest.fixture(scope="session")
def mingw():
    """The compiler for user programs."""
    name = "x86_64-w64-mingw32-gcc"
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    return name
