/*
 * What lines go through on their way to a sink: the ring, what is printed, the stock;
 * and that none of it is lost or doubled when somebody ends at the worst moment.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gateway/logger/outlet.h"
#include "gateway/logger/printed.h"
#include "gateway/logger/sink.h"

Suite *logger_suite(void);

/* ---- The ring ---- */

static struct ring in, out;

/* Both sides of one ring. */
static void
map_ring(void)
{
	int memory = ring_create();

	ck_assert_int_ne(memory, -1);
	ck_assert_int_eq(ring_map(&in, memory), 0);
	ck_assert_int_eq(ring_map(&out, memory), 0);
	close(memory);
}

static void
unmap_ring(void)
{
	ring_unmap(&in);
	ring_unmap(&out);
}

static bool
put(unsigned number, size_t len)
{
	char text[RING_LINE_MAX];

	memset(text, 'a' + (int)(number % 26), sizeof(text));
	return ring_put(&in,
		&(struct ring_line){ .sink = number % 7,
			.level = number % 5,
			.is_access = number % 2 != 0,
			.text = slice_of(text, len) });
}

static void
expect_line(unsigned number, size_t len)
{
	struct ring_line line;
	uint64_t behind;

	ck_assert_int_eq(ring_next(&out, ring_end(&out), &line, &behind), 1);
	ck_assert_uint_eq(line.sink, number % 7);
	ck_assert_uint_eq(line.level, number % 5);
	ck_assert_int_eq(line.is_access, number % 2 != 0);
	ck_assert_uint_eq(line.text.len, len);
	char text[RING_LINE_MAX];
	memset(text, 'a' + (int)(number % 26), sizeof(text));
	ck_assert_mem_eq(line.text.ptr, text, len);
	ring_take(&out, behind);
}

static void
expect_none(void)
{
	struct ring_line line;
	uint64_t behind;

	ck_assert_int_eq(ring_next(&out, ring_end(&out), &line, &behind), 0);
}

START_TEST(lines_of_all_lengths)
{
	for (unsigned i = 0; i < RING_LINE_MAX; i++) {
		ck_assert(put(i, i));
		if (i % 3 == 0)
			ck_assert(put(i + 1, 1));
		expect_line(i, i);
		if (i % 3 == 0)
			expect_line(i + 1, 1);
		expect_none();
	}
}
END_TEST

START_TEST(a_full_ring)
{
	unsigned n = 0;

	while (put(n, 1000))
		n++;
	ck_assert_uint_eq(n, RING_BYTES / 1008);
	ring_drop(&in);
	ring_refuse(&out);
	expect_line(0, 1000);
	ck_assert(put(n, 1000));
	ck_assert(!put(n, 1000));
	for (unsigned i = 1; i <= n; i++)
		expect_line(i, 1000);
	expect_none();
	ck_assert_uint_eq(ring_losses(&out), 2);
	ck_assert_uint_eq(ring_losses(&out), 0);
}
END_TEST

START_TEST(another_reader_goes_on)
{
	int memory = ring_create();

	ring_unmap(&in);
	ring_unmap(&out);
	ck_assert_int_eq(ring_map(&in, memory), 0);
	ck_assert_int_eq(ring_map(&out, memory), 0);
	put(1, 10);
	put(2, 20);
	expect_line(1, 10);
	ring_unmap(&out);
	ck_assert_int_eq(ring_map(&out, memory), 0);
	expect_line(2, 20);
	expect_none();
	close(memory);
}
END_TEST

/* Whatever stands in the memory: no line is out of bounds, and it goes on. */
START_TEST(nonsense)
{
	struct ring_line line;
	uint64_t behind;

	srand((unsigned)_i);
	for (int round = 0; round < 200; round++) {
		for (size_t k = 0; k < RING_BYTES; k += 4) {
			uint32_t n = rand() % 4 == 0 ? (uint32_t)rand() : k % 64;
			memcpy(in.lines + k, &n, sizeof(n));
		}
		uint64_t jump = (uint64_t)rand() << (rand() % 33);
		atomic_store(&in.state->head, out.at + jump);
		uint64_t end = ring_end(&out);
		while (ring_next(&out, end, &line, &behind) == 1) {
			ck_assert_uint_le(line.text.len, RING_LINE_MAX);
			ck_assert(line.text.ptr >= out.lines &&
				line.text.ptr + line.text.len <=
					out.lines + 2 * RING_BYTES);
			ck_assert_uint_le(behind, end);
			ring_take(&out, behind);
		}
		ck_assert_uint_eq(out.at, end);
	}
}
END_TEST

START_TEST(it_cannot_be_resized)
{
	int memory = ring_create();

	ck_assert_int_eq(ftruncate(memory, 0), -1);
	ck_assert_int_eq(ftruncate(memory, 1 << 24), -1);
	close(memory);
}
END_TEST

START_TEST(who_sleeps_is_woken_once)
{
	ck_assert(!ring_wakes(&in));
	ck_assert(ring_sleep(&out, true));
	put(1, 1);
	ck_assert(ring_wakes(&in));
	ck_assert(!ring_wakes(&in));
	ck_assert(!ring_sleep(&out, true)); /* there is a line */
}
END_TEST

/* ---- Threads, handlers and forks of a process ---- */

enum { THREADS = 4, LINES = 20000 };

static void
open_outlet(bool is_patient)
{
	int memory = ring_create();

	ck_assert_int_eq(ring_map(&out, memory), 0);
	const struct outlet_gift gift = {
		.ring = memory,
		.bell = -1,
		.is_patient = is_patient,
	};
	ck_assert_int_eq(outlet_open(&gift), 0);
}

static void
close_outlet(void)
{
	outlet_close();
	ring_unmap(&out);
}

static void *
say_much(void *arg)
{
	char text[64];

	for (unsigned i = 0; i < LINES; i++) {
		int n = snprintf(text, sizeof(text), "%u %u", *(unsigned *)arg, i);
		outlet_put(&(struct ring_line){ .text = slice_of(text, (size_t)n) });
	}
	return NULL;
}

/* Each thread's lines come in their order; patient threads wait for the reader. */
START_TEST(threads_share_a_ring)
{
	unsigned numbers[THREADS], next[THREADS] = { 0 }, all = 0;
	pthread_t threads[THREADS];
	struct ring_line line;
	uint64_t behind;

	open_outlet(true);
	for (unsigned i = 0; i < THREADS; i++) {
		numbers[i] = i;
		pthread_create(&threads[i], NULL, say_much, &numbers[i]);
	}
	while (all < THREADS * LINES) {
		if (ring_next(&out, ring_end(&out), &line, &behind) != 1)
			continue;
		char text[64];
		unsigned who, i;
		snprintf(text, sizeof(text), "%" SLICE_FMT, SLICE_ARG(line.text));
		ck_assert_int_eq(sscanf(text, "%u %u", &who, &i), 2);
		ck_assert_uint_eq(i, next[who]++);
		ring_take(&out, behind);
		all++;
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(ring_losses(&out), 0);
	close_outlet();
}
END_TEST

static void
say_in_handler(int number)
{
	(void)number;
	outlet_put(&(struct ring_line){ .text = SLICE("handler") });
}

/* A line that a handler has in the middle of another one is dropped, and counted; no
 * line is spoilt. */
START_TEST(handlers_may_log)
{
	struct sigaction action = { .sa_handler = say_in_handler };
	struct ring_line line;
	uint64_t behind, n = 0, handled = 0, all = 0;
	timer_t timer;

	open_outlet(false);
	sigaction(SIGALRM, &action, NULL);
	ck_assert_int_eq(timer_create(CLOCK_MONOTONIC, NULL, &timer), 0);
	struct itimerspec often = { .it_interval.tv_nsec = 500000,
		.it_value.tv_nsec = 500000 };
	timer_settime(timer, 0, &often, NULL);
	for (int i = 0; i < 400000; i++) {
		outlet_put(&(struct ring_line){ .text = SLICE("line") });
		if (i % 1000 != 0)
			continue;
		while (ring_next(&out, ring_end(&out), &line, &behind) == 1) {
			bool is_handlers = slice_eq(line.text, SLICE("handler"));
			n += slice_eq(line.text, SLICE("line"));
			handled += is_handlers;
			all++;
			ring_take(&out, behind);
		}
	}
	timer_delete(timer);
	ck_assert_uint_gt(n, 100000);
	ck_assert_uint_eq(n + handled, all);
	close_outlet();
}
END_TEST

START_TEST(who_is_forked_has_no_ring)
{
	int status;

	open_outlet(false);
	pid_t pid = fork();
	if (pid == 0)
		_exit(outlet_is_open());
	waitpid(pid, &status, 0);
	ck_assert_int_eq(status, 0);
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		_exit(outlet_is_open());
	waitpid(pid, &status, 0);
	ck_assert_int_eq(status, 0);
	ck_assert(outlet_is_open());
	close_outlet();
}
END_TEST

START_TEST(what_was_said_outlives_who_said_it)
{
	struct ring_line line;
	uint64_t behind;
	int status, memory = ring_create();

	ck_assert_int_eq(ring_map(&out, memory), 0);
	pid_t pid = fork();
	if (pid == 0) {
		outlet_open(&(struct outlet_gift){ .ring = memory, .bell = -1 });
		outlet_put(&(struct ring_line){ .text = SLICE("last words") });
		raise(SIGKILL);
	}
	close(memory);
	waitpid(pid, &status, 0);
	ck_assert_int_eq(ring_next(&out, ring_end(&out), &line, &behind), 1);
	ck_assert(slice_eq(line.text, SLICE("last words")));
	ring_unmap(&out);
}
END_TEST

/* ---- What is printed ---- */

static struct printed printed;
static int ends[2];

static void
set_up_printed(void)
{
	map_ring();
	ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
	printed_init(&printed, &out);
}

static void
tear_down_printed(void)
{
	close(ends[0]);
	if (ends[1] != -1)
		close(ends[1]);
	unmap_ring();
}

static void
print(const char *text)
{
	ck_assert_int_eq(write(ends[1], text, strlen(text)), (ssize_t)strlen(text));
}

static void
expect_text(const char *text, bool ended)
{
	struct slice line;
	uint64_t behind;

	ck_assert(printed_next(&printed, ended, &line, &behind));
	ck_assert_msg(slice_eq(line, slice_str(text)), "%" SLICE_FMT " is not %s",
		SLICE_ARG(line), text);
	printed_take(&printed, behind);
}

static void
expect_no_text(bool ended)
{
	struct slice line;
	uint64_t behind;

	ck_assert(!printed_next(&printed, ended, &line, &behind));
}

START_TEST(lines_that_come_in_pieces)
{
	print("one\ntw");
	ck_assert_int_eq(printed_read(&printed, ends[0]), 6);
	expect_text("one", false);
	expect_no_text(false);
	ck_assert_int_eq(printed_read(&printed, ends[0]), -1);
	ck_assert_int_eq(errno, EAGAIN);
	print("o\n\nrest");
	printed_read(&printed, ends[0]);
	expect_text("two", false);
	expect_text("", false);
	close(ends[1]);
	ends[1] = -1;
	ck_assert_int_eq(printed_read(&printed, ends[0]), 0);
	expect_text("rest", true);
	expect_no_text(true);
}
END_TEST

START_TEST(long_lines_are_cut)
{
	char text[PRINTED_LINE_MAX + 101];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	print(text);
	print("\n");
	printed_read(&printed, ends[0]);
	text[PRINTED_LINE_MAX] = '\0';
	expect_text(text, false);
	text[100] = '\0';
	expect_text(text, false);
	memset(text, 'x', PRINTED_LINE_MAX);
	text[PRINTED_LINE_MAX] = '\0';
	print(text);
	print("\n");
	printed_read(&printed, ends[0]);
	expect_text(text, false);
	expect_no_text(false);
}
END_TEST

/* A logger is killed between the read and its note of it: the next one sees the text,
 * wherever in the memory it was. */
START_TEST(another_one_finds_what_was_read)
{
	char text[512];

	for (int i = 0; i < 500; i++) {
		snprintf(text, sizeof(text), "%d %0*d\n", i, i % 400 + 1, 7);
		print(text);
		uint64_t end = printed.state->end;
		ck_assert_int_gt(printed_read(&printed, ends[0]), 0);
		printed.state->end = end;
		printed_init(&printed, &out);
		text[strlen(text) - 1] = '\0';
		expect_text(text, false);
		expect_no_text(false);
		if (i % 2 == 0)
			printed_init(&printed, &out);
	}
}
END_TEST

START_TEST(no_more_is_read_than_has_room)
{
	char text[4096 + 1];

	memset(text, '\n', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	for (int i = 0; i < RING_SPARE / 4096; i++) {
		print(text);
		ck_assert_int_eq(printed_read(&printed, ends[0]), 4096);
	}
	print(text);
	ck_assert_int_eq(printed_read(&printed, ends[0]), -1);
	ck_assert_int_eq(errno, ENOBUFS);
	expect_text("", false);
	ck_assert_int_eq(printed_read(&printed, ends[0]), 1);
}
END_TEST

/* ---- Files ---- */

static char path[64], other[80], text[1 << 16];
static const uint32_t id = 5;
static int stock_memory;

static void
ignore(uint32_t sink)
{
	(void)sink;
}

static void
ignore_file(uint32_t sink, uint32_t number)
{
	(void)sink;
	(void)number;
}

static int
open_file(const char *name)
{
	return open(name, O_RDWR | O_APPEND | O_CREAT, 0600);
}

/* As a logger finds it that begins. */
static void
begin(void)
{
	const struct sink_facts facts = { .id = id, .kind = SINK_FILE };

	sink_add(&facts, dup(stock_memory));
	sink_use(id, 1, open_file(path));
}

/* As if the logger was killed: what it has in memory is left as it is. */
static void
forget(void)
{
	struct sink *s = sink_find(id);
	int empty = stock_create();

	ck_assert_int_eq(stock_map(&s->stock, empty), 0);
	close(empty);
	s->is_new = false;
	sink_end(id);
	sinks_write(0, ignore);
	ck_assert_ptr_null(sink_find(id));
}

static void
set_up_file(void)
{
	strcpy(path, "/tmp/alicorn-sink-XXXXXX");
	close(mkstemp(path));
	snprintf(other, sizeof(other), "%s.1", path);
	stock_memory = stock_create();
	log_open("/dev/null");
	begin();
}

static void
tear_down_file(void)
{
	unlink(path);
	unlink(other);
	close(stock_memory);
	log_open("-");
}

static void
say(const char *line)
{
	struct sink *s = sink_find(id);
	const struct sink_line what = { .text = slice_str(line) };
	uint64_t behind;

	ck_assert_int_eq(sink_offer(s, &what, &behind), 0);
	s->stock.state->in = behind;
}

static void
write_all(void)
{
	sinks_change(1, ignore_file);
	sinks_write(1, ignore);
}

static const char *
contents(const char *name)
{
	int fd = open(name, O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

START_TEST(lines_stay_lines)
{
	say("one");
	say("two\nthree");
	write_all();
	ck_assert_str_eq(contents(path), "one\ntwo three\n");
	ck_assert(sinks_are_empty());
}
END_TEST

START_TEST(a_file_that_takes_the_place)
{
	say("one");
	write_all();
	rename(path, other);
	say("two");
	sink_use(id, 2, open_file(path));
	write_all();
	say("three");
	write_all();
	ck_assert_str_eq(contents(other), "one\ntwo\n");
	ck_assert_str_eq(contents(path), "three\n");
}
END_TEST

/* Killed in the middle of a write, after so many bytes: the next one goes on there. */
START_TEST(killed_in_a_write)
{
	static const char all[] = "before\none\ntwo\nthree\n";
	struct sink *s = sink_find(id);

	say("before");
	write_all();
	say("one");
	say("two");
	say("three");
	stock_begin(&s->stock, 7);
	ck_assert_int_eq(write(s->file.fd, all + 7, (size_t)_i), _i);
	forget();
	begin();
	write_all();
	ck_assert_str_eq(contents(path), all);
	say("after");
	write_all();
	ck_assert_str_eq(contents(path), "before\none\ntwo\nthree\nafter\n");
}
END_TEST

/* And after the write, before that was noted. */
START_TEST(killed_behind_a_write)
{
	struct sink *s = sink_find(id);

	say("one");
	stock_begin(&s->stock, 0);
	ck_assert_int_eq(write(s->file.fd, "one\n", 4), 4);
	s->stock.state->out = s->stock.state->from + s->stock.state->n;
	forget();
	begin();
	write_all();
	ck_assert_str_eq(contents(path), "one\n");
}
END_TEST

/* Somebody else, who takes no locks, wrote behind a part of a line. */
START_TEST(others_that_write)
{
	struct sink *s = sink_find(id);

	say("one");
	say("two");
	stock_begin(&s->stock, 0);
	ck_assert_int_eq(write(s->file.fd, "one\ntw", 6), 6);
	ck_assert_int_eq(write(s->file.fd, "other\n", 6), 6);
	forget();
	begin();
	write_all();
	ck_assert_str_eq(contents(path), "one\ntwother\ntwo\n");
}
END_TEST

/* A line that the old file has in part is whole in the new one. */
START_TEST(a_new_file_in_the_middle_of_a_line)
{
	struct sink *s = sink_find(id);

	say("one");
	say("two");
	stock_begin(&s->stock, 0);
	ck_assert_int_eq(write(s->file.fd, "one\ntw", 6), 6);
	forget();
	rename(path, other);
	struct sink_facts facts = { .id = id, .kind = SINK_FILE };
	sink_add(&facts, dup(stock_memory));
	sink_use(id, 1, open_file(other));
	sink_use(id, 2, open_file(path));
	write_all();
	ck_assert_str_eq(contents(other), "one\ntwo\n");
	ck_assert_str_eq(contents(path), "");
}
END_TEST

Suite *
logger_suite(void)
{
	Suite *s = suite_create("logger");
	TCase *ring = tcase_create("ring"), *outlet = tcase_create("outlet"),
	      *pipe = tcase_create("printed"), *file = tcase_create("file");

	tcase_add_checked_fixture(ring, map_ring, unmap_ring);
	tcase_set_timeout(ring, 30);
	tcase_add_test(ring, lines_of_all_lengths);
	tcase_add_test(ring, a_full_ring);
	tcase_add_test(ring, another_reader_goes_on);
	tcase_add_loop_test(ring, nonsense, 0, 3);
	tcase_add_test(ring, it_cannot_be_resized);
	tcase_add_test(ring, who_sleeps_is_woken_once);
	suite_add_tcase(s, ring);

	tcase_set_timeout(outlet, 60);
	tcase_add_test(outlet, threads_share_a_ring);
	tcase_add_test(outlet, handlers_may_log);
	tcase_add_test(outlet, who_is_forked_has_no_ring);
	tcase_add_test(outlet, what_was_said_outlives_who_said_it);
	suite_add_tcase(s, outlet);

	tcase_add_checked_fixture(pipe, set_up_printed, tear_down_printed);
	tcase_add_test(pipe, lines_that_come_in_pieces);
	tcase_add_test(pipe, long_lines_are_cut);
	tcase_add_test(pipe, another_one_finds_what_was_read);
	tcase_add_test(pipe, no_more_is_read_than_has_room);
	suite_add_tcase(s, pipe);

	tcase_add_checked_fixture(file, set_up_file, tear_down_file);
	tcase_add_test(file, lines_stay_lines);
	tcase_add_test(file, a_file_that_takes_the_place);
	tcase_add_loop_test(file, killed_in_a_write, 0, 15);
	tcase_add_test(file, killed_behind_a_write);
	tcase_add_test(file, others_that_write);
	tcase_add_test(file, a_new_file_in_the_middle_of_a_line);
	suite_add_tcase(s, file);
	return s;
}
