/* Counted strings, letter case, and conversion between UTF-8 and UTF-16. */
#include "ntdll.h"
#include <emmintrin.h>

void NTAPI RtlInitUnicodeString(UNICODE_STRING *out, const WCHAR *text)
{
	SIZE_T bytes = text ? wcslen(text) * sizeof(WCHAR) : 0;

	if (bytes > 0xFFFC)
		bytes = 0xFFFC; /* as documented for RtlInitUnicodeString: the length is cut */
	out->Length = (USHORT)bytes;
	out->MaximumLength = text ? (USHORT)(bytes + sizeof(WCHAR)) : 0;
	out->Buffer = (WCHAR *)text;
}

void NTAPI RtlInitAnsiString(ANSI_STRING *out, const char *text)
{
	SIZE_T bytes = text ? strlen(text) : 0;

	if (bytes > 0xFFFE)
		bytes = 0xFFFE;
	out->Length = (USHORT)bytes;
	out->MaximumLength = text ? (USHORT)(bytes + 1) : 0;
	out->Buffer = (char *)text;
}

/*
 * Simple case mapping for the alphabets whose capitals lie at a fixed distance: Latin, Greek, Cyrillic, Armenian, full
 * width. The rest maps to itself.
 */
WCHAR NTAPI RtlDowncaseUnicodeChar(WCHAR c)
{
	if (c < 0xC0)
		return c >= 'A' && c <= 'Z' ? c + 32 : c;
	if (c <= 0xDE)
		return c != 0xD7 ? c + 32 : c;
	if ((c >= 0x100 && c <= 0x137 && c != 0x130) || (c >= 0x14A && c <= 0x177))
		return c | 1;
	if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E))
		return (c & 1) ? c + 1 : c;
	if (c == 0x178)
		return 0xFF;
	if (c >= 0x391 && c <= 0x3AB && c != 0x3A2)
		return c + 32;
	if (c >= 0x400 && c <= 0x40F)
		return c + 80;
	if (c >= 0x410 && c <= 0x42F)
		return c + 32;
	if (c >= 0x460 && c <= 0x481)
		return c | 1;
	if (c >= 0x531 && c <= 0x556)
		return c + 48;
	if (c >= 0xFF21 && c <= 0xFF3A)
		return c + 32;
	return c;
}

WCHAR NTAPI RtlUpcaseUnicodeChar(WCHAR c)
{
	if (c < 0xE0)
		return c >= 'a' && c <= 'z' ? c - 32 : c;
	if (c <= 0xFE)
		return c != 0xF7 && c != 0xDF ? c - 32 : c;
	if (c == 0xFF)
		return 0x178;
	if ((c >= 0x100 && c <= 0x137 && c != 0x131) || (c >= 0x14A && c <= 0x177))
		return c & ~1;
	if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E))
		return (c & 1) ? c : c - 1;
	if (c >= 0x3B1 && c <= 0x3CB && c != 0x3C2)
		return c - 32;
	if (c >= 0x430 && c <= 0x44F)
		return c - 32;
	if (c >= 0x450 && c <= 0x45F)
		return c - 80;
	if (c >= 0x460 && c <= 0x481)
		return c & ~1;
	if (c >= 0x561 && c <= 0x586)
		return c - 48;
	if (c >= 0xFF41 && c <= 0xFF5A)
		return c - 32;
	return c;
}

LONG NTAPI RtlCompareUnicodeString(const UNICODE_STRING *a, const UNICODE_STRING *b, BOOLEAN ignore_case)
{
	ULONG shorter = (a->Length < b->Length ? a->Length : b->Length) / sizeof(WCHAR);

	for (ULONG i = 0; i < shorter; i++) {
		WCHAR x = a->Buffer[i], y = b->Buffer[i];

		if (x == y)
			continue;
		if (ignore_case) {
			x = RtlUpcaseUnicodeChar(x);
			y = RtlUpcaseUnicodeChar(y);
		}
		if (x != y)
			return (LONG)x - (LONG)y;
	}
	return (LONG)a->Length - (LONG)b->Length;
}

BOOLEAN NTAPI RtlEqualUnicodeString(const UNICODE_STRING *a, const UNICODE_STRING *b, BOOLEAN ignore_case)
{
	return a->Length == b->Length && RtlCompareUnicodeString(a, b, ignore_case) == 0;
}

BOOLEAN NTAPI RtlPrefixUnicodeString(const UNICODE_STRING *prefix, const UNICODE_STRING *text, BOOLEAN ignore_case)
{
	UNICODE_STRING head = *text;

	if (prefix->Length > text->Length)
		return FALSE;
	head.Length = prefix->Length;
	return RtlEqualUnicodeString(prefix, &head, ignore_case);
}

/*
 * One character from UTF-8: its code point, or 0xFFFD with *bad set for what is not UTF-8 (surrogates and overlong
 * forms included). *at moves behind what was read: at least one byte, and not into the next character's first byte.
 */
static ULONG utf8_decode(const BYTE **at, const BYTE *end, BOOLEAN *bad)
{
	const BYTE *p = *at;
	ULONG first = *p++, more, point, least;

	if (first < 0x80) {
		*at = p;
		return first;
	}
	if (first >= 0xC2 && first <= 0xDF) {
		more = 1, point = first & 0x1F, least = 0x80;
	} else if ((first & 0xF0) == 0xE0) {
		more = 2, point = first & 0x0F, least = 0x800;
	} else if (first >= 0xF0 && first <= 0xF4) {
		more = 3, point = first & 0x07, least = 0x10000;
	} else {
		more = 0, point = 0, least = ~0u;
	}
	for (; more && p < end && (*p & 0xC0) == 0x80; more--) {
		ULONG next = point << 6 | (*p & 0x3F);

		/* With one byte missing the value is already wrong or right: stop before the byte that shows it. */
		if (more == 2 && least == 0x800 && (next < 0x20 || (next >= 0x360 && next < 0x380)))
			break;
		if (more == 3 && (next < 0x10 || next > 0x10F))
			break;
		point = next;
		p++;
	}
	*at = p;
	if (more || point < least) {
		*bad = TRUE;
		return 0xFFFD;
	}
	return point;
}

/* Whether 8 units, or bytes, are all below 0x80: most text is. */
static inline BOOLEAN units_are_ascii(__m128i units)
{
	__m128i high = _mm_and_si128(units, _mm_set1_epi16((short)0xFF80));

	return _mm_movemask_epi8(_mm_cmpeq_epi16(high, _mm_setzero_si128())) == 0xFFFF;
}

static inline BOOLEAN bytes_are_ascii(__m128i eight)
{
	return _mm_movemask_epi8(eight) == 0;
}

/*
 * UTF-8 to UTF-16. out may be NULL: only the size is computed. STATUS_SOME_NOT_MAPPED when something became U+FFFD;
 * STATUS_BUFFER_TOO_SMALL when out is full, with what fits in it.
 */
NTSTATUS NTAPI RtlUTF8ToUnicodeN(WCHAR *out, ULONG out_bytes, ULONG *done_bytes, const char *in, ULONG in_bytes)
{
	const BYTE *at = (const BYTE *)in, *end = at + in_bytes;
	ULONG units = 0, room = out_bytes / sizeof(WCHAR);
	NTSTATUS status = STATUS_SUCCESS;
	BOOLEAN bad = FALSE;

	while (at < end) {
		ULONG point, need;

		if (end - at >= 8) {
			__m128i eight = _mm_loadl_epi64((const __m128i *)at);

			if (bytes_are_ascii(eight) && (!out || room - units >= 8)) {
				if (out)
					_mm_storeu_si128((__m128i *)(out + units), _mm_unpacklo_epi8(eight, _mm_setzero_si128()));
				units += 8;
				at += 8;
				continue;
			}
		}
		point = utf8_decode(&at, end, &bad);
		need = point >= 0x10000 ? 2 : 1;
		if (out) {
			if (units + need > room) {
				status = STATUS_BUFFER_TOO_SMALL;
				break;
			}
			if (need == 2) {
				out[units] = (WCHAR)(0xD800 + ((point - 0x10000) >> 10));
				out[units + 1] = (WCHAR)(0xDC00 + (point & 0x3FF));
			} else {
				out[units] = (WCHAR)point;
			}
		}
		units += need;
	}
	if (done_bytes)
		*done_bytes = units * sizeof(WCHAR);
	if (status == STATUS_SUCCESS && bad)
		status = STATUS_SOME_NOT_MAPPED;
	return status;
}

/* UTF-16 to UTF-8, with the same rules; a surrogate without its partner becomes U+FFFD. */
NTSTATUS NTAPI RtlUnicodeToUTF8N(char *out, ULONG out_bytes, ULONG *done_bytes, const WCHAR *in, ULONG in_bytes)
{
	ULONG units = in_bytes / sizeof(WCHAR), bytes = 0;
	NTSTATUS status = STATUS_SUCCESS;
	BOOLEAN bad = FALSE;

	for (ULONG i = 0; i < units; i++) {
		ULONG point, need;

		if (units - i >= 8) {
			__m128i eight = _mm_loadu_si128((const __m128i *)(in + i));

			if (units_are_ascii(eight) && (!out || out_bytes - bytes >= 8)) {
				if (out)
					_mm_storel_epi64((__m128i *)(out + bytes), _mm_packus_epi16(eight, eight));
				bytes += 8;
				i += 7;
				continue;
			}
		}
		point = in[i];
		if (point >= 0xD800 && point < 0xDC00 && i + 1 < units && in[i + 1] >= 0xDC00 && in[i + 1] < 0xE000) {
			point = 0x10000 + ((point - 0xD800) << 10) + (in[++i] - 0xDC00u);
		} else if (point >= 0xD800 && point < 0xE000) {
			point = 0xFFFD;
			bad = TRUE;
		}
		need = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
		if (out) {
			BYTE *to = (BYTE *)out + bytes;

			if (bytes + need > out_bytes) {
				status = STATUS_BUFFER_TOO_SMALL;
				break;
			}
			for (ULONG k = need - 1; k; k--) {
				to[k] = (BYTE)(0x80 | (point & 0x3F));
				point >>= 6;
			}
			to[0] = (BYTE)(need == 1 ? point : (0xF00u >> need & 0xFF) | point);
		}
		bytes += need;
	}
	if (done_bytes)
		*done_bytes = bytes;
	if (status == STATUS_SUCCESS && bad)
		status = STATUS_SOME_NOT_MAPPED;
	return status;
}

/* The ANSI code page is UTF-8. With allocate the result is on the process heap: RtlFreeUnicodeString. */
NTSTATUS NTAPI RtlAnsiStringToUnicodeString(UNICODE_STRING *out, ANSI_STRING *in, BOOLEAN allocate)
{
	ULONG bytes;

	RtlUTF8ToUnicodeN(NULL, 0, &bytes, in->Buffer, in->Length);
	if (bytes + sizeof(WCHAR) > 0xFFFE)
		return STATUS_INVALID_PARAMETER_2;
	if (allocate) {
		out->MaximumLength = (USHORT)(bytes + sizeof(WCHAR));
		out->Buffer = RtlAllocateHeap(peb_current()->process_heap, 0, out->MaximumLength);
		if (!out->Buffer)
			return STATUS_NO_MEMORY;
	} else if (bytes + sizeof(WCHAR) > out->MaximumLength) {
		return STATUS_BUFFER_OVERFLOW;
	}
	RtlUTF8ToUnicodeN(out->Buffer, bytes, NULL, in->Buffer, in->Length);
	out->Buffer[bytes / sizeof(WCHAR)] = 0;
	out->Length = (USHORT)bytes;
	return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlUnicodeStringToAnsiString(ANSI_STRING *out, const UNICODE_STRING *in, BOOLEAN allocate)
{
	ULONG bytes;

	RtlUnicodeToUTF8N(NULL, 0, &bytes, in->Buffer, in->Length);
	if (bytes + 1 > 0xFFFF)
		return STATUS_INVALID_PARAMETER_2;
	if (allocate) {
		out->MaximumLength = (USHORT)(bytes + 1);
		out->Buffer = RtlAllocateHeap(peb_current()->process_heap, 0, out->MaximumLength);
		if (!out->Buffer)
			return STATUS_NO_MEMORY;
	} else if (bytes + 1 > out->MaximumLength) {
		return STATUS_BUFFER_OVERFLOW;
	}
	RtlUnicodeToUTF8N(out->Buffer, bytes, NULL, in->Buffer, in->Length);
	out->Buffer[bytes] = 0;
	out->Length = (USHORT)bytes;
	return STATUS_SUCCESS;
}

void NTAPI RtlFreeUnicodeString(UNICODE_STRING *string)
{
	RtlFreeHeap(peb_current()->process_heap, 0, string->Buffer);
	memset(string, 0, sizeof(*string));
}

void NTAPI RtlFreeAnsiString(ANSI_STRING *string)
{
	RtlFreeHeap(peb_current()->process_heap, 0, string->Buffer);
	memset(string, 0, sizeof(*string));
}
