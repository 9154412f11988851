/* Births: workers that a prototype forks, and what can go wrong with them. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/common/heritage.h"
#include "tests/unit/stage.h"

static void
set_up(void)
{
	stage_set_up();
	strcpy(stage->prototype, "fork");
}

/* The pid of the prototype that the log said last; 0: none. */
static pid_t
find_prototype(void)
{
	static const char words[] = "prototype shop (pid ";
	pid_t pid = 0;

	for (const char *at = stage_log(); (at = strstr(at, words)) != NULL;) {
		at += strlen(words);
		pid = (pid_t)strtol(at, NULL, 10);
	}
	return pid;
}

START_TEST(workers_are_children_like_others)
{
	stage->workers = 20;
	stage_start();
	stage_wait(stage->served == 20);
	stage_wait_children(21);
	ck_assert_int_eq(stage->loaded, 1);
	ck_assert_int_eq(stage_count("was born"), 20);
	stage_stop();
	ck_assert_int_eq(stage_count("ERROR"), 0);
	ck_assert_int_eq(stage->faults, 0);
}
END_TEST

START_TEST(the_dead_are_replaced)
{
	strcpy(stage->behaviour, "crash");
	stage_start();
	stage_wait_log("was ended by signal 9", 4);
	ck_assert_int_eq(stage->loaded, 1);
	ck_assert_int_eq(stage_count("was not forked"), 0);
	stage_stop();
}
END_TEST

START_TEST(a_prototype_is_replaced)
{
	stage_start();
	stage_wait(stage->served == 2);
	pid_t pid = find_prototype();
	ck_assert_int_gt(pid, 0);
	kill(pid, SIGKILL);
	stage_wait(stage->loaded == 2);
	stage_tell(SIGTTIN);
	stage_wait(stage->served == 3);
	stage_wait_children(4);
	stage_stop();
}
END_TEST

START_TEST(a_reload_has_its_own)
{
	stage_start();
	stage_wait(stage->served == 2);
	stage_tell(SIGHUP);
	stage_wait(stage->served == 4);
	stage_wait_children(3);
	ck_assert_int_eq(stage->loaded, 2);
	stage_stop();
}
END_TEST

START_TEST(a_pid_that_is_no_child_is_not_believed)
{
	strcpy(stage->prototype, "liar");
	stage_start();
	stage_expect_exit(EXIT_BOOT);
	ck_assert_int_ge(stage_count("told a pid that is none of a new child"), 3);
}
END_TEST

START_TEST(forks_that_fail_are_tried_again)
{
	strcpy(stage->prototype, "barren");
	stage_start();
	stage_expect_exit(EXIT_BOOT);
	ck_assert_int_ge(stage_count("was not forked by its prototype"), 3);
}
END_TEST

START_TEST(births_have_a_time_limit)
{
	strcpy(stage->prototype, "forgetful");
	stage->boot_timeout = 1;
	stage->workers = stage->boot_attempts = 1;
	stage_start();
	stage_expect_exit(EXIT_BOOT);
	ck_assert_int_eq(
		stage_count("was not forked by its prototype: boot timeout"), 1);
}
END_TEST

START_TEST(a_stop_does_not_wait_for_births)
{
	strcpy(stage->prototype, "forgetful");
	stage_start();
	stage_wait(stage->loaded == 1);
	stage_tell(SIGQUIT);
	stage_expect_exit(EXIT_DONE);
}
END_TEST

Suite *birth_suite(void);

Suite *
birth_suite(void)
{
	Suite *s = suite_create("birth");
	TCase *t = tcase_create("birth");

	tcase_add_checked_fixture(t, set_up, stage_tear_down);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, workers_are_children_like_others);
	tcase_add_test(t, the_dead_are_replaced);
	tcase_add_test(t, a_prototype_is_replaced);
	tcase_add_test(t, a_reload_has_its_own);
	tcase_add_test(t, a_pid_that_is_no_child_is_not_believed);
	tcase_add_test(t, forks_that_fail_are_tried_again);
	tcase_add_test(t, births_have_a_time_limit);
	tcase_add_test(t, a_stop_does_not_wait_for_births);
	suite_add_tcase(s, t);
	return s;
}
