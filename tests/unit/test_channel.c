/* Channels: both ends of a socketpair, a full one, and one whose peer has gone. */
#include "gateway/common/channel.h"

#include <check.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct channel a, b;

static void
set_up(void)
{
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	channel_init(&a, ends[0]);
	channel_init(&b, ends[1]);
}

static void
tear_down(void)
{
	channel_release(&a);
	channel_release(&b);
}

START_TEST(both_directions)
{
	struct imsg m;

	ck_assert_int_eq(channel_receive(&b, &m), 0);
	ck_assert_int_eq(channel_send(&a, 1, SLICE("there")), 0);
	ck_assert_int_eq(channel_send(&b, 2, SLICE("and back")), 0);
	ck_assert_int_eq(channel_receive(&b, &m), 1);
	ck_assert_uint_eq(m.type, 1);
	ck_assert(slice_eq(m.payload, SLICE("there")));
	ck_assert_int_eq(channel_receive(&a, &m), 1);
	ck_assert_uint_eq(m.type, 2);
	ck_assert_int_eq(channel_receive(&a, &m), 0);
}
END_TEST

/* What the socket does not take waits, and arrives whole. */
START_TEST(more_than_the_socket_takes)
{
	enum { MESSAGES = 12, SIZE = 60000 };
	char *bytes = calloc(1, SIZE);
	struct imsg m;
	unsigned received = 0;

	for (unsigned i = 0; i < MESSAGES; i++)
		ck_assert_int_eq(channel_send(&a, i, slice_of(bytes, SIZE)), 0);
	ck_assert_uint_gt(a.out.queue.len, 0);
	while (received < MESSAGES) {
		int got = channel_receive(&b, &m);
		ck_assert_int_ne(got, -1);
		if (got == 0) {
			ck_assert_int_eq(channel_flush(&a), 0);
			continue;
		}
		ck_assert_uint_eq(m.type, received++);
		ck_assert_uint_eq(m.payload.len, SIZE);
	}
	free(bytes);
}
END_TEST

/* The last words of a peer that has gone are heard before that is known. */
/* Who asks for room leaves some for those who do not. */
START_TEST(room_is_kept)
{
	enum { SIZE = 60000 };
	char *bytes = calloc(1, SIZE);
	unsigned asked = 0, more = 0;

	ck_assert(!channel_waits(&a));
	for (; channel_has_room(&a, SIZE); asked++)
		ck_assert_int_eq(channel_send(&a, 1, slice_of(bytes, SIZE)), 0);
	ck_assert(channel_waits(&a));
	ck_assert_uint_gt(asked, 10);
	for (; channel_send(&a, 2, slice_of(bytes, SIZE)) == 0; more++)
		;
	ck_assert_uint_ge(more, 4);
	free(bytes);
}
END_TEST

START_TEST(room_is_kept_for_descriptors)
{
	enum { SIZE = 60000 };
	char *bytes = calloc(1, SIZE);
	unsigned asked = 0, more = 0;

	while (!channel_waits(&a))
		ck_assert_int_eq(channel_send(&a, 1, slice_of(bytes, SIZE)), 0);
	for (; channel_has_room(&a, 1); asked++)
		ck_assert_int_eq(channel_send_fd(&a, 1, SLICE("x"), STDIN_FILENO), 0);
	for (; channel_send_fd(&a, 2, SLICE("x"), STDIN_FILENO) == 0; more++)
		;
	ck_assert_uint_ge(asked, 4);
	ck_assert_uint_ge(more, 4);
	free(bytes);
}
END_TEST

START_TEST(peer_has_gone)
{
	struct imsg m;

	ck_assert_int_eq(channel_send(&b, 1, SLICE("bye")), 0);
	channel_release(&b);
	ck_assert_int_eq(channel_receive(&a, &m), 1);
	ck_assert(slice_eq(m.payload, SLICE("bye")));
	ck_assert_int_eq(channel_receive(&a, &m), -1);
	ck_assert_int_eq(channel_send(&a, 2, SLICE("anybody?")), -1);
}
END_TEST

START_TEST(peer_sends_nonsense)
{
	struct imsg m;
	const char zeros[IMSG_HEADER] = "";

	ck_assert_int_eq(write(b.fd, zeros, sizeof(zeros)), sizeof(zeros));
	ck_assert_int_eq(channel_receive(&a, &m), -1);
}
END_TEST

START_TEST(closed)
{
	struct channel c = CHANNEL_CLOSED;
	struct imsg m;

	ck_assert_int_eq(channel_receive(&c, &m), -1);
	ck_assert_int_eq(channel_send(&c, 1, SLICE("")), -1);
	channel_release(&c);
}
END_TEST

Suite *channel_suite(void);

Suite *
channel_suite(void)
{
	Suite *s = suite_create("channel");
	TCase *t = tcase_create("channel");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, both_directions);
	tcase_add_test(t, more_than_the_socket_takes);
	tcase_add_test(t, room_is_kept);
	tcase_add_test(t, room_is_kept_for_descriptors);
	tcase_add_test(t, peer_has_gone);
	tcase_add_test(t, peer_sends_nonsense);
	tcase_add_test(t, closed);
	suite_add_tcase(s, t);
	return s;
}
