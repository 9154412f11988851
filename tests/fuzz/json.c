/*
 * Texts in JSON: whatever the bytes are, what comes out is printable UTF-8 in which
 * nothing ends the string, and what is cut is a beginning of the whole.
 */
#include "protocols/json.h"

#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

enum { LONGEST = 6 }; /* of what a byte becomes */

/* No control byte, and each backslash begins an escape. */
static void
check_escaped(struct slice out)
{
	for (size_t i = 0; i < out.len; i++) {
		unsigned char c = (unsigned char)out.ptr[i];
		assert(c >= 0x20 && c != 0x7f && c != '"');
		if (c != '\\')
			continue;
		assert(i + 1 < out.len && strchr("\\\"u", out.ptr[i + 1]) != NULL);
		i += out.ptr[i + 1] == 'u' ? 5 : 1;
		assert(i < out.len);
	}
}

void
fuzz_json(struct slice in)
{
	size_t room = in.len * LONGEST;
	char *all = calloc(1, room + 1), *again = calloc(1, room + 1);
	struct slice whole =
		slice_of(all, (size_t)(json_escape(all, all + room, in) - all));

	check_escaped(whole);
	for (size_t cut = 0; cut <= whole.len; cut += 1 + whole.len / 8) {
		size_t len = (size_t)(json_escape(again, again + cut, in) - again);
		assert(len <= cut && slice_starts(whole, slice_of(again, len)));
		check_escaped(slice_of(again, len));
	}
	/* It is UTF-8: what is escaped once more keeps all its bytes. */
	char *twice = calloc(1, 2 * room + 1);
	size_t len = (size_t)(json_escape(twice, twice + 2 * room, whole) - twice);
	assert(memmem(twice, len, "\\ufffd", 6) == NULL ||
		memmem(all, whole.len, "ufffd", 5) != NULL);
	free(twice);
	free(again);
	free(all);
}
