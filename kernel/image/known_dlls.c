#include "image/known_dlls.h"

#include "abi/backstore.h"
#include "io/file.h"
#include "lib/debug.h"
#include "lib/string.h"
#include "mm/vspace.h"
#include "proc/file_object.h"

/* Each one after those that it imports: so its own import table can be filled in. */
static const char *const names[BS_KNOWN_DLLS] = { "ntdll.dll", "kernel32.dll", "msvcrt.dll" };

/* Written at the boot alone. */
static struct bind_dll loaded[BS_KNOWN_DLLS];
static u32 loaded_count;
static struct section *sections[BS_KNOWN_DLLS]; /* NULL: it is not there */
static u32 path_hashes[BS_KNOWN_DLLS];

static bool load(u32 index)
{
	const char *name = names[index];
	struct image_bytes exports;
	struct section *s;
	char path[32];
	struct file *f;
	enum file_status fs;
	u32 status;

	ksnprintf(path, sizeof(path), "\\system\\%s", name);
	fs = file_open(path, &f);
	if (fs != FILE_OK) {
		klog(LOG_ERROR, "C:%s can't be opened: %s", path, file_status_text(fs));
		return false;
	}
	status = section_create_image(f, &s); /* kept for ever */
	path_hashes[index] = f->path_hash;
	if (status) {
		klog(LOG_ERROR, "C:%s can't be mapped: status %#x", path, status);
	} else {
		sections[index] = s;
		if (image_exports_read(f, section_image(s), &exports))
			loaded[loaded_count++] = (struct bind_dll){ name, section_image_base(s), exports };
	}
	file_unref(f);
	return !status;
}

bool known_dlls_load(void)
{
	if (!load(BS_KNOWN_NTDLL))
		return false;
	for (u32 i = 1; i < BS_KNOWN_DLLS; i++)
		load(i); /* else programs that import it will not start, and say why */
	return true;
}

struct section *known_ntdll(void)
{
	return sections[BS_KNOWN_NTDLL];
}

struct section *known_dll(u32 index)
{
	struct section *s = index < BS_KNOWN_DLLS ? sections[index] : NULL;

	/* One that was renamed, replaced or changed is no longer what a path leads to. Who looks meanwhile sees either. */
	return s && section_image_current(s) && !s->file->gone && s->file->path_hash == path_hashes[index] ? s : NULL;
}

u32 known_ntdll_function(const char *name)
{
	const char *forwarder;
	u32 rva;

	if (!loaded_count || loaded[0].name != names[BS_KNOWN_NTDLL] || !image_export_find(&loaded[0].exports, name, 0, &rva, &forwarder))
		return 0;
	return forwarder ? 0 : rva;
}

const struct bind_dll *known_dlls(u32 *count)
{
	*count = loaded_count;
	return loaded;
}
