/* Files beneath a folder, with the kernel's help and without:
 * bindings/common/beneath.h.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bindings/common/beneath.h"
#include "bindings/common/request_path.h"

Suite *beneath_suite(void);

#define ROWS(table) (int)(sizeof(table) / sizeof(table)[0])

/* ---- The folder: top/root, and beside it what is not for everybody ---- */

static char top[] = "/tmp/alicorn-beneath-XXXXXX";

/* {} is the whole path of top. */
static const struct {
	const char *name, *to; /* of links */
} links[] = {
	{ "root/in", "a/file" },
	{ "root/round", "a/../in" },
	{ "root/out", "../secret" },
	{ "root/chain", "out" },
	{ "root/up", ".." },
	{ "root/sibling", "../root2/secret" },
	{ "root/loop", "loop" },
	{ "root/proc", "/proc/self/cwd" },
	{ "root/absolute", "{}/root/a/file" },
	{ "root/gone", "{}/secret" },
};
static const char *const files[] = { "root/a/file", "root2/secret", "secret" };
/* In the order in which they can be removed. */
static const char *const folders[] = { "root/a", "root2", "root" };

static void
set_up(void)
{
	char to[256];

	memcpy(top + strlen(top) - 6, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(top));
	int at = open(top, O_PATH | O_DIRECTORY);
	for (int i = ROWS(folders) - 1; i >= 0; i--)
		ck_assert_int_eq(mkdirat(at, folders[i], 0700), 0);
	for (int i = 0; i < ROWS(files); i++)
		close(openat(at, files[i], O_CREAT | O_WRONLY, 0600));
	for (int i = 0; i < ROWS(links); i++) {
		bool whole = strncmp(links[i].to, "{}", 2) == 0;
		snprintf(to, sizeof(to), "%s%s", whole ? top : "",
			links[i].to + (whole ? 2 : 0));
		ck_assert_int_eq(symlinkat(to, at, links[i].name), 0);
	}
	close(at);
}

static void
tear_down(void)
{
	int at = open(top, O_PATH | O_DIRECTORY);

	for (int i = 0; i < ROWS(links); i++)
		unlinkat(at, links[i].name, 0);
	for (int i = 0; i < ROWS(files); i++)
		unlinkat(at, files[i], 0);
	for (int i = 0; i < ROWS(folders); i++)
		unlinkat(at, folders[i], AT_REMOVEDIR);
	close(at);
	ck_assert_int_eq(rmdir(top), 0);
}

/* For this process the call fails, as in some containers. */
static void
forbid_openat2(int error)
{
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ROWS(steps), .filter = steps };

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

/* ---- Opening ---- */

/* What beneath_open() says, 0 or an errno, with openat2 and without. */
static const struct {
	const char *path;
	int with, without;
} paths[] = {
	{ "a/file", 0, 0 },
	{ ".", 0, 0 },
	{ "a/", 0, 0 },
	{ "a/../a/file", 0, 0 },
	{ "in", 0, 0 },
	{ "round", 0, 0 },
	{ "none", ENOENT, ENOENT },
	{ "", ENOENT, ENOENT },
	{ "a/file/x", ENOTDIR, ENOTDIR },
	{ "loop", ELOOP, ELOOP },
	{ "out", EXDEV, EXDEV },
	{ "chain", EXDEV, EXDEV },
	{ "up/secret", EXDEV, EXDEV },
	{ "sibling", EXDEV, EXDEV },
	{ "../secret", EXDEV, EXDEV },
	{ "../root2/secret", EXDEV, EXDEV },
	{ "/etc/passwd", EXDEV, EXDEV },
	{ "proc", EXDEV, EXDEV },
	{ "gone", EXDEV, EXDEV },
	{ "absolute", EXDEV, 0 },
};

static void
check_open(__typeof__(beneath_open) *open_file, const char *path, int expected)
{
	static const int flags[] = { O_RDONLY, O_PATH };
	char root[64];

	snprintf(root, sizeof(root), "%s/root", top);
	int folder = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < ROWS(flags); i++) {
		int fd = open_file(folder, path, flags[i]);
		ck_assert_int_eq(fd == -1 ? errno : 0, expected);
		ck_assert(fd == -1 || fcntl(fd, F_GETFD) == FD_CLOEXEC);
		if (fd != -1)
			close(fd);
	}
	close(folder);
}

/* Where these tests run it may be forbidden as well. */
static bool
has_openat2(void)
{
	struct open_how how = { .flags = O_PATH };
	long fd = syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof(how));

	return fd != -1 && close((int)fd) == 0;
}

START_TEST(only_what_is_beneath_is_opened)
{
	check_open(beneath_open, paths[_i].path,
		has_openat2() ? paths[_i].with : paths[_i].without);
	check_open(beneath_open_followed, paths[_i].path, paths[_i].without);
}
END_TEST

START_TEST(so_it_is_without_the_call)
{
	forbid_openat2(_i % 2 != 0 ? EPERM : ENOSYS);
	check_open(beneath_open, paths[_i].path, paths[_i].without);
	check_open(beneath_open_followed, paths[_i].path, paths[_i].without);
}
END_TEST

/* Where something is moved all the time the answer is the other way's. */
START_TEST(the_kernel_is_not_asked_for_ever)
{
	forbid_openat2(EAGAIN);
	check_open(beneath_open, "a/file", 0);
	check_open(beneath_open, "out", EXDEV);
}
END_TEST

/* ---- Texts ---- */

static const struct {
	const char *folder, *path, *rest;
} rests[] = {
	{ "/a", "/a/b/c", "b/c" },
	{ "/a", "/a/", "" },
	{ "/a", "/a", NULL },
	{ "/a", "/ab", NULL },
	{ "/a", "/", NULL },
	{ "/", "/a", "a" },
	{ "", "/a", "a" },
	{ "", "a", NULL },
};

START_TEST(rests_begin_behind_the_folder)
{
	ck_assert_pstr_eq(
		beneath_rest(rests[_i].folder, rests[_i].path), rests[_i].rest);
}
END_TEST

static const struct {
	const char *uri, *location;
} uris[] = {
	{ "/a", "/a/" },
	{ "/a?b?c", "/a/?b?c" },
	{ "///a", "/a/" },
	{ "?x", "/?x" },
};

START_TEST(folders_have_a_slash)
{
	char out[16];
	size_t room = strlen(uris[_i].location) + 1;

	ck_assert(request_path_add_slash(out, room, uris[_i].uri));
	ck_assert_str_eq(out, uris[_i].location);
	ck_assert(!request_path_add_slash(out, room - 1, uris[_i].uri));
}
END_TEST

static const struct {
	const char *path;
	bool is_clean;
} cleanliness[] = {
	{ "", true },
	{ "/a/..b/c../...", true },
	{ "/.", true },
	{ "..", false },
	{ "/a/../b", false },
	{ "/a//..", false },
	{ "/a\n", false },
	{ "/\x7f", false },
	{ "/\xc3\xa4", true },
};

START_TEST(clean_paths_go_down_only)
{
	ck_assert(request_path_is_clean(cleanliness[_i].path) ==
		cleanliness[_i].is_clean);
}
END_TEST

Suite *
beneath_suite(void)
{
	Suite *suite = suite_create("beneath");
	TCase *opening = tcase_create("opening"), *texts = tcase_create("texts");

	tcase_add_unchecked_fixture(opening, set_up, tear_down);
	tcase_add_loop_test(opening, only_what_is_beneath_is_opened, 0, ROWS(paths));
	tcase_add_loop_test(opening, so_it_is_without_the_call, 0, ROWS(paths));
	tcase_add_test(opening, the_kernel_is_not_asked_for_ever);
	suite_add_tcase(suite, opening);
	tcase_add_loop_test(texts, rests_begin_behind_the_folder, 0, ROWS(rests));
	tcase_add_loop_test(texts, folders_have_a_slash, 0, ROWS(uris));
	tcase_add_loop_test(texts, clean_paths_go_down_only, 0, ROWS(cleanliness));
	suite_add_tcase(suite, texts);
	return suite;
}
