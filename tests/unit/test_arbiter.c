/*
 * The arbiter: how it starts and stops, heals, gives up, limits requests and runs
 * programs.
 */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/common/heritage.h"
#include "tests/unit/stage.h"

/* ---- Start and stop ---- */

START_TEST(starts_serves_and_stops)
{
	stage->workers = 3;
	snprintf(stage->pidfile, STAGE_NAME, "%.64s/pid", stage_folder);
	stage_start_and_serve();
	stage_wait_children(3);
	int fd = stage_connect();
	ck_assert_int_ne(fd, -1);
	close(fd);
	char text[32] = "";
	FILE *f = fopen(stage->pidfile, "r");
	ck_assert_ptr_nonnull(fgets(text, sizeof(text), f));
	fclose(f);
	ck_assert_int_eq(strtol(text, NULL, 10), stage_arbiter);
	/* 0, 1, 2, the log, the channel, the listener, both ends of the queue. */
	ck_assert_int_eq(stage->descriptors, 9);
	stage_stop();
	ck_assert_int_eq(stage_connect(), -1);
}
END_TEST

START_TEST(unix_socket_is_removed)
{
	snprintf(stage->bind[0], STAGE_NAME, "unix:%.64s/socket", stage_folder);
	stage_start_and_serve();
	ck_assert_int_eq(stage_count("listening on unix:/"), 1);
	stage_stop();
}
END_TEST

START_TEST(stale_unix_socket_is_replaced)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(name.sun_path, sizeof(name.sun_path), "%.64s/socket", stage_folder);
	snprintf(stage->bind[0], STAGE_NAME, "unix:%s", name.sun_path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	close(fd);
	stage_start_and_serve();
	stage_stop();
}
END_TEST

START_TEST(file_is_no_socket)
{
	snprintf(stage->bind[0], STAGE_NAME, "unix:%.64s/log", stage_folder);
	stage_start();
	stage_expect_exit(EXIT_CONFIG);
	ck_assert_int_eq(stage_count("the file exists and is not a socket"), 1);
}
END_TEST

START_TEST(pidfile_of_another)
{
	char path[STAGE_NAME];

	snprintf(path, sizeof(path), "%.64s/pid", stage_folder);
	strcpy(stage->pidfile, path);
	FILE *f = fopen(path, "w");
	fprintf(f, "%d\n", (int)getpid());
	fclose(f);
	stage_start();
	stage_expect_exit(EXIT_CONFIG);
	ck_assert_int_eq(stage_count("runs already"), 1);
	unlink(path);
}
END_TEST

START_TEST(address_without_permission)
{
	strcpy(stage->bind[0], "192.0.2.1:80");
	stage_start();
	stage_expect_exit(EXIT_CONFIG);
	ck_assert_int_eq(
		stage_count("listen on 192.0.2.1:80: Cannot assign requested address"),
		1);
}
END_TEST

START_TEST(graceful_stop_has_a_limit)
{
	strcpy(stage->behaviour, "deaf");
	stage->graceful_timeout = 1;
	stage_start_and_serve();
	stage_stop();
	ck_assert_int_eq(stage_count("it did not stop in time"), 2);
}
END_TEST

static const int stop_signals[] = { SIGTERM, SIGQUIT, SIGINT };

START_TEST(second_signal_forces)
{
	strcpy(stage->behaviour, "deaf");
	stage_start_and_serve();
	stage_tell(SIGTERM);
	stage_wait_log("requests are finished first", 1);
	stage_tell(stop_signals[_i]);
	stage_expect_exit(EXIT_DONE);
	ck_assert_int_eq(stage_count("told to stop again"), 1);
	ck_assert_int_eq(stage_count("by the arbiter: forced"), 2);
}
END_TEST

START_TEST(quick_stop)
{
	stage_start_and_serve();
	stage_tell(stop_signals[_i]);
	stage_expect_exit(EXIT_DONE);
	ck_assert_int_eq(stage_count("was ended by signal 3 (Quit)"), 2);
}
END_TEST

/* ---- Numbers ---- */

START_TEST(every_ttin_counts)
{
	stage->workers = 1;
	stage_start_and_serve();
	stage_tell_times(SIGTTIN, 20);
	stage_wait(stage->served == 21);
	stage_wait_children(21);
	stage_tell_times(SIGTTOU, 15);
	stage_wait_children(6);
	stage_tell_times(SIGTTOU, 15);
	stage_wait_log("stays 1", 10);
	stage_wait_children(1);
	ck_assert_int_eq(stage_count("is now"), 40);
	stage_stop();
}
END_TEST

START_TEST(dead_worker_is_replaced)
{
	pid_t pids[STAGE_CHILDREN];

	stage_start_and_serve();
	stage_wait(stage_children(pids) == 2);
	kill(pids[0], SIGKILL);
	stage_wait(stage->served == 3);
	stage_wait_children(2);
	stage_wait_log("was ended by signal 9 (Killed), by somebody else", 1);
	stage_stop();
}
END_TEST

START_TEST(crashes_are_slowed_down)
{
	strcpy(stage->behaviour, "crash");
	stage->workers = 1;
	uint64_t before = clock_ms();
	stage_start();
	stage_wait_log("was ended by signal 9", 5);
	/* 100, 200, 400 and 800 ms lie between five of them. */
	ck_assert_uint_ge(clock_ms() - before, 1500);
	stage_stop();
}
END_TEST

/* ---- The first start fails ---- */

START_TEST(application_cannot_be_loaded)
{
	strcpy(stage->behaviour, "fail");
	stage_start();
	stage_expect_exit(EXIT_LOAD);
	ck_assert_int_eq(stage_count("cannot load fail: no such module"), 1);
	ck_assert_int_eq(stage_connect(), -1);
}
END_TEST

START_TEST(workers_die_at_start)
{
	strcpy(stage->behaviour, "die");
	stage->workers = 1;
	stage_start();
	stage_expect_exit(EXIT_BOOT);
	ck_assert_int_eq(stage_count("ended with status 7"), 3);
	ck_assert_int_eq(stage_count("3 processes died before one was ready"), 1);
}
END_TEST

START_TEST(worker_is_never_ready)
{
	strcpy(stage->behaviour, "mute");
	stage->workers = stage->boot_timeout = stage->boot_attempts = 1;
	stage_start();
	stage_expect_exit(EXIT_BOOT);
	ck_assert_int_eq(stage_count("by the arbiter: boot timeout"), 1);
}
END_TEST

/* ---- Time limits of requests ---- */

static void
expect_answer(const char *expected)
{
	char answer[64] = "";
	int fd = stage_connect();
	struct pollfd p = { .fd = fd, .events = POLLIN };

	ck_assert_int_eq(poll(&p, 1, STAGE_PATIENCE_MS), 1);
	ck_assert_int_gt(read(fd, answer, sizeof(answer) - 1), 0);
	ck_assert_str_eq(answer, expected);
	close(fd);
}

START_TEST(worker_answers_when_time_is_over)
{
	strcpy(stage->behaviour, "answer");
	stage->workers = stage->timeout = 1;
	stage_start_and_serve();
	expect_answer("from the worker");
	stage_wait(stage->served == 2);
	ck_assert_int_eq(stage_count("s in GET /slow: time is over"), 1);
	ck_assert_int_eq(stage_count("status 1, by the arbiter: request timeout"), 1);
	stage_stop();
}
END_TEST

START_TEST(arbiter_answers_for_a_stuck_worker)
{
	strcpy(stage->behaviour, "stuck");
	stage->workers = stage->timeout = 1;
	stage_start_and_serve();
	expect_answer("from the arbiter");
	stage_wait(stage->served == 2);
	ck_assert_int_eq(stage_count("s in GET /slow: time is over"), 1);
	ck_assert_int_eq(
		stage_count("signal 9 (Killed), by the arbiter: request timeout"), 1);
	stage_stop();
}
END_TEST

/* ---- Managed programs ---- */

START_TEST(programs_are_managed)
{
	strcpy(stage->command,
		"test -S /dev/stdin && test $PHP_FCGI_CHILDREN = 0 && "
		"echo hidden && echo shown >&2 && exec sleep 1000");
	stage_start();
	stage_wait(stage->served == 1);
	stage_wait_log("is ready", 3);
	ck_assert_int_eq(stage_count("hidden"), 0);
	ck_assert_int_eq(stage_count("shown"), 2);
	ck_assert_int_eq(strncmp(stage->target, "unix:/", 6), 0);
	stage_tell(SIGTTIN);
	stage_wait_children(4);
	stage_tell(SIGHUP);
	stage_wait_log("reload done: generation 2 serves with 4 processes", 1);
	stage_wait_children(4);
	stage_stop();
	/* The workers stop before the programs that they need. */
	const char *text = stage_log();
	const char *last_worker = NULL;
	for (const char *at = text; (at = strstr(at, "] worker shop")) != NULL; at++)
		last_worker = at;
	const char *stopped = strstr(text, "requests are finished first");
	ck_assert_ptr_nonnull(stopped);
	ck_assert(last_worker > stopped);
	const char *program = strstr(stopped, "] program shop");
	ck_assert(program > last_worker);
}
END_TEST

START_TEST(program_that_dies_is_replaced)
{
	pid_t pids[STAGE_CHILDREN];

	strcpy(stage->command, "exec sleep 1000");
	stage->workers = 1;
	stage_start();
	stage_wait_log("is ready", 2);
	stage_wait_children(2);
	stage_children(pids);
	kill(pids[0], SIGKILL);
	kill(pids[1], SIGKILL);
	stage_wait_log("is ready", 4);
	stage_wait_children(2);
	stage_stop();
}
END_TEST

/* A program that ends at once counts as one that cannot boot. */
START_TEST(program_that_ends_at_once)
{
	strcpy(stage->command, "exit 9");
	stage->workers = stage->boot_attempts = 1;
	stage_start();
	stage_expect_exit(EXIT_BOOT);
	ck_assert_int_ge(stage_count("program shop"), 1);
}
END_TEST

Suite *arbiter_suite(void);

Suite *
arbiter_suite(void)
{
	enum { STOP_SIGNALS = sizeof(stop_signals) / sizeof(stop_signals[0]) };
	Suite *s = suite_create("arbiter");
	TCase *t = tcase_create("arbiter");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, stage_set_up, stage_tear_down);
	tcase_add_test(t, starts_serves_and_stops);
	tcase_add_test(t, unix_socket_is_removed);
	tcase_add_test(t, stale_unix_socket_is_replaced);
	tcase_add_test(t, file_is_no_socket);
	tcase_add_test(t, pidfile_of_another);
	tcase_add_test(t, address_without_permission);
	tcase_add_test(t, graceful_stop_has_a_limit);
	tcase_add_loop_test(t, second_signal_forces, 0, STOP_SIGNALS);
	tcase_add_loop_test(t, quick_stop, 1, STOP_SIGNALS);
	tcase_add_test(t, every_ttin_counts);
	tcase_add_test(t, dead_worker_is_replaced);
	tcase_add_test(t, crashes_are_slowed_down);
	tcase_add_test(t, application_cannot_be_loaded);
	tcase_add_test(t, workers_die_at_start);
	tcase_add_test(t, worker_is_never_ready);
	tcase_add_test(t, worker_answers_when_time_is_over);
	tcase_add_test(t, arbiter_answers_for_a_stuck_worker);
	tcase_add_test(t, programs_are_managed);
	tcase_add_test(t, program_that_dies_is_replaced);
	tcase_add_test(t, program_that_ends_at_once);
	suite_add_tcase(s, t);
	return s;
}
