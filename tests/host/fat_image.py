#!/usr/bin/env python3
"""Makes a FAT32 image for test_fat.c with dosfstools and mtools: fat_image.py OUT SECTOR_BYTES SECTORS_PER_CLUSTER.

The files and what is in them are known to test_fat.c: 32-bit little-endian words, the i-th of them
(i * 2654435761 + seed) mod 2^32.
"""
import os
import struct
import subprocess
import sys
import tempfile

FILES = [  # path, size, seed
    ("HELLO.TXT", 11, 1),
    ("lower.txt", 512, 2),
    ("Mixed.Txt", 513, 3),
    ("empty", 0, 4),
    ("A long file name with spaces.text", 5000, 5),
    ("Grüße.dat", 4096, 6),
    ("日本語.txt", 100, 7),
    ("smile XX.bin", 4097, 8),  # renamed below
    ("n" * 255, 77, 9),
    ("big.bin", 1 << 20, 10),
    ("Sub Directory/nested/deep.bin", 70001, 11),
    ("Sub Directory/UPPER", 1, 12),
] + [(f"many/file number {i}.txt", i, 100 + i) for i in range(150)]


def contents(size, seed):
    words = ((i * 2654435761 + seed) & 0xffffffff for i in range((size + 3) // 4))
    return b"".join(struct.pack("<I", w) for w in words)[:size]


def pair_insert(image):
    """Replaces XX by a character beyond the BMP, which mtools would cut to 16 bits, in the directory entry."""
    with open(image, "r+b") as f:
        text = f.read(8 << 20)
        at = text.index(" XX.bi".encode("utf-16le"))
        f.seek(at)
        f.write(" 😀.bi".encode("utf-16le"))


def main():
    out, sector_bytes, cluster_sectors = sys.argv[1], sys.argv[2], sys.argv[3]
    clusters = 66000  # mtools takes a volume with fewer than 65,525 for FAT16
    kib = clusters * int(cluster_sectors) * int(sector_bytes) // 1024 + 1024
    environment = dict(os.environ, MTOOLS_SKIP_CHECK="1", LC_ALL="C.UTF-8", TZ="UTC")
    temporary = out + ".new"
    if os.path.exists(temporary):
        os.unlink(temporary)
    subprocess.run(["mkfs.fat", "-F", "32", "-S", sector_bytes, "-s", cluster_sectors, "-n", "TEST", "-C", temporary,
                    str(kib)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as tree:
        for path, size, seed in FILES:
            path = os.path.join(tree, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(contents(size, seed))
            os.utime(path, (1700000000, 1700000000))
        top = sorted(os.path.join(tree, name) for name in os.listdir(tree))
        subprocess.run(["mcopy", "-s", "-m", "-i", temporary, *top, "::/"], check=True, env=environment)
        subprocess.run(["mattrib", "+r", "-i", temporary, "::/HELLO.TXT"], check=True, env=environment)
    pair_insert(temporary)
    os.rename(temporary, out)


main()
