/* Recycling: workers that ask for it are replaced one by one, and by one that serves.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "gateway/common/heritage.h"
#include "tests/unit/stage.h"

/* Where the text stands behind `at`; fails when it does not. */
static const char *
behind(const char *at, const char *text)
{
	const char *found = strstr(at, text);

	ck_assert_msg(found != NULL, "no \"%s\" in\n%s", text, at);
	return found + strlen(text);
}

START_TEST(one_after_the_other)
{
	strcpy(stage->behaviour, "tired");
	stage->workers = 3;
	stage->tired = 3;
	stage_start();
	stage_wait_log("is recycled after 1000 requests", 3);
	stage_wait(stage->served == 6);
	stage_wait_log("was ended by signal 15", 3);
	stage_wait_children(3);
	ck_assert_int_eq(stage_count("is ready"), 6);
	ck_assert_int_eq(stage_count("is recycled"), 3);
	/* Three at the start, one more, and only then the first is told to stop. */
	const char *at = stage_log();
	for (int i = 0; i < 3; i++)
		at = behind(at, "is ready");
	for (int i = 0; i < 3; i++) {
		const char *ready = behind(at, "is ready");
		at = behind(at, "is recycled");
		ck_assert(ready < at);
		at = behind(at, "was ended by signal 15");
	}
	stage_stop();
}
END_TEST

/* The number of processes is what was said last, during a replacement too. */
START_TEST(fewer_meanwhile)
{
	strcpy(stage->behaviour, "tired");
	stage->workers = 3;
	stage->tired = 3;
	stage_start();
	stage_wait_log("is ready", 3);
	stage_tell(SIGTTOU);
	stage_wait_log("is now 2", 1);
	stage_wait_log("is recycled", 2);
	stage_wait_children(2);
	stage_stop();
}
END_TEST

/* A replacement that cannot be is tried again, later; the old ones go on. */
START_TEST(replacement_fails)
{
	strcpy(stage->behaviour, "tired, then fail");
	stage->workers = 2;
	stage->tired = 2;
	stage_start();
	stage_wait_log("cannot load", 3);
	stage_wait_children(2);
	ck_assert_int_eq(stage_count("is recycled"), 0);
	ck_assert_int_eq(stage->served, 2);
	stage_stop();
}
END_TEST

START_TEST(stop_meanwhile)
{
	strcpy(stage->behaviour, "tired");
	stage->workers = 3;
	stage->tired = 3;
	stage_start();
	stage_wait_log("is ready", 3);
	stage_stop();
}
END_TEST

Suite *recycle_suite(void);

Suite *
recycle_suite(void)
{
	Suite *s = suite_create("recycle");
	TCase *t = tcase_create("recycle");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, stage_set_up, stage_tear_down);
	tcase_add_test(t, one_after_the_other);
	tcase_add_test(t, fewer_meanwhile);
	tcase_add_test(t, replacement_fails);
	tcase_add_test(t, stop_meanwhile);
	suite_add_tcase(s, t);
	return s;
}
