/* Scaling: what looks at a pool make of its number of processes. */
#include <check.h>
#include <limits.h>

#include "gateway/arbiter/pool.h"
#include "gateway/arbiter/scale.h"

/* A play: looks, a second apart, one word each, and what follows from each. */
struct act {
	unsigned busy, idle; /* of the serving ones, which are as many as wanted */
	int decided;
};

enum { ACTS = 24, ALL = UINT_MAX };

struct play {
	const char *name;
	unsigned from, low, high;
	unsigned idle_s;
	struct act acts[ACTS]; /* up to one without processes: busy and idle are 0 */
};

static const struct play plays[] = {
	{ "all busy once is chance", 2, 1, 8, 60,
		{ { 2, 0, 0 }, { 1, 1, 0 }, { 2, 0, 0 }, { 1, 1, 0 } } },
	{ "doubles while they stay busy", 1, 1, 40, 60,
		{ { ALL, 0, 0 }, { ALL, 0, 1 }, { ALL, 0, 2 }, { ALL, 0, 4 },
			{ ALL, 0, 8 }, { ALL, 0, 16 }, { ALL, 0, 8 }, { ALL, 0, 0 } } },
	{ "begins with one again", 1, 1, 40, 60,
		{ { ALL, 0, 0 }, { ALL, 0, 1 }, { ALL, 0, 2 }, { 1, 3, 0 },
			{ ALL, 0, 0 }, { ALL, 0, 1 } } },
	{ "32 at one look", 60, 1, 400, 60,
		{ { ALL, 0, 0 }, { ALL, 0, 1 }, { ALL, 0, 2 }, { ALL, 0, 4 },
			{ ALL, 0, 8 }, { ALL, 0, 16 }, { ALL, 0, 32 },
			{ ALL, 0, 32 } } },
	{ "one free of 16 is free", 16, 1, 40, 60, { { 15, 1, 0 }, { 15, 1, 0 } } },
	{ "one free of 17 is chance", 17, 1, 40, 60, { { 16, 1, 0 }, { 16, 1, 1 } } },
	{ "neither busy nor idle", 2, 1, 4, 1,
		{ { 1, 0, 0 }, { 1, 0, 0 }, { 1, 0, 0 }, { 1, 0, 0 } } },
	{ "nothing to do at all", 8, 2, 8, 3,
		{ { 0, 8, 0 }, { 0, 8, 0 }, { 0, 8, 0 }, { 0, 8, -6 }, { 0, 2, 0 } } },
	{ "the fewest that were idle", 8, 1, 8, 3,
		{ { 1, 7, 0 }, { 4, 4, 0 }, { 1, 7, 0 }, { 1, 7, -4 }, { 1, 3, 0 } } },
	{ "busy times begin the while anew", 4, 1, 4, 2,
		{ { 0, 4, 0 }, { 0, 4, 0 }, { ALL, 0, 0 }, { 0, 4, 0 }, { 0, 4, 0 },
			{ 0, 4, -3 } } },
	{ "a look without idle ones, too", 4, 1, 4, 2,
		{ { 0, 4, 0 }, { 2, 0, 0 }, { 0, 4, 0 }, { 0, 4, 0 }, { 0, 4, -3 } } },
	{ "nothing is spared for what came by hand", 1, 1, 4, 2,
		{ { 0, 1, 0 }, { 0, 1, 0 }, { 0, 1, 0 }, { 0, 1, 0 } } },
};

START_TEST(plays_are_played)
{
	const struct play *p = &plays[_i];
	struct scale scale = { 0 };
	unsigned target = p->from;

	for (unsigned i = 0; i < ACTS && p->acts[i].busy + p->acts[i].idle > 0; i++) {
		const struct act *act = &p->acts[i];
		const struct scale_look look = {
			.target = target,
			.low = p->low,
			.high = p->high,
			.serving = target,
			.busy = act->busy == ALL ? target : act->busy,
			.idle = act->idle,
			.now = 1000 * (1 + i),
			.idle_ms = 1000 * p->idle_s,
		};
		int decided = scale_decide(&scale, &look);
		ck_assert_msg(decided == act->decided,
			"%s: look %u, of %u processes: %d instead of %d", p->name, i,
			target, decided, act->decided);
		target = (unsigned)((int)target + decided);
	}
}
END_TEST

/* What was started is waited for, however long it takes to load. */
START_TEST(those_that_boot_are_waited_for)
{
	struct scale scale = { 0 };
	struct scale_look look = { .target = 2, .low = 1, .high = 8, .idle_ms = 1000 };

	look.serving = look.busy = 1;
	for (look.now = 1000; look.now < 10000; look.now += 1000)
		ck_assert_int_eq(scale_decide(&scale, &look), 0);
	look.serving = look.busy = 2;
	ck_assert_int_eq(scale_decide(&scale, &look), 1);
}
END_TEST

START_TEST(nobody_serves)
{
	struct scale scale = { 0 };
	struct scale_look look = { .target = 2, .low = 1, .high = 8, .idle_ms = 1 };

	for (look.now = 1000; look.now < 9000; look.now += 1000)
		ck_assert_int_eq(scale_decide(&scale, &look), 0);
}
END_TEST

/* Whatever the looks are, the target stays within its bounds. */
START_TEST(bounds_are_kept)
{
	struct scale scale = { 0 };
	unsigned target = 3, random = 1;

	for (unsigned i = 1; i < 20000; i++) {
		random = random * 1103515245 + 12345;
		unsigned serving = (random >> 8) % (target + 2);
		unsigned busy = (random >> 16) % 4 == 0 ? (random >> 20) % 20 : serving;
		const struct scale_look look = { .target = target,
			.low = 2,
			.high = 11,
			.serving = serving,
			.busy = busy,
			.idle = busy < serving ? serving - busy : 0,
			.now = 1000 * (uint64_t)i,
			.idle_ms = 3000 };
		target = (unsigned)((int)target + scale_decide(&scale, &look));
		ck_assert_uint_ge(target, 2);
		ck_assert_uint_le(target, 11);
	}
}
END_TEST

/* ---- By hand, and from one generation to the next ---- */

static struct pool
make_pool(unsigned workers, unsigned min, unsigned max)
{
	return (struct pool){ .configured = workers,
		.level = workers,
		.target = workers,
		.min = min,
		.max = max };
}

START_TEST(level_is_moved_within_its_bounds)
{
	struct pool fixed = make_pool(2, 0, 0);
	struct pool bound = make_pool(2, 2, 3);

	ck_assert(!pool_scales(&fixed) && pool_scales(&bound));
	ck_assert(pool_scale(&fixed, -1) && !pool_scale(&fixed, -1));
	ck_assert_uint_eq(fixed.target, 1);
	ck_assert(!pool_scale(&bound, -1));
	ck_assert(pool_scale(&bound, +1) && !pool_scale(&bound, +1));
	ck_assert_uint_eq(bound.target, 3);
}
END_TEST

/* The bound that is not set is the level. */
START_TEST(level_is_a_bound)
{
	struct pool grows = make_pool(2, 0, 8), shrinks = make_pool(4, 1, 0);

	grows.target = 6;
	ck_assert(pool_scale(&grows, +1));
	ck_assert_uint_eq(grows.target, 7);
	ck_assert_uint_eq(pool_low(&grows), 3);
	ck_assert_uint_eq(pool_high(&grows), 8);
	shrinks.target = 1;
	ck_assert(pool_scale(&shrinks, -1));
	ck_assert_uint_eq(shrinks.target, 1);
	ck_assert_uint_eq(pool_high(&shrinks), 3);
}
END_TEST

/* What a pool was, what it is by the new configuration, and what it becomes. */
static const struct {
	unsigned workers, min, max, level, target;
	unsigned new_workers, new_min, new_max, new_level, new_target;
} heirs[] = {
	{ 2, 0, 0, 2, 2, 5, 0, 0, 5, 5 },
	{ 2, 0, 0, 4, 4, 3, 0, 0, 5, 5 }, /* TTIN twice */
	{ 4, 0, 0, 2, 2, 2, 0, 0, 1, 1 }, /* TTOU twice: never none */
	{ 2, 1, 8, 2, 6, 2, 1, 8, 2, 6 }, /* it has grown, and does not begin anew */
	{ 2, 1, 8, 2, 6, 2, 1, 4, 2, 4 },
	{ 2, 1, 8, 2, 6, 2, 0, 0, 2, 2 }, /* it grows no more */
	{ 4, 1, 8, 4, 1, 4, 1, 8, 4, 4 }, /* a reload brings all that are configured */
	{ 2, 0, 0, 6, 6, 2, 2, 4, 4, 4 },
};

START_TEST(levels_are_inherited)
{
	struct pool old = make_pool(heirs[_i].workers, heirs[_i].min, heirs[_i].max);
	struct pool new =
		make_pool(heirs[_i].new_workers, heirs[_i].new_min, heirs[_i].new_max);

	old.level = heirs[_i].level;
	old.target = heirs[_i].target;
	pool_inherit(&new, &old);
	ck_assert_uint_eq(new.level, heirs[_i].new_level);
	ck_assert_uint_eq(new.target, heirs[_i].new_target);
}
END_TEST

Suite *scale_suite(void);

Suite *
scale_suite(void)
{
	Suite *s = suite_create("scale");
	TCase *t = tcase_create("scale");

	tcase_add_loop_test(t, plays_are_played, 0, sizeof(plays) / sizeof(plays[0]));
	tcase_add_test(t, those_that_boot_are_waited_for);
	tcase_add_test(t, nobody_serves);
	tcase_add_test(t, bounds_are_kept);
	tcase_add_test(t, level_is_moved_within_its_bounds);
	tcase_add_test(t, level_is_a_bound);
	tcase_add_loop_test(
		t, levels_are_inherited, 0, sizeof(heirs) / sizeof(heirs[0]));
	suite_add_tcase(s, t);
	return s;
}
