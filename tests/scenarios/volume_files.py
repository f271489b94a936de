"""Files that the guest tests expect: C:\\data for tests/guest/files.c, C:\\damaged for image_damaged.c."""

import random
import shutil
import struct

NUMBERS = 262144  # 32-bit numbers in numbers.bin
FLIPPED = 24  # images with random errors in their headers
HEADER_BYTES = 1024


def make(directory, build):
    """Makes both directories in directory; build: where bin/ and tests/ of the guest are."""
    shutil.rmtree(directory, ignore_errors=True)
    make_data(directory / "data")
    make_damaged(directory / "damaged", (build / "volume/tests/silent.exe").read_bytes(),
                 (build / "volume/tests/moved.dll").read_bytes())


def make_data(data):
    (data / "deep/er/and/deeper").mkdir(parents=True)
    (data / "many").mkdir()
    (data / "numbers.bin").write_bytes(struct.pack(f"<{NUMBERS}I", *range(NUMBERS)))
    (data / "empty.txt").write_bytes(b"")
    (data / "hello.txt").write_bytes(b"Hello, file.\n")
    (data / "A long name with blanks, and more than eight letters.text").write_bytes(b"long\n")
    (data / "deep/er/and/deeper/bottom.txt").write_bytes(b"bottom\n")
    for number in range(300):
        name = f"file-{number:03}.txt"
        (data / "many" / name).write_text(name)


class Image:
    """The bytes of a PE file, and where its fields are. Source: PE Format specification (Microsoft)."""

    def __init__(self, data):
        self.data = bytearray(data)
        self.pe = struct.unpack_from("<I", self.data, 0x3c)[0]
        self.coff = self.pe + 4
        self.optional = self.coff + 20
        self.sections = self.optional + struct.unpack_from("<H", self.data, self.coff + 16)[0]

    def set(self, format, offset, value):
        struct.pack_into("<" + format, self.data, offset, value)
        return self

    def get(self, format, offset):
        return struct.unpack_from("<" + format, self.data, offset)[0]

    def section(self, number):
        """Where the header of a section is."""
        return self.sections + 40 * number

    def replace(self, old, new):
        """Replaces a name, wherever it is, by one of the same length."""
        assert len(old) == len(new) and old in self.data, old
        self.data = bytearray(bytes(self.data).replace(old, new))
        return self


def damaged_images(program, dll):
    """{file name: contents}; the names tell tests/guest/image_damaged.c what to expect."""
    def image():
        return Image(program)

    first = image()
    second_address = first.get("I", first.section(1) + 12)
    sections = first.get("H", first.coff + 2)
    return {
        "runs": program,
        "error-193-1006-empty": b"",
        "error-193-one-byte": b"M",
        "error-193-text": b"This is a text, and no program at all.\n" * 100,
        "error-193-truncated-in-the-headers": program[:first.optional + 60],
        "error-193-truncated-in-a-section": program[:len(program) // 2],
        "error-193-no-mz": b"ZM" + program[2:],
        "error-193-no-pe-signature": bytes(image().set("I", first.pe, 0x4550 + 1).data),
        "error-193-for-16-bit-windows": bytes(image().set("I", first.pe, 0x454e).data),
        "error-193-headers-far-away": bytes(image().set("I", 0x3c, 0x7ffffff0).data),
        "error-193-216-machine-i386": bytes(image().set("H", first.coff, 0x14c).data),
        "error-193-216-machine-arm64": bytes(image().set("H", first.coff, 0xaa64).data),
        "error-193-216-pe32": bytes(image().set("H", first.optional, 0x10b).data),
        "error-193-no-sections-fit": bytes(image().set("H", first.coff + 2, 0xffff).data),
        "error-193-not-executable": bytes(image().set("H", first.coff + 18, 0x0020).data),
        "error-193-sections-overlap": bytes(image().set("I", first.section(0) + 12, second_address).data),
        "error-193-section-behind-the-image": bytes(
            image().set("I", first.section(sections - 1) + 12, 0x70000000).data),
        "error-193-section-data-behind-the-file": bytes(
            image().set("I", first.section(0) + 20, 0x7ffffe00).data),
        "error-193-image-too-small": bytes(image().set("I", first.optional + 56, 0x1000).data),
        "error-193-section-alignment": bytes(image().set("I", first.optional + 32, 0x1001).data),
        "error-193-a-dll": dll,
        "exit-C0000135-missing-dll": bytes(image().replace(b"msvcrt.dll", b"msvcrX.dll").data),
        "exit-C0000139-missing-function": bytes(image().replace(b"GetStartupInfoA\0", b"GetStartupInfoX\0").data),
    }


def make_damaged(damaged, program, dll):
    damaged.mkdir(parents=True)
    for name, contents in damaged_images(program, dll).items():
        (damaged / f"{name}.exe").write_bytes(contents)
    chance = random.Random(1)
    for number in range(FLIPPED):
        contents = bytearray(program)
        for _ in range(chance.choice((1, 1, 2, 8))):
            contents[chance.randrange(2, HEADER_BYTES)] ^= 1 << chance.randrange(8)
        (damaged / f"any-{number:02}.exe").write_bytes(contents)
