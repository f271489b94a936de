/*
 * The kernel's ELF file: checked first, then copied. Source: System V ABI, chapters "Object Files" and "Program
 * Loading", and its AMD64 supplement.
 */
#include <elf.h>

#include "boot/boot.h"

#define KERNEL_SPACE (1ull << 30)

static bool fault_set(struct elf_fault *fault, int segment, const char *what)
{
	fault->what = what;
	fault->segment = segment;
	return false;
}

static const char *header_check(const Elf64_Ehdr *h, uint64_t size)
{
	if (size < sizeof(*h))
		return "the file is shorter than an ELF header";
	if (h->e_ident[EI_MAG0] != ELFMAG0 || h->e_ident[EI_MAG1] != ELFMAG1 || h->e_ident[EI_MAG2] != ELFMAG2 ||
	    h->e_ident[EI_MAG3] != ELFMAG3)
		return "e_ident: the magic number is not ELF's";
	if (h->e_ident[EI_CLASS] != ELFCLASS64)
		return "e_ident: the class is not 64-bit";
	if (h->e_ident[EI_DATA] != ELFDATA2LSB)
		return "e_ident: the data are not little-endian";
	if (h->e_ident[EI_VERSION] != EV_CURRENT || h->e_version != EV_CURRENT)
		return "e_version is not 1";
	if (h->e_type != ET_EXEC)
		return "e_type is not ET_EXEC (2)";
	if (h->e_machine != EM_X86_64)
		return "e_machine is not x86-64 (62)";
	if (h->e_ehsize != sizeof(*h))
		return "e_ehsize is not 64";
	if (h->e_phentsize != sizeof(Elf64_Phdr))
		return "e_phentsize is not 56";
	if (h->e_phnum == 0 || h->e_phnum == PN_XNUM)
		return "e_phnum: there are no program headers";
	if (h->e_phoff > size || (uint64_t)h->e_phnum * sizeof(Elf64_Phdr) > size - h->e_phoff)
		return "e_phoff: the program headers lie beyond the end of the file";
	if (h->e_phoff % _Alignof(Elf64_Phdr) != 0)
		return "e_phoff is not a multiple of 8";
	return NULL;
}

/* end: where the segment before this one ended (virtual). */
static const char *segment_check(const Elf64_Phdr *p, uint64_t size, uint64_t end)
{
	if (p->p_offset > size || p->p_filesz > size - p->p_offset)
		return "p_offset: the segment lies beyond the end of the file";
	if (p->p_filesz > p->p_memsz)
		return "p_filesz is larger than p_memsz";
	if (p->p_vaddr % BOOT_PAGE != 0)
		return "p_vaddr is not page-aligned";
	if (p->p_vaddr < KERNEL_BASE || p->p_vaddr - KERNEL_BASE >= KERNEL_SPACE)
		return "p_vaddr is outside the kernel's 1 GiB";
	if (p->p_memsz > KERNEL_SPACE - (p->p_vaddr - KERNEL_BASE))
		return "p_memsz: the segment ends outside the kernel's 1 GiB";
	if (p->p_vaddr < end)
		return "p_vaddr: the segment overlaps the one before it, or is out of order";
	if ((p->p_flags & PF_R) == 0)
		return "p_flags: the segment is not readable";
	if ((p->p_flags & PF_W) != 0 && (p->p_flags & PF_X) != 0)
		return "p_flags: the segment is both writable and executable";
	return NULL;
}

static bool entry_valid(const struct elf_image *image)
{
	for (uint32_t i = 0; i < image->segment_count; i++) {
		const struct elf_segment *s = &image->segments[i];

		if (image->entry >= s->address && image->entry - s->address < s->memory_size)
			return s->executable;
	}
	return false;
}

bool elf_parse(const void *file, uint64_t size, struct elf_image *image, struct elf_fault *fault)
{
	const Elf64_Ehdr *header = file;
	const Elf64_Phdr *programs;
	const char *what = header_check(header, size);
	uint64_t end = 0;

	if (what != NULL)
		return fault_set(fault, -1, what);
	programs = (const void *)((const char *)file + header->e_phoff);
	image->entry = header->e_entry;
	image->segment_count = 0;

	for (int i = 0; i < header->e_phnum; i++) {
		const Elf64_Phdr *p = &programs[i];
		struct elf_segment *s = &image->segments[image->segment_count];

		if (p->p_type != PT_LOAD || p->p_memsz == 0)
			continue;
		if (image->segment_count == ELF_SEGMENTS_MAX)
			return fault_set(fault, i, "p_type: there are more segments than the loader can hold (16)");
		what = segment_check(p, size, end);
		if (what != NULL)
			return fault_set(fault, i, what);
		end = p->p_vaddr + pages_of(p->p_memsz) * BOOT_PAGE;
		s->address = p->p_vaddr;
		s->memory_size = p->p_memsz;
		s->file_offset = p->p_offset;
		s->file_size = p->p_filesz;
		s->writable = (p->p_flags & PF_W) != 0;
		s->executable = (p->p_flags & PF_X) != 0;
		image->segment_count++;
	}
	if (image->segment_count == 0)
		return fault_set(fault, -1, "e_phnum: there is no segment to load");
	/* bootinfo's kernel_phys is one number for both: the address of KERNEL_BASE, and the first page of the run. */
	if (image->segments[0].address != KERNEL_BASE)
		return fault_set(fault, -1, "the first segment is not at 0xffffffff80000000");
	image->pages = (end - KERNEL_BASE) / BOOT_PAGE;
	if (!entry_valid(image))
		return fault_set(fault, -1, "e_entry is not in an executable segment");
	return true;
}

void elf_load(const void *file, const struct elf_image *image, void *to)
{
	__builtin_memset(to, 0, image->pages * BOOT_PAGE);
	for (uint32_t i = 0; i < image->segment_count; i++) {
		const struct elf_segment *s = &image->segments[i];

		__builtin_memcpy((char *)to + (s->address - KERNEL_BASE), (const char *)file + s->file_offset,
				 s->file_size);
	}
}
