/* The timers of the loop: order, lazy moving, removal. */
#include <check.h>
#include <stdlib.h>

#include "gateway/worker/timer.h"

Suite *timer_suite(void);

enum { MANY = 500 };

static struct timer timers[MANY];
static struct timers all;
static struct timer *fired[2 * MANY];
static size_t n_fired;

static void
on_timer(struct timer *timer)
{
	fired[n_fired++] = timer;
}

static void
set_up(void)
{
	for (size_t i = 0; i < MANY; i++)
		timers[i] = (struct timer){ .fn = on_timer };
	n_fired = 0;
}

static void
tear_down(void)
{
	timers_release(&all);
}

START_TEST(timers_fire_in_order)
{
	srand(7);
	for (size_t i = 0; i < MANY; i++)
		ck_assert_int_eq(
			timer_set(&all, &timers[i], 1 + (uint64_t)rand() % 1000), 0);
	uint64_t at[MANY];
	for (size_t i = 0; i < MANY; i++)
		at[i] = timers[i].at;
	timers_run(&all, 1000);
	ck_assert_uint_eq(n_fired, MANY);
	for (size_t i = 1; i < MANY; i++)
		ck_assert(at[fired[i - 1] - timers] <= at[fired[i] - timers]);
	ck_assert_int_eq(timers_wait(&all, 1000), -1);
}
END_TEST

START_TEST(a_timer_fires_once_when_due)
{
	timer_set(&all, &timers[0], 100);
	ck_assert_int_eq(timers_wait(&all, 40), 60);
	timers_run(&all, 99);
	ck_assert_uint_eq(n_fired, 0);
	ck_assert_int_eq(timers_wait(&all, 100), 0);
	timers_run(&all, 100);
	timers_run(&all, 1000);
	ck_assert_uint_eq(n_fired, 1);
}
END_TEST

START_TEST(moving_later_is_lazy_and_right)
{
	timer_set(&all, &timers[0], 100);
	timer_set(&all, &timers[0], 300);
	/* The heap still knows the old time: it may wake up then, but must not fire. */
	ck_assert_int_eq(timers_wait(&all, 0), 100);
	timers_run(&all, 100);
	ck_assert_uint_eq(n_fired, 0);
	ck_assert_int_eq(timers_wait(&all, 100), 200);
	timers_run(&all, 300);
	ck_assert_uint_eq(n_fired, 1);
}
END_TEST

START_TEST(moving_earlier_takes_effect)
{
	timer_set(&all, &timers[0], 100);
	timer_set(&all, &timers[1], 200);
	timer_set(&all, &timers[1], 50);
	timers_run(&all, 60);
	ck_assert_uint_eq(n_fired, 1);
	ck_assert_ptr_eq(fired[0], &timers[1]);
}
END_TEST

START_TEST(stopped_and_removed_ones_do_not_fire)
{
	for (size_t i = 0; i < MANY; i++)
		timer_set(&all, &timers[i], 1 + i * 37 % 101);
	for (size_t i = 0; i < MANY; i += 3)
		timer_stop(&timers[i]);
	for (size_t i = 1; i < MANY; i += 3)
		timer_remove(&all, &timers[i]);
	for (size_t i = 0; i < MANY; i++)
		ck_assert(timers[i].place == 0 ||
			all.heap[timers[i].place] == &timers[i]);
	timers_run(&all, 1000);
	ck_assert_uint_eq(n_fired, MANY / 3);
	for (size_t i = 0; i < n_fired; i++)
		ck_assert_uint_eq((size_t)(fired[i] - timers) % 3, 2);
}
END_TEST

static void
set_again(struct timer *timer)
{
	on_timer(timer);
	if (n_fired < 3)
		timer_set(&all, timer, 10 * (n_fired + 1));
}

START_TEST(a_timer_may_set_itself_again)
{
	timers[0].fn = set_again;
	timer_set(&all, &timers[0], 10);
	timers_run(&all, 10);
	ck_assert_uint_eq(n_fired, 1);
	timers_run(&all, 100);
	ck_assert_uint_eq(n_fired, 3);
}
END_TEST

Suite *
timer_suite(void)
{
	Suite *suite = suite_create("timer");
	TCase *tc = tcase_create("timer");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, timers_fire_in_order);
	tcase_add_test(tc, a_timer_fires_once_when_due);
	tcase_add_test(tc, moving_later_is_lazy_and_right);
	tcase_add_test(tc, moving_earlier_takes_effect);
	tcase_add_test(tc, stopped_and_removed_ones_do_not_fire);
	tcase_add_test(tc, a_timer_may_set_itself_again);
	suite_add_tcase(suite, tc);
	return suite;
}
