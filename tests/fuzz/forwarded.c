/*
 * Whom a request comes from: whatever a client says, what the proxy behind it appends
 * is the last element of the list.
 */
#include "protocols/forwarded.h"

#include "protocols/buffer.h"
#include "tests/fuzz/fuzz.h"

static void
check_appended(enum forwarded_syntax syntax, struct slice said, const char *appended,
	const char *node)
{
	struct buffer text = { 0 };
	struct slice list, last = { 0 };

	buffer_add_slice(&text, said);
	buffer_add_str(&text, ", ");
	buffer_add_str(&text, appended);
	list = buffer_slice(&text);
	assert(forwarded_last(syntax, &list, &last));
	assert(slice_eq(last, slice_str(node)) && list.len == said.len);
	buffer_release(&text);
}

static void
check_list(enum forwarded_syntax syntax, struct slice list)
{
	struct slice node, before = list;
	union proxy_address address;

	/* A list may be looked at once for each element, so only some are taken. */
	for (int i = 0; i < 10 && forwarded_last(syntax, &list, &node); i++) {
		assert(list.len < before.len && fuzz_within(node, before));
		if (forwarded_address(node, &address))
			assert(address.any.sa_family == AF_INET ||
				address.any.sa_family == AF_INET6);
		before = list;
	}
}

void
fuzz_forwarded(struct slice in)
{
	check_list(FORWARDED_X_FOR, in);
	check_list(FORWARDED_RFC7239, in);
	check_appended(FORWARDED_X_FOR, in, "192.0.2.7", "192.0.2.7");
	check_appended(FORWARDED_RFC7239, in, "for=192.0.2.7;proto=http", "192.0.2.7");
	check_appended(FORWARDED_RFC7239, in, "by=a;For=\"[::1]:5\"", "[::1]:5");
}
