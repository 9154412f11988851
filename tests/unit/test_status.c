/* What is told of the server: tallies, the slowest requests, the board, and the texts.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/status/render.h"
#include "protocols/statsd.h"

Suite *status_suite(void);

/* ---- Histograms ---- */

START_TEST(buckets_are_known_to_an_eighth)
{
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t from = histogram_from(i), end = histogram_from(i + 1);
		ck_assert_uint_eq(histogram_bucket(from), i);
		ck_assert_uint_eq(histogram_bucket(end - 1), i);
		ck_assert_uint_le((end - from) * HISTOGRAM_STEPS,
			from < HISTOGRAM_STEPS ? HISTOGRAM_STEPS : from);
	}
	ck_assert_uint_eq(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
	ck_assert_uint_gt(histogram_from(HISTOGRAM_BUCKETS), 100 * 1000000);
}
END_TEST

START_TEST(quantiles)
{
	struct histogram h = { 0 };

	ck_assert_uint_eq(histogram_quantile(&h, 0.5), 0);
	for (uint64_t us = 1; us <= 10000; us++)
		histogram_add(&h, us);
	ck_assert_uint_eq(histogram_total(&h), 10000);
	ck_assert_uint_eq(h.sum_us, 10000 * 10001 / 2);
	for (unsigned percent = 1; percent <= 100; percent++) {
		double q = percent / 100.0, exact = 10000 * q;
		double got = (double)histogram_quantile(&h, q);
		ck_assert_double_ge(got, exact * 0.87);
		ck_assert_double_le(got, exact * 1.13);
	}
	ck_assert_uint_eq(histogram_below(&h, 1024), 1023);
	ck_assert_uint_eq(histogram_below(&h, 128), 127);
}
END_TEST

START_TEST(tallies_are_added_and_subtracted)
{
	struct tally a = { 0 }, b = { 0 };

	tally_count(&a.responses[TALLY_2XX], 3);
	tally_count(&a.responses[TALLY_LEFT], 1);
	tally_count(&a.bytes_in, 100);
	histogram_add(&a.queue, 5000);
	tally_add(&b, &a);
	tally_add(&b, &a);
	ck_assert_uint_eq(tally_responses(&b), 8);
	ck_assert_uint_eq(b.bytes_in, 200);
	ck_assert_uint_eq(b.queue.sum_us, 10000);
	tally_subtract(&b, &a);
	ck_assert_int_eq(memcmp(&a, &b, sizeof(a)), 0);
	tally_add(&a, &b);
	tally_subtract(&b, &a); /* never below nothing */
	ck_assert_uint_eq(tally_responses(&b), 0);
	tally_clear(&a);
	ck_assert_uint_eq(a.bytes_in, 0);
}
END_TEST

/* ---- The slowest requests ---- */

START_TEST(the_slowest_stay)
{
	struct slow_table t = { 0 };
	struct slow_request r = { .line = "GET /" };
	uint64_t sum = 0;

	for (uint64_t i = 1; i <= 100; i++) {
		r.us = i * 37 % 101; /* 1 to 100 in another order */
		if (slow_is_one(&t, r.us))
			slow_note(&t, &r);
	}
	for (size_t i = 0; i < SLOW_ROWS; i++) {
		ck_assert(slow_read(&t.rows[i], &r));
		sum += r.us;
	}
	ck_assert_uint_eq(sum, 93 + 94 + 95 + 96 + 97 + 98 + 99 + 100);
	ck_assert_uint_eq(t.least, 93);
	t.rows[0].version++; /* its writer is at it */
	ck_assert(!slow_read(&t.rows[0], &r));
	slow_clear(&t);
	ck_assert(!slow_read(&t.rows[1], &r));
}
END_TEST

START_TEST(slow_texts_end)
{
	struct slow_row row = { .version = 2 };
	struct slow_request r;

	memset(&row.request, 'A', sizeof(row.request));
	ck_assert(slow_read(&row, &r));
	ck_assert_uint_eq(strnlen(r.line, SLOW_LINE), SLOW_LINE - 1);
	ck_assert_uint_eq(strnlen(r.id, SLOW_ID), SLOW_ID - 1);
}
END_TEST

/* ---- The board ---- */

START_TEST(the_board_is_for_readers)
{
	struct board_memory m;
	int status;

	ck_assert_int_eq(board_init(&m), 0);
	m.own->generation = 7;
	ck_assert_uint_eq(m.view->generation, 7);
	pid_t pid = fork();
	if (pid == 0) {
		_exit(m.view->generation == 7 ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	ck_assert_int_eq(status, 0);
	pid = fork();
	if (pid == 0) {
		m.own->generation = 8; /* it has no such memory */
		_exit(0);
	}
	waitpid(pid, &status, 0);
	ck_assert_int_ne(status, 0);
	ck_assert_uint_eq(m.view->generation, 7);
	board_release(&m);
	ck_assert_ptr_null(m.own);
}
END_TEST

START_TEST(rows_have_numbers)
{
	struct board_memory m;
	char name[16];

	ck_assert_int_eq(board_init(&m), 0);
	ck_assert_uint_eq(board_row(m.own, "a"), 1);
	ck_assert_uint_eq(board_row(m.own, "b"), 2);
	ck_assert_uint_eq(board_row(m.own, "a"), 1);
	for (int i = 2; i < BOARD_APPS; i++) {
		snprintf(name, sizeof(name), "%d", i);
		board_row(m.own, name);
	}
	ck_assert_uint_eq(board_row(m.own, "one too many"), 0);
	uint32_t version = board_read_begin(m.view);
	ck_assert(board_read_end(m.view, version));
	board_write_begin(m.own);
	ck_assert(!board_read_end(m.view, version));
	board_write_end(m.own);
	ck_assert(!board_read_end(m.view, version));
	board_release(&m);
}
END_TEST

/* ---- The status ---- */

static struct board_memory board;
static struct slots slots;
static struct buffer text;

static void
set_up(void)
{
	ck_assert_int_eq(board_init(&board), 0);
	ck_assert_int_eq(slots_init(&slots, 4), 0);
	struct board *b = board.own;
	strcpy(b->program, "1.2.3");
	b->state = BOARD_SERVING;
	b->started = 1;
	board_row(b, "gone");
	board_row(b, "shop");
	struct board_app *a = &b->apps[1];
	a->present = true;
	strcpy(a->target, "c:/x.so");
	a->processes[BOARD_WORKERS].wanted = 2;
	a->processes[BOARD_WORKERS].serving = 2;
	tally_count(&a->gone.responses[TALLY_2XX], 10);
	a->restarts[RESTART_CRASH] = 1;
	for (int i = 0; i < 2; i++) {
		struct slot *slot = slots_take(&slots);
		slot->app = 2;
		slot->pid = 100 + i;
		slot->state = SLOT_SERVING;
		slot->pending = (unsigned)i;
		slot->connections = 3;
		slot->idle = 2;
		tally_count(&slot->tally.responses[TALLY_5XX], 1);
		histogram_add(&slot->tally.application, 2000);
		strcpy(slot->request, "GET /\x1b[31m\"\xc3\xbc\xff");
		slow_note(&slot->slow,
			&(struct slow_request){
				.us = 2000 + (unsigned)i, .line = "GET /slow" });
	}
	text = (struct buffer){ 0 };
}

static void
tear_down(void)
{
	board_release(&board);
	slots_release(&slots);
	buffer_release(&text);
}

START_TEST(workers_that_live_and_those_that_ended_count)
{
	struct status s;

	ck_assert_int_eq(status_take(&s, board.view, &slots), 0);
	ck_assert_uint_eq(s.n_apps, 1);
	ck_assert_uint_eq(s.n_workers, 2);
	const struct status_app *a = &s.apps[0];
	ck_assert_str_eq(a->name, "shop");
	ck_assert_uint_eq(tally_responses(&a->tally), 12);
	ck_assert_uint_eq(a->workers[STATUS_IDLE], 1);
	ck_assert_uint_eq(a->workers[STATUS_BUSY], 1);
	ck_assert_uint_eq(a->connections, 6);
	ck_assert_uint_eq(a->idle, 4);
	ck_assert_uint_eq(a->n_slow, 2);
	ck_assert_uint_eq(a->slow[0].us, 2001);
	ck_assert_uint_eq(status_restarts(a), 1);
	ck_assert(s.is_ready);
	status_release(&s);
}
END_TEST

START_TEST(readiness)
{
	struct board_app *a = &board.own->apps[1];

	ck_assert(status_is_ready(board.view));
	a->processes[BOARD_WORKERS].serving = 0;
	ck_assert(!status_is_ready(board.view));
	a->processes[BOARD_WORKERS].serving = 1;
	a->processes[BOARD_PROGRAMS].wanted = 1;
	ck_assert(!status_is_ready(board.view));
	a->processes[BOARD_PROGRAMS].serving = 1;
	ck_assert(status_is_ready(board.view));
	board.own->state = BOARD_STOPPING;
	ck_assert(!status_is_ready(board.view));
}
END_TEST

START_TEST(what_is_recent)
{
	struct status before, now;
	struct status_recent r;

	ck_assert_int_eq(status_take(&before, board.view, &slots), 0);
	tally_count(&slots.rows[0].tally.responses[TALLY_5XX], 4);
	for (int i = 0; i < 4; i++)
		histogram_add(&slots.rows[0].tally.application, 1000000);
	ck_assert_int_eq(status_take(&now, board.view, &slots), 0);
	now.taken = before.taken + 2000;
	status_recent(&r, &now, 0, &before);
	ck_assert_double_eq(r.seconds, 2);
	ck_assert_double_eq(r.requests, 2);
	ck_assert_double_eq(r.errors, 2);
	ck_assert_uint_ge(r.quantiles[0], 900000);
	status_recent(&r, &now, 0, NULL);
	ck_assert_double_eq(r.seconds, 0);
	status_release(&before);
	status_release(&now);
}
END_TEST

static const char *
text_of(void (*make)(struct buffer *out, const struct status *s))
{
	struct status s;

	ck_assert_int_eq(status_take(&s, board.view, &slots), 0);
	make(&text, &s);
	buffer_add_char(&text, '\0');
	ck_assert(!text.failed);
	status_release(&s);
	return text.ptr;
}

static void
make_json(struct buffer *out, const struct status *s)
{
	status_json(out, s, NULL);
}

/* Bytes of clients: control bytes are escaped, and what is no UTF-8 is replaced. */
START_TEST(json)
{
	const char *got = text_of(make_json);

	ck_assert_ptr_nonnull(
		strstr(got, "\"request\":\"GET /\\u001b[31m\\\"\xc3\xbc\\ufffd\""));
	ck_assert_ptr_nonnull(strstr(got, "\"requests\":12,"));
	ck_assert_ptr_nonnull(strstr(got, "\"5xx\":2,\"499\":0}"));
	ck_assert_ptr_nonnull(strstr(got, "\"last_failure\":null}"));
}
END_TEST

START_TEST(prometheus)
{
	const char *got = text_of(status_prometheus);

	ck_assert_ptr_nonnull(
		strstr(got, "alicorn_requests_total{app=\"shop\",status=\"5xx\"} 2\n"));
	ck_assert_ptr_nonnull(strstr(got,
		"alicorn_request_duration_seconds_bucket{app=\"shop\",le=\"0.001024\"} "
		"0\n"));
	ck_assert_ptr_nonnull(strstr(got,
		"alicorn_request_duration_seconds_bucket{app=\"shop\",le=\"0.002048\"} "
		"2\n"));
}
END_TEST

static void
make_table(struct buffer *out, const struct status *s)
{
	status_table(out, s, NULL, &(struct status_style){ .workers = true });
	status_slow_table(out, s, NULL, &(struct status_style){ 0 });
}

START_TEST(a_terminal_gets_no_orders)
{
	const char *got = text_of(make_table);

	ck_assert_ptr_null(strchr(got, '\x1b'));
	ck_assert_ptr_nonnull(strstr(got, "GET /?[31m\"???"));
	ck_assert_ptr_nonnull(strstr(got, "2.00ms"));
	ck_assert_ptr_nonnull(strstr(got, "GET /slow"));
}
END_TEST

/* ---- statsd ---- */

START_TEST(lines_of_statsd)
{
	const struct statsd_names plain = { NULL, NULL }, full = { "a.b", "x:1,y" };

	text = (struct buffer){ 0 };
	statsd_count(&text, &plain, "n", 3);
	statsd_gauge(&text, &full, "g", 0);
	statsd_histogram(&text, &full, "h", 5);
	statsd_time(&text, &plain, "t", 1234567, 1);
	statsd_time(&text, &full, "t", 45, 0.25);
	buffer_add_char(&text, '\0');
	ck_assert_str_eq(text.ptr,
		"n:3|c\na.b.g:0|g|#x:1,y\na.b.h:5|h|#x:1,y\nt:1234.567|ms\n"
		"a.b.t:0.045|ms|@0.250000|#x:1,y\n");
	buffer_release(&text);
}
END_TEST

static const struct {
	const char *text, *host, *port, *reason;
} addresses[] = {
	{ "a", "a", "8125", NULL },
	{ "a.example:1", "a.example", "1", NULL },
	{ "[::1]", "::1", "8125", NULL },
	{ "[::1]:65535", "::1", "65535", NULL },
	{ "unix:///run/s", "/run/s", "8125", NULL },
	{ "unix:/run/s", "/run/s", "8125", NULL },
	{ "", NULL, NULL, "the host is missing" },
	{ "a:", NULL, NULL, "the port is not one from 1 to 65535" },
	{ "a:65536", NULL, NULL, "the port is not one from 1 to 65535" },
	{ "[::1", NULL, NULL, "the bracket is not closed" },
	{ "[::1]x", NULL, NULL, "behind the bracket comes :PORT or nothing" },
	{ "unix://run", NULL, NULL, "the path is not absolute" },
};

enum { ADDRESSES = sizeof(addresses) / sizeof(addresses[0]) };

START_TEST(addresses_of_statsd)
{
	struct statsd_address a;
	const char *reason = statsd_parse(&a, addresses[_i].text);

	ck_assert_pstr_eq(reason, addresses[_i].reason);
	if (reason != NULL)
		return;
	ck_assert(slice_eq(a.host, slice_str(addresses[_i].host)));
	ck_assert(slice_eq(a.port, slice_str(addresses[_i].port)));
}
END_TEST

Suite *
status_suite(void)
{
	Suite *s = suite_create("status");
	TCase *t = tcase_create("numbers");
	TCase *u = tcase_create("texts");

	tcase_add_test(t, buckets_are_known_to_an_eighth);
	tcase_add_test(t, quantiles);
	tcase_add_test(t, tallies_are_added_and_subtracted);
	tcase_add_test(t, the_slowest_stay);
	tcase_add_test(t, slow_texts_end);
	tcase_add_test(t, the_board_is_for_readers);
	tcase_add_test(t, rows_have_numbers);
	tcase_add_test(t, lines_of_statsd);
	tcase_add_loop_test(t, addresses_of_statsd, 0, ADDRESSES);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(u, set_up, tear_down);
	tcase_add_test(u, workers_that_live_and_those_that_ended_count);
	tcase_add_test(u, readiness);
	tcase_add_test(u, what_is_recent);
	tcase_add_test(u, json);
	tcase_add_test(u, prometheus);
	tcase_add_test(u, a_terminal_gets_no_orders);
	suite_add_tcase(s, u);
	return s;
}
