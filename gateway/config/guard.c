/*
 * A look at a file before libconfig reads it: version 1.5 ends the whole program over a
 * folder, and cuts a number that is too great for 32 bits without a word.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/config/sources.h"
#include "gateway/config/text.h"

enum { FILE_LIMIT = 16 << 20, READ_SIZE = 65536, INCLUDE_DEPTH = 10 };

/* ---- Reading ---- */

static const char *
read_all(int fd, struct buffer *text)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) != 0)
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "not a file";
	do {
		char *room = buffer_reserve(text, READ_SIZE);
		if (room == NULL)
			return "too large";
		n = read(fd, room, READ_SIZE);
		text->len += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	if (n < 0)
		return strerror(errno);
	buffer_add_char(text, '\0');
	return text->failed ? "too large" : NULL;
}

const char *
guard_read(const char *path, struct buffer *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	buffer_init(text, FILE_LIMIT);
	if (fd < 0)
		return strerror(errno);
	const char *reason = read_all(fd, text);
	close(fd);
	return reason;
}

/* ---- Scanning ---- */

struct scan {
	struct load *load;
	const char *path;
	const char *folder; /* that includes are relative to; NULL: the working one */
	const char *at;
	unsigned line;
	unsigned depth;
	unsigned comma; /* the line of one that nothing has followed yet */
};

static void
advance(struct scan *s, size_t n)
{
	for (; n > 0 && *s->at != '\0'; n--)
		if (*s->at++ == '\n')
			s->line++;
}

/* Behind the next `end`, or at the end of the text. */
static void
skip_past(struct scan *s, const char *end)
{
	const char *found = strstr(s->at, end);

	advance(s,
		found != NULL ? (size_t)(found - s->at) + strlen(end) : strlen(s->at));
}

static void
skip_string(struct scan *s)
{
	advance(s, 1);
	while (*s->at != '\0' && *s->at != '"')
		advance(s, *s->at == '\\' ? 2 : 1);
	advance(s, 1);
}

/* A name or a number, to its end. */
static void
scan_word(struct scan *s)
{
	const char *word = s->at;
	bool hex = word[0] == '0' && (word[1] | 0x20) == 'x';
	char *end;

	while (isalnum((unsigned char)*s->at) ||
		(*s->at != '\0' && strchr("_*-.", *s->at) != NULL))
		s->at++;
	if (!isdigit((unsigned char)*word))
		return;
	errno = 0;
	unsigned long long number = strtoull(word, &end, hex ? 16 : 10);
	if (end == s->at && (number > INT32_MAX || errno != 0)) {
		const struct origin origin = { s->path, s->line };
		load_fault(s->load, &origin,
			"%.*s is beyond 32 bits; write %.*sL, or a text such as \"5G\"",
			(int)(end - word), word, (int)(end - word), word);
	}
}

static void scan_file(struct load *l, const char *path, const char *folder,
	unsigned depth, const struct origin *from);

/* @include "NAME"; what is wrong with its form libconfig will say. */
static void
scan_include(struct scan *s)
{
	const struct origin from = { s->path, s->line };
	struct arena *memory = &s->load->config->memory;

	s->at += strcspn(s->at, "\"\n");
	if (*s->at != '"')
		return;
	const char *name = s->at + 1;
	skip_string(s);
	size_t len = strcspn(name, "\"\n");
	const char *path = s->folder != NULL
		? text_format(memory, "%s/%.*s", s->folder, (int)len, name)
		: text_format(memory, "%.*s", (int)len, name);
	if (s->depth < INCLUDE_DEPTH)
		scan_file(s->load, path, s->folder, s->depth + 1, &from);
}

/* Newer versions of libconfig take a comma behind the last item, older ones call it a
 * syntax error. */
static void
scan_mark(struct scan *s)
{
	char mark = *s->at;

	if (s->comma > 0 && (mark == ')' || mark == ']')) {
		const struct origin origin = { s->path, s->comma };
		load_fault(s->load, &origin, "a comma stands before the %c", mark);
	}
	if (mark == ',')
		s->comma = s->line;
	else if (!isspace((unsigned char)mark))
		s->comma = 0;
	advance(s, 1);
}

static void
scan_text(struct scan *s)
{
	while (*s->at != '\0') {
		if (*s->at == '"' || isalnum((unsigned char)*s->at))
			s->comma = 0;
		if (*s->at == '"')
			skip_string(s);
		else if (*s->at == '#' || strncmp(s->at, "//", 2) == 0)
			skip_past(s, "\n");
		else if (strncmp(s->at, "/*", 2) == 0)
			skip_past(s, "*/");
		else if (strncmp(s->at, "@include", 8) == 0)
			scan_include(s);
		else if (isalnum((unsigned char)*s->at))
			scan_word(s);
		else
			scan_mark(s);
	}
}

static void
scan_file(struct load *l, const char *path, const char *folder, unsigned depth,
	const struct origin *from)
{
	struct buffer text;
	const char *reason = guard_read(path, &text);

	if (reason != NULL) {
		load_fault(l, from, "%s: %s", path, reason);
	} else {
		struct scan s = { l, path, folder, text.ptr, 1, depth, 0 };
		scan_text(&s);
	}
	buffer_release(&text);
}

void
guard_file(struct load *l, const char *path, const char *folder)
{
	const struct origin nowhere = { 0 };

	scan_file(l, path, folder, 0, &nowhere);
}
