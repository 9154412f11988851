#include "protocols/http.h"

/* ";q=0.5" behind a coding, in thousandths (section 12.4.2); what is none of this means
 * that it is not wanted. */
static unsigned
read_quality(struct slice weight)
{
	unsigned quality, unit = 100;

	weight = slice_trim(weight);
	if (weight.len == 0)
		return HTTP_QUALITY_MAX;
	if (weight.len < 3 || !slice_caseeq(slice_of(weight.ptr, 2), SLICE("q=")))
		return 0;
	slice_advance(&weight, 2);
	if (weight.len > 5 || (weight.ptr[0] != '0' && weight.ptr[0] != '1'))
		return 0;
	quality = weight.ptr[0] == '1' ? HTTP_QUALITY_MAX : 0;
	for (size_t i = 1; i < weight.len; i++) {
		char c = weight.ptr[i];
		if (i == 1 ? c != '.' : c < '0' || c > '9')
			return 0;
		if (i == 1)
			continue;
		quality += (unsigned)(c - '0') * unit;
		unit /= 10;
	}
	return quality <= HTTP_QUALITY_MAX ? quality : 0;
}

/* One coding of the list, and its weight; both are taken off. */
static struct slice
take_coding(struct slice *list, unsigned *quality)
{
	const char *comma = memchr(list->ptr, ',', list->len);
	size_t n = comma != NULL ? (size_t)(comma - list->ptr) : list->len;
	struct slice name = slice_of(list->ptr, n);
	const char *semicolon = n > 0 ? memchr(name.ptr, ';', n) : NULL;

	*quality = HTTP_QUALITY_MAX;
	if (semicolon != NULL) {
		name.len = (size_t)(semicolon - name.ptr);
		*quality = read_quality(slice_of(semicolon + 1, n - name.len - 1));
	}
	slice_advance(list, comma != NULL ? n + 1 : n);
	return slice_trim(name);
}

unsigned
http_coding_quality(struct slice field, struct slice coding)
{
	bool is_identity = slice_caseeq(coding, SLICE("identity"));
	unsigned quality, others = is_identity;

	while (field.len > 0) {
		struct slice name = take_coding(&field, &quality);
		if (slice_caseeq(name, coding))
			return quality;
		/* All may be refused at once, so identity too; but what is wanted that
		 * way is rather one of the codings. */
		if (slice_eq(name, SLICE("*")) && !(is_identity && quality > 0))
			others = quality;
	}
	return others;
}
