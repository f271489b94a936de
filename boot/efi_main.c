/*
 * The UEFI application that starts the kernel: it reads kernel.elf and backstore.cfg from the volume that it was
 * started from, builds what boot/bootinfo.h promises, leaves boot services and jumps. It is silent if all goes well;
 * otherwise one sentence on the console says what is wrong, and the exit code says it again. Source: UEFI
 * specification, chapters "Services - Boot Services", "Protocols - Media Access", "Protocols - Console Support".
 */
#include <efi.h>
#include <efilib.h>

#include "boot/boot.h"

#define KERNEL_PATH L"\\kernel.elf"
#define CONFIG_PATH L"\\backstore.cfg"
#define CONFIG_MAX (64 * 1024)
#define EXIT_BOOT_TRIES 8
#define MAP_SPARE 32 /* memory descriptors that may be added while the loader itself allocates */

#define CR4_LA57 (1ull << 12)
#define CPUID_EXTENDED 0x80000000
#define CPUID_FEATURES 0x80000001
#define CPUID_EDX_NX (1u << 20)

struct file {
	const CHAR16 *path;
	UINT32 exit_code; /* of the errors that concern this file */
	void *data;       /* a run of pages with at least one byte more than size */
	UINT64 size;
};

struct memory_map {
	UINT8 *descriptors;
	UINTN capacity, size, key, descriptor_size; /* bytes; key is the firmware's */
	UINT32 version;
};

/* Memory of the loader's that stays when it has gone. */
struct kept {
	UINT64 base, pages;
	enum boot_memory_kind kind;
};

static EFI_HANDLE application;

static void wait_for_key(void)
{
	EFI_INPUT_KEY key;
	UINTN index;

	ST->ConIn->Reset(ST->ConIn, FALSE); /* forgets what was typed before */
	Print(L"Press a key to return to the firmware.\n");
	while (ST->ConIn->ReadKeyStroke(ST->ConIn, &key) == EFI_NOT_READY)
		BS->WaitForEvent(1, &ST->ConIn->WaitForKey, &index);
}

/* Ends the loader. Under QEMU with isa-debug-exit that ends QEMU; a real machine goes back to its firmware. */
static void __attribute__((noreturn)) fail(UINT32 code, const CHAR16 *format, ...)
{
	va_list args;

	va_start(args, format);
	Print(L"\nbackstore loader: ");
	VPrint(format, args);
	Print(L".\n");
	va_end(args);
	asm volatile("outl %0, %w1" : : "a"(code), "Nd"((UINT16)DEBUG_EXIT_PORT));
	wait_for_key();
	BS->Exit(application, EFI_LOAD_ERROR, 0, NULL);
	__builtin_trap();
}

/* Memory from the firmware, below limit (bytes; 0 = anywhere). what names it for the error message. */
static void *pages_allocate(UINT64 pages, EFI_MEMORY_TYPE type, UINT64 limit, const CHAR16 *what)
{
	EFI_PHYSICAL_ADDRESS address = limit - 1;
	EFI_STATUS status =
		BS->AllocatePages(limit != 0 ? AllocateMaxAddress : AllocateAnyPages, type, pages, &address);

	if (EFI_ERROR(status))
		fail(EXIT_NO_MEMORY, L"there is too little memory for %s (%lu KiB): %r", what, pages * 4, status);
	return (void *)address;
}

static struct kept kept_allocate(UINT64 pages, enum boot_memory_kind kind, UINT64 limit, const CHAR16 *what)
{
	return (struct kept){ (UINT64)pages_allocate(pages, EfiLoaderData, limit, what), pages, kind };
}

static void cpu_check(void)
{
	UINT32 eax, ebx, ecx, edx;
	UINT64 cr4;

	asm("cpuid" : "=a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx) : "a"(CPUID_EXTENDED));
	if (eax >= CPUID_FEATURES)
		asm("cpuid" : "=a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx) : "a"(CPUID_FEATURES));
	else
		edx = 0;
	if ((edx & CPUID_EDX_NX) == 0)
		fail(EXIT_FIRMWARE, L"the processor has no no-execute bit (NX), or it is switched off in the firmware");
	asm volatile("movq %%cr4, %0" : "=r"(cr4));
	if ((cr4 & CR4_LA57) != 0)
		fail(EXIT_FIRMWARE, L"the firmware runs with 5-level paging, and the kernel needs 4 levels");
}

static EFI_FILE_PROTOCOL *volume_open(void)
{
	EFI_LOADED_IMAGE_PROTOCOL *image;
	EFI_SIMPLE_FILE_SYSTEM_PROTOCOL *volume;
	EFI_FILE_PROTOCOL *root;
	EFI_STATUS status = BS->HandleProtocol(application, &gEfiLoadedImageProtocolGuid, (void **)&image);

	if (!EFI_ERROR(status))
		status = BS->HandleProtocol(image->DeviceHandle, &gEfiSimpleFileSystemProtocolGuid, (void **)&volume);
	if (!EFI_ERROR(status))
		status = volume->OpenVolume(volume, &root);
	if (EFI_ERROR(status))
		fail(EXIT_FIRMWARE, L"the volume that the loader was started from can't be opened: %r", status);
	return root;
}

/* The length of an open file, in bytes. */
static UINT64 file_size(EFI_FILE_PROTOCOL *handle, const struct file *file)
{
	union {
		EFI_FILE_INFO info;
		UINT8 space[SIZE_OF_EFI_FILE_INFO + 256 * sizeof(CHAR16)];
	} buffer;
	UINTN size = sizeof(buffer);
	EFI_STATUS status = handle->GetInfo(handle, &gEfiFileInfoGuid, &size, &buffer);

	if (EFI_ERROR(status))
		fail(file->exit_code, L"%s: its size can't be read: %r", file->path, status);
	if ((buffer.info.Attribute & EFI_FILE_DIRECTORY) != 0)
		fail(file->exit_code, L"%s is a directory, not a file", file->path);
	return buffer.info.FileSize;
}

/* Reads a whole file of at most max bytes (0 = any), puts a zero byte behind it. */
static void file_read(EFI_FILE_PROTOCOL *root, struct file *file, UINT64 max)
{
	EFI_FILE_PROTOCOL *handle;
	UINT64 done = 0;
	EFI_STATUS status = root->Open(root, &handle, (CHAR16 *)file->path, EFI_FILE_MODE_READ, 0);

	if (EFI_ERROR(status))
		fail(file->exit_code, L"%s can't be opened: %r", file->path, status);
	file->size = file_size(handle, file);
	if (max != 0 && file->size > max)
		fail(file->exit_code, L"%s has %lu bytes, and %lu are allowed", file->path, file->size, max);
	file->data = pages_allocate(pages_of(file->size + 1), EfiLoaderData, 0, file->path);

	while (done < file->size) {
		UINTN part = file->size - done;

		status = handle->Read(handle, &part, (UINT8 *)file->data + done);
		if (EFI_ERROR(status))
			fail(file->exit_code, L"%s can't be read at byte %lu: %r", file->path, done, status);
		if (part == 0)
			fail(file->exit_code, L"%s ends at byte %lu, and should have %lu", file->path, done,
			     file->size);
		done += part;
	}
	((UINT8 *)file->data)[file->size] = 0;
	handle->Close(handle);
}

static void config_check(const struct file *config)
{
	for (UINT64 i = 0; i < config->size; i++) {
		if (((const UINT8 *)config->data)[i] == 0)
			fail(config->exit_code, L"%s is not a text: byte %lu is zero", config->path, i);
	}
}

static void kernel_parse(const struct file *kernel, struct elf_image *image)
{
	struct elf_fault fault;

	if (elf_parse(kernel->data, kernel->size, image, &fault))
		return;
	if (fault.segment < 0)
		fail(EXIT_BAD_KERNEL, L"%s is damaged: %a", kernel->path, fault.what);
	fail(EXIT_BAD_KERNEL, L"%s is damaged: program header %d: %a", kernel->path, fault.segment, fault.what);
}

static UINT64 rsdp_find(void)
{
	EFI_GUID acpi = ACPI_20_TABLE_GUID;

	for (UINTN i = 0; i < ST->NumberOfTableEntries; i++) {
		if (CompareGuid(&ST->ConfigurationTable[i].VendorGuid, &acpi) == 0)
			return (UINT64)ST->ConfigurationTable[i].VendorTable;
	}
	fail(EXIT_FIRMWARE, L"the firmware has no ACPI 2.0 tables");
}

static void framebuffer_find(struct boot_framebuffer *framebuffer)
{
	EFI_GRAPHICS_OUTPUT_PROTOCOL *gop;
	EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;

	*framebuffer = (struct boot_framebuffer){ 0 };
	if (EFI_ERROR(BS->LocateProtocol(&guid, NULL, (void **)&gop)) || gop->Mode == NULL || gop->Mode->Info == NULL)
		return;
	if (gop->Mode->Info->PixelFormat == PixelBltOnly || gop->Mode->FrameBufferBase == 0)
		return;
	framebuffer->base = gop->Mode->FrameBufferBase;
	framebuffer->size = gop->Mode->FrameBufferSize;
	framebuffer->width = gop->Mode->Info->HorizontalResolution;
	framebuffer->height = gop->Mode->Info->VerticalResolution;
	framebuffer->pixels_per_line = gop->Mode->Info->PixelsPerScanLine;
	framebuffer->format = gop->Mode->Info->PixelFormat;
}

static EFI_STATUS memory_map_read(struct memory_map *map)
{
	map->size = map->capacity;
	return BS->GetMemoryMap(&map->size, (EFI_MEMORY_DESCRIPTOR *)map->descriptors, &map->key, &map->descriptor_size,
				&map->version);
}

/* The descriptors' size is the firmware's business: it may be more than the structure that this was compiled with. */
static const EFI_MEMORY_DESCRIPTOR *memory_map_at(const struct memory_map *map, UINTN index)
{
	return (const EFI_MEMORY_DESCRIPTOR *)(map->descriptors + index * map->descriptor_size);
}

static UINTN memory_map_count(const struct memory_map *map)
{
	return map->size / map->descriptor_size;
}

/* Reads the map for the first time, into a buffer that has room for what the loader's own allocations add to it. */
static void memory_map_open(struct memory_map *map)
{
	EFI_STATUS status;

	*map = (struct memory_map){ 0 };
	memory_map_read(map);
	if (map->descriptor_size < sizeof(EFI_MEMORY_DESCRIPTOR))
		fail(EXIT_FIRMWARE, L"the firmware's memory map has descriptors of %lu bytes", map->descriptor_size);
	map->capacity = pages_of(map->size + MAP_SPARE * map->descriptor_size) * BOOT_PAGE;
	map->descriptors = pages_allocate(map->capacity / BOOT_PAGE, EfiLoaderData, 0, L"the memory map");
	status = memory_map_read(map);
	if (EFI_ERROR(status))
		fail(EXIT_FIRMWARE, L"the firmware's memory map can't be read: %r", status);
}

static enum boot_memory_kind memory_kind(const EFI_MEMORY_DESCRIPTOR *d)
{
	if ((d->Attribute & EFI_MEMORY_RUNTIME) != 0 && d->Type != EfiMemoryMappedIO)
		return BOOT_RESERVED;
	switch (d->Type) {
	case EfiLoaderCode:
	case EfiLoaderData:
	case EfiBootServicesCode:
	case EfiBootServicesData:
	case EfiConventionalMemory:
		return BOOT_USABLE;
	case EfiACPIReclaimMemory:
	case EfiACPIMemoryNVS:
		return BOOT_ACPI;
	case EfiMemoryMappedIO:
	case EfiMemoryMappedIOPortSpace:
		return BOOT_MMIO;
	default:
		return BOOT_RESERVED;
	}
}

static UINT64 memory_end(const struct memory_map *map)
{
	UINT64 end = 0;

	for (UINTN i = 0; i < memory_map_count(map); i++) {
		const EFI_MEMORY_DESCRIPTOR *d = memory_map_at(map, i);
		UINT64 range_end = d->PhysicalStart + d->NumberOfPages * BOOT_PAGE;
		enum boot_memory_kind kind = memory_kind(d);

		if ((kind == BOOT_USABLE || kind == BOOT_ACPI) && range_end > end)
			end = range_end;
	}
	return end;
}

/* Where the firmware's descriptors overlap, usable loses. What is kept is the loader's own, and wins over all of them.
 */
static void memory_convert(const struct memory_map *map, const struct kept *kept, UINTN kept_count,
			   struct memory_list *list)
{
	for (int usable = 1; usable >= 0; usable--) {
		for (UINTN i = 0; i < memory_map_count(map); i++) {
			const EFI_MEMORY_DESCRIPTOR *d = memory_map_at(map, i);
			enum boot_memory_kind kind = memory_kind(d);

			if ((kind == BOOT_USABLE) == usable)
				memory_list_set(list, d->PhysicalStart, d->NumberOfPages, kind);
		}
	}
	for (UINTN i = 0; i < kept_count; i++)
		memory_list_set(list, kept[i].base, kept[i].pages, kept[i].kind);
	memory_list_merge(list);
}

/* The key is stale when the firmware itself allocated something since the map was read (a timer's handler may). */
static void boot_services_leave(struct memory_map *map)
{
	EFI_STATUS status = EFI_INVALID_PARAMETER;

	for (int i = 0; i < EXIT_BOOT_TRIES && status == EFI_INVALID_PARAMETER; i++) {
		status = memory_map_read(map);
		if (!EFI_ERROR(status))
			status = BS->ExitBootServices(application, map->key);
	}
	if (EFI_ERROR(status))
		fail(EXIT_FIRMWARE, L"the firmware does not let go of the machine (ExitBootServices): %r", status);
}

EFI_STATUS efi_main(EFI_HANDLE handle, EFI_SYSTEM_TABLE *system)
{
	struct file kernel_file = { .path = KERNEL_PATH, .exit_code = EXIT_NO_KERNEL };
	struct file config = { .path = CONFIG_PATH, .exit_code = EXIT_BAD_CONFIG };
	enum { KEPT_KERNEL, KEPT_TABLES, KEPT_STACK, KEPT_INFO, KEPT_CONFIG, KEPT_COUNT };
	struct kept kept[KEPT_COUNT];
	struct elf_image image;
	struct memory_map map;
	struct memory_list list;
	struct bootinfo *info;
	EFI_FILE_PROTOCOL *root;
	UINT64 end, list_max, pml4;
	boot_jump *jump;
	void *kernel;

	InitializeLib(handle, system);
	application = handle;
	cpu_check();

	root = volume_open();
	file_read(root, &kernel_file, 0);
	kernel_parse(&kernel_file, &image);
	file_read(root, &config, CONFIG_MAX);
	config_check(&config);

	memory_map_open(&map);
	end = memory_end(&map);
	kept[KEPT_KERNEL] = kept_allocate(image.pages, BOOT_KERNEL, 0, L"the kernel");
	kept[KEPT_TABLES] = kept_allocate(boot_map_pages(end, &image), BOOT_KERNEL, GIB_4, L"page tables");
	kept[KEPT_STACK] = kept_allocate(BOOT_STACK_PAGES, BOOT_KERNEL, 0, L"the kernel's stack");
	list_max = 2 * (map.capacity / map.descriptor_size + KEPT_COUNT);
	kept[KEPT_INFO] = kept_allocate(pages_of(sizeof(*info) + list_max * sizeof(struct boot_memory)), BOOT_INFO, 0,
					L"boot information");
	kept[KEPT_CONFIG] = (struct kept){ (UINT64)config.data, pages_of(config.size + 1), BOOT_INFO };
	jump = pages_allocate(1, EfiLoaderCode, GIB_4, L"the jump");
	CopyMem(jump, boot_jump_start, boot_jump_end - boot_jump_start);

	kernel = (void *)kept[KEPT_KERNEL].base;
	elf_load(kernel_file.data, &image, kernel);
	pml4 = boot_map_build((void *)kept[KEPT_TABLES].base, end, &image, (UINT64)kernel);

	info = (void *)kept[KEPT_INFO].base;
	*info = (struct bootinfo){
		.magic = BOOTINFO_MAGIC,
		.version = BOOTINFO_VERSION,
		.memory = (UINT64)(info + 1),
		.rsdp = rsdp_find(),
		.kernel_phys = (UINT64)kernel,
		.kernel_pages = image.pages,
		.config = (UINT64)config.data,
		.config_size = config.size,
	};
	framebuffer_find(&info->framebuffer);
	list = (struct memory_list){ .ranges = (void *)info->memory, .max = list_max };

	boot_services_leave(&map);
	memory_convert(&map, kept, KEPT_COUNT, &list);
	info->memory_count = list.count;
	info->boot_tsc = __builtin_ia32_rdtsc();
	jump(DIRECT_MAP_BASE + (UINT64)info, pml4, image.entry,
	     DIRECT_MAP_BASE + kept[KEPT_STACK].base + BOOT_STACK_PAGES * BOOT_PAGE);
	__builtin_unreachable();
}
