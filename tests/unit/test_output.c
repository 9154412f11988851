/* The output queue: order of bytes and files, partial sends, a peer that goes away. */
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/worker/output.h"
#include "gateway/worker/spool.h"
#include "protocols/buffer.h"
#include "protocols/fastcgi_responder.h"

Suite *output_suite(void);

static struct output output;
static struct buffer sent, got;
static int ends[2]; /* the queue writes to the first, the test reads from the second */

static void
set_up(void)
{
	int small = 8192;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
}

static void
tear_down(void)
{
	output_release(&output);
	buffer_release(&sent);
	buffer_release(&got);
	close(ends[0]);
	if (ends[1] >= 0)
		close(ends[1]);
}

/* Reads a little less than there is. */
static void
take(size_t most)
{
	char bytes[70000];
	ssize_t n = read(ends[1], bytes, most);

	if (n > 0)
		buffer_add(&got, bytes, (size_t)n);
}

static void
take_all(void)
{
	while (output_flush(&output, ends[0]) == OUTPUT_WAITING)
		take(3001);
	for (size_t before = SIZE_MAX; before != got.len;) {
		before = got.len;
		take(70000);
	}
	ck_assert_uint_eq(got.len, sent.len);
	ck_assert_mem_eq(got.ptr, sent.ptr, sent.len);
	ck_assert_uint_eq(output.bytes, 0);
	ck_assert_uint_eq(output.memory, 0);
	ck_assert_uint_eq(output.sent, sent.len);
}

static enum output_result
send_text(unsigned from, unsigned n)
{
	struct buffer text = { 0 };
	struct iovec pieces[2];

	for (unsigned i = from; i < from + n; i++)
		buffer_addf(&text, "%u,", i);
	size_t half = text.len / 2;
	pieces[0] = (struct iovec){ text.ptr, half };
	pieces[1] = (struct iovec){ text.ptr + half, text.len - half };
	enum output_result result = output_send(&output, ends[0], pieces, 2);
	buffer_add_slice(&sent, buffer_slice(&text));
	buffer_release(&text);
	return result;
}

/* A file without a name that holds the numbers up to n. */
static int
make_file(unsigned n, struct buffer *text)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);

	for (unsigned i = 0; i < n; i++)
		buffer_addf(text, "%u;", i);
	ck_assert_int_eq(write(fd, text->ptr, text->len), (ssize_t)text->len);
	return fd;
}

START_TEST(what_fits_is_not_queued)
{
	ck_assert_int_eq(send_text(0, 10), OUTPUT_EMPTY);
	ck_assert_ptr_null(output.first);
	take_all();
}
END_TEST

START_TEST(the_rest_waits_in_order)
{
	for (unsigned i = 0; i < 50; i++)
		send_text(i * 1000, 1000);
	ck_assert_uint_gt(output.memory, 100000);
	ck_assert_uint_eq(output.memory + output.sent, sent.len);
	take_all();
}
END_TEST

START_TEST(files_stand_between_bytes)
{
	struct buffer text = { 0 };
	int fd = make_file(30000, &text);

	send_text(0, 5000);
	ck_assert_int_eq(output_add_file(&output, fd, 100, 100000), 0);
	buffer_add(&sent, text.ptr + 100, 100000);
	send_text(5000, 5000);
	ck_assert_int_eq(output_add_file(&output, dup(fd), 0, 0), 0);
	take_all();
	buffer_release(&text);
}
END_TEST

/* Behind the numbers from `from` on. */
static enum output_result
send_file(
	unsigned from, int fd, const struct buffer *text, size_t offset, size_t length)
{
	struct buffer head = { 0 };

	buffer_addf(&head, "%u,", from);
	struct iovec piece = { head.ptr, head.len };
	enum output_result result = output_send_file(
		&output, ends[0], &piece, 1, fd, (off_t)offset, length);
	buffer_add_slice(&sent, buffer_slice(&head));
	buffer_add(&sent, text->ptr + offset, length);
	buffer_release(&head);
	return result;
}

START_TEST(a_file_is_kept_only_where_it_waits)
{
	struct buffer text = { 0 };
	int fd = make_file(30000, &text);

	ck_assert_int_eq(send_file(1, fd, &text, 0, 100), OUTPUT_EMPTY);
	ck_assert_int_eq(send_file(2, fd, &text, 70, 1000), OUTPUT_EMPTY);
	ck_assert_ptr_null(output.first);
	ck_assert_int_eq(send_file(3, fd, &text, 5, 100000), OUTPUT_WAITING);
	ck_assert_int_eq(send_file(4, fd, &text, 0, 100000), OUTPUT_WAITING);
	send_text(5, 10);
	close(fd);
	take_all();
	buffer_release(&text);
}
END_TEST

START_TEST(files_are_sent_as_records)
{
	enum { LENGTH = 70000, FIRST = FASTCGI_RECORD_MAX };
	struct buffer text = { 0 };
	int fd = make_file(30000, &text);
	char head[FCGI_HEADER_LEN];

	send_text(0, 5000);
	ck_assert_int_eq(output_add_records(&output, fd, 100, LENGTH, 513), 0);
	fastcgi_header(head, FCGI_STDOUT, 513, FIRST);
	buffer_add(&sent, head, sizeof(head));
	buffer_add(&sent, text.ptr + 100, FIRST);
	fastcgi_header(head, FCGI_STDOUT, 513, LENGTH - FIRST);
	buffer_add(&sent, head, sizeof(head));
	buffer_add(&sent, text.ptr + 100 + FIRST, LENGTH - FIRST);
	send_text(5000, 5000);
	take_all();
	buffer_release(&text);
}
END_TEST

START_TEST(files_are_sent_without_sendfile)
{
	struct buffer text = { 0 };
	int fd = make_file(30000, &text);

	output_set_rules(&(struct output_rules){ .memory_max = SIZE_MAX });
	send_text(0, 100);
	ck_assert_int_eq(output_add_file(&output, fd, 7, 90000), 0);
	buffer_add(&sent, text.ptr + 7, 90000);
	send_text(100, 100);
	take_all();
	buffer_release(&text);
}
END_TEST

START_TEST(what_is_too_much_for_memory_goes_to_a_file)
{
	output_set_rules(&(struct output_rules){
		.sendfile = true,
		.memory_max = 10000,
		.spool_max = 100000,
		.folder = "/tmp",
	});
	for (unsigned i = 0; i < 100; i++)
		send_text(i * 1000, 300);
	ck_assert_uint_gt(output.spooled, 50000);
	ck_assert_uint_le(output.spooled, 100000);
	ck_assert_uint_eq(output.sent + output.bytes, sent.len);
	/* The file is full too: then it is memory again. */
	ck_assert_uint_gt(output.memory, 10000);
	take_all();
	ck_assert_uint_eq(output.spooled, 0);
	for (unsigned i = 0; i < 100; i++) {
		send_text(i, 200);
		take(500);
	}
	take_all();
}
END_TEST

START_TEST(files_of_all_queues_have_one_limit)
{
	output_set_rules(&(struct output_rules){
		.memory_max = 10000,
		.spool_max = 100000,
		.folder = "/tmp",
	});
	spool_set_limit(20000);
	for (unsigned i = 0; i < 50; i++)
		send_text(i * 1000, 300);
	ck_assert_uint_gt(output.spooled, 10000);
	ck_assert_uint_le(output.spooled, 20000);
	ck_assert(!spool_take(20001 - output.spooled));
	take_all();
	ck_assert(spool_take(20000));
	ck_assert(!spool_take(1));
	spool_give_back(20000);
	spool_set_limit(0);
}
END_TEST

START_TEST(a_folder_that_is_missing_leaves_memory)
{
	output_set_rules(&(struct output_rules){
		.memory_max = 10000,
		.spool_max = 100000,
		.folder = "/nonexistent",
	});
	for (unsigned i = 0; i < 50; i++)
		send_text(i * 1000, 300);
	ck_assert_uint_eq(output.spooled, 0);
	take_all();
}
END_TEST

START_TEST(a_file_that_shrinks_is_a_break)
{
	struct buffer text = { 0 };
	int fd = make_file(10, &text);

	output_add_file(&output, fd, 0, text.len + 1);
	ck_assert_int_eq(output_flush(&output, ends[0]), OUTPUT_BROKEN);
	buffer_release(&text);
}
END_TEST

START_TEST(a_peer_that_leaves_is_a_break)
{
	close(ends[1]);
	ends[1] = -1;
	ck_assert_int_eq(send_text(0, 10), OUTPUT_BROKEN);
}
END_TEST

Suite *
output_suite(void)
{
	Suite *suite = suite_create("output");
	TCase *tc = tcase_create("output");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, what_fits_is_not_queued);
	tcase_add_test(tc, the_rest_waits_in_order);
	tcase_add_test(tc, files_stand_between_bytes);
	tcase_add_test(tc, a_file_is_kept_only_where_it_waits);
	tcase_add_test(tc, files_are_sent_as_records);
	tcase_add_test(tc, files_are_sent_without_sendfile);
	tcase_add_test(tc, what_is_too_much_for_memory_goes_to_a_file);
	tcase_add_test(tc, files_of_all_queues_have_one_limit);
	tcase_add_test(tc, a_folder_that_is_missing_leaves_memory);
	tcase_add_test(tc, a_file_that_shrinks_is_a_break);
	tcase_add_test(tc, a_peer_that_leaves_is_a_break);
	suite_add_tcase(suite, tc);
	return suite;
}
