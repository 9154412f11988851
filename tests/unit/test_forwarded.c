/* The lists of Forwarded and X-Forwarded-For, and the addresses in them. */
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>

#include "protocols/forwarded.h"

Suite *forwarded_suite(void);

static const struct {
	enum forwarded_syntax syntax;
	const char *list;
	const char *nodes[4]; /* from the last one */
} lists[] = {
	{ FORWARDED_X_FOR, "", { NULL } },
	{ FORWARDED_X_FOR, "1.2.3.4", { "1.2.3.4" } },
	{ FORWARDED_X_FOR, "a, b ,\tc", { "c", "b", "a" } },
	{ FORWARDED_X_FOR, "a,,b", { "b", "", "a" } },
	{ FORWARDED_X_FOR, ",", { "" } },
	{ FORWARDED_X_FOR, "\", 1.2.3.4", { "1.2.3.4", "\"" } },
	{ FORWARDED_X_FOR, "\"a, b\"", { "b\"", "\"a" } },
	{ FORWARDED_RFC7239, "for=192.0.2.43", { "192.0.2.43" } },
	{ FORWARDED_RFC7239, "For=\"[2001:db8::17]:4711\"", { "[2001:db8::17]:4711" } },
	{ FORWARDED_RFC7239, "for=a;proto=http;by=b, proto=https; FOR=c",
		{ "c", "a" } },
	{ FORWARDED_RFC7239, "for=\"a,b\", for=\"c\\\",d\"", { "c\\\",d", "a,b" } },
	{ FORWARDED_RFC7239, "for=\"a, for=b", { "b", "\"a" } },
	{ FORWARDED_RFC7239, "for=\"\\, for=\"[::1]:5\"", { "[::1]:5", "\"\\" } },
	{ FORWARDED_RFC7239, "by=b", { "" } },
	{ FORWARDED_RFC7239, "for=", { "" } },
};

START_TEST(lists_are_taken_from_their_end)
{
	struct slice list = slice_str(lists[_i].list), node;

	for (size_t i = 0; lists[_i].nodes[i] != NULL; i++) {
		ck_assert(forwarded_last(lists[_i].syntax, &list, &node));
		ck_assert_msg(slice_eq(node, slice_str(lists[_i].nodes[i])),
			"%.*s is not %s", SLICE_ARG(node), lists[_i].nodes[i]);
	}
	ck_assert(!forwarded_last(lists[_i].syntax, &list, &node));
}
END_TEST

static const struct {
	const char *node;
	const char *address; /* "host port", or NULL */
} nodes[] = {
	{ "1.2.3.4", "1.2.3.4 0" },
	{ "1.2.3.4:5", "1.2.3.4 5" },
	{ "1.2.3.4:", "1.2.3.4 0" },
	{ "::1", "::1 0" },
	{ "[::1]", "::1 0" },
	{ "[2001:db8::1]:65535", "2001:db8::1 65535" },
	{ "", NULL },
	{ "unknown", NULL },
	{ "_hidden", NULL },
	{ "1.2.3", NULL },
	{ "1.2.3.4:65536", NULL },
	{ "1.2.3.4:123456", NULL },
	{ "1.2.3.4:x", NULL },
	{ "[::1", NULL },
	{ "[::1]x", NULL },
	{ "::1::", NULL },
	{ "1234567890123456789012345678901234567890123456", NULL },
};

START_TEST(addresses_are_read)
{
	union proxy_address a;
	char host[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 8];
	bool good = forwarded_address(slice_str(nodes[_i].node), &a);

	ck_assert_int_eq(good, nodes[_i].address != NULL);
	if (!good)
		return;
	bool v6 = a.any.sa_family == AF_INET6;
	const void *bytes = v6 ? (const void *)&a.v6.sin6_addr : &a.v4.sin_addr;
	inet_ntop(a.any.sa_family, bytes, host, sizeof(host));
	snprintf(text, sizeof(text), "%s %u", host,
		ntohs(v6 ? a.v6.sin6_port : a.v4.sin_port));
	ck_assert_str_eq(text, nodes[_i].address);
}
END_TEST

Suite *
forwarded_suite(void)
{
	Suite *suite = suite_create("forwarded");
	TCase *tc = tcase_create("forwarded");

	tcase_add_loop_test(tc, lists_are_taken_from_their_end, 0,
		(int)(sizeof(lists) / sizeof(lists[0])));
	tcase_add_loop_test(
		tc, addresses_are_read, 0, (int)(sizeof(nodes) / sizeof(nodes[0])));
	suite_add_tcase(suite, tc);
	return suite;
}
