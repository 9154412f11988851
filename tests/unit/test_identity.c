/* Users and groups by name and by number. Root is the one name that every system has.
 */
#include <check.h>
#include <unistd.h>

#include "gateway/config/identity.h"

static struct arena memory;

static void
tear_down(void)
{
	arena_release(&memory);
}

START_TEST(own_is_that_of_the_process)
{
	struct identity i = identity_own();

	ck_assert_uint_eq(i.uid, geteuid());
	ck_assert_uint_eq(i.gid, getegid());
	ck_assert_uint_eq(i.n_groups, 0);
}
END_TEST

static const char *const roots[] = { "root", "0", "00" };

START_TEST(user_with_its_groups)
{
	struct identity i = { .uid = 1, .gid = 1 };

	ck_assert_ptr_null(identity_set_user(&i, roots[_i]));
	ck_assert_uint_eq(i.uid, 0);
	ck_assert_uint_eq(i.gid, 0);
	ck_assert_ptr_null(identity_add_groups(&i, &memory));
	ck_assert_uint_ge(i.n_groups, 1);
	ck_assert_uint_eq(i.groups[0], 0);
}
END_TEST

START_TEST(another_group)
{
	struct identity i = identity_own();

	ck_assert_ptr_null(identity_set_user(&i, "root"));
	ck_assert_ptr_null(identity_set_group(&i, "54321"));
	ck_assert_uint_eq(i.gid, 54321);
	ck_assert_ptr_null(identity_add_groups(&i, &memory));
	ck_assert_uint_eq(i.groups[0], 54321);
	ck_assert_ptr_null(identity_set_group(&i, "root"));
	ck_assert_uint_eq(i.gid, 0);
}
END_TEST

/* A number may be one that nobody has; then nothing tells the group. */
START_TEST(number_of_nobody)
{
	struct identity i = identity_own();

	ck_assert_ptr_null(identity_set_user(&i, "3999999999"));
	ck_assert_uint_eq(i.uid, 3999999999);
	ck_assert_ptr_nonnull(identity_add_groups(&i, &memory));
	ck_assert_ptr_null(identity_set_group(&i, "7"));
	ck_assert_ptr_null(identity_add_groups(&i, &memory));
	ck_assert_uint_eq(i.n_groups, 1);
	ck_assert_uint_eq(i.groups[0], 7);
}
END_TEST

/* 4294967295 is -1, which means "as it is" to the system calls. */
static const char *const unknown[] = { "", "no such name", "-1", "+1", " 1", "1 ",
	"0x1", "4294967295", "4294967296", "99999999999999999999999" };

START_TEST(unknown_names)
{
	struct identity i = identity_own();

	ck_assert_ptr_nonnull(identity_set_user(&i, unknown[_i]));
	ck_assert_ptr_nonnull(identity_set_group(&i, unknown[_i]));
}
END_TEST

Suite *identity_suite(void);

Suite *
identity_suite(void)
{
	enum {
		ROOTS = sizeof(roots) / sizeof(roots[0]),
		UNKNOWN = sizeof(unknown) / sizeof(unknown[0]),
	};
	Suite *s = suite_create("identity");
	TCase *t = tcase_create("identity");

	tcase_add_checked_fixture(t, NULL, tear_down);
	tcase_add_test(t, own_is_that_of_the_process);
	tcase_add_loop_test(t, user_with_its_groups, 0, ROOTS);
	tcase_add_test(t, another_group);
	tcase_add_test(t, number_of_nobody);
	tcase_add_loop_test(t, unknown_names, 0, UNKNOWN);
	suite_add_tcase(s, t);
	return s;
}
