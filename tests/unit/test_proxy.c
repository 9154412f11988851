/* The PROXY protocol: each header is decoded with every length of input. */
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>

#include "protocols/proxy.h"

Suite *proxy_suite(void);

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define TCP4 "\1\2\3\4\5\6\7\x8\x1f\x90\0\x50"
#define TCP6 \
	"\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\2\x1f" \
	"\x90\0\x50"
#define BOTH (PROXY_V1 | PROXY_V2)

static const struct {
	struct slice input;
	unsigned versions;
	int result; /* with the whole input */
	const char *client; /* "address port", or NULL */
} rows[] = {
	{ SLICE_INIT("PROXY TCP4 1.2.3.4 5.6.7.8 8080 80\r\nGET"), PROXY_V1, 36,
		"1.2.3.4 8080" },
	{ SLICE_INIT("PROXY TCP6 2001:db8::1 ::2 65535 0\r\n"), BOTH, 36,
		"2001:db8::1 65535" },
	{ SLICE_INIT("PROXY UNKNOWN\r\n"), PROXY_V1, 15, NULL },
	{ SLICE_INIT("PROXY UNKNOWN ff 1 whatever, of any form\r\n"), PROXY_V1, 42,
		NULL },
	{ SLICE_INIT("GET / HTTP/1.1\r\n"), BOTH, PROXY_NONE, NULL },
	{ SLICE_INIT("POST / HTTP/1.1\r\n"), BOTH, PROXY_NONE, NULL },
	{ SLICE_INIT("PROXY TCP4 1.2.3.4 5.6.7.8 8080 80\r\n"), PROXY_V2, PROXY_NONE,
		NULL },
	{ SLICE_INIT("PROXY TCP4 1.2.3.4 5.6.7.8 8080 80\n"), BOTH, PROXY_BAD, NULL },
	{ SLICE_INIT("PROXY TCP4 1.2.3.4 5.6.7.8 8080\r\n"), BOTH, PROXY_BAD, NULL },
	{ SLICE_INIT("PROXY TCP4 1.2.3.4 5.6.7.8 8080 80 1\r\n"), BOTH, PROXY_BAD,
		NULL },
	{ SLICE_INIT("PROXY TCP4  1.2.3.4 5.6.7.8 8080 80\r\n"), BOTH, PROXY_BAD,
		NULL },
	{ SLICE_INIT("PROXY TCP4 1.2.3 5.6.7.8 8080 80\r\n"), BOTH, PROXY_BAD, NULL },
	{ SLICE_INIT("PROXY TCP4 ::1 5.6.7.8 8080 80\r\n"), BOTH, PROXY_BAD, NULL },
	{ SLICE_INIT("PROXY TCP6 1.2.3.4 ::1 8080 80\r\n"), BOTH, PROXY_BAD, NULL },
	{ SLICE_INIT("PROXY TCP4 1.2.3.4 5.6.7.8 65536 80\r\n"), BOTH, PROXY_BAD,
		NULL },
	{ SLICE_INIT("PROXY TCP4 1.2.3.4 5.6.7.8 080 80\r\n"), BOTH, PROXY_BAD, NULL },
	{ SLICE_INIT("PROXY TCP4 1.2.3.4 5.6.7.8 -1 80\r\n"), BOTH, PROXY_BAD, NULL },
	{ SLICE_INIT("PROXY TCP5 1.2.3.4 5.6.7.8 8080 80\r\n"), BOTH, PROXY_BAD, NULL },
	{ SLICE_INIT("PROXY UNKNOWN "
		     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		     "aaaaaaa"
		     "aaaaaaaaaaaaaaaaaaaaaaaa\r\n"),
		BOTH, PROXY_BAD, NULL },
	{ SLICE_INIT(V2 "\x21\x11\0\x0c" TCP4 "GET"), PROXY_V2, 28, "1.2.3.4 8080" },
	{ SLICE_INIT(V2 "\x21\x21\0\x24" TCP6), BOTH, 52, "2001:db8::1 8080" },
	/* TLVs behind the addresses are passed over. */
	{ SLICE_INIT(V2 "\x21\x11\0\x10" TCP4 "\4\0\1x"), BOTH, 32, "1.2.3.4 8080" },
	{ SLICE_INIT(V2 "\x20\0\0\0"), BOTH, 16, NULL },
	{ SLICE_INIT(V2 "\x20\x11\0\x0c" TCP4), BOTH, 28, NULL },
	{ SLICE_INIT(V2 "\x21\0\0\3abc"), BOTH, 19, NULL },
	{ SLICE_INIT(V2 "\x21\x12\0\x0c" TCP4), BOTH, 28, NULL },
	{ SLICE_INIT(V2 "\x21\x11\0\x0b\1\2\3\4\5\6\7\x8\x1f\x90\0"), BOTH, PROXY_BAD,
		NULL },
	{ SLICE_INIT(V2 "\x21\x21\0\x0c" TCP4), BOTH, PROXY_BAD, NULL },
	{ SLICE_INIT(V2 "\x11\x11\0\x0c"), BOTH, PROXY_BAD, NULL },
	{ SLICE_INIT(V2 "\x22\x11\0\x0c"), BOTH, PROXY_BAD, NULL },
	{ SLICE_INIT(V2 "\x21\x11\x02\x09"), BOTH, PROXY_BAD, NULL },
};

static void
check_client(const union proxy_address *client, const char *expected)
{
	char host[INET6_ADDRSTRLEN] = "", text[INET6_ADDRSTRLEN + 8];

	if (expected == NULL) {
		ck_assert_int_eq(client->any.sa_family, AF_UNSPEC);
		return;
	}
	bool v6 = client->any.sa_family == AF_INET6;
	inet_ntop(client->any.sa_family,
		v6 ? (const void *)&client->v6.sin6_addr
		   : (const void *)&client->v4.sin_addr,
		host, sizeof(host));
	snprintf(text, sizeof(text), "%s %u", host,
		ntohs(v6 ? client->v6.sin6_port : client->v4.sin_port));
	ck_assert_str_eq(text, expected);
}

START_TEST(headers_are_decoded)
{
	struct proxy_header header;
	struct slice input = rows[_i].input;
	int result = 0;

	/* Until it can be decided, more is asked for; the answer never changes then. */
	for (size_t n = 0; n <= input.len; n++) {
		int now = proxy_decode(
			&header, rows[_i].versions, slice_of(input.ptr, n));
		if (result != 0)
			ck_assert_int_eq(now, result);
		result = now;
		if (rows[_i].result > 0)
			ck_assert_int_eq(
				now, n < (size_t)rows[_i].result ? 0 : rows[_i].result);
	}
	ck_assert_int_eq(result, rows[_i].result);
	if (result > 0)
		check_client(&header.client, rows[_i].client);
	if (result == PROXY_BAD)
		ck_assert_ptr_nonnull(header.error);
}
END_TEST

START_TEST(both_addresses_are_told)
{
	struct proxy_header header;

	proxy_decode(&header, BOTH, SLICE("PROXY TCP4 1.2.3.4 5.6.7.8 8080 80\r\n"));
	check_client(&header.server, "5.6.7.8 80");
	proxy_decode(&header, BOTH, SLICE(V2 "\x21\x21\0\x24" TCP6));
	check_client(&header.server, "2001:db8::2 80");
}
END_TEST

Suite *
proxy_suite(void)
{
	Suite *suite = suite_create("proxy");
	TCase *tc = tcase_create("proxy");

	tcase_add_loop_test(
		tc, headers_are_decoded, 0, (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_test(tc, both_addresses_are_told);
	suite_add_tcase(suite, tc);
	return suite;
}
