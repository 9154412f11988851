/* Reload, of what is good and of what is not; and the signals that belong to it. */
#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/stage.h"

START_TEST(good_reload)
{
	pid_t before[STAGE_CHILDREN], after[STAGE_CHILDREN];

	stage_start_and_serve();
	stage_tell(SIGTTIN);
	stage_wait(stage->served == 3);
	int n = stage_children(before);
	stage_tell(SIGHUP);
	stage_wait_log("reload done: generation 2 serves with 3 processes", 1);
	stage_wait(stage->served == 6);
	stage_wait_children(3);
	ck_assert_int_eq(stage_children(after), n);
	for (int i = 0; i < n; i++)
		ck_assert_int_ne(before[i], after[i]);
	/* The socket is the one that was. */
	ck_assert_int_eq(stage_count("listening on"), 1);
	int fd = stage_connect();
	ck_assert_int_ne(fd, -1);
	close(fd);
	stage_stop();
}
END_TEST

START_TEST(reload_changes_addresses)
{
	snprintf(stage->pidfile, STAGE_NAME, "%.64s/pid", stage_folder);
	stage_start_and_serve();
	snprintf(stage->bind[0], STAGE_NAME, "unix:%.64s/socket", stage_folder);
	snprintf(stage->pidfile, STAGE_NAME, "%.64s/pid2", stage_folder);
	stage_tell(SIGHUP);
	stage_wait_log("reload done", 1);
	stage_wait(stage_connect() == -1);
	ck_assert_int_eq(stage_count("listening on unix:"), 1);
	stage_stop();
}
END_TEST

START_TEST(reload_of_a_bad_configuration)
{
	stage_start_and_serve();
	stage->is_broken = true;
	stage_tell(SIGHUP);
	stage_wait_log(
		"reload failed: the configuration is not valid; generation 1 goes on",
		1);
	ck_assert_int_eq(stage_count("shop.conf:1: first fault"), 1);
	ck_assert_int_eq(stage_count("shop.conf:2: second fault"), 1);
	stage_wait_children(2);
	ck_assert_int_eq(stage->served, 2);
	stage_stop();
}
END_TEST

static const struct {
	const char *behaviour, *reason;
	int boot_timeout;
} bad_workers[] = {
	{ "fail", "cannot load fail: no such module; generation 1 goes on", 60 },
	{ "die", "died; generation 1 goes on", 60 },
	{ "mute", "died; generation 1 goes on", 1 },
	{ "fickle", "died; generation 1 goes on", 60 },
};

START_TEST(reload_of_a_bad_application)
{
	pid_t before[STAGE_CHILDREN], after[STAGE_CHILDREN];

	stage_start_and_serve();
	int n = stage_children(before);
	strcpy(stage->behaviour, bad_workers[_i].behaviour);
	snprintf(stage->bind[1], STAGE_NAME, "unix:%.64s/socket", stage_folder);
	stage->boot_timeout = bad_workers[_i].boot_timeout;
	stage_tell(SIGHUP);
	stage_wait_log(bad_workers[_i].reason, 1);
	stage_wait(access(stage->bind[1] + strlen("unix:"), F_OK) == -1);
	stage_wait_children(n);
	ck_assert_int_eq(stage_children(after), n);
	ck_assert_mem_eq(before, after, (size_t)n * sizeof(pid_t));
	/* And then a good one. */
	strcpy(stage->behaviour, "sleep");
	stage_tell(SIGHUP);
	stage_wait_log("reload done: generation 3", 1);
	stage_stop();
}
END_TEST

START_TEST(reload_to_an_address_in_use)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	stage_start_and_serve();
	snprintf(name.sun_path, sizeof(name.sun_path), "%.64s/socket", stage_folder);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	snprintf(stage->bind[1], STAGE_NAME, "unix:%s", name.sun_path);
	stage_tell(SIGHUP);
	stage_wait_log("a server answers there; generation 1 goes on", 1);
	stage_wait_children(2);
	ck_assert_int_eq(access(name.sun_path, F_OK), 0);
	stage_stop();
	unlink(name.sun_path);
	close(fd);
}
END_TEST

START_TEST(storm_of_reloads)
{
	stage_start_and_serve();
	for (int i = 0; i < 200; i++) {
		stage_tell(SIGHUP);
		usleep(1000);
	}
	/* A last one that is surely seen, and then silence. */
	int done = stage_count("reload done");
	stage_tell(SIGHUP);
	stage_wait_log("reload done", done + 1);
	stage_wait_children(2);
	ck_assert_int_eq(stage_count("[ERROR]"), 0);
	stage_stop();
}
END_TEST

START_TEST(workers_stop_and_come_back)
{
	stage_start_and_serve();
	stage_tell(SIGWINCH);
	stage_wait_children(0);
	stage_wait_log("the arbiter stays", 1);
	stage_tell(SIGHUP);
	stage_wait(stage->served == 4);
	stage_wait_children(2);
	stage_stop();
}
END_TEST

START_TEST(log_is_reopened)
{
	char path[STAGE_NAME], old[STAGE_NAME];

	stage_start_and_serve();
	snprintf(path, sizeof(path), "%.64s/log", stage_folder);
	snprintf(old, sizeof(old), "%.64s/log.1", stage_folder);
	ck_assert_int_eq(rename(path, old), 0);
	stage_tell(SIGUSR1);
	stage_wait_log("log reopened", 1);
	unlink(old);
	stage_stop();
}
END_TEST

Suite *reload_suite(void);

Suite *
reload_suite(void)
{
	enum { BAD_WORKERS = sizeof(bad_workers) / sizeof(bad_workers[0]) };
	Suite *s = suite_create("reload");
	TCase *t = tcase_create("reload");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, stage_set_up, stage_tear_down);
	tcase_add_test(t, good_reload);
	tcase_add_test(t, reload_changes_addresses);
	tcase_add_test(t, reload_of_a_bad_configuration);
	tcase_add_loop_test(t, reload_of_a_bad_application, 0, BAD_WORKERS);
	tcase_add_test(t, reload_to_an_address_in_use);
	tcase_add_test(t, storm_of_reloads);
	tcase_add_test(t, workers_stop_and_come_back);
	tcase_add_test(t, log_is_reopened);
	suite_add_tcase(s, t);
	return s;
}
