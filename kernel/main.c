/* The kernel's start, from the boot application's jump to the first program. */
#include "arch/arch.h"
#include "boot/bootinfo.h"
#include "io/block.h"
#include "io/console.h"
#include "io/file.h"
#include "io/fw_cfg.h"
#include "lib/debug.h"
#include "lib/string.h"
#include "mm/mm.h"
#include "mm/pool.h"
#include "options.h"
#include "proc/object.h"
#include "proc/process.h"
#include "proc/sched.h"

#define CONSOLE_ITEM "opt/org.backstore/console"

/* The console's input, if the one who started the machine has given any. */
static void console_script_init(void)
{
	u32 size;
	u16 selector;
	char *text;

	if (!fw_cfg_find(CONSOLE_ITEM, &selector, &size))
		return;
	text = kmalloc(MAX(size, 1u));
	if (!text) {
		kprintf("backstore: fw_cfg item " CONSOLE_ITEM ": %u bytes are too many; at most %u\n", size,
			(u32)KMALLOC_MAX);
		machine_exit(EXIT_BAD_OPTION);
	}
	fw_cfg_read(selector, text, size);
	console_set_script(text, size);
}

/* The disk with the serial number "system"; else the first one that holds a volume. */
static void system_volume_mount(void)
{
	struct block_device *d = block_find("system");

	if (d && fat_mount(d, VOLUME_LETTER_FIRST) && block_claim(d)) {
		block_unref(d);
		return;
	}
	block_unref(d);
	for (d = block_next(NULL); d; d = block_next(d))
		if (fat_mount(d, VOLUME_LETTER_FIRST) && block_claim(d)) {
			block_unref(d);
			return;
		}
	kprintf("backstore: no disk has a volume that can be used as the system volume\n");
	machine_exit(EXIT_NO_FIRST_PROGRAM);
}

/* If the disk holds no volume, the boot goes on without. */
static void second_volume_mount(void)
{
	struct block_device *d = block_find(VOLUME_SECOND_SERIAL);

	if (d)
		volume_arrive(d);
	block_unref(d);
}

static void greet(void)
{
	struct bs_memory m;
	char swap[256];

	mm_query(&m);
	mm_options_describe_swap(swap, sizeof(swap));
	kprintf("Backstore (%s), %u CPU%s, %lu MiB usable, swap: %s\n",
#ifdef DEBUG
		"debug",
#else
		"release",
#endif
		cpu_count, cpu_count == 1 ? "" : "s", (unsigned long)(m.frames_total >> 8), swap);
}

void kernel_main(const struct bootinfo *b)
{
	/* One CPU, interrupts off, no memory but what the image holds. */
	console_early_init();
	arch_early_init(b);
	options_init(b->config ? phys_to_virt(b->config) : NULL);
	mm_init(b);

	/* Interrupts, time, threads: from here on this is thread "main". */
	arch_init();
	sched_init();
	console_init();
	smp_init();

	/* Devices and what lies on them. */
	console_script_init();
	pci_init();
	virtio_blk_init();
	system_volume_mount();
	second_volume_mount();
	swap_init();
	mm_threads_start();
	file_threads_start();
	pci_hotplug_start();
	greet();

	object_init();
	process_init();
	process_run_first();
}
