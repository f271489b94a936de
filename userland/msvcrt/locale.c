/* Locales: "C", and the system's own, which is "C" with UTF-8. */
#include "msvcrt.h"
#include <locale.h>

static char name[LC_MAX - LC_MIN + 1][8];

static struct lconv conventions = {
	.decimal_point = ".", .thousands_sep = "", .grouping = "", .int_curr_symbol = "", .currency_symbol = "",
	.mon_decimal_point = "", .mon_thousands_sep = "", .mon_grouping = "", .positive_sign = "", .negative_sign = "",
	.int_frac_digits = CHAR_MAX, .frac_digits = CHAR_MAX, .p_cs_precedes = CHAR_MAX, .p_sep_by_space = CHAR_MAX,
	.n_cs_precedes = CHAR_MAX, .n_sep_by_space = CHAR_MAX, .p_sign_posn = CHAR_MAX, .n_sign_posn = CHAR_MAX,
	._W_decimal_point = L".", ._W_thousands_sep = L"", ._W_int_curr_symbol = L"", ._W_currency_symbol = L"",
	._W_mon_decimal_point = L"", ._W_mon_thousands_sep = L"", ._W_positive_sign = L"", ._W_negative_sign = L"",
};

struct lconv *__cdecl localeconv(void)
{
	return &conventions;
}

/*
 * Takes "C", and "" or ".UTF-8" (also ".utf8", ".65001"). Only the category of characters makes a difference.
 * Returns the category's locale, with LC_ALL that of characters; NULL: no such locale, nothing is changed.
 */
char *__cdecl setlocale(int category, const char *locale)
{
	int from = category == LC_ALL ? LC_MIN : category, to = category == LC_ALL ? LC_MAX : category;

	if (category < LC_MIN || category > LC_MAX)
		return NULL;
	if (locale) {
		bool utf8 = !*locale || !_stricmp(locale, ".UTF-8") || !_stricmp(locale, ".utf8") ||
			    !strcmp(locale, ".65001") || !_stricmp(locale, "C.UTF-8");

		if (!utf8 && strcmp(locale, "C"))
			return NULL;
		for (int i = from; i <= to; i++)
			strcpy(name[i - LC_MIN], utf8 ? "C.UTF-8" : "");
		if (from <= LC_CTYPE && to >= LC_CTYPE)
			locale_code_page = utf8 ? CP_UTF8 : 0;
	}
	from = category == LC_ALL ? LC_CTYPE : category;
	return *name[from - LC_MIN] ? name[from - LC_MIN] : "C";
}

unsigned int __cdecl ___lc_codepage_func(void)
{
	return locale_code_page;
}

/* The most bytes that a character has. */
int __cdecl ___mb_cur_max_func(void)
{
	return locale_code_page ? 4 : 1;
}
