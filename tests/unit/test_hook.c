/* What hooks name, and patterns for files. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/arbiter/files.h"
#include "gateway/arbiter/pattern.h"
#include "gateway/config/hook.h"
#include "protocols/buffer.h"

Suite *hook_suite(void);

/* ---- Hooks ---- */

static const struct {
	const char *text;
	const char *reason; /* NULL: it is good */
	const char *kept; /* the text then */
	const char *first; /* the command, or the library */
	const char *second; /* its argument, or the function */
	bool must_succeed;
} hooks[] = {
	{ "/bin/true", NULL, "/bin/true", "/bin/true", NULL, false },
	{ "notify 'a b'", NULL, "notify 'a b'", "notify", "a b", false },
	{ "!notify x", NULL, "!notify x", "notify", "x", true },
	{ "c:x.so:f", NULL, "c:/srv/x.so:f", "/srv/x.so", "f", false },
	{ "!c:./a:b/x.so:f", NULL, "!c:/srv/a:b/x.so:f", "/srv/a:b/x.so", "f", true },
	{ "c:/x.so:f", NULL, "c:/x.so:f", "/x.so", "f", false },
	{ "", "neither", NULL, NULL, NULL, false },
	{ "!", "neither", NULL, NULL, NULL, false },
	{ "bin/notify", "absolute path", NULL, NULL, NULL, false },
	{ "notify 'x", "quote", NULL, NULL, NULL, false },
	{ "c:x.so", "c:FILE.so:FUNCTION", NULL, NULL, NULL, false },
	{ "c:x.so:", "c:FILE.so:FUNCTION", NULL, NULL, NULL, false },
	{ "c::f", "c:FILE.so:FUNCTION", NULL, NULL, NULL, false },
};

START_TEST(hooks_are_parsed)
{
	struct arena memory = { 0 };
	struct hook hook;
	const char *reason = hook_parse(&hook, hooks[_i].text, "/srv", &memory);

	if (hooks[_i].reason != NULL) {
		ck_assert_ptr_nonnull(reason);
		ck_assert_msg(
			strstr(reason, hooks[_i].reason) != NULL, "it is: %s", reason);
	} else {
		bool is_command = hook.command != NULL;
		ck_assert_ptr_null(reason);
		ck_assert_str_eq(hook.text, hooks[_i].kept);
		ck_assert(hook.must_succeed == hooks[_i].must_succeed);
		ck_assert_str_eq(
			is_command ? hook.command[0] : hook.library, hooks[_i].first);
		ck_assert_pstr_eq(
			is_command ? hook.command[1] : hook.function, hooks[_i].second);
	}
	arena_release(&memory);
}
END_TEST

/* ---- Patterns ---- */

static char top[] = "/tmp/alicorn-XXXXXX";

static const char *const tree[] = { "a.py", "b.txt", ".hidden.py", "sub/", "sub/c.py",
	"sub/deep/", "sub/deep/d.py", "sub/.git/", "sub/.git/e.py", "[x].py" };

enum { TREE = sizeof(tree) / sizeof(tree[0]) };

static const char *
path_in(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

static void
make_tree(void)
{
	memcpy(top + strlen(top) - 6, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(top));
	for (size_t i = 0; i < TREE; i++) {
		const char *path = path_in(tree[i]);
		if (path[strlen(path) - 1] == '/')
			ck_assert_int_eq(mkdir(path, 0700), 0);
		else
			close(open(path, O_CREAT | O_WRONLY, 0600));
	}
	ck_assert_int_eq(symlink(top, path_in("sub/loop")), 0);
}

static void
remove_tree(void)
{
	unlink(path_in("sub/loop"));
	for (size_t i = TREE; i-- > 0;)
		remove(path_in(tree[i]));
	rmdir(top);
}

static const struct {
	const char *pattern, *matches; /* in the order of their names */
} patterns[] = {
	{ "a.py", "a.py " },
	{ "none", "" },
	{ "*.py", "[x].py a.py " },
	{ "?.txt", "b.txt " },
	{ "[[]*", "[x].py " },
	{ ".*.py", ".hidden.py " },
	{ "*/c.py", "sub/c.py " },
	{ "sub/*", "sub/c.py " },
	{ "**/*.py", "[x].py a.py sub/c.py sub/deep/d.py " },
	{ "**", "[x].py a.py b.txt sub/c.py sub/deep/d.py " },
	{ "**/deep/**/d.py", "sub/deep/d.py " },
	{ "sub/loop/a.py", "sub/loop/a.py " },
	{ "sub//c.py", "sub/c.py " },
};

struct matches {
	char names[16][64];
	size_t n;
};

static void
note_match(void *arg, const char *path, bool is_folder)
{
	struct matches *m = arg;

	if (is_folder)
		return;
	ck_assert_uint_lt(m->n, 16);
	snprintf(m->names[m->n++], 64, "%s", path + strlen(top) + 1);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

START_TEST(patterns_match)
{
	struct matches m = { .n = 0 };
	struct buffer text = { 0 };

	pattern_walk(path_in(patterns[_i].pattern), note_match, &m);
	qsort(m.names, m.n, sizeof(m.names[0]), compare_names);
	for (size_t i = 0; i < m.n; i++)
		if (i == 0 || strcmp(m.names[i], m.names[i - 1]) != 0)
			buffer_addf(&text, "%s ", m.names[i]);
	buffer_add_char(&text, '\0');
	ck_assert_str_eq(text.ptr, patterns[_i].matches);
	buffer_release(&text);
}
END_TEST

/* ---- Files ---- */

static void
write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

START_TEST(a_change_is_seen_once_and_old_files_are_forgotten)
{
	const struct server_settings on = { .reload = true, .reload_engine = "poll" };
	const struct server_settings off = { .reload = false };
	struct files f;
	char told[256];

	files_init(&f);
	ck_assert_uint_eq(files_deadline(&f), UINT64_MAX);
	size_t len = (size_t)snprintf(told, sizeof(told), "%s", path_in("a.py")) + 1;
	files_heard(&f, 1, slice_of(told, len));
	ck_assert_ptr_null(files_step(&f, &on, 1, -1, 1));
	ck_assert_uint_eq(files_deadline(&f), 1001);

	write_text(told, "changed");
	ck_assert_ptr_null(files_step(&f, &on, 1, -1, 1000));
	ck_assert_str_eq(files_step(&f, &on, 1, -1, 1001), told);
	ck_assert_ptr_null(files_step(&f, &on, 1, -1, 2001));

	/* A file of the generation that follows; the first one's is of no interest. */
	size_t n = (size_t)snprintf(told, sizeof(told), "%s", path_in("b.txt")) + 1;
	files_heard(&f, 2, slice_of(told, n));
	ck_assert_ptr_null(files_step(&f, &on, 2, -1, 3001));
	write_text(path_in("a.py"), "changed again");
	ck_assert_ptr_null(files_step(&f, &on, 2, -1, 4001));
	unlink(told);
	ck_assert_str_eq(files_step(&f, &on, 2, -1, 5001), told);

	ck_assert_ptr_null(files_step(&f, &off, 3, -1, 6001));
	ck_assert_uint_eq(f.n, 0);
	files_release(&f);
}
END_TEST

Suite *
hook_suite(void)
{
	Suite *s = suite_create("hook");
	TCase *t = tcase_create("hooks");
	TCase *p = tcase_create("files");

	tcase_add_loop_test(
		t, hooks_are_parsed, 0, (int)(sizeof(hooks) / sizeof(hooks[0])));
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(p, make_tree, remove_tree);
	tcase_add_loop_test(
		p, patterns_match, 0, (int)(sizeof(patterns) / sizeof(patterns[0])));
	tcase_add_test(p, a_change_is_seen_once_and_old_files_are_forgotten);
	suite_add_tcase(s, p);
	return s;
}
