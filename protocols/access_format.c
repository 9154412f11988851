#include "protocols/access_format.h"

#include <stdbool.h>
#include <stdint.h>

#include "protocols/plain.h"

/* ---- The format ---- */

/* "h", "{Name}i", or nothing that is known. */
static struct access_part
read_atom(struct slice name)
{
	const char *brace = name.len > 0 && *name.ptr == '{'
		? memchr(name.ptr, '}', name.len)
		: NULL;

	if (brace != NULL && brace + 2 == name.ptr + name.len && brace > name.ptr + 1)
		return (struct access_part){ brace[1],
			slice_of(name.ptr + 1, (size_t)(brace - name.ptr - 1)) };
	if (name.len == 1)
		return (struct access_part){ .atom = *name.ptr };
	if (slice_eq(name, SLICE("id")))
		return (struct access_part){ .atom = ACCESS_ID };
	return (struct access_part){ .atom = ACCESS_NO_ATOM };
}

/* The format begins with '%'. Python, whose formatting this is, also takes %(D)d for an
 * atom that is a number. */
static const char *
take_atom(struct slice *format, struct access_part *part)
{
	const char *end = format->ptr + format->len;
	const char *name = format->ptr + 2;

	if (format->len < 2 || (name[-1] != '(' && name[-1] != '%'))
		return "% is followed by neither ( nor %";
	if (name[-1] == '%') {
		*part = (struct access_part){ .text = slice_of(name - 1, 1) };
		slice_advance(format, 2);
		return NULL;
	}
	const char *close = memchr(name, ')', (size_t)(end - name));
	if (close == NULL)
		return "%( is not closed";
	if (close + 1 == end || (close[1] != 's' && close[1] != 'd'))
		return "%(…) is not followed by s";
	*part = read_atom(slice_of(name, (size_t)(close - name)));
	slice_advance(format, (size_t)(close + 2 - format->ptr));
	return NULL;
}

int
access_format_next(struct slice *format, struct access_part *part, const char **reason)
{
	if (format->len == 0)
		return 0;
	if (*format->ptr == '%') {
		*reason = take_atom(format, part);
		return *reason == NULL ? 1 : -1;
	}
	const char *percent = memchr(format->ptr, '%', format->len);
	size_t len = percent != NULL ? (size_t)(percent - format->ptr) : format->len;
	*part = (struct access_part){ .text = slice_of(format->ptr, len) };
	slice_advance(format, len);
	return 1;
}

const char *
access_format_check(const char *format)
{
	struct slice rest = slice_str(format);
	struct access_part part;
	const char *reason = NULL;

	while (access_format_next(&rest, &part, &reason) == 1)
		;
	return reason;
}

/* ---- Values ---- */

/* One that is not plain; NULL: there is no room. */
static char *
escape_byte(char *out, const char *end, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";

	if (end - out < 4)
		return NULL;
	*out++ = '\\';
	*out++ = 'x';
	*out++ = digits[c >> 4];
	*out++ = digits[c & 15];
	return out;
}

char *
access_escape(char *out, const char *end, struct slice value)
{
	while (value.len > 0) {
		size_t run = plain_run(value), room = (size_t)(end - out);
		bool is_cut = run > room;
		run = is_cut ? room : run;
		memcpy(out, value.ptr, run);
		out += run;
		slice_advance(&value, run);
		if (is_cut || value.len == 0)
			break;
		char *next = escape_byte(out, end, (unsigned char)*value.ptr);
		if (next == NULL)
			break;
		out = next;
		slice_advance(&value, 1);
	}
	return out;
}

static int
base64_value(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789+/";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

size_t
access_basic_user(struct slice field, char *name, size_t room)
{
	uint32_t bits = 0;
	unsigned n_bits = 0;
	size_t n = 0;
	int value;

	if (field.len < 6 || !slice_caseeq(slice_of(field.ptr, 6), SLICE("Basic ")))
		return 0;
	slice_advance(&field, 6);
	field = slice_trim(field);
	for (; field.len > 0 && (value = base64_value(*field.ptr)) >= 0;
		slice_advance(&field, 1)) {
		bits = bits << 6 | (uint32_t)value;
		n_bits += 6;
		if (n_bits < 8)
			continue;
		n_bits -= 8;
		char c = (char)(bits >> n_bits);
		if (c == ':' || n == room)
			return n;
		name[n++] = c;
	}
	return 0;
}
