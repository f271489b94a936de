/*
 * Makes images (PE32+) byte for byte: those that no linker makes, or that a test wants just so. Source: PE Format specification
 * (Microsoft). A struct image_file is the file as it will be; image_write writes it.
 */
#ifndef IMAGE_MAKER_H
#define IMAGE_MAKER_H

#include "guest.h"

#define MADE_BASE 0x180000000ull
#define MADE_BYTES_MAX 0x8000
#define MADE_PE 0x80 /* where the PE signature is */
#define CODE_FLAGS (IMAGE_SCN_CNT_CODE | IMAGE_SCN_MEM_READ | IMAGE_SCN_MEM_EXECUTE)
#define DATA_FLAGS (IMAGE_SCN_CNT_INITIALIZED_DATA | IMAGE_SCN_MEM_READ)

struct image_file {
	unsigned char bytes[MADE_BYTES_MAX] __attribute__((aligned(16)));
	DWORD size, rva; /* where the next section's data, and the section itself, begin at the earliest */
	IMAGE_NT_HEADERS64 *nt;
	IMAGE_SECTION_HEADER *sections;
};

static inline DWORD round_up(DWORD value, DWORD unit)
{
	return unit ? (value + unit - 1) / unit * unit : value;
}

/* A DLL without sections, which may lie anywhere. */
static inline void image_begin(struct image_file *f, DWORD section_alignment, DWORD file_alignment, DWORD headers_size)
{
	IMAGE_DOS_HEADER *dos = (IMAGE_DOS_HEADER *)f->bytes;
	IMAGE_OPTIONAL_HEADER64 *o;
	memset(f, 0, sizeof(*f));
	dos->e_magic = IMAGE_DOS_SIGNATURE;
	dos->e_lfanew = MADE_PE;
	f->nt = (IMAGE_NT_HEADERS64 *)(f->bytes + MADE_PE);
	f->nt->Signature = IMAGE_NT_SIGNATURE;
	f->nt->FileHeader.Machine = IMAGE_FILE_MACHINE_AMD64;
	f->nt->FileHeader.SizeOfOptionalHeader = sizeof(*o);
	f->nt->FileHeader.Characteristics = IMAGE_FILE_EXECUTABLE_IMAGE | IMAGE_FILE_LARGE_ADDRESS_AWARE | IMAGE_FILE_DLL;
	o = &f->nt->OptionalHeader;
	o->Magic = IMAGE_NT_OPTIONAL_HDR64_MAGIC;
	o->ImageBase = MADE_BASE;
	o->SectionAlignment = section_alignment;
	o->FileAlignment = file_alignment;
	o->MajorOperatingSystemVersion = o->MajorSubsystemVersion = 6;
	o->SizeOfImage = o->SizeOfHeaders = headers_size;
	o->Subsystem = IMAGE_SUBSYSTEM_WINDOWS_CUI;
	o->DllCharacteristics = IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE | IMAGE_DLLCHARACTERISTICS_NX_COMPAT;
	o->SizeOfStackReserve = 0x100000;
	o->SizeOfStackCommit = 0x1000;
	o->SizeOfHeapReserve = 0x100000;
	o->SizeOfHeapCommit = 0x1000;
	o->NumberOfRvaAndSizes = IMAGE_NUMBEROF_DIRECTORY_ENTRIES;
	f->sections = IMAGE_FIRST_SECTION(f->nt);
	f->size = headers_size;
	f->rva = round_up(headers_size, section_alignment);
}

/* One more section; its data are at the result, all zero yet. */
static inline unsigned char *image_section(struct image_file *f, const char *name, DWORD flags, DWORD virtual_size,
					   DWORD raw_size)
{
	const IMAGE_OPTIONAL_HEADER64 *o = &f->nt->OptionalHeader;
	IMAGE_SECTION_HEADER *s = &f->sections[f->nt->FileHeader.NumberOfSections++];
	memcpy(s->Name, name, strlen(name));
	s->Misc.VirtualSize = virtual_size;
	s->VirtualAddress = f->rva;
	s->SizeOfRawData = raw_size;
	s->PointerToRawData = raw_size ? round_up(f->size, o->FileAlignment) : 0;
	s->Characteristics = flags;
	f->rva = round_up(f->rva + (virtual_size ? virtual_size : raw_size), o->SectionAlignment);
	f->nt->OptionalHeader.SizeOfImage = f->rva;
	if (raw_size)
		f->size = s->PointerToRawData + raw_size;
	return f->bytes + s->PointerToRawData;
}

static inline bool file_write(const char *path, const void *bytes, DWORD size)
{
	HANDLE file = CreateFileA(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
	DWORD done = 0;
	if (file == INVALID_HANDLE_VALUE)
		return false;
	WriteFile(file, bytes, size, &done, NULL);
	CloseHandle(file);
	return done == size;
}

static inline bool image_write(const struct image_file *f, const char *path)
{
	return file_write(path, f->bytes, f->size);
}

/* ---- DLLs of one section, of at most a page, with code and tables ---- */

#define MADE_FIRST 0x1000 /* the section's rva */
#define MADE_EXPORTS_MAX 12
#define MADE_IMPORTS_MAX 4

struct made_dll {
	struct image_file file;
	unsigned char *at; /* the section's data */
	DWORD used;
	struct made_export {
		const char *name, *forwarder; /* name NULL: by ordinal alone */
		DWORD ordinal, rva;
	} exports[MADE_EXPORTS_MAX];
	struct made_import {
		DWORD names, addresses, dll; /* rvas */
	} imports[MADE_IMPORTS_MAX];
	DWORD export_count, import_count, relocations[16], relocation_count;
	DWORD import_stamp; /* of all its import descriptors */
};

/* Room for so many bytes; its rva. */
static inline DWORD dll_room(struct made_dll *d, DWORD bytes, DWORD alignment)
{
	DWORD offset = round_up(d->used, alignment);
	d->used = offset + bytes;
	return d->used <= PAGE_BYTES ? MADE_FIRST + offset : (note("a made DLL is too large"), (DWORD)MADE_FIRST);
}

static inline void *dll_at(struct made_dll *d, DWORD rva)
{
	return d->at + (rva - MADE_FIRST);
}

static inline DWORD dll_bytes(struct made_dll *d, const void *bytes, DWORD count, DWORD alignment)
{
	DWORD rva = dll_room(d, count, alignment);
	memcpy(dll_at(d, rva), bytes, count);
	return rva;
}

static inline DWORD dll_text(struct made_dll *d, const char *text)
{
	return dll_bytes(d, text, (DWORD)strlen(text) + 1, 1);
}

/* An address of the image itself at rva, which the loader relocates. */
static inline void dll_address(struct made_dll *d, DWORD rva, DWORD target)
{
	*(ULONG64 *)dll_at(d, rva) = MADE_BASE + target;
	d->relocations[d->relocation_count++] = rva;
}

/* A function of the DLL that goes on in one of this process, with id as fourth argument. */
static inline DWORD dll_function(struct made_dll *d, const void *function, DWORD id)
{
	unsigned char code[18] = { 0x41, 0xb9, 0, 0, 0, 0, /* mov r9d, id */
				   0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, /* mov rax, function */
				   0xff, 0xe0 /* jmp rax */ };
	memcpy(code + 2, &id, 4);
	memcpy(code + 8, &function, 8);
	return dll_bytes(d, code, sizeof(code), 16);
}

/* A function that returns a number. */
static inline DWORD dll_constant(struct made_dll *d, DWORD value)
{
	unsigned char code[6] = { 0xb8, 0, 0, 0, 0, /* mov eax, value */ 0xc3 /* ret */ };
	memcpy(code + 1, &value, 4);
	return dll_bytes(d, code, sizeof(code), 16);
}

static inline void dll_begin(struct made_dll *d)
{
	memset(d, 0, sizeof(*d));
	image_begin(&d->file, PAGE_BYTES, 0x200, 0x400);
	d->at = image_section(&d->file, ".all", CODE_FLAGS | IMAGE_SCN_MEM_WRITE, PAGE_BYTES, PAGE_BYTES);
}

static inline void dll_export(struct made_dll *d, const char *name, DWORD ordinal, DWORD rva)
{
	d->exports[d->export_count++] = (struct made_export){ .name = name, .ordinal = ordinal, .rva = rva };
}

static inline void dll_forward(struct made_dll *d, const char *name, DWORD ordinal, const char *to)
{
	d->exports[d->export_count++] = (struct made_export){ .name = name, .ordinal = ordinal, .forwarder = to };
}

/* Imports one function or variable of a DLL: name, or ordinal number if that is below 65536. Returns the address's rva. */
static inline DWORD dll_import(struct made_dll *d, const char *dll, const char *name)
{
	ULONG64 thunks[2] = { IMAGE_ORDINAL_FLAG64 | (ULONG_PTR)name, 0 };
	struct made_import *i = &d->imports[d->import_count++];
	if ((ULONG_PTR)name >= 0x10000) {
		thunks[0] = dll_room(d, 2, 2); /* the hint */
		dll_text(d, name);
	}
	i->names = dll_bytes(d, thunks, sizeof(thunks), 8);
	i->addresses = dll_bytes(d, thunks, sizeof(thunks), 8);
	i->dll = dll_text(d, dll);
	return i->addresses;
}

/* A TLS directory: so many bytes of a template, then zeros; callback 0: none. Returns the rva of the index. */
static inline DWORD dll_tls(struct made_dll *d, const void *bytes, DWORD count, DWORD zeros, DWORD flags, DWORD callback)
{
	DWORD data = dll_bytes(d, bytes, count, 8), index = dll_room(d, 4, 4), callbacks = dll_room(d, 16, 8);
	DWORD directory = dll_room(d, sizeof(IMAGE_TLS_DIRECTORY64), 8);
	IMAGE_TLS_DIRECTORY64 *t = dll_at(d, directory);
	*(DWORD *)dll_at(d, index) = ~0u;
	dll_address(d, directory + offsetof(IMAGE_TLS_DIRECTORY64, StartAddressOfRawData), data);
	dll_address(d, directory + offsetof(IMAGE_TLS_DIRECTORY64, EndAddressOfRawData), data + count);
	dll_address(d, directory + offsetof(IMAGE_TLS_DIRECTORY64, AddressOfIndex), index);
	dll_address(d, directory + offsetof(IMAGE_TLS_DIRECTORY64, AddressOfCallBacks), callbacks);
	if (callback)
		dll_address(d, callbacks, callback);
	t->SizeOfZeroFill = zeros;
	t->Characteristics = flags;
	d->file.nt->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_TLS] = (IMAGE_DATA_DIRECTORY){ directory, sizeof(*t) };
	return index;
}

static inline int export_compare(const void *a, const void *b)
{
	return strcmp(((const struct made_export *)a)->name, ((const struct made_export *)b)->name);
}

static inline void dll_exports_finish(struct made_dll *d, const char *file_name)
{
	DWORD count = 0, names = 0, start = round_up(d->used, 8);
	DWORD directory = dll_room(d, sizeof(IMAGE_EXPORT_DIRECTORY), 8), functions, name_table, indexes;
	struct made_export sorted[MADE_EXPORTS_MAX];
	for (DWORD i = 0; i < d->export_count; i++) {
		count = d->exports[i].ordinal > count ? d->exports[i].ordinal : count;
		if (d->exports[i].name)
			sorted[names++] = d->exports[i];
	}
	qsort(sorted, names, sizeof(sorted[0]), export_compare);
	functions = dll_room(d, count * 4, 4);
	name_table = dll_room(d, names * 4, 4);
	indexes = dll_room(d, names * 2, 2);
	*(IMAGE_EXPORT_DIRECTORY *)dll_at(d, directory) = (IMAGE_EXPORT_DIRECTORY){
		.Name = dll_text(d, file_name), .Base = 1, .NumberOfFunctions = count, .NumberOfNames = names,
		.AddressOfFunctions = functions, .AddressOfNames = name_table, .AddressOfNameOrdinals = indexes,
	};
	for (DWORD i = 0; i < d->export_count; i++) {
		const struct made_export *e = &d->exports[i];
		((DWORD *)dll_at(d, functions))[e->ordinal - 1] = e->forwarder ? dll_text(d, e->forwarder) : e->rva;
	}
	for (DWORD i = 0; i < names; i++) {
		((DWORD *)dll_at(d, name_table))[i] = dll_text(d, sorted[i].name);
		((WORD *)dll_at(d, indexes))[i] = (WORD)(sorted[i].ordinal - 1);
	}
	d->file.nt->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_EXPORT] =
		(IMAGE_DATA_DIRECTORY){ directory, d->used - start };
}

/* All tables, and the file, whose name a path has. */
static inline bool dll_finish(struct made_dll *d, const char *path)
{
	IMAGE_DATA_DIRECTORY *directories = d->file.nt->OptionalHeader.DataDirectory;
	DWORD at;
	if (d->export_count)
		dll_exports_finish(d, strrchr(path, '\\') + 1);
	if (d->import_count) {
		at = dll_room(d, (d->import_count + 1) * (DWORD)sizeof(IMAGE_IMPORT_DESCRIPTOR), 4);
		for (DWORD i = 0; i < d->import_count; i++)
			((IMAGE_IMPORT_DESCRIPTOR *)dll_at(d, at))[i] = (IMAGE_IMPORT_DESCRIPTOR){
				.OriginalFirstThunk = d->imports[i].names, .FirstThunk = d->imports[i].addresses, .Name = d->imports[i].dll,
				.TimeDateStamp = d->import_stamp, .ForwarderChain = d->import_stamp,
			};
		directories[IMAGE_DIRECTORY_ENTRY_IMPORT] =
			(IMAGE_DATA_DIRECTORY){ at, (d->import_count + 1) * (DWORD)sizeof(IMAGE_IMPORT_DESCRIPTOR) };
	}
	if (d->relocation_count) {
		DWORD bytes = 8 + round_up(d->relocation_count, 2) * 2;
		at = dll_room(d, bytes, 4);
		((DWORD *)dll_at(d, at))[0] = MADE_FIRST;
		((DWORD *)dll_at(d, at))[1] = bytes;
		for (DWORD i = 0; i < d->relocation_count; i++)
			((WORD *)dll_at(d, at + 8))[i] = (WORD)(IMAGE_REL_BASED_DIR64 << 12 | (d->relocations[i] - MADE_FIRST));
		directories[IMAGE_DIRECTORY_ENTRY_BASERELOC] = (IMAGE_DATA_DIRECTORY){ at, bytes };
	}
	return d->used <= PAGE_BYTES && image_write(&d->file, path);
}

#endif
