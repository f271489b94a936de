"""SWAP's list, as boot/disks.py reads it: what is allowed, the boot option and the disks that it becomes."""

import os
import subprocess

import pytest
from disks import MachineError, PagingFile, parse_swap, swap_option
from machine import Machine


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "a,b.img"
    path.write_bytes(bytes(8192))
    return str(path).replace(",", ",,")


@pytest.mark.parametrize("text, files, option", [
    ("none", [], ""),
    ("64M", [("64M", None)], ""),
    ("4K", [("4K", None)], ""),
    ("64M@5", [("64M", 5)], "swap=swap@5"),
    ("64M@0", [("64M", 0)], "swap=swap@0"),
    ("ramdisk:32M", [("ramdisk:32M", None)], "swap=ramdisk:32M"),
    ("ramdisk:32M@32767,1M", [("ramdisk:32M", 32767), ("1M", None)], "swap=ramdisk:32M@32767,swap"),
    ("1M,2M@7,4K@7", [("1M", None), ("2M", 7), ("4K", 7)], "swap=swap,swap1@7,swap2@7"),
    ("nbd://host:10809", [("nbd://host:10809", None)], ""),
    ("nbd://host:1/name@3,ramdisk:1M", [("nbd://host:1/name", 3), ("ramdisk:1M", None)], "swap=swap@3,ramdisk:1M"),
    ("nbd+unix:///?socket=/a@9", [("nbd+unix:///?socket=/a", 9)], "swap=swap@9"),
])
def test_list(text, files, option):
    parsed = parse_swap(text)
    assert parsed == [PagingFile(*file) for file in files]
    assert swap_option(parsed)[0] == option


@pytest.mark.parametrize("text, said", [
    ("", "an entry is empty"), ("64M,", "an entry is empty"), ("@3", "an entry is empty"), ("64M@32768", "0 to 32767"),
    ("none,64M", "stands alone"), ("64M,none", "stands alone"), ("none@1", "no priority"), ("1K", "at least 4K"),
    ("ramdisk:", "a size is needed"), ("ramdisk:lots", "a size is needed"), ("/no/such/file", "there is no such file"),
    ("64M@x", "there is no such file"), ("64M@-1", "there is no such file"), ("/", "neither a file nor a block device"),
    ("nbd://", "NBD server is"), ("nbd+unix:///name", "NBD server is"), ("nbd://host:1,/no/such", "there is no such file"),
])
def test_what_is_not_allowed(text, said):
    with pytest.raises(MachineError, match=said):
        parse_swap(text)


def test_a_file_that_may_not_be_written(tmp_path):
    path = tmp_path / "mine.img"
    path.write_bytes(bytes(4096))
    path.chmod(0o400)
    if os.geteuid() == 0:
        assert parse_swap(path) == [PagingFile(str(path))]
        pytest.skip("root may write to any file")
    with pytest.raises(MachineError, match="may not be read and written"):
        parse_swap(path)


def test_disks(tmp_path, image):
    """Serials and new files; QEMU may not stop the machine when the host's disk is full."""
    volume = tmp_path / "system.img"
    volume.write_bytes(b"FAT32   ".rjust(90, b"\0").ljust(510, b"\0") + b"\x55\xaa")
    machine = Machine(str(volume), swap=f"ramdisk:1M,64M,{image}@3,4K,nbd://host:10809", swap_image=str(tmp_path / "s.img"))
    command = machine.command(tmp_path)
    assert (tmp_path / "s.img").stat().st_size == 64 << 20
    assert (tmp_path / "s2.img").stat().st_size == 4096
    assert "name=opt/org.backstore/options,string=swap=ramdisk:1M,,swap,,swap1@3,,swap2,,swap3" in command
    drives = [word for word in command if word.startswith("if=none,id=drive-swap")]
    assert drives == [f"if=none,id=drive-swap{number},file={file},format=raw,cache=unsafe" for number, file in
                      (("", tmp_path / "s.img"), (1, image), (2, tmp_path / "s2.img"), (3, "nbd://host:10809"))]
    devices = [word for word in command if "serial=swap" in word]
    assert len(devices) == 4 and all("werror=report,rerror=report" in device for device in devices)


@pytest.mark.parametrize("swap", ["nbd+unix:///?socket={}/none", "64M,nbd+unix:///?socket={}/none@3"])
def test_server_that_is_not_there(machine, tmp_path, swap):
    """QEMU's own message, and what to do."""
    run = machine(swap=swap.format(tmp_path))
    run.start(stdin=subprocess.DEVNULL)
    run.finish()
    assert run.result.code is None
    assert f"Failed to connect to '{tmp_path}/none': No such file or directory" in run.result.errors
    assert "an NBD server of SWAP has to run before the machine starts" in run.result.reason
