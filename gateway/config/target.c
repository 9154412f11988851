#include "gateway/config/target.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/config/address.h"
#include "gateway/config/text.h"

struct form_args {
	const char *rest; /* what stands behind the prefix */
	const char *folder;
	struct arena *memory;
};

/* Sets binding and spec. Returns NULL, or what is wrong. */
typedef const char *form_fn(struct target *t, const struct form_args *a);

static const char forms[] =
	"not a target: MODULE:CALLABLE, FILE.py, FILE.lua, FILE.php, FILE.so, "
	"php:FOLDER, lua:FILE, lua:MODULE, luajit:FILE, luajit:MODULE, "
	"fcgi://HOST:PORT, fcgi:unix:PATH, fcgi-exec:PROGRAM, cgi:PATH, "
	"files:FOLDER, status: or binding:FILE.so:WHAT";

/* ---- Files ---- */

/* The length of the file's name in "FILE.so" or "FILE.so:FUNCTION"; 0: it is neither.
 */
static size_t
file_length(const char *text, const char *suffix)
{
	size_t len = strlen(suffix);

	for (const char *at = text; (at = strstr(at, suffix)) != NULL; at += len)
		if (at != text && (at[len] == '\0' || at[len] == ':'))
			return (size_t)(at - text) + len;
	return 0;
}

/* FILE or FILE:NAME, where the file's name is len bytes long. */
static const char *
parse_file(struct target *t, const struct form_args *a, size_t len)
{
	const char *name = a->rest + len;
	const char *file = arena_strz(a->memory, slice_of(a->rest, len));
	const char *path =
		file != NULL ? text_absolute(file, a->folder, a->memory) : NULL;

	if (path == NULL)
		return "out of memory";
	if (strcmp(name, ":") == 0)
		return "nothing behind the colon";
	if (access(path, F_OK) != 0)
		return text_format(a->memory, "%s: %s", path, strerror(errno));
	t->spec = text_format(a->memory, "%s%s", path, name);
	return NULL;
}

static const char *
parse_c(struct target *t, const struct form_args *a)
{
	size_t len = file_length(a->rest, ".so");

	t->binding = "c";
	if (len == 0)
		return "not of the form c:FILE.so or c:FILE.so:FUNCTION";
	return parse_file(t, a, len);
}

/* ---- Python ---- */

/* The length of a dotted name, such as shop.wsgi; 0: it is none. Letters beyond ASCII
 * are for Python to judge. */
static size_t
dotted_length(const char *text)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	size_t len = 0;
	bool begins = true;

	for (; text[len] != '\0'; len++) {
		char c = text[len];
		bool letter = (unsigned char)c >= 0x80 || strchr(letters, c) != NULL;
		bool digit = c >= '0' && c <= '9';
		if (begins ? !letter : !letter && !digit && c != '.')
			break;
		begins = c == '.';
	}
	return begins ? 0 : len;
}

/* NAME or NAME(ARGUMENTS). */
static bool
is_callable(const char *text)
{
	size_t len = dotted_length(text);

	return len > 0 &&
		(text[len] == '\0' ||
			(text[len] == '(' && text[strlen(text) - 1] == ')'));
}

static bool
is_module(const char *text)
{
	size_t len = dotted_length(text);

	return len > 0 &&
		(text[len] == '\0' ||
			(text[len] == ':' && is_callable(text + len + 1)));
}

static const char *
parse_python(struct target *t, const struct form_args *a)
{
	size_t len = file_length(a->rest, ".py");

	t->binding = "python";
	if (len > 0 && a->rest[len] == ':' && !is_callable(a->rest + len + 1))
		return text_format(
			a->memory, "\"%s\" is not a callable", a->rest + len + 1);
	if (len > 0)
		return parse_file(t, a, len);
	if (!is_module(a->rest))
		return "not of the form MODULE, MODULE:CALLABLE or FILE.py:CALLABLE";
	t->spec = arena_strz(a->memory, slice_str(a->rest));
	return NULL;
}

/* ---- Lua, PHP, CGI, files ---- */

/* A path, where there must be something. */
static const char *
parse_path(struct target *t, const struct form_args *a)
{
	if (*a->rest == '\0')
		return "no path is given";
	t->spec = text_absolute(a->rest, a->folder, a->memory);
	if (t->spec != NULL && access(t->spec, F_OK) != 0)
		return text_format(a->memory, "%s: %s", t->spec, strerror(errno));
	return NULL;
}

/* The name of a module, as require() takes it, where no file has that name. */
static bool
is_lua_module(const struct form_args *a)
{
	struct stat st;
	size_t len = dotted_length(a->rest);

	if (len == 0 || a->rest[len] != '\0' || file_length(a->rest, ".lua") > 0)
		return false;
	const char *path = text_absolute(a->rest, a->folder, a->memory);
	return path != NULL && (stat(path, &st) != 0 || S_ISDIR(st.st_mode));
}

static const char *
parse_lua_code(struct target *t, const struct form_args *a)
{
	if (!is_lua_module(a))
		return parse_path(t, a);
	t->spec = arena_strz(a->memory, slice_str(a->rest));
	return NULL;
}

static const char *
parse_lua(struct target *t, const struct form_args *a)
{
	t->binding = "lua";
	return parse_lua_code(t, a);
}

static const char *
parse_luajit(struct target *t, const struct form_args *a)
{
	t->binding = "luajit";
	return parse_lua_code(t, a);
}

static const char *
parse_php(struct target *t, const struct form_args *a)
{
	t->binding = "php";
	t->preloaded = true; /* opcache */
	return parse_path(t, a);
}

static const char *
parse_cgi(struct target *t, const struct form_args *a)
{
	t->binding = "cgi";
	return parse_path(t, a);
}

static const char *
parse_files(struct target *t, const struct form_args *a)
{
	struct stat st;

	t->binding = "files";
	const char *reason = parse_path(t, a);
	if (reason == NULL && t->spec != NULL && stat(t->spec, &st) == 0 &&
		!S_ISDIR(st.st_mode))
		return text_format(a->memory, "%s: not a folder", t->spec);
	return reason;
}

/* ---- Bindings that are not a part of the program ---- */

/* What stands behind the colon is the binding's to read. */
static const char *
parse_binding(struct target *t, const struct form_args *a)
{
	size_t len = file_length(a->rest, ".so");
	const char *file = arena_strz(a->memory, slice_of(a->rest, len));

	if (len == 0 || a->rest[len] != ':' || a->rest[len + 1] == '\0')
		return "not of the form binding:FILE.so:WHAT";
	if (file != NULL)
		t->binding = text_absolute(file, a->folder, a->memory);
	if (t->binding != NULL && access(t->binding, F_OK) != 0)
		return text_format(a->memory, "%s: %s", t->binding, strerror(errno));
	t->spec = t->binding != NULL
		? arena_strz(a->memory, slice_str(a->rest + len + 1))
		: NULL;
	t->text = text_format(a->memory, "binding:%s:%s", t->binding, t->spec);
	return NULL;
}

/* The one that is built in, and has nothing to load. */
static const char *
parse_status(struct target *t, const struct form_args *a)
{
	t->binding = "status";
	t->spec = "";
	return *a->rest == '\0' ? NULL : "nothing stands behind status:";
}

/* ---- FastCGI ---- */

/* One backend as the binding is told it, into *spec. Returns NULL, or what is wrong. */
typedef const char *backend_fn(
	const char **spec, const char *item, const struct form_args *a);

static const char *
parse_backend_tcp(const char **spec, const char *item, const struct form_args *a)
{
	struct address address;
	const char *reason = address_parse(&address, item, a->memory);

	if (reason != NULL)
		return reason;
	const char *colon = strrchr(item, ':');
	if (address.kind != ADDRESS_TCP || colon == NULL || colon == item ||
		strchr(colon, ']') != NULL)
		return "not of the form fcgi://HOST:PORT";
	*spec = address.text;
	return NULL;
}

static const char *
parse_backend_unix(const char **spec, const char *item, const struct form_args *a)
{
	struct address address;

	if (strncmp(item, "unix:", 5) != 0 || item[5] == '\0')
		return "not of the form fcgi://HOST:PORT or fcgi:unix:PATH";
	const char *path = text_absolute(item + 5, a->folder, a->memory);
	if (path == NULL)
		return "out of memory";
	*spec = text_format(a->memory, "unix:%s", path);
	return *spec != NULL ? address_parse(&address, *spec, a->memory)
			     : "out of memory";
}

/* Backends of equal rank, with commas between them. */
static const char *
parse_backends(struct target *t, const struct form_args *a, backend_fn *parse)
{
	const char *at = a->rest, *end, *reason;

	t->binding = "fastcgi";
	do {
		const char *spec;
		end = at + strcspn(at, ",");
		const char *item =
			arena_strz(a->memory, slice_of(at, (size_t)(end - at)));
		if (item == NULL)
			return "out of memory";
		reason = parse(&spec, item, a);
		if (reason != NULL)
			return reason;
		t->spec = t->spec == NULL
			? spec
			: text_format(a->memory, "%s,%s", t->spec, spec);
		at = end + 1;
	} while (*end != '\0' && t->spec != NULL);
	return NULL;
}

static const char *
parse_fcgi_tcp(struct target *t, const struct form_args *a)
{
	return parse_backends(t, a, parse_backend_tcp);
}

static const char *
parse_fcgi_unix(struct target *t, const struct form_args *a)
{
	return parse_backends(t, a, parse_backend_unix);
}

static const char *
parse_fcgi_exec(struct target *t, const struct form_args *a)
{
	char **words;
	size_t n;
	const char *reason = text_split(a->rest, &words, &n, a->memory);

	t->binding = "fastcgi";
	if (reason != NULL)
		return reason;
	if (n == 0)
		return "not of the form fcgi-exec:PROGRAM ARGUMENT ...";
	if (*words[0] != '/' && strchr(words[0], '/') != NULL)
		return text_format(a->memory,
			"%s: a program is given by its absolute path, or by its name "
			"alone",
			words[0]);
	if (*words[0] == '/' && access(words[0], X_OK) != 0)
		return text_format(a->memory, "%s: %s", words[0], strerror(errno));
	t->command = (const char *const *)words;
	t->spec = arena_strz(a->memory, slice_str(a->rest));
	return NULL;
}

/* ---- Fronts ---- */

static const char *
parse_front(struct target *t, const struct form_args *a)
{
	(void)t;
	(void)a;
	return "front: is made of listeners and routes";
}

void
target_front(struct target *t)
{
	*t = (struct target){ .text = "front:", .binding = "front", .spec = "" };
}

bool
target_is_front(const struct target *t)
{
	return strcmp(t->binding, "front") == 0;
}

/* ---- The table ---- */

static const struct form {
	const char *prefix;
	const char *suffix; /* of a file that needs no prefix */
	form_fn *parse;
} table[] = {
	{ "python:", ".py", parse_python },
	{ "c:", ".so", parse_c },
	{ "fcgi://", NULL, parse_fcgi_tcp },
	{ "fcgi:", NULL, parse_fcgi_unix },
	{ "fcgi-exec:", NULL, parse_fcgi_exec },
	{ "php:", ".php", parse_php },
	{ "lua:", ".lua", parse_lua },
	{ "luajit:", NULL, parse_luajit },
	{ "cgi:", NULL, parse_cgi },
	{ "files:", NULL, parse_files },
	{ "status:", NULL, parse_status },
	{ "binding:", NULL, parse_binding },
	{ "front:", NULL, parse_front },
};

enum { FORMS = sizeof table / sizeof table[0] };

/* The row of a target, and where its rest begins; NULL: it has no such form. */
static const struct form *
find_form(const char *text, const char **rest)
{
	for (size_t i = 0; i < FORMS; i++) {
		size_t len = strlen(table[i].prefix);
		*rest = text + len;
		if (strncmp(text, table[i].prefix, len) == 0)
			return &table[i];
	}
	*rest = text;
	for (size_t i = 0; i < FORMS; i++)
		if (table[i].suffix != NULL && file_length(text, table[i].suffix) > 0)
			return &table[i];
	return is_module(text) ? &table[0] : NULL;
}

/* What somebody may have meant: a prefix with a letter that is wrong, or the path of a
 * module, which has dots. */
static const char *
advise(const char *text, struct arena *memory)
{
	struct text_nearest best = { 0 };
	size_t len = strcspn(text, ":");
	char *dotted = arena_strz(memory, slice_str(text));

	for (size_t i = 0; i < FORMS; i++)
		text_nearest_try(&best, slice_of(text, len),
			slice_of(table[i].prefix, strcspn(table[i].prefix, ":")));
	if (best.distance > 0 && text[len] == ':')
		return text_format(memory, "not a target; did you mean %.*s%s?",
			(int)best.word.len, best.word.ptr, text + len);
	for (char *at = dotted; at != NULL && (at = strchr(at, '/')) != NULL;)
		*at = '.';
	if (dotted != NULL && is_module(dotted))
		return text_format(memory, "not a target; did you mean %s?", dotted);
	return forms;
}

const char *
target_parse(
	struct target *t, const char *text, const char *folder, struct arena *memory)
{
	struct form_args args = { .folder = folder, .memory = memory };
	const struct form *form = find_form(text, &args.rest);

	*t = (struct target){ 0 };
	if (form == NULL)
		return advise(text, memory);
	const char *reason = form->parse(t, &args);
	if (reason != NULL)
		return reason;
	if (t->spec == NULL)
		return "out of memory";
	if (t->text == NULL)
		t->text = text_format(
			memory, "%.*s%s", (int)(args.rest - text), text, t->spec);
	return NULL;
}
