/* Slots: taken, cleared, shared with a child, given back. */
#include "gateway/common/slot.h"

#include <check.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(taken_until_none_is_left)
{
	struct slots slots;
	struct slot *taken[3];

	ck_assert_int_eq(slots_init(&slots, 3), 0);
	for (int i = 0; i < 3; i++) {
		taken[i] = slots_take(&slots);
		ck_assert_ptr_nonnull(taken[i]);
		ck_assert_uint_eq((uintptr_t)taken[i] % SLOT_LINE, 0);
		ck_assert(i == 0 || taken[i] != taken[i - 1]);
	}
	ck_assert_ptr_null(slots_take(&slots));
	slot_give_back(taken[1]);
	ck_assert_ptr_eq(slots_take(&slots), taken[1]);
	slots_release(&slots);
	ck_assert_ptr_null(slots.rows);
}
END_TEST

START_TEST(cleared_when_taken)
{
	struct slots slots;

	ck_assert_int_eq(slots_init(&slots, 1), 0);
	struct slot *slot = slots_take(&slots);
	slot->verdict = VERDICT_TIMEOUT;
	slot->busy_since = 5;
	slot->client = 7;
	slot->requests = 9;
	strcpy(slot->request, "GET /");
	slot_give_back(slot);
	slot = slots_take(&slots);
	ck_assert_int_eq(slot->state, SLOT_BOOTING);
	ck_assert_int_eq(slot->verdict, VERDICT_NONE);
	ck_assert_uint_eq(slot->busy_since, 0);
	ck_assert_int_eq(slot->client, -1);
	ck_assert_uint_eq(slot->requests, 0);
	ck_assert_str_eq(slot->request, "");
	slots_release(&slots);
}
END_TEST

START_TEST(shared_with_a_child)
{
	struct slots slots;

	ck_assert_int_eq(slots_init(&slots, 8192), 0);
	struct slot *slot = slots_take(&slots);
	pid_t pid = fork();
	if (pid == 0) {
		slot->requests = 42;
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_uint_eq(slot->requests, 42);
	slots_release(&slots);
}
END_TEST

Suite *slot_suite(void);

Suite *
slot_suite(void)
{
	Suite *s = suite_create("slot");
	TCase *t = tcase_create("slot");

	tcase_add_test(t, taken_until_none_is_left);
	tcase_add_test(t, cleared_when_taken);
	tcase_add_test(t, shared_with_a_child);
	suite_add_tcase(s, t);
	return s;
}
