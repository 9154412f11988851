/* Local time, taken apart: the same as the C library's. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gateway/logger/wall.h"

Suite *wall_suite(void);

static void
assert_same(const struct wall *w, const struct tm *tm)
{
	char ours[64], theirs[64];

	snprintf(ours, sizeof(ours), "%d %s %04d %02d:%02d:%02d", w->day, w->month,
		w->year, w->hour, w->minute, w->second);
	snprintf(theirs, sizeof(theirs), "%d %.3s %04d %02d:%02d:%02d", tm->tm_mday,
		&"JanFebMarAprMayJunJulAugSepOctNovDec"[3 * tm->tm_mon],
		tm -> tm_year + 1900, tm -> tm_hour, tm -> tm_min, tm -> tm_sec);
	ck_assert_str_eq(ours, theirs);
	ck_assert_int_eq(w->offset, tm->tm_gmtoff);
}

static const char *const zones[] = { "UTC0", "XXX-5:30", "XXX+9:30", "XXX-14" };

/* Every few hours from 1971 to 2105: each day, and each leap day, of four zones. */
START_TEST(as_the_library)
{
	struct wall w;
	struct tm tm;

	setenv("TZ", zones[_i], 1);
	tzset();
	for (time_t at = 365 * 86400; at < (time_t)1 << 32; at += 49999) {
		localtime_r(&at, &tm);
		wall_make(&w, at, tm.tm_gmtoff);
		assert_same(&w, &tm);
	}
}
END_TEST

START_TEST(now_and_in_a_handler)
{
	struct tm tm;

	setenv("TZ", "XXX-5:30", 1);
	tzset();
	const struct wall *w = wall_now();
	time_t at = w->at;
	ck_assert_int_le(time(NULL) - at, 1);
	assert_same(w, localtime_r(&at, &tm));
	wall_keep_zone();
	setenv("TZ", "UTC0", 1);
	tzset();
	while (time(NULL) == at)
		;
	ck_assert_int_eq(wall_now()->offset, 19800);
}
END_TEST

Suite *
wall_suite(void)
{
	Suite *s = suite_create("wall");
	TCase *t = tcase_create("wall");

	tcase_add_loop_test(
		t, as_the_library, 0, (int)(sizeof(zones) / sizeof(zones[0])));
	tcase_add_test(t, now_and_in_a_handler);
	suite_add_tcase(s, t);
	return s;
}
