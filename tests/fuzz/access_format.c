/*
 * The access log: a format's parts are all of it, a value that is escaped is one plain
 * word and can be read back.
 */
#include "protocols/access_format.h"

#include "protocols/http1_guard.h"
#include "tests/fuzz/fuzz.h"

static void
check_format(struct slice in)
{
	struct slice rest = in;
	struct access_part part;
	const char *reason = NULL;
	int more;

	do {
		size_t before = rest.len;
		more = access_format_next(&rest, &part, &reason);
		assert((more == -1) == (reason != NULL));
		assert(more != 1 || (rest.len < before && fuzz_within(part.text, in)));
		assert(more != 1 || part.atom != 0 || part.text.len > 0);
	} while (more == 1);
	assert(more == -1 || rest.len == 0);
}

static void
check_escape(struct slice in, size_t room)
{
	char out[64];
	const char *end = access_escape(out, out + room, in);

	assert(end >= out && end <= out + room);
	for (const char *at = out; at < end; at++, slice_advance(&in, 1)) {
		assert(in.len > 0 && *at >= 0x20 && *at < 0x7f && *at != '"');
		char c = *at;
		if (c == '\\') {
			assert(end - at >= 4 && at[1] == 'x');
			c = (char)(http1_hex(at[2]) << 4 | http1_hex(at[3]));
			at += 3;
		}
		assert(c == in.ptr[0]);
	}
}

void
fuzz_access_format(struct slice in)
{
	char name[8];

	check_format(slice_of(in.ptr, strnlen(in.ptr, in.len))); /* a setting's text */
	for (size_t room = 0; room <= 64; room += 1 + room)
		check_escape(in, room);
	assert(access_basic_user(in, name, sizeof(name)) <= sizeof(name));
}
