#include "image/known_dlls.h"

#include "io/file.h"
#include "lib/debug.h"
#include "lib/string.h"
#include "mm/vspace.h"
#include "proc/file_object.h"

#define KNOWN_MAX 3

/* Each one after those that it imports: so its own import table can be filled in. */
static const char *const names[KNOWN_MAX] = { "ntdll.dll", "kernel32.dll", "msvcrt.dll" };

/* Written at the boot alone. */
static struct bind_dll loaded[KNOWN_MAX];
static u32 loaded_count;
static struct section *ntdll;

static bool load(const char *name, struct section **out)
{
	struct image_bytes exports;
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
	status = section_create_image(f, out); /* kept for ever */
	if (status)
		klog(LOG_ERROR, "C:%s can't be mapped: status %#x", path, status);
	else if (image_exports_read(f, section_image(*out), &exports))
		loaded[loaded_count++] = (struct bind_dll){ name, section_image_base(*out), exports };
	file_unref(f);
	return !status;
}

bool known_dlls_load(void)
{
	struct section *other;

	if (!load(names[0], &ntdll))
		return false;
	for (u32 i = 1; i < KNOWN_MAX; i++)
		load(names[i], &other); /* else programs that import it will not start, and say why */
	return true;
}

struct section *known_ntdll(void)
{
	return ntdll;
}

u32 known_ntdll_function(const char *name)
{
	const char *forwarder;
	u32 rva;

	if (!loaded_count || loaded[0].name != names[0] || !image_export_find(&loaded[0].exports, name, 0, &rva, &forwarder))
		return 0;
	return forwarder ? 0 : rva;
}

const struct bind_dll *known_dlls(u32 *count)
{
	*count = loaded_count;
	return loaded;
}
