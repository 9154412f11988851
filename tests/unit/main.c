/*
 * The unit tests: all suites in one program. CK_RUN_SUITE=http1 runs one of them, and
 * CK_FORK=no all in one process, for a debugger or a leak check.
 */
#include <check.h>
#include <stddef.h>

#define SUITE(name) Suite *name##_suite(void);
#include "tests/unit/suites.def"
#undef SUITE

static Suite *(*const suites[])(void) = {
#define SUITE(name) name##_suite,
#include "tests/unit/suites.def"
#undef SUITE
};

int
main(void)
{
	SRunner *runner = srunner_create(NULL);

	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
		srunner_add_suite(runner, suites[i]());
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
