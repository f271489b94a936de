#include "proc/exception_report.h"

#include "io/file.h"
#include "lib/debug.h"
#include "lib/string.h"
#include "proc/process.h"

static const struct {
	u32 code;
	const char *name;
} names[] = {
	{ STATUS_ACCESS_VIOLATION, "access violation" },
	{ STATUS_IN_PAGE_ERROR, "in-page error" },
	{ STATUS_GUARD_PAGE_VIOLATION, "guard page" },
	{ STATUS_STACK_OVERFLOW, "stack overflow" },
	{ STATUS_NO_MEMORY, "no memory" },
	{ STATUS_INTEGER_DIVIDE_BY_ZERO, "integer division by zero" },
	{ STATUS_INTEGER_OVERFLOW, "integer overflow" },
	{ STATUS_BREAKPOINT, "breakpoint" },
	{ STATUS_SINGLE_STEP, "single step" },
	{ STATUS_ILLEGAL_INSTRUCTION, "illegal instruction" },
	{ STATUS_PRIVILEGED_INSTRUCTION, "privileged instruction" },
	{ STATUS_DATATYPE_MISALIGNMENT, "misaligned data" },
	{ STATUS_FLOAT_DENORMAL_OPERAND, "floating-point denormal operand" },
	{ STATUS_FLOAT_DIVIDE_BY_ZERO, "floating-point division by zero" },
	{ STATUS_FLOAT_INEXACT_RESULT, "inexact floating-point result" },
	{ STATUS_FLOAT_INVALID_OPERATION, "invalid floating-point operation" },
	{ STATUS_FLOAT_OVERFLOW, "floating-point overflow" },
	{ STATUS_FLOAT_STACK_CHECK, "floating-point stack check" },
	{ STATUS_FLOAT_UNDERFLOW, "floating-point underflow" },
	{ STATUS_NONCONTINUABLE_EXCEPTION, "continuation of a noncontinuable exception" },
};

static const char *exception_name(u32 code)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].code == code)
			return names[i].name;
	return "exception";
}

/* Whether the first two parameters are a kind of access and an address. */
static bool has_address(const struct nt_exception_record *r)
{
	return r->parameter_count >= 2 &&
	       (r->code == STATUS_ACCESS_VIOLATION || r->code == STATUS_IN_PAGE_ERROR || r->code == STATUS_NO_MEMORY ||
		r->code == STATUS_GUARD_PAGE_VIOLATION || r->code == STATUS_STACK_OVERFLOW);
}

/* " (sh.exe+0x1234)" if an image is mapped at address, else "". */
static void module_text(struct vspace *v, u64 address, char *text, size_t size)
{
	struct nt_memory_basic_information m;
	char path[FILE_PATH_MAX + 8];
	const char *name = path, *c;

	text[0] = 0;
	if (vspace_query(v, address, &m) || m.type != MEM_IMAGE || vspace_query_file(v, address, path, sizeof(path)))
		return;
	for (c = path; *c; c++)
		if (*c == '\\')
			name = c + 1;
	ksnprintf(text, size, " (%s+%#lx)", name, address - m.allocation_base);
}

void exception_report(const struct nt_exception_record *r, const char *why)
{
	struct process *p = process_current();
	char module[128], data[400] = "", what[224], place[64];
	struct bs_page page;
	const char *access;

	module_text(p->vspace, r->address, module, sizeof(module));
	if (has_address(r) && r->parameters[1] == ~0ull) {
		strlcpy(data, ", through an address that is not canonical", sizeof(data));
	} else if (has_address(r)) {
		access = r->parameters[0] == 8 ? "execution" : r->parameters[0] == 1 ? "write" : "read";
		what[0] = 0;
		vspace_describe(p->vspace, r->parameters[1], what, sizeof(what));
		place[0] = 0;
		if (r->code == STATUS_IN_PAGE_ERROR && !vspace_query_backing(p->vspace, ALIGN_DOWN(r->parameters[1], PAGE_SIZE), 1, &page) &&
		    (page.backing == BS_IMAGE || page.backing == BS_DATA_FILE))
			ksnprintf(place, sizeof(place), ", byte %#llx of the file can't be read",
				  (unsigned long long)page.offset + (r->parameters[1] & PAGE_MASK));
		ksnprintf(data, sizeof(data), ", %s of %#lx (%s%s)", access, r->parameters[1], what, place);
	}
	klog(LOG_ERROR, "%s (pid %u): %s (%#x) at %#lx%s%s%s%s", p->name, p->id, exception_name(r->code), r->code,
	     r->address, module, data, why ? ", " : "", why ? why : "");
}
