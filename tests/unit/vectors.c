#include "tests/unit/vectors.h"

#include <check.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocols/buffer.h"
#include "protocols/http1_guard.h"

static char *
copy_text(struct slice s)
{
	return strndup(s.ptr, s.len);
}

/* One escape, the backslash taken already. */
static void
add_escape(struct buffer *out, struct slice *in)
{
	static const char letters[] = "rnt", bytes[] = "\r\n\t";

	ck_assert_msg(in->len > 0, "a backslash at the end of a line");
	const char *letter = strchr(letters, in->ptr[0]);
	if (in->ptr[0] == 'x') {
		ck_assert_msg(in->len > 2, "\\x without two digits");
		int high = http1_hex(in->ptr[1]), low = http1_hex(in->ptr[2]);
		ck_assert_msg(high >= 0 && low >= 0, "\\x without two digits");
		buffer_add_char(out, (char)(high << 4 | low));
		slice_advance(in, 3);
		return;
	}
	buffer_add_char(out, letter != NULL ? bytes[letter - letters] : in->ptr[0]);
	slice_advance(in, 1);
}

static void add_bytes(struct buffer *out, struct slice in);

/* {text*N}, the brace taken already. */
static void
add_repeated(struct buffer *out, struct slice *in)
{
	const char *end = memchr(in->ptr, '}', in->len);
	ck_assert_msg(end != NULL, "{ without }");
	struct slice inner = slice_of(in->ptr, (size_t)(end - in->ptr));
	const char *star = memrchr(inner.ptr, '*', inner.len);
	uint64_t times = 0;
	struct buffer once = { 0 };

	ck_assert_msg(star != NULL, "{ without *");
	size_t n = (size_t)(star - inner.ptr);
	ck_assert_msg(http1_number(slice_of(star + 1, inner.len - n - 1), &times),
		"* without a number");
	add_bytes(&once, slice_of(inner.ptr, n));
	while (times-- > 0)
		buffer_add_slice(out, buffer_slice(&once));
	buffer_release(&once);
	slice_advance(in, inner.len + 1);
}

static void
add_bytes(struct buffer *out, struct slice in)
{
	while (in.len > 0) {
		char c = in.ptr[0];
		slice_advance(&in, 1);
		if (c == '\\')
			add_escape(out, &in);
		else if (c == '{')
			add_repeated(out, &in);
		else
			buffer_add_char(out, c);
	}
}

static void
run(struct vector *v, struct buffer *raw, vector_fn *fn, void *arg)
{
	ck_assert_msg(v->n_expects > 0, "%s expects nothing", v->name);
	v->raw = buffer_slice(raw);
	fn(v, arg);
	free(v->name);
	while (v->n_expects > 0)
		free(v->expects[--v->n_expects]);
	v->name = NULL;
	buffer_reset(raw);
}

size_t
vectors_in(const char *text, vector_fn *fn, void *arg)
{
	struct vector v = { 0 };
	struct buffer raw = { 0 };
	size_t n = 0;

	for (const char *end; *text != '\0'; text = end + (*end != '\0')) {
		end = strchrnul(text, '\n');
		struct slice line = slice_of(text, (size_t)(end - text));
		if (line.len == 0 || line.ptr[0] == '#')
			continue;
		if (line.ptr[0] == '=') {
			if (v.name != NULL)
				run(&v, &raw, fn, arg);
			v.name = copy_text(line);
			n++;
			continue;
		}
		ck_assert_msg(v.name != NULL, "a line before the first vector: %.*s",
			SLICE_ARG(line));
		if (line.ptr[0] == '>') {
			ck_assert(v.n_expects < VECTOR_EXPECTS && line.len > 2);
			v.expects[v.n_expects++] =
				copy_text(slice_of(line.ptr + 2, line.len - 2));
			continue;
		}
		add_bytes(&raw, line);
	}
	if (v.name != NULL)
		run(&v, &raw, fn, arg);
	buffer_release(&raw);
	return n;
}

static void
read_file(const char *path, struct buffer *text)
{
	FILE *file = fopen(path, "r");
	char *room;
	size_t n;

	ck_assert_msg(file != NULL, "%s cannot be opened", path);
	while ((room = buffer_reserve(text, 4096)) != NULL &&
		(n = fread(room, 1, 4096, file)) > 0)
		text->len += n;
	buffer_add_char(text, '\0');
	ck_assert(!text->failed && !ferror(file));
	fclose(file);
}

size_t
vectors_each(const char *folder, vector_fn *fn, void *arg)
{
	struct buffer pattern = { 0 };
	size_t n = 0;
	glob_t files;

	buffer_addf(&pattern, TEST_VECTORS "/%s/*.txt", folder);
	buffer_add_char(&pattern, '\0');
	ck_assert_msg(
		glob(pattern.ptr, 0, NULL, &files) == 0, "no files %s", pattern.ptr);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		struct buffer text = { 0 };
		read_file(files.gl_pathv[i], &text);
		n += vectors_in(text.ptr, fn, arg);
		buffer_release(&text);
	}
	globfree(&files);
	buffer_release(&pattern);
	return n;
}
