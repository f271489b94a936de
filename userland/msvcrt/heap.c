/* malloc and its relatives, on the process heap. A size of 0 is a block like any other. */
#include "msvcrt.h"
#include <malloc.h>

void *__cdecl malloc(size_t size)
{
	void *block = HeapAlloc(GetProcessHeap(), 0, size);

	if (!block)
		errno = ENOMEM;
	return block;
}

void *__cdecl calloc(size_t count, size_t size)
{
	size_t total;
	void *block = NULL;

	if (!__builtin_mul_overflow(count, size, &total))
		block = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, total);
	if (!block)
		errno = ENOMEM;
	return block;
}

void __cdecl free(void *block)
{
	if (block)
		HeapFree(GetProcessHeap(), 0, block);
}

/* realloc(block, 0) frees the block and returns NULL, as Microsoft's does. */
void *__cdecl realloc(void *block, size_t size)
{
	void *other;

	if (!block)
		return malloc(size);
	if (!size) {
		free(block);
		return NULL;
	}
	other = HeapReAlloc(GetProcessHeap(), 0, block, size);
	if (!other)
		errno = ENOMEM;
	return other;
}

void *__cdecl _recalloc(void *block, size_t count, size_t size)
{
	size_t total, old = block ? _msize(block) : 0;
	char *other;

	if (__builtin_mul_overflow(count, size, &total)) {
		errno = ENOMEM;
		return NULL;
	}
	other = realloc(block, total);
	if (other && total > old)
		memset(other + old, 0, total - old);
	return other;
}

/* Makes the block larger or smaller where it lies, or returns NULL. */
void *__cdecl _expand(void *block, size_t size)
{
	return HeapReAlloc(GetProcessHeap(), HEAP_REALLOC_IN_PLACE_ONLY, block, size);
}

size_t __cdecl _msize(void *block)
{
	if (!block) {
		errno = EINVAL;
		return (size_t)-1;
	}
	return HeapSize(GetProcessHeap(), 0, block);
}

/* The heap's own block and the size asked for are kept in front of an aligned one. */
struct aligned_head {
	void *block;
	size_t size;
};

void *__cdecl _aligned_malloc(size_t size, size_t alignment)
{
	struct aligned_head *head;
	size_t total;
	uintptr_t at;
	char *block;

	if (!alignment || (alignment & (alignment - 1))) {
		errno = EINVAL;
		return NULL;
	}
	if (alignment < sizeof(void *))
		alignment = sizeof(void *);
	if (__builtin_add_overflow(size, alignment - 1 + sizeof(*head), &total)) {
		errno = ENOMEM;
		return NULL;
	}
	block = malloc(total);
	if (!block)
		return NULL;
	at = ((uintptr_t)block + sizeof(*head) + alignment - 1) & ~(uintptr_t)(alignment - 1);
	head = (struct aligned_head *)at - 1;
	head->block = block;
	head->size = size;
	return (void *)at;
}

void __cdecl _aligned_free(void *aligned)
{
	if (aligned)
		free(((struct aligned_head *)aligned - 1)->block);
}

void *__cdecl _aligned_realloc(void *aligned, size_t size, size_t alignment)
{
	size_t old;
	void *other;

	if (!aligned)
		return _aligned_malloc(size, alignment);
	if (!size) {
		_aligned_free(aligned);
		return NULL;
	}
	other = _aligned_malloc(size, alignment);
	if (!other)
		return NULL;
	old = ((struct aligned_head *)aligned - 1)->size;
	memcpy(other, aligned, old < size ? old : size);
	_aligned_free(aligned);
	return other;
}
