/*
 * VirtualAlloc2, MapViewOfFile3 and UnmapViewOfFile2: address requirements, and placeholders: reserved, split,
 * coalesced, replaced by private memory and by views, and made again from those; in this process and in another one.
 */
#include "calls.h"

#define KIB64 65536ull

static HANDLE section; /* 256 KiB, read and write */

static MEM_EXTENDED_PARAMETER parameter(DWORD type, void *value)
{
	MEM_EXTENDED_PARAMETER p;
	memset(&p, 0, sizeof(p));
	p.Type = type;
	p.Pointer = value;
	return p;
}

/* VirtualAlloc2(MEM_RESERVE) with these requirements. */
static char *reserve_at(uint64_t size, uint64_t lowest, uint64_t highest, uint64_t alignment)
{
	MEM_ADDRESS_REQUIREMENTS r = { (void *)lowest, (void *)highest, alignment };
	MEM_EXTENDED_PARAMETER p = parameter(MemExtendedParameterAddressRequirements, &r);
	SetLastError(0);
	return virtual_alloc2(NULL, NULL, size, MEM_RESERVE, PAGE_READWRITE, &p, 1);
}

static char *map_at(uint64_t lowest, uint64_t highest, uint64_t alignment)
{
	MEM_ADDRESS_REQUIREMENTS r = { (void *)lowest, (void *)highest, alignment };
	MEM_EXTENDED_PARAMETER p = parameter(MemExtendedParameterAddressRequirements, &r);
	SetLastError(0);
	return map_view_of_file3(section, NULL, NULL, 0, 0, 0, PAGE_READWRITE, &p, 1);
}

static void test_plain(void)
{
	char *p = virtual_alloc2(NULL, NULL, 5000, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE, NULL, 0);
	ok(p && (uintptr_t)p % KIB64 == 0 && query(p).RegionSize == 8192 && can_write(p),
	   "without requirements it is VirtualAlloc; process NULL is this one");
	ok(virtual_alloc2(GetCurrentProcess(), p, 1, MEM_COMMIT, PAGE_READONLY, NULL, 0) == p &&
		   query(p).Protect == PAGE_READONLY,
	   "it commits at an address");
	memory_release(p);
	p = virtual_alloc2(NULL, NULL, 4096, MEM_COMMIT, PAGE_READWRITE, NULL, 0);
	ok(p && can_write(p), "MEM_COMMIT alone reserves as well");
	memory_release(p);
	SetLastError(0);
	refused(virtual_alloc2(NULL, NULL, 4096, MEM_RESERVE, PAGE_READWRITE, NULL, 1), ERROR_INVALID_PARAMETER,
		"a parameter that is not there");
	MEM_EXTENDED_PARAMETER bad = parameter(MemExtendedParameterInvalidType, NULL);
	refused(virtual_alloc2(NULL, NULL, 4096, MEM_RESERVE, PAGE_READWRITE, &bad, 1), ERROR_INVALID_PARAMETER,
		"a parameter of type 0");
	bad = parameter(200, NULL);
	refused(virtual_alloc2(NULL, NULL, 4096, MEM_RESERVE, PAGE_READWRITE, &bad, 1), ERROR_INVALID_PARAMETER,
		"a parameter of a type that does not exist");
	MEM_ADDRESS_REQUIREMENTS r = { 0 };
	MEM_EXTENDED_PARAMETER two[2] = { parameter(MemExtendedParameterAddressRequirements, &r),
					  parameter(MemExtendedParameterAddressRequirements, &r) };
	refused(virtual_alloc2(NULL, NULL, 4096, MEM_RESERVE, PAGE_READWRITE, two, 2), ERROR_INVALID_PARAMETER,
		"the same parameter twice");
	two[0] = parameter(MemExtendedParameterAddressRequirements, (void *)16);
	refused(virtual_alloc2(NULL, NULL, 4096, MEM_RESERVE, PAGE_READWRITE, two, 1), ERROR_NOACCESS,
		"requirements that can't be read");
	two[0] = parameter(MemExtendedParameterAddressRequirements, &r);
	p = virtual_alloc2(NULL, NULL, 4096, MEM_RESERVE, PAGE_READWRITE, two, 1);
	ok(p != NULL, "requirements of all zeros are none");
	memory_release(p);
	ok(virtual_alloc2(NULL, p, 4096, MEM_RESERVE, PAGE_READWRITE, two, 1) == p, "with an address, too");
	r.HighestEndingAddress = (void *)0x7fffffff;
	SetLastError(0);
	refused(virtual_alloc2(NULL, p, 4096, MEM_COMMIT, PAGE_READWRITE, two, 1), ERROR_INVALID_PARAMETER,
		"others go with no address: when committing");
	memory_release(p);
	refused(virtual_alloc2(NULL, p, 4096, MEM_RESERVE, PAGE_READWRITE, two, 1), ERROR_INVALID_PARAMETER,
		"nor when reserving");
	refused(virtual_alloc2((HANDLE)0x1234568, NULL, 4096, MEM_RESERVE, PAGE_READWRITE, NULL, 0),
		ERROR_INVALID_HANDLE, "a handle that is none");
	refused(virtual_alloc2(GetCurrentThread(), NULL, 4096, MEM_RESERVE, PAGE_READWRITE, NULL, 0),
		ERROR_INVALID_HANDLE, "the handle of a thread");
}

static void test_requirements(void)
{
	SYSTEM_INFO info;
	GetSystemInfo(&info);
	uint64_t top = (uint64_t)info.lpMaximumApplicationAddress, bottom = (uint64_t)info.lpMinimumApplicationAddress;
	char *p = reserve_at(KIB64, 0, 0x7fffffff, 0);
	ok(p && (uint64_t)p + KIB64 - 1 <= 0x7fffffff, "an end below 2 GiB");
	memory_release(p);
	p = reserve_at(KIB64, 0x300000000000, 0, 0);
	ok((uint64_t)p >= 0x300000000000, "a start above 48 TiB");
	memory_release(p);
	p = reserve_at(3 * KIB64, 0x200000000000, 0x20000002ffff, 0);
	ok((uint64_t)p == 0x200000000000, "a range that it fits exactly");
	SetLastError(0);
	refused(reserve_at(KIB64, 0x200000000000, 0x20000002ffff, 0), ERROR_NOT_ENOUGH_MEMORY, "it is full then");
	char *q = reserve_at(KIB64, 0x200000000000, 0x20000003ffff, 0);
	ok((uint64_t)q == 0x200000030000, "the next one has place behind it in a wider range");
	memory_release(p);
	memory_release(q);
	refused(reserve_at(KIB64 + 1, 0x200000000000, 0x20000000ffff, 0), ERROR_NOT_ENOUGH_MEMORY, "a range too narrow");
	p = reserve_at(0x3000, 0x200000000000, 0x200000002fff, 0);
	ok((uint64_t)p == 0x200000000000, "an end at a page's end");
	memory_release(p);
	p = reserve_at(4096, bottom, 0, 0);
	ok((uint64_t)p >= bottom, "the lowest application address as a start");
	memory_release(p);
	p = reserve_at(4096, 0, top, 0);
	ok(p && (uint64_t)p < top, "the highest one as an end");
	memory_release(p);

	bool good = true;
	for (uint64_t alignment = KIB64; alignment <= 1ull << 40; alignment <<= 3) {
		p = reserve_at(12345, 0, 0, alignment);
		q = reserve_at(12345, 0, 0, alignment);
		good &= p && q && p != q && ((uint64_t)p | (uint64_t)q) % alignment == 0;
		memory_release(p);
		memory_release(q);
	}
	ok(good, "alignments from 64 KiB to 1 TiB");
	p = reserve_at(KIB64, 0x1000010000, 0x100fffffff, 0x4000000);
	ok((uint64_t)p == 0x1004000000, "alignment within a range");
	memory_release(p);
	refused(reserve_at(KIB64, 0x1000010000, 0x1003ffffff, 0x4000000), ERROR_NOT_ENOUGH_MEMORY,
		"a range without such an address");

	static const struct {
		uint64_t lowest, highest, alignment;
		const char *name;
	} bad[] = {
		{ 0x1000, 0, 0, "a start between multiples of 64 KiB" },
		{ 0x200000000001, 0, 0, "a start that is odd" },
		{ 0x800000000000, 0, 0, "a start above the highest address" },
		{ 0xffff800000000000, 0, 0, "a start in the kernel" },
		{ 0, 0x20001000, 0, "an end at a page's first byte" },
		{ 0, 0x200007ff, 0, "an end within a page" },
		{ 0, 0x7fffffffffff, 0, "an end above the highest address" },
		{ 0, 0xffffffffffffffff, 0, "an end in the kernel" },
		{ 0x20000000, 0x1fffffff, 0, "an end before the start" },
		{ 0, 0, 0x1000, "an alignment of 4 KiB" },
		{ 0, 0, 0x8000, "an alignment of 32 KiB" },
		{ 0, 0, 0x30000, "an alignment of 192 KiB" },
		{ 0, 0, 1, "an alignment of 1" },
		{ 0, 0, 0x10001, "an odd alignment" },
	};
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		refused(reserve_at(KIB64, bad[i].lowest, bad[i].highest, bad[i].alignment), ERROR_INVALID_PARAMETER,
			"%s", bad[i].name);
	p = reserve_at(KIB64, 0, 0, 1ull << 63);
	ok(!p && GetLastError(), "an alignment without any address");
}

static void test_map_requirements(void)
{
	char *p = map_view_of_file3(section, NULL, NULL, 0, 0, 0, PAGE_READWRITE, NULL, 0);
	ok(p && query(p).RegionSize == 4 * KIB64 && query(p).Type == MEM_MAPPED, "MapViewOfFile3 maps all by size 0");
	p[0] = 'x';
	char *q = map_view_of_file3(section, GetCurrentProcess(), NULL, 0, 4096, 0, PAGE_READONLY, NULL, 0);
	ok(q && q[0] == 'x' && query(q).RegionSize == 4096 && query(q).Protect == PAGE_READONLY, "or a part, read-only");
	SetLastError(0);
	refused(map_view_of_file3(section, NULL, NULL, 4096, 4096, 0, PAGE_READONLY, NULL, 0), ERROR_MAPPED_ALIGNMENT,
		"an offset between multiples of 64 KiB");
	refused(map_view_of_file3(section, NULL, p + 4096, 0, 4096, 0, PAGE_READONLY, NULL, 0), ERROR_MAPPED_ALIGNMENT,
		"an address between multiples of 64 KiB");
	refused(map_view_of_file3(section, NULL, p, 0, 4096, 0, PAGE_READONLY, NULL, 0), ERROR_INVALID_ADDRESS,
		"an address where something is");
	refused(map_view_of_file3(NULL, NULL, NULL, 0, 0, 0, PAGE_READONLY, NULL, 0), ERROR_INVALID_HANDLE, "no section");
	refused(map_view_of_file3(section, NULL, NULL, 0, 0, 0, PAGE_READONLY, NULL, 1), ERROR_INVALID_PARAMETER,
		"a parameter that is not there");
	ok(unmap_view_of_file2(GetCurrentProcess(), q, 0), "UnmapViewOfFile2");
	is(query(q).State, MEM_FREE, "leaves nothing");
	SetLastError(0);
	refused(unmap_view_of_file2(GetCurrentProcess(), q, 0), ERROR_INVALID_ADDRESS, "once more there is nothing to unmap");
	refused(unmap_view_of_file2(GetCurrentProcess(), p, 0x80), ERROR_INVALID_PARAMETER, "a flag that does not exist");
	ok(unmap_view_of_file2(GetCurrentProcess(), p + 70000, 0) && query(p).State == MEM_FREE,
	   "any address in the view will do");
	p = map_at(0, 0x7fffffff, 0);
	ok(p && (uint64_t)p + 4 * KIB64 - 1 <= 0x7fffffff, "an end below 2 GiB");
	UnmapViewOfFile(p);
	p = map_at(0x210000000000, 0x21000003ffff, 0);
	ok((uint64_t)p == 0x210000000000, "a range that it fits exactly");
	refused(map_at(0x210000000000, 0x21000003ffff, 0), ERROR_NOT_ENOUGH_MEMORY, "it is full then");
	UnmapViewOfFile(p);
	refused(map_at(0x1000, 0, 0), ERROR_INVALID_PARAMETER, "a start between multiples of 64 KiB");
	refused(map_at(0, 0x20001000, 0), ERROR_INVALID_PARAMETER, "an end at a page's first byte");
	refused(map_at(0, 0, 0x30000), ERROR_INVALID_PARAMETER, "an alignment that is no power of two");
}

/* ---- placeholders ---- */

static char *placeholder(uint64_t size)
{
	return virtual_alloc2(NULL, NULL, size, MEM_RESERVE | MEM_RESERVE_PLACEHOLDER, PAGE_NOACCESS, NULL, 0);
}

static char *replace(void *at, uint64_t size, DWORD type, DWORD protect)
{
	SetLastError(0);
	return virtual_alloc2(NULL, at, size, type | MEM_REPLACE_PLACEHOLDER, protect, NULL, 0);
}

static char *replace_view(void *at, uint64_t size, uint64_t offset)
{
	SetLastError(0);
	return map_view_of_file3(section, NULL, at, offset, size, MEM_REPLACE_PLACEHOLDER, PAGE_READWRITE, NULL, 0);
}

static bool split(void *at, uint64_t size)
{
	SetLastError(0);
	return VirtualFree(at, size, MEM_RELEASE | MEM_PRESERVE_PLACEHOLDER);
}

static bool coalesce(void *at, uint64_t size)
{
	SetLastError(0);
	return VirtualFree(at, size, MEM_RELEASE | MEM_COALESCE_PLACEHOLDERS);
}

static bool is_placeholder(const char *at, uint64_t size)
{
	MEMORY_BASIC_INFORMATION info = query(at);
	return info.AllocationBase == at && info.RegionSize == size && info.State == MEM_RESERVE &&
	       info.Type == MEM_PRIVATE && info.AllocationProtect == PAGE_NOACCESS && info.Protect == 0;
}

static void test_split(void)
{
	char *p = placeholder(4 * KIB64);
	ok(p && is_placeholder(p, 4 * KIB64), "a placeholder is reserved memory of no access");
	violation(can_read(p), KIND_READ, p, "which can't be touched");
	ok(split(p, KIB64) && is_placeholder(p, KIB64) && is_placeholder(p + KIB64, 3 * KIB64), "split at the front");
	ok(split(p + 3 * KIB64, KIB64) && is_placeholder(p + KIB64, 2 * KIB64) &&
		   is_placeholder(p + 3 * KIB64, KIB64),
	   "split at the end");
	ok(coalesce(p, 4 * KIB64) && is_placeholder(p, 4 * KIB64), "all in one again");
	ok(split(p + 0x5000, 0x3000) && is_placeholder(p, 0x5000) && is_placeholder(p + 0x5000, 0x3000) &&
		   is_placeholder(p + 0x8000, 4 * KIB64 - 0x8000),
	   "split in the middle, at pages");
	refused(split(p, 0x5000), ERROR_INVALID_ADDRESS, "a whole placeholder can't be split off itself");
	ok(!split(p, 0x6000), "nor a range over two");
	refused(split(p + 0x8000, 0), ERROR_INVALID_PARAMETER, "nor nothing");
	refused(coalesce(p, 0x5000), ERROR_INVALID_ADDRESS, "one placeholder alone is not coalesced");
	refused(coalesce(p, 0x9000), ERROR_INVALID_ADDRESS, "nor one and a part of the next");
	refused(coalesce(p + 0x1000, 0x7000), ERROR_INVALID_ADDRESS, "nor a part of one and the next");
	refused(coalesce(p, 4 * KIB64 + 0x1000), ERROR_INVALID_ADDRESS, "nor what is behind the last");
	refused(coalesce(p, 0), ERROR_INVALID_PARAMETER, "nor nothing");
	SetLastError(0);
	refused(VirtualFree(p, 4 * KIB64, MEM_COALESCE_PLACEHOLDERS), ERROR_INVALID_PARAMETER, "without MEM_RELEASE");
	refused(VirtualFree(p, 0x1000, MEM_PRESERVE_PLACEHOLDER), ERROR_INVALID_PARAMETER, "nor splits it without");
	refused(VirtualFree(p, 4 * KIB64, MEM_RELEASE | MEM_PRESERVE_PLACEHOLDER | MEM_COALESCE_PLACEHOLDERS),
		ERROR_INVALID_PARAMETER, "both at once");
	ok(is_placeholder(p, 0x5000) && is_placeholder(p + 0x5000, 0x3000), "after all that they are as they were");
	ok(coalesce(p, 0x8000) && is_placeholder(p, 0x8000) && is_placeholder(p + 0x8000, 4 * KIB64 - 0x8000),
	   "two of three in one");
	ok(VirtualFree(p, 0, MEM_RELEASE), "a placeholder is released like other memory");
	is(query(p).State, MEM_FREE, "it is free");
	refused(coalesce(p, 4 * KIB64), ERROR_INVALID_ADDRESS, "free memory and a placeholder are not coalesced");
	ok(VirtualFree(p + 0x8000, 0, MEM_RELEASE), "the other one released");

	/* By the native call, in the words of its statuses. */
	p = placeholder(KIB64);
	split(p, 0x4000);
	status_is(native_free(p, KIB64, MEM_RELEASE), STATUS_UNABLE_TO_FREE_VM, "two are not released at once");
	status_is(native_free(p, 0, MEM_RELEASE | MEM_PRESERVE_PLACEHOLDER), STATUS_INVALID_PARAMETER_3, "no size");
	status_is(native_free(p, KIB64, MEM_COALESCE_PLACEHOLDERS), STATUS_INVALID_PARAMETER_4, "no mode");
	status_is(native_free(p, 0x4000, MEM_RELEASE | MEM_PRESERVE_PLACEHOLDER), STATUS_CONFLICTING_ADDRESSES,
		  "the whole");
	status_is(native_free(p, 0x2000, MEM_RELEASE), 0, "a part of one released natively");
	ok(is_placeholder(p + 0x2000, 0x2000), "leaves a placeholder");
	status_is(native_free(p + 0x2000, KIB64 - 0x2000, MEM_RELEASE | MEM_COALESCE_PLACEHOLDERS), 0, "coalesced");
	ok(is_placeholder(p + 0x2000, KIB64 - 0x2000), "with the next");
	memory_release(p + 0x2000);
	p = VirtualAlloc(NULL, KIB64, MEM_RESERVE, PAGE_NOACCESS);
	refused(split(p, 0x4000), ERROR_INVALID_ADDRESS, "what is no placeholder is not split");
	refused(coalesce(p, KIB64), ERROR_INVALID_ADDRESS, "nor coalesced");
	ok(query(p).RegionSize == KIB64, "it is as it was");
	memory_release(p);
}

static void test_replace_private(void)
{
	char *p = placeholder(4 * KIB64);
	uint64_t charge = memory_now().commit_private;
	split(p, KIB64);
	split(p + KIB64, KIB64);
	char *q = replace(p, KIB64, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	ok(q == p, "private memory in a placeholder's place");
	MEMORY_BASIC_INFORMATION info = query(p);
	ok(info.State == MEM_COMMIT && info.Protect == PAGE_READWRITE && info.AllocationProtect == PAGE_READWRITE &&
		   info.RegionSize == KIB64 && info.AllocationBase == p && info.Type == MEM_PRIVATE,
	   "is what VirtualAlloc would give");
	is(memory_now().commit_private, charge + 16, "and charged for");
	pattern_fill(p, 3, 5);
	ok(is_placeholder(p + KIB64, KIB64), "its neighbour is a placeholder still");
	refused(coalesce(p, 2 * KIB64), ERROR_INVALID_ADDRESS, "memory and a placeholder are not coalesced");
	ok(replace(p + KIB64, KIB64, MEM_RESERVE, PAGE_READWRITE) == p + KIB64, "or reserved memory");
	ok(VirtualAlloc(p + KIB64, 4096, MEM_COMMIT, PAGE_READWRITE) && can_write(p + KIB64), "to be committed");
	ok(pattern_holds(p, 3, 5), "neighbours keep their contents");

	ok(VirtualFree(p, 0x3000, MEM_RELEASE | MEM_PRESERVE_PLACEHOLDER) && is_placeholder(p, 0x3000) &&
		   query(p + 0x3000).AllocationBase == p + 0x3000 && pattern_holds(p, 3, 5),
	   "a part of memory becomes a placeholder again, and the rest is as it was");
	ok(VirtualFree(p + 0x3000, KIB64 - 0x3000, MEM_RELEASE | MEM_PRESERVE_PLACEHOLDER) && coalesce(p, KIB64) &&
		   is_placeholder(p, KIB64),
	   "the rest, too");
	is(memory_now().commit_private, charge + 1, "and is charged for no more");
	violation(can_read(p + 3 * 4096), KIND_READ, p + 3 * 4096, "it can't be read");
	ok(VirtualFree(p + KIB64, KIB64, MEM_RELEASE | MEM_PRESERVE_PLACEHOLDER), "the other one too");
	ok(coalesce(p, 4 * KIB64) && is_placeholder(p, 4 * KIB64), "and they are coalesced");
	q = replace(p, 4 * KIB64, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	ok(q == p && q[3 * 4096] == 0, "new memory there holds zeros");
	memory_release(p);
	is(query(p).State, MEM_FREE, "released it leaves nothing");

	p = placeholder(KIB64);
	refused(virtual_alloc2(NULL, p, KIB64, MEM_COMMIT, PAGE_READWRITE, NULL, 0), ERROR_INVALID_ADDRESS,
		"a placeholder is not committed");
	refused(VirtualAlloc(p, KIB64, MEM_COMMIT, PAGE_READWRITE), ERROR_INVALID_ADDRESS, "nor by VirtualAlloc");
	refused(VirtualAlloc(p, KIB64, MEM_RESERVE, PAGE_READWRITE), ERROR_INVALID_ADDRESS, "nor reserved again");
	refused(virtual_alloc2(NULL, p, KIB64, MEM_RESERVE | MEM_RESERVE_PLACEHOLDER, PAGE_NOACCESS, NULL, 0),
		ERROR_INVALID_ADDRESS, "nor made a placeholder again");
	refused(replace(p, 4096, MEM_RESERVE, PAGE_READWRITE), ERROR_INVALID_ADDRESS, "replaced only as a whole");
	refused(replace(p, 2 * KIB64, MEM_RESERVE, PAGE_READWRITE), ERROR_INVALID_ADDRESS, "and not by more");
	refused(replace(p + 4096, KIB64 - 4096, MEM_RESERVE, PAGE_READWRITE), ERROR_INVALID_ADDRESS, "nor at its end");
	refused(replace(p, KIB64, MEM_COMMIT, PAGE_READWRITE), ERROR_INVALID_PARAMETER, "nor without MEM_RESERVE");
	refused(replace(p, KIB64, 0, PAGE_READWRITE), ERROR_INVALID_PARAMETER, "nor by nothing");
	refused(replace(NULL, KIB64, MEM_RESERVE, PAGE_READWRITE), ERROR_INVALID_PARAMETER, "nor without its address");
	refused(replace(p, KIB64, MEM_RESERVE | MEM_RESERVE_PLACEHOLDER, PAGE_NOACCESS), ERROR_INVALID_PARAMETER,
		"nor by a placeholder");
	refused(replace(p, KIB64, MEM_RESERVE | MEM_COMMIT, PAGE_WRITECOPY), ERROR_INVALID_PARAMETER,
		"nor with a protection that can't be");
	DWORD old;
	SetLastError(0);
	refused(VirtualProtect(p, 4096, PAGE_READWRITE, &old), ERROR_INVALID_ADDRESS, "nor protected");
	ok(is_placeholder(p, KIB64), "after all that it is as it was");
	memory_release(p);
	char *reserved = VirtualAlloc(NULL, KIB64, MEM_RESERVE, PAGE_NOACCESS);
	refused(replace(reserved, KIB64, MEM_RESERVE, PAGE_READWRITE), ERROR_INVALID_ADDRESS,
		"what is no placeholder is not replaced");
	memory_release(reserved);
	refused(replace(reserved, KIB64, MEM_RESERVE, PAGE_READWRITE), ERROR_INVALID_ADDRESS, "nor is free memory");
	refused(virtual_alloc2(NULL, NULL, KIB64, MEM_RESERVE | MEM_RESERVE_PLACEHOLDER, PAGE_READWRITE, NULL, 0),
		ERROR_INVALID_PARAMETER, "a placeholder of a protection other than PAGE_NOACCESS");
	refused(virtual_alloc2(NULL, NULL, KIB64, MEM_RESERVE | MEM_COMMIT | MEM_RESERVE_PLACEHOLDER, PAGE_NOACCESS,
			       NULL, 0), ERROR_INVALID_PARAMETER, "a placeholder that is committed");
	refused(virtual_alloc2(NULL, NULL, KIB64, MEM_RESERVE_PLACEHOLDER, PAGE_NOACCESS, NULL, 0),
		ERROR_INVALID_PARAMETER, "a placeholder without MEM_RESERVE");
	refused(VirtualAlloc(NULL, KIB64, MEM_RESERVE | MEM_RESERVE_PLACEHOLDER, PAGE_NOACCESS),
		ERROR_INVALID_PARAMETER, "VirtualAlloc makes none");
	p = VirtualAlloc(NULL, KIB64, MEM_RESERVE, PAGE_NOACCESS);
	refused(VirtualFree(p, KIB64, MEM_RELEASE | MEM_PRESERVE_PLACEHOLDER), ERROR_INVALID_ADDRESS,
		"memory that replaced no placeholder does not become one");
	memory_release(p);

	MEM_ADDRESS_REQUIREMENTS r = { NULL, NULL, 0x1000000 };
	MEM_EXTENDED_PARAMETER e = parameter(MemExtendedParameterAddressRequirements, &r);
	p = virtual_alloc2(NULL, NULL, KIB64, MEM_RESERVE | MEM_RESERVE_PLACEHOLDER, PAGE_NOACCESS, &e, 1);
	ok(p && (uint64_t)p % 0x1000000 == 0 && is_placeholder(p, KIB64), "a placeholder with an alignment");
	memory_release(p);
}

static void test_replace_view(void)
{
	/* The documentation's own example: the same memory twice, side by side. */
	char *p = placeholder(2 * KIB64);
	split(p, KIB64);
	char *a = replace_view(p, KIB64, 0), *b = replace_view(p + KIB64, KIB64, 0);
	ok(a == p && b == p + KIB64, "views in the place of two placeholders");
	if (!a || !b) {
		memory_release(p);
		memory_release(p + KIB64);
		return;
	}
	strcpy(a + KIB64 - 3, "circle");
	ok(!strcmp(a, "cle") && !memcmp(b + KIB64 - 3, "cir", 3), "a buffer that goes around");
	ok(query(a).Type == MEM_MAPPED && query(a).AllocationBase == a && query(b).AllocationBase == b, "are two views");
	ok(unmap_view_of_file2(GetCurrentProcess(), a, MEM_PRESERVE_PLACEHOLDER) && is_placeholder(p, KIB64),
	   "unmapped, a placeholder is there again");
	ok(replace_view(p, KIB64, KIB64) == p && p[0] == 0, "and takes another part of the section");
	ok(unmap_view_of_file2(GetCurrentProcess(), p, MEM_PRESERVE_PLACEHOLDER) &&
		   unmap_view_of_file2(GetCurrentProcess(), b, MEM_PRESERVE_PLACEHOLDER) && coalesce(p, 2 * KIB64),
	   "both unmapped and coalesced");
	ok(replace_view(p, 2 * KIB64, 0) == p && !strcmp(p + KIB64, "") && !strcmp(p, "cle"), "one view in its place");
	ok(UnmapViewOfFile(p), "UnmapViewOfFile");
	is(query(p).State, MEM_FREE, "leaves no placeholder");

	p = placeholder(2 * KIB64);
	refused(replace_view(p, KIB64, 0), ERROR_INVALID_ADDRESS, "a view of another size than the placeholder's");
	refused(replace_view(p + KIB64, KIB64, 0), ERROR_INVALID_ADDRESS, "a view at its end");
	refused(replace_view(p + 2 * KIB64, KIB64, 0), ERROR_INVALID_ADDRESS, "a view where no placeholder is");
	ok(!replace_view(NULL, 2 * KIB64, 0), "a view without an address");
	SetLastError(0);
	refused(map_view_of_file3(section, NULL, p, 0, 2 * KIB64, 0, PAGE_READWRITE, NULL, 0), ERROR_INVALID_ADDRESS,
		"a view in its place without MEM_REPLACE_PLACEHOLDER");
	ok(is_placeholder(p, 2 * KIB64), "after all that it is as it was");
	/* Views begin at 64 KiB where the system chooses; in a placeholder any page will do. */
	split(p, 0x3000);
	ok(replace_view(p + 0x3000, 2 * KIB64 - 0x3000, 0) == p + 0x3000, "a view that begins at a page");
	ok(replace_view(p, 0x3000, 0x1000) == p, "a view at an offset that is a multiple of a page");
	p[0] = 'z';
	ok(p[0x4000] == 'z', "of the same memory");
	UnmapViewOfFile(p);
	UnmapViewOfFile(p + 0x3000);

	p = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	p[0] = 'k';
	SetLastError(0);
	refused(unmap_view_of_file2(GetCurrentProcess(), p, MEM_PRESERVE_PLACEHOLDER), ERROR_INVALID_ADDRESS,
		"a view that replaced no placeholder leaves none");
	ok(query(p).State == MEM_COMMIT && p[0] == 'k', "and stays");
	UnmapViewOfFile(p);
	p = VirtualAlloc(NULL, 4096, MEM_RESERVE, PAGE_NOACCESS);
	SetLastError(0);
	refused(unmap_view_of_file2(GetCurrentProcess(), p, 0), ERROR_INVALID_ADDRESS, "private memory is not unmapped");
	memory_release(p);
}

/* Write watch, and what leaves the working set, in the place of placeholders. */
static void test_replace_more(void)
{
	char *p = placeholder(2 * KIB64);
	void *addresses[8];
	ULONG_PTR count = 8;
	DWORD granularity;
	split(p, KIB64);
	ok(replace(p, KIB64, MEM_RESERVE | MEM_COMMIT | MEM_WRITE_WATCH, PAGE_READWRITE) == p, "write-watched memory");
	p[0x5000] = 1;
	ok(GetWriteWatch(0, p, KIB64, addresses, &count, &granularity) == 0 && count == 1 && addresses[0] == p + 0x5000,
	   "is watched");
	working_set_empty();
	ok(VirtualFree(p, KIB64, MEM_RELEASE | MEM_PRESERVE_PLACEHOLDER) && is_placeholder(p, KIB64),
	   "pages that have left the working set are freed with the rest");
	memory_release(p);
	memory_release(p + KIB64);
}

static void test_other_process(void)
{
	PROCESS_INFORMATION child;
	if (!ok(process_start("wait", false, CREATE_SUSPENDED, &child) != NULL, "another process"))
		return;
	char *p = virtual_alloc2(child.hProcess, NULL, 2 * KIB64, MEM_RESERVE | MEM_RESERVE_PLACEHOLDER, PAGE_NOACCESS,
				 NULL, 0);
	MEMORY_BASIC_INFORMATION info;
	SIZE_T done = 0;
	ok(p != NULL, "a placeholder in it");
	ok(VirtualFreeEx(child.hProcess, p, KIB64, MEM_RELEASE | MEM_PRESERVE_PLACEHOLDER), "is split");
	ok(virtual_alloc2(child.hProcess, p, KIB64, MEM_RESERVE | MEM_COMMIT | MEM_REPLACE_PLACEHOLDER, PAGE_READWRITE,
			  NULL, 0) == p, "replaced by memory");
	ok(map_view_of_file3(section, child.hProcess, p + KIB64, 0, KIB64, MEM_REPLACE_PLACEHOLDER, PAGE_READWRITE, NULL,
			     0) == p + KIB64, "and by a view");
	char text[8] = "";
	char *own = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	ok(WriteProcessMemory(child.hProcess, p + KIB64, "there", 6, &done) && !strcmp(own, "there"),
	   "which shows what is written there here");
	ok(WriteProcessMemory(child.hProcess, p + 4096, "deep", 5, &done) &&
		   ReadProcessMemory(child.hProcess, p + 4096, text, 5, &done) && !strcmp(text, "deep"),
	   "the memory holds what is written to it");
	memset(own, 0, 8);
	UnmapViewOfFile(own);
	ok(VirtualQueryEx(child.hProcess, p + KIB64, &info, sizeof(info)) && info.Type == MEM_MAPPED &&
		   info.AllocationBase == p + KIB64,
	   "a query tells");
	ok(unmap_view_of_file2(child.hProcess, p + KIB64, MEM_PRESERVE_PLACEHOLDER), "the view unmapped again");
	ok(VirtualFreeEx(child.hProcess, p, KIB64, MEM_RELEASE | MEM_PRESERVE_PLACEHOLDER), "the memory freed");
	ok(VirtualFreeEx(child.hProcess, p, 2 * KIB64, MEM_RELEASE | MEM_COALESCE_PLACEHOLDERS), "and coalesced");
	ok(VirtualQueryEx(child.hProcess, p, &info, sizeof(info)) && info.RegionSize == 2 * KIB64 &&
		   info.State == MEM_RESERVE,
	   "to what it was");
	/* One placeholder is left for the end of the process. */
	TerminateProcess(child.hProcess, 0);
	process_end(&child);
}

static void all(void)
{
	section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 4 * KIB64, NULL);
	test_plain();
	test_requirements();
	test_map_requirements();
	test_split();
	test_replace_private();
	test_replace_view();
	test_replace_more();
	test_other_process();
	CloseHandle(section);
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return 0;
	probes_init();
	note("the first line takes memory for its own buffers");
	if (!calls_init())
		return tap_end();
	all();
	return leaks_none_and_end(all, STACKS_KEPT);
}
