/* Networks, and who is in them. */
#include <arpa/inet.h>
#include <check.h>
#include <string.h>
#include <sys/un.h>

#include "gateway/config/network.h"

Suite *network_suite(void);

#define NONE "not an address, a network such as 10.0.0.0/8, or *"

static const struct {
	const char *text, *reason;
} texts[] = {
	{ "*", NULL },
	{ "127.0.0.1", NULL },
	{ "10.0.0.0/8", NULL },
	{ "0.0.0.0/0", NULL },
	{ "10.1.2.3/32", NULL },
	{ "::1", NULL },
	{ "fd00::/8", NULL },
	{ "::/0", NULL },
	{ "", NONE },
	{ "**", NONE },
	{ "localhost", NONE },
	{ "10.0.0", NONE },
	{ "10.0.0.256", NONE },
	{ "[::1]", NONE },
	{ "/8", NONE },
	{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc", NONE },
	{ "10.0.0.0/33", "not a network: its length is a number from 0 to 32" },
	{ "10.0.0.0/", "not a network: its length is a number from 0 to 32" },
	{ "10.0.0.0/+8", "not a network: its length is a number from 0 to 32" },
	{ "10.0.0.0/8x", "not a network: its length is a number from 0 to 32" },
	{ "10.0.0.0/4294967304", "not a network: its length is a number from 0 to 32" },
	{ "fd00::/129", "not a network: its length is a number from 0 to 128" },
	{ "10.0.0.1/8", "not a network: it has bits behind the first 8" },
	{ "10.128.0.0/8", "not a network: it has bits behind the first 8" },
	{ "fd00::1/127", "not a network: it has bits behind the first 127" },
};

START_TEST(texts_are_judged)
{
	struct arena memory = { 0 };
	struct network n;

	ck_assert_pstr_eq(network_parse(&n, texts[_i].text, &memory), texts[_i].reason);
	arena_release(&memory);
}
END_TEST

static const struct {
	const char *network, *peer;
	bool holds;
} peers[] = {
	{ "*", "1.2.3.4", true },
	{ "*", "fe80::1", true },
	{ "127.0.0.1", "127.0.0.1", true },
	{ "127.0.0.1", "127.0.0.2", false },
	{ "127.0.0.1", "::1", false },
	{ "127.0.0.1", "::ffff:127.0.0.1", true },
	{ "::ffff:127.0.0.1", "127.0.0.1", true },
	{ "10.0.0.0/8", "10.255.0.1", true },
	{ "10.0.0.0/8", "11.0.0.1", false },
	{ "10.64.0.0/10", "10.127.255.255", true },
	{ "10.64.0.0/10", "10.128.0.0", false },
	{ "0.0.0.0/0", "9.9.9.9", true },
	{ "0.0.0.0/0", "2001:db8::1", false },
	{ "fd00::/8", "fdff::1", true },
	{ "fd00::/8", "fe00::1", false },
	{ "::1", "::1", true },
};

static const struct sockaddr *
peer_of(const char *text, struct sockaddr_storage *room)
{
	struct sockaddr_in *v4 = (void *)room;
	struct sockaddr_in6 *v6 = (void *)room;

	memset(room, 0, sizeof *room);
	room->ss_family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
	void *address = room->ss_family == AF_INET ? (void *)&v4->sin_addr
						   : (void *)&v6->sin6_addr;
	ck_assert_int_eq(inet_pton(room->ss_family, text, address), 1);
	return (const struct sockaddr *)room;
}

START_TEST(peers_are_found)
{
	struct arena memory = { 0 };
	struct sockaddr_storage room;
	struct network two[2];

	/* The second of two, so that the search goes on behind the first. */
	ck_assert_pstr_eq(network_parse(&two[0], "192.0.2.1", &memory), NULL);
	ck_assert_pstr_eq(network_parse(&two[1], peers[_i].network, &memory), NULL);
	ck_assert_int_eq(
		networks_hold(two, 2, peer_of(peers[_i].peer, &room)), peers[_i].holds);
	arena_release(&memory);
}
END_TEST

START_TEST(unix_peers_are_in_no_network)
{
	struct network all = { 0 };
	struct sockaddr_un peer = { .sun_family = AF_UNIX };

	ck_assert(!networks_hold(&all, 1, (const struct sockaddr *)&peer));
	ck_assert(!networks_hold(NULL, 0, (const struct sockaddr *)&peer));
}
END_TEST

Suite *
network_suite(void)
{
	Suite *s = suite_create("network");
	TCase *t = tcase_create("network");

	tcase_add_loop_test(
		t, texts_are_judged, 0, (int)(sizeof texts / sizeof texts[0]));
	tcase_add_loop_test(
		t, peers_are_found, 0, (int)(sizeof peers / sizeof peers[0]));
	tcase_add_test(t, unix_peers_are_in_no_network);
	suite_add_tcase(s, t);
	return s;
}
