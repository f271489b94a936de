"""gdb commands for the kernel: pagewalk, views, pfn. "make gdb" loads this file.

Structures are read by their debug information (fields, enumerations, macros: the kernel is built with -g3), and page
tables through QEMU's monitor by physical address, so that they can be read in any state of the machine.
"""

import re

import gdb

LEVELS = ((39, "PML4"), (30, "PDPT"), (21, "directory"), (12, "table"))
# Intel SDM volume 3, section "4-Level Paging and 5-Level Paging".
FLAGS = ((0, "present"), (1, "write"), (2, "user"), (3, "write-through"), (4, "uncached"), (5, "accessed"),
         (6, "dirty"), (7, "large"), (8, "global"), (63, "no-execute"))
ADDRESS = 0x000FFFFFFFFFF000


def number(text):
    return int(gdb.parse_and_eval(text).cast(gdb.lookup_type("unsigned long")))


def macro(name):
    """A macro's value. gdb knows macros where its list command stands: there, in a file that includes them all."""
    gdb.execute("list vspace_create", to_string=True)
    found = re.search(rf"#define {name} (.+)", gdb.execute(f"info macro {name}", to_string=True))
    if not found:
        raise gdb.GdbError(f"{name} is not known: the kernel was not built with -g3")
    return number(found[1])


def physical_word(address):
    text = gdb.execute(f"monitor xp /1gx {address:#x}", to_string=True)
    return int(text.split(":")[1], 16)


def flags_text(entry):
    return " ".join(name for bit, name in FLAGS if entry >> bit & 1)


def enum_text(value, enum):
    for item in gdb.lookup_type(f"enum {enum}").fields():
        if item.enumval == int(value):
            return item.name
    return str(int(value))


def word_text(word):
    """A page's word that the hardware does not read (kernel/mm/word.h)."""
    if word == 0:
        return "nothing"
    text = enum_text(word >> macro("WORD_KIND_SHIFT") & 7, "word_kind")
    text += f" protection {word >> macro('WORD_PROT_SHIFT') & macro('WORD_PROT_MASK'):#x}"
    if "TRANSITION" in text:
        text += f" frame {(word & ADDRESS) >> 12:#x}"
    if "CLONE" in text:
        text += f" clone page {(word & macro('WORD_CLONE_ADDRESS')) + macro('DIRECT_MAP_BASE'):#x}"
    if "SWAP" in text:
        text += f" file {word >> macro('WORD_SWAP_FILE_SHIFT') & 15} slot {word >> macro('WORD_SWAP_SLOT_SHIFT'):#x}"
    return text


def container(pointer, struct, member):
    """The struct whose member pointer points at."""
    kind = gdb.lookup_type(f"struct {struct}")
    offset = next(item.bitpos // 8 for item in kind.fields() if item.name == member)
    return gdb.Value(int(pointer) - offset).cast(kind.pointer()).dereference()


def address_spaces():
    head = gdb.parse_and_eval("&all_vspaces")
    link = head["next"]
    while link != head:
        yield container(link, "vspace", "all_link")
        link = link["next"]


def address_space(process_id):
    for space in address_spaces():
        if int(space["process_id"]) == process_id:
            return space
    raise gdb.GdbError(f"no process {process_id} has an address space; views without a number lists them")


class Start(gdb.Command):
    """Runs the firmware and the loader, up to the kernel's first line of C."""

    def __init__(self):
        super().__init__("backstore-start", gdb.COMMAND_USER)

    def invoke(self, argument, from_tty):
        gdb.execute("tbreak kernel_main")
        gdb.execute("continue")


class PageWalk(gdb.Command):
    """pagewalk ADDRESS [PROCESS]: the four page-table entries of an address, from CR3 or of a process."""

    def __init__(self):
        super().__init__("pagewalk", gdb.COMMAND_USER)

    def invoke(self, argument, from_tty):
        arguments = gdb.string_to_argv(argument)
        if len(arguments) not in (1, 2):
            raise gdb.GdbError("pagewalk ADDRESS [PROCESS]")
        address = number(arguments[0])
        if len(arguments) == 2:
            table = int(address_space(number(arguments[1]))["pml4_phys"])
        else:
            table = number("$cr3") & ADDRESS
        for shift, name in LEVELS:
            index = address >> shift & 511
            entry = physical_word(table + index * 8)
            present = entry & 1
            print(f"{name:9} at {table:#012x} [{index:3}]: {entry:#018x} "
                  f"{flags_text(entry) if present else word_text(entry) if shift == 12 else 'nothing'}")
            if not present:
                return
            table = entry & ADDRESS
            if shift == 12 or (shift < 39 and entry >> 7 & 1):
                mask = (1 << shift) - 1
                print(f"{address:#x} is at physical {(table & ~mask) | (address & mask):#x}")
                return


class Views(gdb.Command):
    """views [PROCESS]: the tree of views of a process's address space; without a number, all address spaces."""

    def __init__(self):
        super().__init__("views", gdb.COMMAND_USER)

    def invoke(self, argument, from_tty):
        if not argument:
            for space in address_spaces():
                print(f"process {int(space['process_id'])}: {int(space['views']['count'])} views, "
                      f"{int(space['resident'])} pages resident, {int(space['private_charge'])} charged, "
                      f"PML4 at {int(space['pml4_phys']):#x}")
            return
        self.show(address_space(number(argument))["views"]["root"], 0)

    def show(self, node, depth):
        if int(node) == 0:
            return
        self.show(node["left"], depth + 1)
        view = container(node, "view", "node")
        start, end = int(node["start"]), int(node["end"])
        line = (f"{start:#014x}-{end:#014x} {(end - start) >> 12:8} pages  {'. ' * depth}"
                f"{enum_text(view['kind'], 'view_kind')} protect {int(view['protect']):#x}")
        if view["copy"]:
            line += " copy"
        if view["charge"]:
            line += f" charge {int(view['charge'])}"
        if view["section"]:
            backing = view["section"].dereference()["backing"]
            line += (f" from page {int(view['first'])} of section {int(view['section']):#x} "
                     f"{backing.format_string(symbols=True)}")
        print(line)
        self.show(node["right"], depth + 1)


class PageFrame(gdb.Command):
    """pfn NUMBER: the PFN database's entry of a page frame. (frame is gdb's own command, for the stack.)"""

    def __init__(self):
        super().__init__("pfn", gdb.COMMAND_USER)

    def invoke(self, argument, from_tty):
        if not argument:
            raise gdb.GdbError("pfn NUMBER")
        pfn = number(argument)
        kind = gdb.lookup_type("struct frame")
        entry = gdb.Value(macro("FRAMES_BASE") + pfn * kind.sizeof).cast(kind.pointer()).dereference()
        names = [name for name in ("DIRTY", "SECTION", "READING", "WRITING", "ABANDONED", "CLONE")
                 if int(entry["flags"]) & macro(f"FRAME_{name}")]
        print(f"frame {pfn:#x} at physical {pfn << 12:#x}: {enum_text(entry['state'], 'frame_state')} "
              f"{' '.join(names).lower()}")
        word = int(entry["word"])
        if word:
            print(f"  word at {word:#x}: {int(entry['word'].dereference()):#x}")
        print(f"  shares {int(entry['shares'])}, backing {word_text(int(entry['backing']))}, "
              f"next {int(entry['next']):#x}, previous {int(entry['prev']):#x}")


for command in (Start, PageWalk, Views, PageFrame):
    command()
gdb.execute("set pagination off")
gdb.execute("set print pretty on")
