/*
 * imsg over real socketpairs: whole, in pieces of every size, with descriptors, and
 * from peers that lie.
 */
#include "protocols/imsg.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int ends[2];
static struct imsg_writer writer;
static struct imsg_reader reader;

static void
set_up(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	imsg_writer_init(&writer);
	imsg_reader_init(&reader);
}

static void
tear_down(void)
{
	imsg_writer_release(&writer);
	imsg_reader_release(&reader);
	close(ends[0]);
	close(ends[1]);
}

/* Sends what is queued, not more than `most` bytes at a time. */
static void
send_some(size_t most)
{
	const struct msghdr *msg = imsg_writer_msg(&writer);

	if (msg == NULL)
		return;
	if (msg->msg_iov[0].iov_len > most)
		msg->msg_iov[0].iov_len = most;
	ssize_t n = sendmsg(ends[0], msg, 0);
	if (n > 0)
		imsg_writer_sent(&writer, (size_t)n);
}

/* Reads not more than `most` bytes; false when there is nothing. */
static bool
receive_some(size_t most)
{
	struct msghdr *msg = imsg_reader_msg(&reader);

	ck_assert_ptr_nonnull(msg);
	if (msg->msg_iov[0].iov_len > most)
		msg->msg_iov[0].iov_len = most;
	ssize_t n = recvmsg(ends[1], msg, 0);
	if (n <= 0)
		return false;
	ck_assert_int_eq(imsg_reader_received(&reader, (size_t)n), 0);
	return true;
}

static void
send_all(void)
{
	while (imsg_writer_msg(&writer) != NULL)
		send_some(IMSG_QUEUE_MAX);
}

static void
compose(uint32_t type, const char *payload, int fd)
{
	ck_assert_int_eq(imsg_compose(&writer, type, slice_str(payload), fd), 0);
}

/* The next message is this one; returns its descriptor. */
static int
expect(uint32_t type, const char *payload)
{
	struct imsg m;
	int got;

	while ((got = imsg_next(&reader, &m)) == 0)
		ck_assert(receive_some(16384));
	ck_assert_int_eq(got, 1);
	ck_assert_uint_eq(m.type, type);
	ck_assert(slice_eq(m.payload, slice_str(payload)));
	return m.fd;
}

/* A descriptor that can be told from others: an empty file of its own. */
static int
new_file(ino_t *inode)
{
	char path[] = "/tmp/alicorn-imsg-XXXXXX";
	int fd = mkstemp(path);
	struct stat st;

	ck_assert_int_ne(fd, -1);
	unlink(path);
	fstat(fd, &st);
	*inode = st.st_ino;
	return fd;
}

static void
expect_file(int fd, ino_t inode)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_uint_eq(st.st_ino, inode);
	close(fd);
}

START_TEST(messages_arrive_in_order)
{
	compose(1, "", -1);
	compose(2, "two", -1);
	compose(3, "three", -1);
	send_all();
	ck_assert_int_eq(expect(1, ""), -1);
	ck_assert_int_eq(expect(2, "two"), -1);
	ck_assert_int_eq(expect(3, "three"), -1);
	ck_assert(!receive_some(1));
}
END_TEST

/* Written and read in pieces of every size, the descriptors too. */
START_TEST(any_split_gives_the_same)
{
	size_t piece = (size_t)_i;
	ino_t inodes[2];

	compose(1, "plain", -1);
	compose(2, "with one", new_file(&inodes[0]));
	compose(3, "with another", new_file(&inodes[1]));
	compose(4, "", -1);
	while (imsg_writer_msg(&writer) != NULL)
		send_some(piece);
	int found[5];
	for (uint32_t want = 1; want <= 4;) {
		struct imsg m;
		int got = imsg_next(&reader, &m);
		ck_assert_int_ne(got, -1);
		if (got == 0) {
			ck_assert(receive_some(piece));
			continue;
		}
		ck_assert_uint_eq(m.type, want);
		found[want++] = m.fd;
	}
	ck_assert_int_eq(found[1], -1);
	expect_file(found[2], inodes[0]);
	expect_file(found[3], inodes[1]);
	ck_assert_int_eq(found[4], -1);
}
END_TEST

START_TEST(many_of_random_size)
{
	enum { MESSAGES = 400, BIG = 3000 };
	char *bytes = malloc(BIG);
	unsigned seed = (unsigned)_i + 1;
	size_t sizes[MESSAGES];
	ino_t inodes[MESSAGES] = { 0 };
	unsigned sent = 0, received = 0;

	memset(bytes, 'x', BIG);
	while (received < MESSAGES) {
		if (sent < MESSAGES) {
			bool with_fd =
				rand_r(&seed) % 4 == 0 && writer.n_fds < IMSG_FDS;
			int fd = with_fd ? new_file(&inodes[sent]) : -1;
			sizes[sent] = (size_t)rand_r(&seed) % BIG;
			ck_assert_int_eq(imsg_compose(&writer, sent,
						 slice_of(bytes, sizes[sent]), fd),
				0);
			sent++;
		}
		send_some((size_t)rand_r(&seed) % 5000 + 1);
		receive_some((size_t)rand_r(&seed) % 5000 + 1);
		struct imsg m;
		int got;
		while ((got = imsg_next(&reader, &m)) == 1) {
			ck_assert_uint_eq(m.type, received);
			ck_assert_uint_eq(m.payload.len, sizes[received]);
			ck_assert_int_eq(m.fd != -1, inodes[received] != 0);
			if (m.fd != -1)
				expect_file(m.fd, inodes[received]);
			received++;
		}
		ck_assert_int_eq(got, 0);
	}
	free(bytes);
}
END_TEST

START_TEST(payload_has_a_limit)
{
	char *bytes = calloc(1, IMSG_PAYLOAD_MAX + 1);

	ck_assert_int_eq(
		imsg_compose(&writer, 1, slice_of(bytes, IMSG_PAYLOAD_MAX + 1), -1),
		-1);
	ck_assert_int_eq(errno, EMSGSIZE);
	ck_assert_int_eq(
		imsg_compose(&writer, 1, slice_of(bytes, IMSG_PAYLOAD_MAX), -1), 0);
	struct imsg m;
	while (imsg_next(&reader, &m) == 0) {
		send_some(IMSG_QUEUE_MAX);
		ck_assert(receive_some(16384));
	}
	ck_assert_uint_eq(m.payload.len, IMSG_PAYLOAD_MAX);
	free(bytes);
}
END_TEST

START_TEST(queue_has_a_limit)
{
	char *bytes = calloc(1, IMSG_PAYLOAD_MAX);
	unsigned n = 0;

	while (imsg_compose(&writer, n, slice_of(bytes, IMSG_PAYLOAD_MAX), -1) == 0)
		n++;
	ck_assert_int_eq(errno, ENOBUFS);
	ck_assert_uint_eq(n, IMSG_QUEUE_MAX / (IMSG_PAYLOAD_MAX + IMSG_HEADER));
	/* A small one still fits, and nothing before it was spoilt. */
	compose(n, "small", -1);
	free(bytes);
}
END_TEST

START_TEST(descriptors_have_a_limit)
{
	ino_t inode;

	for (uint32_t i = 0; i < IMSG_FDS; i++)
		compose(i, "", new_file(&inode));
	int one_more = new_file(&inode);
	ck_assert_int_eq(imsg_compose(&writer, 99, SLICE(""), one_more), -1);
	ck_assert_int_eq(errno, ENOBUFS);
	ck_assert_int_eq(close(one_more), 0); /* it stayed ours */
}
END_TEST

/* length, type, flags, zero */
static const struct {
	uint32_t length;
	uint16_t flags, zero;
} lies[] = {
	{ 0, 0, 0 },
	{ 1, 0, 0 },
	{ IMSG_HEADER - 1, 0, 0 },
	{ IMSG_HEADER + IMSG_PAYLOAD_MAX + 1, 0, 0 },
	{ 0x7fffffff, 0, 0 },
	{ 0xffffffff, 0, 0 },
	{ IMSG_HEADER, 1, 0 }, /* a descriptor that did not come */
	{ IMSG_HEADER, 2, 0 },
	{ IMSG_HEADER, 0, 1 },
};

START_TEST(lies_are_noticed)
{
	unsigned char bytes[IMSG_HEADER] = { 0 };
	struct imsg m;

	memcpy(bytes, &lies[_i].length, 4);
	memcpy(bytes + 8, &lies[_i].flags, 2);
	memcpy(bytes + 10, &lies[_i].zero, 2);
	ck_assert_int_eq(write(ends[0], bytes, sizeof(bytes)), sizeof(bytes));
	ck_assert(receive_some(16384));
	ck_assert_int_eq(imsg_next(&reader, &m), -1);
	ck_assert_int_eq(errno, EBADMSG);
}
END_TEST

/* Sends a header-only message with n descriptors beside it. */
static void
send_with_fds(uint16_t flags, size_t n)
{
	char control[CMSG_SPACE(sizeof(int) * 64)] = { 0 };
	uint32_t words[3] = { IMSG_HEADER, 7, flags };
	struct iovec iov = { words, sizeof(words) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	msg.msg_control = control;
	msg.msg_controllen = CMSG_SPACE(sizeof(int) * n);
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * n);
	for (size_t i = 0; i < n; i++)
		memcpy(CMSG_DATA(c) + i * sizeof(int), &ends[0], sizeof(int));
	ck_assert_int_eq(sendmsg(ends[0], &msg, 0), sizeof(words));
}

START_TEST(descriptor_without_a_message)
{
	struct imsg m;

	send_with_fds(0, 1);
	ck_assert(receive_some(16384));
	ck_assert_int_eq(imsg_next(&reader, &m), 1);
	ck_assert_int_eq(m.fd, -1);
	ck_assert_int_eq(imsg_next(&reader, &m), -1);
	ck_assert_int_eq(errno, EBADMSG);
}
END_TEST

START_TEST(too_many_descriptors)
{
	send_with_fds(1, IMSG_FDS + 4);
	ssize_t n = recvmsg(ends[1], imsg_reader_msg(&reader), 0);
	ck_assert_int_eq(n, IMSG_HEADER);
	ck_assert_int_eq(imsg_reader_received(&reader, (size_t)n), -1);
	ck_assert_int_eq(errno, EBADMSG);
}
END_TEST

/* The lowest free descriptor is the same before and after: nothing leaks. */
START_TEST(release_closes_descriptors)
{
	ino_t inode;
	int before = dup(0);

	close(before);
	compose(1, "sent", new_file(&inode));
	send_all();
	compose(2, "not sent", new_file(&inode));
	ck_assert(receive_some(5));
	imsg_writer_release(&writer);
	imsg_reader_release(&reader);
	int after = dup(0);
	close(after);
	ck_assert_int_eq(before, after);
}
END_TEST

Suite *imsg_suite(void);

Suite *
imsg_suite(void)
{
	Suite *s = suite_create("imsg");
	TCase *t = tcase_create("imsg");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, messages_arrive_in_order);
	tcase_add_loop_test(t, any_split_gives_the_same, 1, 80);
	tcase_add_loop_test(t, many_of_random_size, 0, 4);
	tcase_add_test(t, payload_has_a_limit);
	tcase_add_test(t, queue_has_a_limit);
	tcase_add_test(t, descriptors_have_a_limit);
	tcase_add_loop_test(t, lies_are_noticed, 0, sizeof(lies) / sizeof(lies[0]));
	tcase_add_test(t, descriptor_without_a_message);
	tcase_add_test(t, too_many_descriptors);
	tcase_add_test(t, release_closes_descriptors);
	suite_add_tcase(s, t);
	return s;
}
