/* What the fuzz targets promise holds for all vectors, among them all that were found.
 */
#include <check.h>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/vectors.h"

Suite *fuzz_suite(void);

static const struct target {
	void (*run)(struct slice in);
	const char *folder;
} targets[] = {
#define TARGET(name, folder) { fuzz_##name, folder },
#include "tests/fuzz/targets.def"
#undef TARGET
};

static void
run(const struct vector *v, void *arg)
{
	const struct target *target = arg;

	target->run(v->raw);
}

START_TEST(vectors_break_no_promise)
{
	struct target target = targets[_i];

	ck_assert_uint_gt(vectors_each(target.folder, run, &target), 0);
}
END_TEST

Suite *
fuzz_suite(void)
{
	Suite *s = suite_create("fuzz");
	TCase *t = tcase_create("targets");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(
		t, vectors_break_no_promise, 0, sizeof(targets) / sizeof(targets[0]));
	suite_add_tcase(s, t);
	return s;
}
