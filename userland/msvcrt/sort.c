/*
 * Sorting and searching arrays. qsort_s takes the middle of three elements for its pivot; a part in which that goes
 * badly too often is sorted as a heap, so the time is n log n always, and the smaller half first, so the stack is
 * log n.
 */
#include "msvcrt.h"

struct sort {
	size_t size;
	int (__cdecl *compare)(void *context, const void *a, const void *b);
	void *context;
};

#define SMALL 12 /* elements: insertion is faster */

static void swap(char *a, char *b, size_t size)
{
	uint64_t word;
	char byte;

	for (; size >= 8; size -= 8, a += 8, b += 8) {
		__builtin_memcpy(&word, a, 8);
		__builtin_memcpy(a, b, 8);
		__builtin_memcpy(b, &word, 8);
	}
	for (; size; size--) {
		byte = *a;
		*a++ = *b;
		*b++ = byte;
	}
}

static int order(const struct sort *s, const char *a, const char *b)
{
	return s->compare(s->context, a, b);
}

static void insertion_sort(const struct sort *s, char *from, size_t count)
{
	for (size_t i = 1; i < count; i++)
		for (char *at = from + i * s->size; at > from && order(s, at - s->size, at) > 0; at -= s->size)
			swap(at - s->size, at, s->size);
}

static void heap_sink(const struct sort *s, char *from, size_t at, size_t count)
{
	size_t child;

	for (; (child = 2 * at + 1) < count; at = child) {
		if (child + 1 < count && order(s, from + child * s->size, from + (child + 1) * s->size) < 0)
			child++;
		if (order(s, from + at * s->size, from + child * s->size) >= 0)
			return;
		swap(from + at * s->size, from + child * s->size, s->size);
	}
}

static void heap_sort(const struct sort *s, char *from, size_t count)
{
	for (size_t i = count / 2; i-- > 0;)
		heap_sink(s, from, i, count);
	while (count > 1) {
		swap(from, from + --count * s->size, s->size);
		heap_sink(s, from, 0, count);
	}
}

/* Parts the elements into those below and above a pivot, and returns the pivot's index. */
static size_t partition(const struct sort *s, char *from, size_t count)
{
	size_t size = s->size, i = 0, j = count;
	char *middle = from + count / 2 * size, *last = from + (count - 1) * size;

	if (order(s, middle, last) > 0)
		swap(middle, last, size);
	if (order(s, from, middle) < 0)
		swap(from, middle, size);
	if (order(s, from, last) > 0)
		swap(from, last, size); /* the pivot is the middle one, and at from */
	for (;;) {
		do
			i++;
		while (i < count && order(s, from + i * size, from) < 0);
		do
			j--;
		while (order(s, from + j * size, from) > 0);
		if (i >= j)
			break;
		swap(from + i * size, from + j * size, size);
	}
	swap(from, from + j * size, size);
	return j;
}

static void part_sort(const struct sort *s, char *from, size_t count, int bad_left)
{
	while (count > SMALL) {
		size_t at, right;

		if (!bad_left--) {
			heap_sort(s, from, count);
			return;
		}
		at = partition(s, from, count);
		right = count - at - 1;
		if (at < right) {
			part_sort(s, from, at, bad_left);
			from += (at + 1) * s->size;
			count = right;
		} else {
			part_sort(s, from + (at + 1) * s->size, right, bad_left);
			count = at;
		}
	}
	insertion_sort(s, from, count);
}

void __cdecl qsort_s(void *base, size_t count, size_t size, int (__cdecl *compare)(void *, const void *, const void *),
		     void *context)
{
	struct sort s = { size, compare, context };
	int depth = 0;

	if (!size || !compare || (!base && count)) {
		errno = EINVAL;
		return;
	}
	for (size_t n = count; n; n /= 2)
		depth += 2;
	part_sort(&s, base, count, depth);
}

typedef int (__cdecl *plain_compare)(const void *, const void *);

static int __cdecl compare_plain(void *context, const void *a, const void *b)
{
	return (*(plain_compare *)context)(a, b);
}

void __cdecl qsort(void *base, size_t count, size_t size, plain_compare compare)
{
	qsort_s(base, count, size, compare_plain, &compare);
}

void *__cdecl bsearch_s(const void *key, const void *base, size_t count, size_t size,
			int (__cdecl *compare)(void *, const void *, const void *), void *context)
{
	const char *from = base;

	while (count) {
		const char *middle = from + count / 2 * size;
		int result = compare(context, key, middle);

		if (!result)
			return (void *)middle;
		if (result > 0) {
			from = middle + size;
			count -= count / 2 + 1;
		} else {
			count /= 2;
		}
	}
	return NULL;
}

void *__cdecl bsearch(const void *key, const void *base, size_t count, size_t size, plain_compare compare)
{
	return bsearch_s(key, base, count, size, compare_plain, &compare);
}

/* The first element that compares equal, or NULL. */
void *__cdecl _lfind(const void *key, const void *base, unsigned int *count, unsigned int size, plain_compare compare)
{
	const char *at = base;

	for (unsigned int i = 0; i < *count; i++, at += size)
		if (!compare(key, at))
			return (void *)at;
	return NULL;
}
