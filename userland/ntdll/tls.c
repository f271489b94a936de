/*
 * Static thread-local storage (__declspec(thread), _Thread_local): each module with a TLS directory has a slot, and
 * each thread an array of blocks by slot, which the compiler's code finds at gs:0x58. Source: PE/COFF specification,
 * "The .tls Section". Everything here runs under the loader lock; a module that is loaded later gets its blocks in
 * all threads that exist. An array that became too small stays until its thread ends, since the thread may be reading
 * it.
 */
#include "ntdll.h"

#define TLS_SLOTS_FIRST 32u

struct tls_record {
	LIST_ENTRY links;
	struct teb *teb;
	ULONG capacity;   /* of teb->tls_pointer; the entry behind the last one is the array used before */
	void *first[TLS_SLOTS_FIRST + 1]; /* the first array */
};

static LIST_ENTRY records = { &records, &records };
static ULONG record_count START_DATA;

/* A thread's block for a module: the template, then zeros. The address to free lies before the aligned block. */
static void *block_create(struct loader_module *module)
{
	IMAGE_TLS_DIRECTORY *directory = module->tls;
	SIZE_T filled = (SIZE_T)(directory->EndAddressOfRawData - directory->StartAddressOfRawData);
	ULONG power = (directory->Characteristics & IMAGE_SCN_ALIGN_MASK) >> 20;
	SIZE_T align = power > 5 ? 1ull << (power - 1) : 16;
	BYTE *raw = RtlAllocateHeap(peb_current()->process_heap, HEAP_ZERO_MEMORY,
				    sizeof(void *) + align + filled + directory->SizeOfZeroFill);
	BYTE *block;

	if (!raw)
		return NULL;
	block = (BYTE *)address_round_up((ULONG64)(raw + sizeof(void *)), align);
	((void **)block)[-1] = raw;
	memcpy(block, (void *)directory->StartAddressOfRawData, filled);
	return block;
}

static void block_destroy(void **array, ULONG slot)
{
	if (array[slot])
		RtlFreeHeap(peb_current()->process_heap, 0, ((void **)array[slot])[-1]);
	array[slot] = NULL;
}

static NTSTATUS record_grow(struct tls_record *record, ULONG slots)
{
	ULONG capacity = record->capacity ? record->capacity : TLS_SLOTS_FIRST;
	void **array;

	while (capacity < slots)
		capacity *= 2;
	if (capacity == record->capacity)
		return STATUS_SUCCESS;
	array = capacity == TLS_SLOTS_FIRST ? record->first
					    : RtlAllocateHeap(peb_current()->process_heap, HEAP_ZERO_MEMORY, (capacity + 1) * sizeof(void *));
	if (!array)
		return STATUS_NO_MEMORY;
	if (record->capacity)
		memcpy(array, record->teb->tls_pointer, record->capacity * sizeof(void *));
	array[capacity] = record->teb->tls_pointer;
	*(void **volatile *)&record->teb->tls_pointer = array;
	record->capacity = capacity;
	return STATUS_SUCCESS;
}

static ULONG slot_unused(void)
{
	ULONG slot = 0;

again:
	for (LIST_ENTRY *at = loader.load_order.Flink; at != &loader.load_order; at = at->Flink) {
		if (CONTAINER(at, struct loader_module, load_order)->tls_slot == slot) {
			slot++;
			goto again;
		}
	}
	return slot;
}

/* Gives a module its slot and all threads their blocks. Nothing has happened when it fails. */
NTSTATUS tls_module_add(struct loader_module *module)
{
	ULONG size, slot;
	IMAGE_TLS_DIRECTORY *directory = RtlImageDirectoryEntryToData(module->base, TRUE, IMAGE_DIRECTORY_ENTRY_TLS, &size);

	module->tls = directory;
	if (!directory || !directory->AddressOfIndex)
		return STATUS_SUCCESS;
	slot = slot_unused();
	for (LIST_ENTRY *at = records.Flink; at != &records; at = at->Flink) {
		struct tls_record *record = CONTAINER(at, struct tls_record, links);
		void *block = NULL;

		if (NT_SUCCESS(record_grow(record, slot + 1)))
			block = block_create(module);
		if (!block) {
			for (at = at->Blink; at != &records; at = at->Blink)
				block_destroy(CONTAINER(at, struct tls_record, links)->teb->tls_pointer, slot);
			return STATUS_NO_MEMORY;
		}
		record->teb->tls_pointer[slot] = block;
	}
	module->tls_slot = slot;
	module->tls_index = 1;
	*(ULONG *)directory->AddressOfIndex = slot;
	return STATUS_SUCCESS;
}

void tls_module_remove(struct loader_module *module)
{
	if (module->tls_slot == TLS_NO_SLOT)
		return;
	for (LIST_ENTRY *at = records.Flink; at != &records; at = at->Flink)
		block_destroy(CONTAINER(at, struct tls_record, links)->teb->tls_pointer, module->tls_slot);
	module->tls_slot = TLS_NO_SLOT;
}

/* The calling thread's array with a block for each module. STATUS_NO_MEMORY: what was made stays for tls_thread_end. */
NTSTATUS tls_thread_init(void)
{
	struct teb *teb = teb_current();
	struct tls_record *record = RtlAllocateHeap(teb->peb->process_heap, HEAP_ZERO_MEMORY, sizeof(*record));

	if (!record)
		return STATUS_NO_MEMORY;
	record->teb = teb;
	if (!NT_SUCCESS(record_grow(record, 1))) {
		RtlFreeHeap(teb->peb->process_heap, 0, record);
		return STATUS_NO_MEMORY;
	}
	teb->tls_record = record;
	list_append(&records, &record->links);
	record_count++;
	for (LIST_ENTRY *at = loader.load_order.Flink; at != &loader.load_order; at = at->Flink) {
		struct loader_module *module = CONTAINER(at, struct loader_module, load_order);

		if (module->tls_slot == TLS_NO_SLOT)
			continue;
		if (!NT_SUCCESS(record_grow(record, module->tls_slot + 1)))
			return STATUS_NO_MEMORY;
		teb->tls_pointer[module->tls_slot] = block_create(module);
		if (!teb->tls_pointer[module->tls_slot])
			return STATUS_NO_MEMORY;
	}
	return STATUS_SUCCESS;
}

void tls_thread_end(void)
{
	struct teb *teb = teb_current();
	struct tls_record *record = teb->tls_record;
	ULONG capacity = record ? record->capacity : 0;
	void **array = teb->tls_pointer;

	if (!record)
		return;
	teb->tls_record = NULL;
	teb->tls_pointer = NULL;
	list_remove(&record->links);
	record_count--;
	for (ULONG slot = 0; slot < capacity; slot++)
		block_destroy(array, slot);
	while (array) {
		void **before = array[capacity];

		if (array != record->first)
			RtlFreeHeap(teb->peb->process_heap, 0, array);
		array = before;
		capacity /= 2;
	}
	RtlFreeHeap(teb->peb->process_heap, 0, record);
	RtlFreeHeap(teb->peb->process_heap, 0, teb->tls_expansion_slots);
	teb->tls_expansion_slots = NULL;
	RtlFreeHeap(teb->peb->process_heap, 0, teb->fiber_local_slots); /* made again behind kernel32's end for this thread */
	teb->fiber_local_slots = NULL;
}

void NTAPI RtlZeroTlsSlot(ULONG slot)
{
	RtlEnterCriticalSection(&loader_lock);
	for (LIST_ENTRY *at = records.Flink; at != &records; at = at->Flink) {
		struct teb *teb = CONTAINER(at, struct tls_record, links)->teb;

		if (slot >= RTL_FIBER_SLOTS) {
			if (teb->fiber_local_slots)
				teb->fiber_local_slots[slot - RTL_FIBER_SLOTS] = NULL;
		} else if (slot < 64) {
			teb->tls_slots[slot] = NULL;
		} else if (teb->tls_expansion_slots) {
			teb->tls_expansion_slots[slot - 64] = NULL;
		}
	}
	RtlLeaveCriticalSection(&loader_lock);
}

/* The thread's blocks are lost, as all that a thread owns when it is ended from outside. */
void NTAPI RtlForgetThread(void *teb)
{
	if (!RtlTryEnterCriticalSection(&loader_lock))
		return; /* that thread may have died with the lock */
	for (LIST_ENTRY *at = records.Flink; at != &records; at = at->Flink) {
		if (CONTAINER(at, struct tls_record, links)->teb == teb) {
			list_remove(at);
			record_count--;
			break;
		}
	}
	RtlLeaveCriticalSection(&loader_lock);
}

/* In a copy of the process: the caller is its only thread. What the others had is lost. */
void tls_forget_others(void)
{
	struct tls_record *own = teb_current()->tls_record;

	/* There were none: nothing is written, so that no page has to be copied. */
	if (own && record_count == 1 && records.Flink == &own->links && records.Blink == &own->links &&
	    own->links.Flink == &records && own->links.Blink == &records)
		return;
	list_init(&records);
	record_count = 0;
	if (!own)
		return;
	list_append(&records, &own->links);
	record_count = 1;
}

/* Threads that ntdll knows. */
ULONG tls_thread_count(void)
{
	return record_count;
}

void tls_callbacks_run(struct loader_module *module, ULONG reason)
{
	IMAGE_TLS_DIRECTORY *directory = module->tls;
	PIMAGE_TLS_CALLBACK *callback;

	if (!directory || !directory->AddressOfCallBacks)
		return;
	for (callback = (PIMAGE_TLS_CALLBACK *)directory->AddressOfCallBacks; *callback; callback++)
		(*callback)(module->base, reason, NULL);
}
