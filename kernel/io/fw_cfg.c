/* QEMU's firmware configuration device, by its ports. The numbers of its directory are big-endian. */
#include "io/fw_cfg.h"

#include "arch/arch.h"
#include "lib/string.h"

#define PORT_SELECTOR 0x510
#define PORT_DATA 0x511
#define ITEM_SIGNATURE 0x00
#define ITEM_DIRECTORY 0x19

struct directory_entry {
	u32 size;
	u16 selector, reserved;
	char name[56];
};

static void data_read(void *to, u64 size)
{
	__asm__ volatile("rep insb" : "+D"(to), "+c"(size) : "d"((u16)PORT_DATA) : "memory");
}

void fw_cfg_read(u16 selector, void *to, u32 size)
{
	out16(PORT_SELECTOR, selector);
	data_read(to, size);
}

bool fw_cfg_present(void)
{
	char signature[4];

	fw_cfg_read(ITEM_SIGNATURE, signature, sizeof(signature));
	return !memcmp(signature, "QEMU", 4);
}

bool fw_cfg_find(const char *name, u16 *selector, u32 *size)
{
	struct directory_entry e;
	u32 count;

	if (!fw_cfg_present())
		return false;
	fw_cfg_read(ITEM_DIRECTORY, &count, sizeof(count));
	for (count = __builtin_bswap32(count); count > 0; count--) {
		data_read(&e, sizeof(e));
		if (strncmp(e.name, name, sizeof(e.name)))
			continue;
		*selector = __builtin_bswap16(e.selector);
		*size = __builtin_bswap32(e.size);
		return true;
	}
	return false;
}
