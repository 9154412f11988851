/* Log lines: their form, what is escaped and cut, levels, and reopening. */
#include "gateway/logger/log.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];
static char text[32768];

static void
set_up(void)
{
	strcpy(path, "/tmp/alicorn-log-XXXXXX");
	close(mkstemp(path));
	ck_assert_ptr_null(log_open(path));
}

static void
tear_down(void)
{
	log_open("-");
	log_set_level(LOG_LEVEL_INFO);
	unlink(path);
}

static const char *
logged(const char *file)
{
	int fd = open(file, O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void
expect(const char *pattern)
{
	regex_t compiled;

	ck_assert_int_eq(regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB), 0);
	int found = regexec(&compiled, logged(path), 0, NULL, 0);
	ck_assert_msg(found == 0, "%s does not match %s", text, pattern);
	regfree(&compiled);
}

START_TEST(form)
{
	char pattern[256];

	log_warning("bind %s: %s", "127.0.0.1:80", "no");
	snprintf(pattern, sizeof(pattern),
		"^\\[[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} "
		"[-+][0-9]{4}\\] "
		"\\[%d\\] \\[WARNING\\] bind 127.0.0.1:80: no\n$",
		(int)getpid());
	expect(pattern);
}
END_TEST

START_TEST(control_bytes_are_escaped)
{
	log_info("a\nb\x1b[31m\x7f\t\xc3\xa4");
	expect("\\] a\\\\x0ab\\\\x1b\\[31m\\\\x7f\\\\x09\xc3\xa4\n$");
	log_info("\xc2\x9b\xc2\xa0\xc3\x9b");
	expect("\\] \\\\xc2\\\\x9b\xc2\xa0\xc3\x9b\n$");
}
END_TEST

START_TEST(long_lines_are_cut)
{
	char *endless = malloc(20001);

	memset(endless, _i, 20000);
	endless[20000] = '\0';
	log_info("%s", endless);
	log_info("next");
	size_t first = strcspn(logged(path), "\n") + 1;
	ck_assert_uint_le(first, 8192);
	ck_assert_uint_gt(first, 8180);
	ck_assert_ptr_nonnull(strstr(text + first, "next\n"));
	free(endless);
}
END_TEST

START_TEST(levels)
{
	enum log_level level = LOG_LEVEL_DEBUG;

	log_debug("not seen");
	ck_assert(log_level_parse("error", &level));
	ck_assert_int_eq(level, LOG_LEVEL_ERROR);
	ck_assert(!log_level_parse("loud", &level));
	log_set_level(level);
	ck_assert(log_enabled(LOG_LEVEL_CRITICAL));
	ck_assert(!log_enabled(LOG_LEVEL_WARNING));
	log_warning("not seen");
	log_error("seen");
	expect("^[^\n]*\\[ERROR\\] seen\n$");
}
END_TEST

START_TEST(errno_is_kept)
{
	errno = EXDEV;
	log_info("%m");
	ck_assert_int_eq(errno, EXDEV);
	expect("Invalid cross-device link");
}
END_TEST

START_TEST(reopened_after_a_rename)
{
	char old[80];

	snprintf(old, sizeof(old), "%s.1", path);
	log_info("first");
	ck_assert_int_eq(rename(path, old), 0);
	log_info("second");
	log_reopen();
	log_info("third");
	expect("^[^\n]*third\n$");
	ck_assert_ptr_nonnull(strstr(logged(old), "second"));
	unlink(old);
}
END_TEST

START_TEST(lost_lines_are_counted)
{
	ck_assert_ptr_null(log_open("/dev/full"));
	for (int i = 0; i < 3; i++)
		log_info("lost");
	ck_assert_ptr_null(log_open(path));
	log_info("one");
	log_info("two");
	expect("one\n.*\\[WARNING\\] 3 lines of the log were lost before this one\n"
	       "[^\n]* two\n$");
}
END_TEST

START_TEST(one_that_cannot_be_opened)
{
	const char *reason = log_open("/nowhere/at/all");

	ck_assert_str_eq(reason, "No such file or directory");
	log_info("still here");
	expect("still here");
	ck_assert_int_ne(log_fd(), STDERR_FILENO);
}
END_TEST

Suite *log_suite(void);

Suite *
log_suite(void)
{
	Suite *s = suite_create("log");
	TCase *t = tcase_create("log");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, form);
	tcase_add_test(t, control_bytes_are_escaped);
	tcase_add_loop_test(t, long_lines_are_cut, 'w', 'x' + 1);
	tcase_add_loop_test(t, long_lines_are_cut, 1, 2);
	tcase_add_test(t, levels);
	tcase_add_test(t, errno_is_kept);
	tcase_add_test(t, reopened_after_a_rename);
	tcase_add_test(t, lost_lines_are_counted);
	tcase_add_test(t, one_that_cannot_be_opened);
	suite_add_tcase(s, t);
	return s;
}
