/*
 * Finding the caller of a function from its unwind data. Source: Microsoft, "x64 exception handling": struct
 * UNWIND_INFO, unwind codes, the forms that an epilogue may have.
 */
#include "ntdll.h"

struct unwind_info {
	BYTE version_flags;      /* version in 3 bits, UNW_FLAG_* in 5 */
	BYTE prologue_size;
	BYTE code_count;
	BYTE frame;              /* register in 4 bits, its offset from rsp in units of 16 bytes in 4 */
	USHORT codes[];          /* offset in the prologue in 8 bits, operation in 4, its information in 4 */
};

enum {
	PUSH_NONVOLATILE, ALLOCATE_LARGE, ALLOCATE_SMALL, SET_FRAME, SAVE_NONVOLATILE, SAVE_NONVOLATILE_FAR, EPILOGUE,
	SPARE, SAVE_XMM, SAVE_XMM_FAR, PUSH_MACHINE_FRAME
};

/* Tables that a program made itself, for code that is in no image. */
struct function_table {
	struct function_table *next;
	RUNTIME_FUNCTION *functions;
	ULONG count;
	DWORD64 base;
};

static struct function_table *function_tables;
static RTL_SRWLOCK function_tables_lock;

BOOLEAN __cdecl RtlAddFunctionTable(RUNTIME_FUNCTION *functions, DWORD count, DWORD64 base)
{
	struct function_table *table = RtlAllocateHeap(peb_current()->process_heap, 0, sizeof(*table));

	if (!table)
		return FALSE;
	table->functions = functions;
	table->count = count;
	table->base = base;
	RtlAcquireSRWLockExclusive(&function_tables_lock);
	table->next = function_tables;
	function_tables = table;
	RtlReleaseSRWLockExclusive(&function_tables_lock);
	return TRUE;
}

BOOLEAN __cdecl RtlDeleteFunctionTable(RUNTIME_FUNCTION *functions)
{
	struct function_table *table = NULL;

	RtlAcquireSRWLockExclusive(&function_tables_lock);
	for (struct function_table **at = &function_tables; *at; at = &(*at)->next) {
		if ((*at)->functions == functions) {
			table = *at;
			*at = table->next;
			break;
		}
	}
	RtlReleaseSRWLockExclusive(&function_tables_lock);
	if (table)
		RtlFreeHeap(peb_current()->process_heap, 0, table);
	return table != NULL;
}

static RUNTIME_FUNCTION *functions_search(RUNTIME_FUNCTION *functions, ULONG count, ULONG rva)
{
	ULONG low = 0, high = count;

	while (low < high) {
		ULONG middle = low + (high - low) / 2;

		if (rva < functions[middle].BeginAddress)
			high = middle;
		else if (rva >= functions[middle].EndAddress)
			low = middle + 1;
		else
			return &functions[middle];
	}
	return NULL;
}

/*
 * The function that an address is in, and the base that its table counts from; NULL: a leaf, or no code that we know.
 */
PRUNTIME_FUNCTION NTAPI RtlLookupFunctionEntry(DWORD64 address, DWORD64 *base, UNWIND_HISTORY_TABLE *history)
{
	struct loader_module *module = module_find_address((void *)address);
	RUNTIME_FUNCTION *found = NULL;
	ULONG size;

	(void)history; /* a cache that we do not need */
	if (module) {
		RUNTIME_FUNCTION *functions =
			RtlImageDirectoryEntryToData(module->base, TRUE, IMAGE_DIRECTORY_ENTRY_EXCEPTION, &size);

		*base = (DWORD64)module->base;
		if (functions)
			found = functions_search(functions, size / sizeof(*functions), (ULONG)(address - *base));
		return found;
	}
	RtlAcquireSRWLockShared(&function_tables_lock);
	for (struct function_table *table = function_tables; table && !found; table = table->next) {
		*base = table->base;
		if (address - table->base <= 0xFFFFFFFF)
			found = functions_search(table->functions, table->count, (ULONG)(address - table->base));
	}
	RtlReleaseSRWLockShared(&function_tables_lock);
	return found;
}

/* General registers by the number that unwind data and instructions use: they lie in CONTEXT in this order. */
static DWORD64 *context_register(CONTEXT *context, ULONG number)
{
	return &context->Rax + number;
}

static void register_load(CONTEXT *context, ULONG number, DWORD64 *from, KNONVOLATILE_CONTEXT_POINTERS *pointers)
{
	*context_register(context, number) = *from;
	if (pointers)
		pointers->IntegerContext[number] = from;
}

static void xmm_load(CONTEXT *context, ULONG number, M128A *from, KNONVOLATILE_CONTEXT_POINTERS *pointers)
{
	context->FltSave.XmmRegisters[number] = *from;
	if (pointers)
		pointers->FloatingContext[number] = from;
}

static ULONG code_slots(ULONG operation, ULONG information)
{
	switch (operation) {
	case ALLOCATE_LARGE:
		return information ? 3 : 2;
	case SAVE_NONVOLATILE:
	case SAVE_XMM:
		return 2;
	case SAVE_NONVOLATILE_FAR:
	case SAVE_XMM_FAR:
		return 3;
	default:
		return 1;
	}
}

/*
 * In an epilogue (add rsp or lea rsp, pops, ret or a jump out of the function) part of the frame is gone already: the
 * rest of it is played through on the registers. FALSE: this is no epilogue.
 */
static BOOLEAN epilogue_finish(CONTEXT *context, const struct unwind_info *info,
			       KNONVOLATILE_CONTEXT_POINTERS *pointers, DWORD64 begin, DWORD64 end)
{
	const BYTE *at = (const BYTE *)context->Rip;
	const BYTE *last = (const BYTE *)end;
	CONTEXT *c = context;
	DWORD64 rsp = c->Rsp;
	ULONG pops[16], pop_count = 0;
	LONG offset;

	if (last - at >= 4 && at[0] == 0x48 && at[1] == 0x83 && at[2] == 0xC4) { /* add rsp, imm8 */
		rsp += (DWORD64)(LONG64)(signed char)at[3];
		at += 4;
	} else if (last - at >= 7 && at[0] == 0x48 && at[1] == 0x81 && at[2] == 0xC4) { /* add rsp, imm32 */
		memcpy(&offset, at + 3, 4);
		rsp += (DWORD64)(LONG64)offset;
		at += 7;
	} else if (last - at >= 4 && (at[0] & 0xFE) == 0x48 && at[1] == 0x8D && (info->frame & 15) &&
		   (at[2] & 0x38) == 0x20 && ((ULONG)(at[2] & 7) | (at[0] & 1u) << 3) == (info->frame & 15u)) {
		DWORD64 frame = *context_register(c, info->frame & 15); /* lea rsp, [frame + imm] */

		if ((at[2] & 0xC0) == 0x40) {
			rsp = frame + (DWORD64)(LONG64)(signed char)at[3];
			at += 4;
		} else if ((at[2] & 0xC0) == 0x80 && last - at >= 7) {
			memcpy(&offset, at + 3, 4);
			rsp = frame + (DWORD64)(LONG64)offset;
			at += 7;
		} else {
			return FALSE;
		}
	}
	for (; last - at >= 1 && pop_count < 16; at++) {
		if ((at[0] & 0xF8) == 0x58) {
			pops[pop_count++] = at[0] & 7;
		} else if (last - at >= 2 && at[0] == 0x41 && (at[1] & 0xF8) == 0x58) {
			pops[pop_count++] = 8 + (at[1] & 7);
			at++;
		} else {
			break;
		}
	}
	if (last - at < 1)
		return FALSE;
	if (last - at >= 2 && at[0] == 0xF3 && at[1] == 0xC3) { /* rep ret */
	} else if (at[0] == 0xEB && last - at >= 2) { /* a jump ends a function only if it leaves it */
		DWORD64 target = (DWORD64)at + 2 + (DWORD64)(LONG64)(signed char)at[1];

		if (target >= begin && target < end)
			return FALSE;
	} else if (at[0] == 0xE9 && last - at >= 5) {
		DWORD64 target;

		memcpy(&offset, at + 1, 4);
		target = (DWORD64)at + 5 + (DWORD64)(LONG64)offset;
		if (target >= begin && target < end)
			return FALSE;
	} else if (at[0] != 0xC3 && at[0] != 0xC2 &&
		   !(last - at >= 3 && at[0] == 0x48 && at[1] == 0xFF && (at[2] & 0x38) == 0x20)) { /* rex jmp [mem] */
		return FALSE;
	}
	c->Rsp = rsp;
	for (ULONG i = 0; i < pop_count; i++) {
		register_load(c, pops[i], (DWORD64 *)c->Rsp, pointers);
		c->Rsp += 8;
	}
	c->Rip = *(DWORD64 *)c->Rsp;
	c->Rsp += 8;
	return TRUE;
}

/* Undoes the operations of one unwind_info that lie before offset. TRUE: it was a trap's frame, and Rip is set. */
static BOOLEAN codes_undo(const struct unwind_info *info, ULONG offset, CONTEXT *context, DWORD64 frame,
			  KNONVOLATILE_CONTEXT_POINTERS *pointers)
{
	BOOLEAN machine_frame = FALSE;

	for (ULONG i = 0; i < info->code_count;) {
		ULONG operation = info->codes[i] >> 8 & 15, information = info->codes[i] >> 12;
		const USHORT *operand = &info->codes[i + 1];
		ULONG slots = code_slots(operation, information), large = 0;

		if (slots == 3)
			memcpy(&large, operand, 4);
		i += slots;
		if ((info->codes[i - slots] & 0xFF) > offset)
			continue;
		switch (operation) {
		case PUSH_NONVOLATILE:
			register_load(context, information, (DWORD64 *)context->Rsp, pointers);
			context->Rsp += 8;
			break;
		case ALLOCATE_LARGE:
			context->Rsp += information ? large : operand[0] * 8u;
			break;
		case ALLOCATE_SMALL:
			context->Rsp += information * 8 + 8;
			break;
		case SET_FRAME:
			context->Rsp = *context_register(context, info->frame & 15) - (info->frame >> 4) * 16;
			break;
		case SAVE_NONVOLATILE:
			register_load(context, information, (DWORD64 *)(frame + operand[0] * 8u), pointers);
			break;
		case SAVE_NONVOLATILE_FAR:
			register_load(context, information, (DWORD64 *)(frame + large), pointers);
			break;
		case SAVE_XMM:
			xmm_load(context, information, (M128A *)(frame + operand[0] * 16u), pointers);
			break;
		case SAVE_XMM_FAR:
			xmm_load(context, information, (M128A *)(frame + large), pointers);
			break;
		case PUSH_MACHINE_FRAME:
			context->Rsp += information ? 8 : 0;
			context->Rip = *(DWORD64 *)context->Rsp;
			context->Rsp = *(DWORD64 *)(context->Rsp + 24);
			machine_frame = TRUE;
			break;
		}
	}
	return machine_frame;
}

/* The address of the code that sets the frame register; 0 without one. */
static ULONG frame_set_offset(const struct unwind_info *info)
{
	for (ULONG i = 0; i < info->code_count; i += code_slots(info->codes[i] >> 8 & 15, info->codes[i] >> 12))
		if ((info->codes[i] >> 8 & 15) == SET_FRAME)
			return info->codes[i] & 0xFF;
	return 0;
}

static RUNTIME_FUNCTION *chained_function(const struct unwind_info *info)
{
	return (RUNTIME_FUNCTION *)&info->codes[(info->code_count + 1u) & ~1u];
}

/*
 * Changes context from a function, stopped at address, to its caller. *frame becomes what its handlers know it by.
 * Returns its handler if it has one of the kind that type asks for (UNW_FLAG_*) and the address is neither in the
 * prologue nor the epilogue, with *data the handler's data.
 */
PEXCEPTION_ROUTINE NTAPI RtlVirtualUnwind(DWORD type, DWORD64 base, DWORD64 address, PRUNTIME_FUNCTION function,
					  CONTEXT *context, void **data, DWORD64 *frame,
					  KNONVOLATILE_CONTEXT_POINTERS *pointers)
{
	const struct unwind_info *info = (struct unwind_info *)(base + function->UnwindData);
	ULONG offset = (ULONG)(address - base) - function->BeginAddress;
	BOOLEAN in_prologue = offset < info->prologue_size, machine_frame;
	ULONG flags;

	*frame = context->Rsp;
	if ((info->frame & 15) && (!in_prologue || offset >= frame_set_offset(info)))
		*frame = *context_register(context, info->frame & 15) - (info->frame >> 4) * 16;
	context->Rip = address;
	if (!in_prologue && epilogue_finish(context, info, pointers, base + function->BeginAddress,
					    base + function->EndAddress))
		return NULL;
	machine_frame = codes_undo(info, in_prologue ? offset : 0xFF, context, *frame, pointers);
	flags = info->version_flags >> 3;
	while (flags & UNW_FLAG_CHAININFO) {
		RUNTIME_FUNCTION *chained = chained_function(info);

		info = (struct unwind_info *)(base + chained->UnwindData);
		machine_frame |= codes_undo(info, 0xFF, context, *frame, pointers);
		flags = info->version_flags >> 3;
	}
	if (!machine_frame) {
		context->Rip = *(DWORD64 *)context->Rsp;
		context->Rsp += 8;
	}
	if (in_prologue || !(flags & type))
		return NULL;
	*data = (ULONG *)chained_function(info) + 1;
	return (PEXCEPTION_ROUTINE)(base + *(ULONG *)chained_function(info));
}
