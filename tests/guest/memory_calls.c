/* VirtualAlloc, VirtualFree, VirtualProtect, VirtualQuery: rounding, states, refusals, as Windows documents them. */
#include "guest.h"

static char *reserve(uint64_t size)
{
	return VirtualAlloc(NULL, size, MEM_RESERVE, PAGE_READWRITE);
}

static void test_rounding(void)
{
	SYSTEM_INFO info;
	GetSystemInfo(&info);
	is(info.dwPageSize, 4096, "pages are of 4,096 bytes");
	is(info.dwAllocationGranularity, 65536, "allocations begin at multiples of 65,536");

	char *p = commit_bytes(1);
	is((uintptr_t)p % 65536, 0, "VirtualAlloc of a byte begins at a multiple of 65,536");
	is(query(p).RegionSize, 4096, "it is of one page");
	is(query(p).State, MEM_COMMIT, "it is committed");
	is(query(p).Type, MEM_PRIVATE, "it is private");
	is(query(p).Protect, PAGE_READWRITE, "it has the protection asked for");
	is(query(p).AllocationProtect, PAGE_READWRITE, "it has the allocation protection asked for");
	ok(query(p).AllocationBase == p, "its allocation base is what VirtualAlloc returned");
	is((unsigned char)p[4095], 0, "it is zero");
	violation(can_read(p + 4096), KIND_READ, p + 4096, "what lies behind it is not there");
	memory_release(p);

	p = reserve(1 << 20);
	memory_release(p);
	char *q = VirtualAlloc(p + 0x1234, 1, MEM_RESERVE, PAGE_READWRITE);
	ok(q == p, "a reservation at an address is rounded down to 65,536");
	is(query(q).RegionSize, 0x2000, "it reaches to the end of the page that was asked for");
	is(query(q).State, MEM_RESERVE, "it is reserved");
	memory_release(q);
}

static void test_commit(void)
{
	char *p = reserve(65536);
	violation(can_read(p), KIND_READ, p, "a reserved page can't be read");
	violation(can_write(p + 5000), KIND_WRITE, p + 5000, "nor written");

	char *q = VirtualAlloc(p + 3 * 4096 + 100, 1, MEM_COMMIT, PAGE_READWRITE);
	ok(q == p + 3 * 4096, "committing a byte commits its page and returns the page's address");
	is(query(p).RegionSize, 3 * 4096, "the pages before it are one region");
	is(query(p).State, MEM_RESERVE, "which is reserved");
	is(query(q).RegionSize, 4096, "the page is a region");
	is(query(q + 4096).RegionSize, 12 * 4096, "the pages behind it are one region");
	ok(query(q).AllocationBase == p, "all have the same allocation base");
	q[7] = 'x';
	ok(VirtualAlloc(p, 65536, MEM_COMMIT, PAGE_READWRITE) == p, "committing what is committed in part succeeds");
	is(q[7], 'x', "and keeps what was there");
	is(query(p).RegionSize, 65536, "all is one region now");

	ok(VirtualFree(q + 10, 1, MEM_DECOMMIT), "decommitting a byte");
	violation(can_read(q), KIND_READ, q, "decommits its page");
	is(query(q).State, MEM_RESERVE, "which is reserved again");
	ok(can_read(q - 1) && can_read(q + 4096), "and no other");
	ok(VirtualFree(q, 4096, MEM_DECOMMIT), "decommitting it again succeeds");
	ok(VirtualAlloc(q, 4096, MEM_COMMIT, PAGE_READWRITE) == q, "committing it again");
	is(q[7], 0, "gives a page of zeros");
	ok(VirtualFree(p, 0, MEM_DECOMMIT), "MEM_DECOMMIT with size 0 at the base");
	is(query(p).State, MEM_RESERVE, "decommits the whole allocation");
	is(query(p).RegionSize, 65536, "all of it");
	memory_release(p);

	p = reserve(65536);
	ok(VirtualAlloc(p + 4095, 2, MEM_COMMIT, PAGE_READWRITE) == p, "two bytes across a page's edge");
	is(query(p).RegionSize, 8192, "commit both pages");
	memory_release(p);
	violation(can_read(p), KIND_READ, p, "released memory can't be read");
	is(query(p).State, MEM_FREE, "it is free");

	p = VirtualAlloc(NULL, 8192, MEM_COMMIT, PAGE_READWRITE);
	ok(p && can_write(p), "MEM_COMMIT without an address reserves too");
	memory_release(p);
}

static void test_refusals(void)
{
	char *p = commit_bytes(65536 * 2), *q;
	SetLastError(0);
	refused(VirtualAlloc(NULL, 0, MEM_RESERVE, PAGE_READWRITE), ERROR_INVALID_PARAMETER, "VirtualAlloc of 0 bytes");
	refused(VirtualAlloc(NULL, 4096, 0, PAGE_READWRITE), ERROR_INVALID_PARAMETER, "VirtualAlloc without a type");
	refused(VirtualAlloc(NULL, 4096, MEM_RESERVE, 0), ERROR_INVALID_PARAMETER, "VirtualAlloc with protection 0");
	refused(VirtualAlloc(NULL, 4096, MEM_RESERVE, PAGE_READONLY | PAGE_READWRITE), ERROR_INVALID_PARAMETER,
		"VirtualAlloc with two protections");
	refused(VirtualAlloc(NULL, 4096, MEM_RESERVE | MEM_COMMIT, PAGE_WRITECOPY), ERROR_INVALID_PARAMETER,
		"VirtualAlloc with write-copy protection");
	refused(VirtualAlloc(p, 4096, MEM_RESERVE, PAGE_READWRITE), ERROR_INVALID_ADDRESS,
		"reserving what is reserved");
	refused(VirtualAlloc(NULL, 1ull << 60, MEM_RESERVE, PAGE_READWRITE), ERROR_INVALID_PARAMETER,
		"reserving more than the address space");
	refused(VirtualAlloc(NULL, 0x7fff00000000, MEM_RESERVE, PAGE_READWRITE), ERROR_NOT_ENOUGH_MEMORY,
		"reserving more than is free in one piece");
	refused(VirtualFree(p, 4096, MEM_RELEASE), ERROR_INVALID_PARAMETER, "MEM_RELEASE with a size");
	refused(VirtualFree(p + 65536, 0, MEM_RELEASE), ERROR_INVALID_ADDRESS, "MEM_RELEASE in the middle");
	refused(VirtualFree(p, 0, MEM_RELEASE | MEM_DECOMMIT), ERROR_INVALID_PARAMETER,
		"MEM_RELEASE and MEM_DECOMMIT at once");
	refused(VirtualFree(p, 0, 0), ERROR_INVALID_PARAMETER, "VirtualFree without a type");
	refused(VirtualFree(p, 65536 * 2 + 1, MEM_DECOMMIT), ERROR_INVALID_PARAMETER,
		"decommitting beyond the allocation's end");
	ok(can_write(p) && can_write(p + 65536 * 2 - 1), "after all that the memory is as it was");
	memory_release(p);
	refused(VirtualFree(p, 0, MEM_RELEASE), ERROR_INVALID_ADDRESS, "releasing it twice");
	refused(VirtualAlloc(p, 4096, MEM_COMMIT, PAGE_READWRITE), ERROR_INVALID_ADDRESS, "committing what is free");

	/* Two allocations beside each other. */
	p = reserve(65536 * 2);
	memory_release(p);
	p = VirtualAlloc(p, 65536, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	q = VirtualAlloc(p + 65536, 65536, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	ok(q == p + 65536, "an allocation behind another");
	ok(query(p).RegionSize == 65536 && query(q).AllocationBase == q, "is a region of its own");
	ok(!VirtualFree(p, 65536 * 2, MEM_DECOMMIT), "a range over both can't be decommitted");
	ok(can_read(p) && can_read(q), "and both are still there");
	memory_release(p);
	ok(can_read(q), "releasing one leaves the other");
	memory_release(q);
}

static void test_protect(void)
{
	DWORD old = 0;
	char *p = commit_bytes(65536);
	p[0] = 'a';
	p[8192] = 'c';
	ok(VirtualProtect(p + 4095, 2, PAGE_READONLY, &old), "VirtualProtect of two bytes across an edge");
	is(old, PAGE_READWRITE, "gives the old protection");
	is(query(p).RegionSize, 8192, "protects both pages");
	is(query(p).Protect, PAGE_READONLY, "as asked");
	violation(can_write(p), KIND_WRITE, p, "a read-only page can't be written");
	is(p[0], 'a', "but read");
	ok(can_write(p + 8192), "the page behind is as it was");
	ok(VirtualProtect(p, 65536, PAGE_NOACCESS, &old), "PAGE_NOACCESS for all");
	is(old, PAGE_READONLY, "the old protection is the first page's");
	violation(can_read(p + 8192), KIND_READ, p + 8192, "a page of no access can't be read");
	ok(VirtualProtect(p, 65536, PAGE_READWRITE, &old), "and back");
	is(p[0], 'a', "the contents are still there");
	is(p[8192], 0x5a, "all of them"); /* what can_write left */

	ok(VirtualProtect(p, 4096, PAGE_EXECUTE_READ, &old), "PAGE_EXECUTE_READ");
	violation(can_write(p), KIND_WRITE, p, "can't be written");
	VirtualProtect(p, 4096, PAGE_READWRITE, &old);
	p[0] = (char)0xc3; /* ret */
	violation(can_execute(p), KIND_EXECUTE, p, "a page that is not executable does not run");
	ok(VirtualProtect(p, 4096, PAGE_EXECUTE_READ, &old) && can_execute(p), "an executable one does");

	refused(VirtualProtect(p, 4096, PAGE_WRITECOPY, &old), ERROR_INVALID_PARAMETER,
		"write-copy for private memory");
	refused(VirtualProtect(p, 4096, 0x1000, &old), ERROR_INVALID_PARAMETER, "a protection that does not exist");
	refused(VirtualProtect(p, 4096, PAGE_READONLY, NULL), ERROR_NOACCESS, "no place for the old protection");
	VirtualFree(p + 4096, 4096, MEM_DECOMMIT);
	refused(VirtualProtect(p, 12288, PAGE_READONLY, &old), ERROR_INVALID_ADDRESS,
		"a range with a page that is not committed");
	is(query(p).Protect, PAGE_EXECUTE_READ, "which changed nothing");
	memory_release(p);
	refused(VirtualProtect(p, 4096, PAGE_READONLY, &old), ERROR_INVALID_ADDRESS, "free memory");
}

static void test_guard(void)
{
	DWORD old;
	char *p = VirtualAlloc(NULL, 8192, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE | PAGE_GUARD);
	is(query(p).Protect, PAGE_READWRITE | PAGE_GUARD, "a guard page says so");
	ok(!can_read(p) && fault.code == (DWORD)STATUS_GUARD_PAGE_VIOLATION,
	   "its first touch is a guard page violation");
	ok(can_read(p) && can_write(p), "its second touch is nothing special");
	is(query(p).Protect, PAGE_READWRITE, "the guard is gone");
	ok(!can_write(p + 4096) && fault.code == (DWORD)STATUS_GUARD_PAGE_VIOLATION && fault.kind == KIND_WRITE &&
		   fault.address == (ULONG_PTR)(p + 4096),
	   "the other page still has its own, and the exception tells kind and address");
	ok(VirtualProtect(p, 4096, PAGE_READWRITE | PAGE_GUARD, &old) && !can_read(p) && can_read(p),
	   "it can be set again");
	memory_release(p);
}

static void test_query(void)
{
	MEMORY_BASIC_INFORMATION info;
	char *p = commit_bytes(65536 * 3);
	DWORD old;
	VirtualProtect(p + 65536, 4096, PAGE_READONLY, &old);
	is(query(p + 100).RegionSize, 65536, "a region ends where the protection changes");
	ok(query(p + 4096 + 5).BaseAddress == p + 4096, "a query begins at the page of the address");
	is(query(p + 4096).RegionSize, 65536 - 4096, "and reaches to the region's end");
	is(query(p + 65536).RegionSize, 4096, "the changed page is a region");
	is(query(p + 65536).AllocationProtect, PAGE_READWRITE, "the allocation protection stays");
	memory_release(p);
	info = query(p);
	ok(info.State == MEM_FREE && info.AllocationBase == NULL && info.Protect == PAGE_NOACCESS && info.Type == 0,
	   "free memory: MEM_FREE, PAGE_NOACCESS, no allocation");
	is(query(NULL).State, MEM_FREE, "address 0 is free");
	SetLastError(0);
	refused(VirtualQuery((void *)0xffff800000000000ull, &info, sizeof(info)) != 0, ERROR_INVALID_PARAMETER,
		"a query of a kernel address");
	SetLastError(0);
	ok(VirtualQuery(p, &info, 8) == 0 && GetLastError() == ERROR_BAD_LENGTH,
	   "a buffer that is too short (ERROR_BAD_LENGTH)");

	/* The ranges cover the address space without gaps. */
	uint64_t at = 0, ranges = 0;
	bool joined = true;
	while (VirtualQuery((void *)at, &info, sizeof(info)) == sizeof(info)) {
		joined &= (uint64_t)info.BaseAddress == at && info.RegionSize > 0;
		at += info.RegionSize;
		ranges++;
	}
	ok(joined && at >= 0x7fff00000000ull, "queries walk over the whole address space (0x%llx)",
	   (unsigned long long)at);
	note("%llu ranges", (unsigned long long)ranges);
}

static void test_addresses(void)
{
	violation(can_read(NULL), KIND_READ, NULL, "reading address 0");
	violation(can_write((void *)8), KIND_WRITE, (void *)8, "writing address 8");
	violation(can_read((void *)0xffff800000000000ull), KIND_READ, (void *)0xffff800000000000ull,
		  "reading the kernel");
	violation(can_write((void *)0xffffffff80000000ull), KIND_WRITE, (void *)0xffffffff80000000ull,
		  "writing the kernel");
	ok(!can_read((void *)0x1234567800000000ull) && fault.code == (DWORD)STATUS_ACCESS_VIOLATION &&
		   fault.address == ~(ULONG_PTR)0,
	   "reading a non-canonical address: an access violation at address -1");
	char *low = reserve(4096), *high = VirtualAlloc(NULL, 4096, MEM_RESERVE | MEM_TOP_DOWN, PAGE_READWRITE);
	ok(high > low, "MEM_TOP_DOWN is above (0x%llx, 0x%llx)", (unsigned long long)high, (unsigned long long)low);
	memory_release(low);
	memory_release(high);

	char *huge = reserve(1ull << 40);
	ok(huge != NULL, "1 TiB can be reserved");
	char *middle = huge + (1ull << 39);
	ok(VirtualAlloc(middle, 4096, MEM_COMMIT, PAGE_READWRITE) == middle && can_write(middle),
	   "a page in its middle committed");
	is(query(huge).RegionSize, 1ull << 39, "half of it is reserved before that page");
	memory_release(huge);
}

static void test_many(void)
{
	static char *blocks[256];
	bool good = true;
	for (int i = 0; i < 256; i++) {
		blocks[i] = commit_bytes(4096 * (size_t)(1 + i % 5));
		good &= blocks[i] != NULL;
		pattern_fill(blocks[i], 0, (uint64_t)i);
	}
	for (int i = 0; i < 256; i += 2)
		memory_release(blocks[i]);
	for (int i = 0; i < 256; i += 2) {
		blocks[i] = commit_bytes(4096);
		good &= blocks[i] && blocks[i][100] == 0;
		pattern_fill(blocks[i], 0, (uint64_t)i);
	}
	for (int i = 0; i < 256; i++)
		good &= pattern_holds(blocks[i], 0, (uint64_t)i);
	for (int i = 0; i < 256; i++)
		memory_release(blocks[i]);
	ok(good, "256 allocations, half of them replaced, keep their contents");
}

static void all(void)
{
	test_rounding();
	test_commit();
	test_refusals();
	test_protect();
	test_guard();
	test_query();
	test_addresses();
	test_many();
}

int main(void)
{
	probes_init();
	all();
	return leaks_none_and_end(all, 0);
}
