/*
 * libconfig says no more of a file than "syntax error". What that is, mostly, the
 * tokens tell: one that cannot stand where it does. Nothing is refused here that
 * libconfig takes, as only files that it has refused come here.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gateway/config/sources.h"
#include "gateway/config/text.h"

enum { DEPTH_LIMIT = 32, WORD_SHOWN = 60 };

static const char syntax_error[] = "syntax error";

/* ---- Tokens ---- */

enum kind {
	KIND_END,
	KIND_WORD,
	KIND_TEXT,
	KIND_OPEN,
	KIND_CLOSE,
	KIND_ASSIGN,
	KIND_STOP
};

struct token {
	enum kind kind;
	struct slice text;
	unsigned line;
};

struct syntax {
	const char *at;
	unsigned line;
	struct arena *memory;
	const char *(*expect)(struct syntax *, const struct token *);
	struct token open[DEPTH_LIMIT];
	size_t depth;
	struct token before; /* the one before this */
	struct slice name; /* of the setting whose value comes */
	unsigned long_text; /* the line of one that goes over its end; 0: none does */
	unsigned fault_line; /* 0: that of the token */
};

static void
pass(struct syntax *s, size_t n)
{
	for (; n > 0 && *s->at != '\0'; n--)
		if (*s->at++ == '\n')
			s->line++;
}

static bool
starts_with(const struct syntax *s, const char *mark)
{
	return strncmp(s->at, mark, strlen(mark)) == 0;
}

/* White space, comments, and the word @include, whose file is read on its own. */
static void
pass_blanks(struct syntax *s)
{
	for (;;) {
		const char *end;
		if (isspace((unsigned char)*s->at)) {
			pass(s, 1);
		} else if (*s->at == '#' || starts_with(s, "//") ||
			starts_with(s, "@include")) {
			pass(s, strcspn(s->at, "\n"));
		} else if (starts_with(s, "/*")) {
			end = strstr(s->at, "*/");
			pass(s,
				end != NULL ? (size_t)(end - s->at) + 2
					    : strlen(s->at));
		} else {
			return;
		}
	}
}

static void
pass_text(struct syntax *s)
{
	pass(s, 1);
	while (*s->at != '\0' && *s->at != '"')
		pass(s, *s->at == '\\' ? 2 : 1);
	pass(s, 1);
}

static const char *expect_name(struct syntax *s, const struct token *t);

static enum kind
kind_of(char c)
{
	static const struct {
		const char *marks;
		enum kind kind;
	} kinds[] = {
		{ "\"", KIND_TEXT },
		{ "{[(", KIND_OPEN },
		{ "}])", KIND_CLOSE },
		{ "=:", KIND_ASSIGN },
		{ ";,", KIND_STOP },
	};

	if (c == '\0')
		return KIND_END;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (strchr(kinds[i].marks, c) != NULL)
			return kinds[i].kind;
	return KIND_WORD;
}

/* A word ends where a mark begins; in a value without quotes a colon is none. */
static struct token
next_token(struct syntax *s)
{
	pass_blanks(s);
	const char *begin = s->at;
	struct token t = { .kind = kind_of(*begin), .line = s->line };

	if (t.kind == KIND_TEXT)
		pass_text(s);
	else if (t.kind == KIND_WORD)
		pass(s,
			strcspn(begin,
				s->expect == expect_name ? " \t\r\n\"#;,={}[]():"
							 : " \t\r\n\"#;,={}[]()"));
	else
		pass(s, 1);
	t.text = slice_of(begin, (size_t)(s->at - begin));
	return t;
}

/* How much of a word a message shows. */
static int
shown(struct slice word)
{
	return word.len < WORD_SHOWN ? (int)word.len : WORD_SHOWN;
}

/* ---- What may stand where ---- */

static const char *expect_assign(struct syntax *s, const struct token *t);
static const char *expect_value(struct syntax *s, const struct token *t);
static const char *expect_end(struct syntax *s, const struct token *t);
static const char *expect_comma(struct syntax *s, const struct token *t);

static char
innermost(const struct syntax *s)
{
	return s->depth > 0 ? *s->open[s->depth - 1].text.ptr : '{';
}

/* Behind a value: in a group a mark that may be left out, in a list a comma. */
static const char *
value_ends(struct syntax *s)
{
	s->expect = innermost(s) == '{' ? expect_end : expect_comma;
	return NULL;
}

static const char *
opens(struct syntax *s, const struct token *t)
{
	char mark = *t->text.ptr;

	if (innermost(s) == '[')
		return "[ ] holds single values; groups stand in ( )";
	if (s->depth == DEPTH_LIMIT)
		return syntax_error;
	s->open[s->depth++] = *t;
	s->expect = mark == '{' ? expect_name : expect_value;
	return NULL;
}

static const char *
closes(struct syntax *s, const struct token *t)
{
	static const char opening[] = "{[(", closing[] = "}])";
	char mark = *t->text.ptr;

	if (s->depth == 0)
		return text_format(s->memory, "this %c closes nothing", mark);
	const struct token *open = &s->open[s->depth - 1];
	if (opening[strchr(closing, mark) - closing] != *open->text.ptr)
		return text_format(s->memory,
			"%c stands where the %c of line %u is not closed yet", mark,
			*open->text.ptr, open->line);
	s->depth--;
	return value_ends(s);
}

/* The file ends; it is the bracket that is told, if one is open. */
static const char *
ends(struct syntax *s)
{
	if (s->depth == 0)
		return syntax_error;
	s->fault_line = s->open[s->depth - 1].line;
	return text_format(s->memory, "this %c is not closed", innermost(s));
}

static const char *
expect_name(struct syntax *s, const struct token *t)
{
	if (t->kind == KIND_WORD) {
		s->name = t->text;
		s->expect = expect_assign;
		return NULL;
	}
	if (t->kind == KIND_CLOSE)
		return closes(s, t);
	if (t->kind == KIND_END)
		return ends(s);
	if (t->kind == KIND_OPEN && s->depth == 0 && s->before.kind == KIND_END)
		return "no file as in alicorn.conf(5); alicorn-convert makes one of an "
		       "ini file of uWSGI or the JSON of NGINX Unit";
	return text_format(s->memory, "before %.*s the name of a setting is missing",
		shown(t->text), t->text.ptr);
}

static const char *
expect_assign(struct syntax *s, const struct token *t)
{
	if (t->kind != KIND_ASSIGN)
		return text_format(s->memory, "behind %.*s a = is missing",
			shown(s->name), s->name.ptr);
	s->expect = expect_value;
	return NULL;
}

static bool
is_same(struct slice word, const char *text)
{
	return word.len == strlen(text) && strncasecmp(word.ptr, text, word.len) == 0;
}

/* A number, with L for a long one, or a truth value. */
static bool
is_scalar(struct slice word)
{
	char *end, *long_end;

	strtod(word.ptr, &end);
	strtoll(word.ptr, &long_end, 0);
	const char *past = word.ptr + word.len;
	size_t suffix = (size_t)(past - long_end);
	return is_same(word, "true") || is_same(word, "false") || end == past ||
		(long_end > word.ptr && suffix <= 2 && strspn(long_end, "L") >= suffix);
}

static const char *
expect_value(struct syntax *s, const struct token *t)
{
	bool is_item = innermost(s) != '{';

	if (t->kind == KIND_TEXT || (t->kind == KIND_WORD && is_scalar(t->text)))
		return value_ends(s);
	if (t->kind == KIND_OPEN)
		return opens(s, t);
	if (t->kind == KIND_CLOSE && is_item)
		return closes(s, t);
	if (t->kind == KIND_WORD)
		return text_format(s->memory,
			"%.*s is neither a number nor true or false: a text stands in "
			"double quotes",
			shown(t->text), t->text.ptr);
	if (is_item)
		return t->kind == KIND_END ? ends(s) : "between commas nothing stands";
	return text_format(s->memory, "%.*s has no value", shown(s->name), s->name.ptr);
}

static const char *
expect_end(struct syntax *s, const struct token *t)
{
	s->expect = expect_name;
	return t->kind == KIND_STOP ? NULL : expect_name(s, t);
}

static const char *
expect_comma(struct syntax *s, const struct token *t)
{
	if (t->kind == KIND_CLOSE)
		return closes(s, t);
	if (t->kind == KIND_END)
		return ends(s);
	if (t->kind == KIND_STOP && *t->text.ptr == ';')
		return "between the items of a list stands a comma, no semicolon";
	if (t->kind != KIND_STOP)
		return text_format(s->memory, "before %.*s a comma is missing",
			shown(t->text), t->text.ptr);
	s->expect = expect_value;
	return NULL;
}

/* ---- All of a file ---- */

/* A text that goes over the end of a line is mostly one that was not closed: then what
 * should stand in the next one is outside. It is the first such behind the last sign of
 * a value that was meant as one. */
static void
note_long_text(struct syntax *s, const struct token *t)
{
	if (t->kind == KIND_ASSIGN)
		s->long_text = 0;
	else if (t->kind == KIND_TEXT && s->long_text == 0 &&
		memchr(t->text.ptr, '\n', t->text.len) != NULL)
		s->long_text = t->line;
}

/* Why the first token that cannot stand where it does, cannot; t is that token. */
static const char *
find_fault(struct syntax *s, struct token *t)
{
	const char *reason;

	for (;; s->before = *t) {
		*t = next_token(s);
		note_long_text(s, t);
		/* Texts beside each other are one. */
		if (t->kind == KIND_TEXT && s->before.kind == KIND_TEXT)
			continue;
		reason = s->expect(s, t);
		if (reason != NULL)
			break;
	}
	if (s->long_text == 0)
		return reason;
	s->fault_line = s->long_text;
	return "this text goes over the end of the line: is a quote missing?";
}

void
syntax_fault(struct load *l, const struct origin *at, const char *text)
{
	struct buffer file;
	struct origin origin = *at;
	struct token t;

	if (strcmp(text, syntax_error) != 0) {
		load_fault(l, at, "%s", text);
		return;
	}
	if (guard_read(at->source, &file) == NULL) {
		struct syntax s = { .at = file.ptr,
			.line = 1,
			.memory = &l->config->memory,
			.expect = expect_name };
		const char *reason = find_fault(&s, &t);
		/* libconfig met it before: then it is something else. */
		if (t.line <= at->line) {
			text = reason;
			origin.line = s.fault_line > 0 ? s.fault_line : t.line;
		}
	}
	load_fault(l, &origin, "%s", text);
	buffer_release(&file);
}
