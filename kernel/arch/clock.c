/*
 * Time: the time-stamp counter, calibrated once against the ACPI timer; the date from the CMOS clock.
 * Source: ACPI Specification 6.4, section 4.8.3.3 (power management timer); Motorola MC146818 datasheet (CMOS clock).
 */
#include "arch/internal.h"

#define PM_TIMER_HZ 3579545ull
#define CALIBRATION_TICKS (PM_TIMER_HZ / 50) /* 20 ms */
#define SAMPLES 16

static u64 tsc_base, tsc_hz;
static u64 ns_per_tick; /* 32.32 fixed point */
static u64 boot_unix_seconds;

u64 clock_ticks_ns(u64 ticks)
{
	return (u64)((unsigned __int128)ticks * ns_per_tick >> 32);
}

u64 clock_ns(void)
{
	return clock_ticks_ns(tsc_read() - tsc_base);
}

u64 clock_tsc_hz(void)
{
	return tsc_hz;
}

u64 clock_boot_unix_seconds(void)
{
	return boot_unix_seconds;
}

/* The three clocks, read as nearly at once as can be. */
struct sample {
	u32 pm, apic;
	u64 tsc, width; /* the middle of the readings, and how long they took */
};

/* A virtual CPU may be stopped between two readings: the narrowest of some samples is a good one. */
static struct sample sample_take(void)
{
	struct sample best = { .width = ~0ull };
	u32 i;

	for (i = 0; i < SAMPLES; i++) {
		u64 before = tsc_read();
		u32 pm = in32(acpi.pm_timer_port), apic = local_apic_timer_read();
		u64 width = tsc_read() - before;

		if (width < best.width)
			best = (struct sample){ pm, apic, before + width / 2, width };
	}
	return best;
}

static u32 pm_elapsed(const struct sample *from, u32 pm)
{
	return (pm - from->pm) & (acpi.pm_timer_32_bits ? 0xffffffff : 0xffffff);
}

static void calibrate(void)
{
	struct sample first, last;
	u32 elapsed;

	local_apic_timer_count_down();
	first = sample_take();
	while (pm_elapsed(&first, in32(acpi.pm_timer_port)) < CALIBRATION_TICKS)
		cpu_relax();
	last = sample_take();
	elapsed = pm_elapsed(&first, last.pm);
	tsc_hz = (last.tsc - first.tsc) * PM_TIMER_HZ / elapsed;
	if (!tsc_hz)
		panic("the time-stamp counter does not count");
	ns_per_tick = (1000000000ull << 32) / tsc_hz;
	local_apic_timer_set_hz((first.apic - last.apic) * PM_TIMER_HZ / elapsed);
}

static u8 cmos_read(u8 reg)
{
	out8(0x70, 0x80 | reg); /* the top bit keeps NMIs off while the index is set */
	return in8(0x71);
}

struct date {
	u32 second, minute, hour, day, month, year;
};

static u32 decimal(u8 v, bool binary)
{
	return binary ? v : (v >> 4) * 10u + (v & 15);
}

static struct date cmos_date_once(void)
{
	u8 status_b = cmos_read(0x0b), hour = cmos_read(4);
	bool binary = status_b & 4, afternoon = !(status_b & 2) && hour & 0x80;
	u32 century = acpi.century_register ? decimal(cmos_read(acpi.century_register), binary) : 20;
	struct date d = {
		.second = decimal(cmos_read(0), binary),
		.minute = decimal(cmos_read(2), binary),
		.hour = decimal(hour & 0x7f, binary),
		.day = decimal(cmos_read(7), binary),
		.month = decimal(cmos_read(8), binary),
		.year = century * 100 + decimal(cmos_read(9), binary),
	};

	if (!(status_b & 2))
		d.hour = d.hour % 12 + (afternoon ? 12 : 0);
	return d;
}

static u64 unix_seconds(const struct date *d)
{
	/* Years begin in March, so that the leap day is a year's last. */
	u64 year = d->month > 2 ? d->year : d->year - 1;
	u64 month = (d->month + 9) % 12;
	u64 days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + d->day - 1 - 719468;

	return ((days * 24 + d->hour) * 60 + d->minute) * 60 + d->second;
}

/* The clock changes under the reader: two equal readings in a row are a right one. */
static u64 cmos_unix_seconds(void)
{
	u64 last = 0, now = 1;
	u32 tries;

	for (tries = 0; tries < 10 && now != last; tries++) {
		struct date d;

		while (cmos_read(0x0a) & 0x80)
			cpu_relax();
		d = cmos_date_once();
		last = now;
		now = unix_seconds(&d);
	}
	out8(0x70, 0x0d); /* NMIs on again */
	return now;
}

void clock_init(void)
{
	calibrate();
	boot_unix_seconds = cmos_unix_seconds();
	tsc_base = tsc_read();
}

void delay_us(u64 us)
{
	u64 end = clock_ns() + us * 1000;

	while (clock_ns() < end)
		cpu_relax();
}
