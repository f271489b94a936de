/*
 * Making a process: an address space with ntdll.dll and the program mapped, the process environment block and the
 * parameters in it, and a first thread. Nobody knows the process before it is complete, so that a failure at any step
 * needs no more than to give back what there is.
 */
#include "abi/nt_process.h"
#include "image/known_dlls.h"
#include "image/pe.h"
#include "io/fat_path.h"
#include "io/file.h"
#include "lib/debug.h"
#include "lib/string.h"
#include "proc/file_object.h"
#include "proc/thread.h"

#define CURRENT_DIRECTORY_MAX 0x208  /* bytes: MAX_PATH units, as SetCurrentDirectory expects to find them */
#define COMMAND_LINE_MAX 0xfffc      /* bytes: with a 0 it fits a UNICODE_STRING */
#define ENVIRONMENT_MAX MIB(1)

u64 ntdll_thread_start_rva, ntdll_exception_rva;

bool process_load_ntdll(void)
{
	if (!known_dlls_load())
		return false;
	ntdll_thread_start_rva = known_ntdll_function("LdrInitializeThunk");
	ntdll_exception_rva = known_ntdll_function("KiUserExceptionDispatcher");
	if (ntdll_thread_start_rva && ntdll_exception_rva)
		return true;
	klog(LOG_ERROR, "C:\\system\\ntdll.dll does not export LdrInitializeThunk and KiUserExceptionDispatcher");
	return false;
}

/* ---- what lies in its memory ---- */

static u32 memory_write(struct process *p, u64 to, const void *from, size_t n)
{
	size_t done;

	return vspace_write(p->vspace, to, from, n, &done);
}

static u32 image_map(struct process *p, struct section *s, u64 *base)
{
	u64 size = 0;
	u32 status;

	*base = 0;
	status = view_map_section(p->vspace, s, base, 0, &size, NULL, 0, PAGE_EXECUTE_WRITECOPY, true);
	return NT_SUCCESS(status) ? STATUS_SUCCESS : status; /* elsewhere than at its base is as good */
}

static u32 text_copy(const struct process_start *s, struct process *p, u64 to, const struct user_text *text)
{
	u8 piece[512];
	u64 at, n;
	u32 status;

	for (at = 0; at < text->bytes; at += n) {
		n = MIN(text->bytes - at, sizeof(piece));
		if (!s->parent)
			memcpy(piece, (const void *)(text->at + at), n);
		else if (!copy_from_user(piece, text->at + at, n))
			return STATUS_ACCESS_VIOLATION;
		status = memory_write(p, to + at, piece, n);
		if (status)
			return status;
	}
	return STATUS_SUCCESS;
}

static struct nt_unicode_string string_at(u64 base, u64 offset, u64 bytes, u64 maximum)
{
	return (struct nt_unicode_string){ .length = bytes, .maximum_length = maximum, .buffer = base + offset };
}

/*
 * Where all that a new process has from the start lies, but images and its first thread's stack: that fits below, so that the
 * stack's upper end and the others share a page table.
 */
static struct address_limits memory_place(const struct process *p)
{
	u64 stack = section_image(p->image)->stack_reserve;

	return (struct address_limits){ USER_LOW + ALIGN_UP(MIN(stack, GIB(1)), GRANULARITY), USER_HIGH, GRANULARITY };
}

/* One allocation: the structure, the strings (each with a 0, because fresh memory is zero), the environment. */
static u32 parameters_create(const struct process_start *s, struct process *p, const char *name, const u64 standard[3], u64 *base)
{
	struct nt_process_parameters parameters = { .flags = PROCESS_PARAMETERS_NORMALIZED };
	u16 path[FILE_FULL_PATH_MAX];
	int path_units = utf8_to_utf16(name, strlen(name), path, FILE_FULL_PATH_MAX);
	struct user_text image_path = { (u64)path, 2 * (u64)path_units };
	struct process_start kernel_text = { .parent = NULL };
	u64 directory_at = sizeof(parameters);
	u64 path_at = directory_at + CURRENT_DIRECTORY_MAX;
	u64 command_at = path_at + image_path.bytes + 2;
	u64 environment_at = ALIGN_UP(command_at + s->command_line.bytes + 2, 16);
	u64 size = environment_at + s->environment.bytes + 4; /* two more 0, should the caller's block lack them */
	struct address_limits place = memory_place(p);
	u64 length = size;
	u32 status;

	if (path_units < 0)
		return STATUS_OBJECT_NAME_INVALID;
	*base = 0;
	status = vspace_allocate(p->vspace, base, &size, &place, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE, false);
	if (status)
		return status;

	parameters.maximum_length = (u32)size;
	parameters.length = (u32)length;
	memcpy(parameters.standard, standard, sizeof(parameters.standard));
	parameters.window_flags = s->use_handles ? STARTF_USESTDHANDLES : 0;
	parameters.current_directory = string_at(*base, directory_at, s->current_directory.bytes,
						 CURRENT_DIRECTORY_MAX);
	parameters.dll_path = string_at(*base, directory_at - 2, 0, 2); /* the last bytes of the structure are zero */
	parameters.image_path = string_at(*base, path_at, image_path.bytes, image_path.bytes + 2);
	parameters.command_line = string_at(*base, command_at, s->command_line.bytes, s->command_line.bytes + 2);
	parameters.environment = *base + environment_at;
	parameters.environment_size = length - environment_at;

	status = memory_write(p, *base, &parameters, sizeof(parameters));
	if (!status)
		status = text_copy(s, p, *base + directory_at, &s->current_directory);
	if (!status)
		status = text_copy(&kernel_text, p, *base + path_at, &image_path);
	if (!status)
		status = text_copy(s, p, *base + command_at, &s->command_line);
	if (!status)
		status = text_copy(s, p, *base + environment_at, &s->environment);
	return status;
}

/* The version is that of Windows 10 22H2, which programs ask for and then do what we know they do. */
static u32 peb_create(struct process *p, u64 image_base, u64 parameters)
{
	const struct pe_image *image = section_image(p->image);
	struct nt_peb peb = {
		.image_base = image_base,
		.parameters = parameters,
		.processors = cpu_count,
		.heap_reserve = image->heap_reserve,
		.heap_commit = image->heap_commit,
		.os_major = 10,
		.os_build = 19045,
		.os_platform = 2, /* VER_PLATFORM_WIN32_NT */
		.subsystem = image->subsystem,
		.subsystem_major = image->os_major,
		.subsystem_minor = image->os_minor,
	};
	struct address_limits place = memory_place(p);
	u64 size = PAGE_SIZE;
	u32 status;

	status = vspace_allocate(p->vspace, &p->peb, &size, &place, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE, false);
	if (!status)
		status = memory_write(p, p->peb, &peb, sizeof(peb));
	return status;
}

/* ---- creation ---- */

static bool text_valid(const struct user_text *text, u64 maximum)
{
	return text->bytes <= maximum && text->bytes % 2 == 0;
}

static void name_set(struct process *p, const char *path)
{
	const char *name = path, *c;

	for (c = path; *c; c++)
		if (*c == '\\')
			name = c + 1;
	strlcpy(p->name, name, sizeof(p->name));
}

/* All but its thread and handles. path: of its image. */
static u32 memory_create(const struct process_start *s, struct process *p, const char *path, const u64 standard[3], u64 *entry)
{
	const struct pe_image *image;
	u64 base, parameters;
	u32 status = section_create_image(s->image, &p->image);

	if (status)
		return status;
	image = section_image(p->image);
	if (image->characteristics & PE_FILE_DLL || !image->entry_rva)
		return STATUS_INVALID_IMAGE_FORMAT;
	p->vspace = vspace_create(p->id);
	if (!p->vspace)
		return STATUS_NO_MEMORY;
	/* The images come first: what else there is can be anywhere. */
	status = image_map(p, known_ntdll(), &p->ntdll_base);
	if (!status)
		status = image_map(p, p->image, &base);
	if (!status)
		status = parameters_create(s, p, path, standard, &parameters);
	if (!status)
		status = peb_create(p, base, parameters);
	if (!status)
		*entry = base + image->entry_rva;
	return status;
}

/*
 * The standard handles go along in any case, as Windows does it for console programs. One that is none in the new process, as it
 * was not inherited or there is no parent, becomes the console; but if use_handles says that it is to be none.
 */
static u32 handles_create(const struct process_start *s, struct process *p, u64 standard[3])
{
	u32 status = STATUS_SUCCESS;
	struct object *o;

	memcpy(standard, s->standard, sizeof(s->standard));
	if (s->parent)
		status = handle_inherit(s->parent, p, s->inherit, standard, ARRAY_SIZE(s->standard));
	for (u32 i = 0; i < ARRAY_SIZE(s->standard) && !status && !s->use_handles; i++) {
		if (handle_lookup(p, standard[i], &file_type, 0, &o) == STATUS_SUCCESS) {
			object_unref(o);
			continue;
		}
		o = console_object_create();
		if (!o)
			return STATUS_INSUFFICIENT_RESOURCES;
		status = handle_create(p, o, i == 0 ? GENERIC_READ_ACCESS : GENERIC_WRITE_ACCESS, s->parent ? 0 : HANDLE_INHERIT,
				       &standard[i]);
		object_unref(o);
	}
	return status;
}

u32 process_create(const struct process_start *s, struct process **out, struct user_thread **thread)
{
	u64 standard[3];
	char path[FILE_FULL_PATH_MAX];
	struct process *p;
	u64 entry = 0;
	u32 status;

	if (!text_valid(&s->command_line, COMMAND_LINE_MAX) || !text_valid(&s->environment, ENVIRONMENT_MAX) ||
	    !text_valid(&s->current_directory, CURRENT_DIRECTORY_MAX - 2))
		return STATUS_INVALID_PARAMETER;
	p = process_alloc();
	if (!p)
		return STATUS_INSUFFICIENT_RESOURCES;
	p->parent_id = s->parent ? s->parent->id : 0;
	file_path(s->image, path);
	name_set(p, path);

	status = handles_create(s, p, standard);
	if (!status)
		status = memory_create(s, p, path, standard, &entry);
	if (!status)
		status = user_thread_create(p, entry, p->peb, 0, 0, s->suspended, thread);
	return process_complete(p, status, out);
}
