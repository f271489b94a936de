/* Leaving the machine. */
#include "arch/internal.h"
#include "io/console.h"

#define SLEEP_ENABLE (1u << 13)

/* Source: ACPI Specification 6.4, section 4.8.3.2 (PM1 control registers). */
static void power_off(void)
{
	if (!acpi.can_sleep || !acpi.pm1a_control)
		return;
	out16(acpi.pm1a_control, (u16)(acpi.sleep_a << 10 | SLEEP_ENABLE));
	if (acpi.pm1b_control)
		out16(acpi.pm1b_control, (u16)(acpi.sleep_b << 10 | SLEEP_ENABLE));
	if (clock_tsc_hz())
		delay_us(1000000); /* it takes its time */
}

void machine_exit(u32 code)
{
	interrupts_off();
	console_flush();
	out32(DEBUG_EXIT_PORT, code);
	power_off();
	kprintf("backstore: ended with code %u; the machine can be switched off\n", code);
	for (;;)
		__asm__ volatile("cli; hlt");
}
