/*
 * The guard looks at the raw bytes of a request's head before the parser does. It
 * allows what RFC 9112 allows a client to send, not what it allows a server to put up
 * with: another server before or behind this one may read the difference in another
 * way, and that is what request smuggling lives on. Here are also the limits, which are
 * enforced as soon as they are passed, so that the caller's buffer need not grow beyond
 * them.
 */
#include "protocols/http1_guard.h"

#include <limits.h>

enum {
	ANYWHERE = HTTP1_TOKEN | HTTP1_HOST,
	NOWHERE = HTTP1_NOT_VALUE | HTTP1_NOT_TARGET,
	LEADING_CRLFS = 2, /* RFC 9112 section 2.2: at least one */
};

/* Printable ASCII that RFC 3986 leaves out of URIs is let through in targets: browsers
 * and scripts send it every day, and it has no meaning to anyone. */
const uint8_t http1_class[256] = {
	[0 ... '\t' - 1] = NOWHERE,
	['\t'] = HTTP1_NOT_TARGET,
	['\t' + 1 ... ' ' - 1] = NOWHERE,
	[' '] = HTTP1_NOT_TARGET,
	['!'] = ANYWHERE,
	['#'] = HTTP1_TOKEN | HTTP1_NOT_TARGET,
	['$'] = ANYWHERE,
	['%'] = ANYWHERE | HTTP1_PERCENT,
	['&' ... '\''] = ANYWHERE,
	['(' ... ')'] = HTTP1_HOST,
	['*' ... '+'] = ANYWHERE,
	[','] = HTTP1_HOST,
	['-' ... '.'] = ANYWHERE,
	['0' ... '9'] = ANYWHERE,
	[';'] = HTTP1_HOST,
	['='] = HTTP1_HOST,
	['A' ... 'Z'] = ANYWHERE,
	['^'] = HTTP1_TOKEN,
	['_'] = ANYWHERE,
	['`'] = HTTP1_TOKEN,
	['a' ... 'z'] = ANYWHERE,
	['|'] = HTTP1_TOKEN,
	['~'] = ANYWHERE,
	[0x7f] = NOWHERE,
	[0x80 ... 0xff] = HTTP1_NOT_TARGET,
};

bool
http1_number(struct slice digits, uint64_t *number)
{
	int64_t n = 0;

	for (size_t i = 0; i < digits.len; i++) {
		unsigned digit = (unsigned)(unsigned char)digits.ptr[i] - '0';
		if (digit > 9 || __builtin_mul_overflow(n, 10, &n) ||
			__builtin_add_overflow(n, digit, &n))
			return false;
	}
	*number = (uint64_t)n;
	return digits.len > 0;
}

enum { WORD = sizeof(uint64_t) };

/* Not 0 where one of eight bytes is below 0x20, or 0x7f: such a one gets its highest
 * bit by a subtraction. */
static inline uint64_t
find_controls(const char *bytes)
{
	const uint64_t each = UINT64_MAX / UINT8_MAX;
	uint64_t word;

	memcpy(&word, bytes, WORD);
	uint64_t del = word ^ each * 0x7f;
	return (((word - each * 0x20) & ~word) | ((del - each) & ~del)) & each * 0x80;
}

/* The last word may begin within the one before. A tab is a control, and hardly ever
 * there. */
bool
http1_is_value(struct slice s)
{
	uint64_t found = s.len < WORD || find_controls(s.ptr + s.len - WORD);

	for (size_t i = 0; i + WORD < s.len; i += WORD)
		found |= find_controls(s.ptr + i);
	return found == 0 || (http1_classes(s) & HTTP1_NOT_VALUE) == 0;
}

bool
http1_list_has(struct slice list, struct slice member)
{
	while (list.len > 0) {
		const char *comma = memchr(list.ptr, ',', list.len);
		size_t n = comma != NULL ? (size_t)(comma - list.ptr) : list.len;
		if (slice_caseeq(slice_trim(slice_of(list.ptr, n)), member))
			return true;
		slice_advance(&list, comma != NULL ? n + 1 : n);
	}
	return false;
}

bool
http1_percents(struct slice s)
{
	const char *percent;

	while (s.len > 0 && (percent = memchr(s.ptr, '%', s.len)) != NULL) {
		slice_advance(&s, (size_t)(percent - s.ptr) + 1);
		if (s.len < 2 || http1_hex(s.ptr[0]) < 0 || http1_hex(s.ptr[1]) < 0)
			return false;
		if (s.ptr[0] == '0' && s.ptr[1] == '0')
			return false;
	}
	return true;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int
check_version(struct http1_decoder *d, struct slice version)
{
	if (version.len != 8 || !slice_starts(version, SLICE("HTTP/")) ||
		!is_digit(version.ptr[5]) || version.ptr[6] != '.' ||
		!is_digit(version.ptr[7]))
		return http1_refuse(d, 400, "no HTTP version in the request line");
	if (version.ptr[5] != '1' || version.ptr[7] > '1')
		return http1_refuse(d, 505, "HTTP version is neither 1.0 nor 1.1");
	return 0;
}

/* method SP request-target SP HTTP-version (RFC 9112 section 3), and just that. */
static int
check_request_line(struct http1_decoder *d, struct slice line)
{
	size_t n = http1_token(line);

	if (n == 0 || n == line.len || line.ptr[n] != ' ')
		return http1_refuse(d, 400, "no method in the request line");
	slice_advance(&line, n + 1);
	const char *blank = memchr(line.ptr, ' ', line.len);
	if (blank == NULL || blank == line.ptr)
		return http1_refuse(d, 400, "no target in the request line");
	struct slice target = slice_of(line.ptr, (size_t)(blank - line.ptr));
	unsigned classes = http1_classes(target);
	if ((classes & HTTP1_NOT_TARGET) != 0)
		return http1_refuse(d, 400, "forbidden byte in the target");
	if ((classes & HTTP1_PERCENT) != 0 && !http1_percents(target))
		return http1_refuse(d, 400, "bad percent-encoding in the target");
	slice_advance(&line, target.len + 1);
	return check_version(d, line);
}

/* field-name ":" OWS field-value OWS (RFC 9112 section 5), not continued on a next
 * line. */
static int
check_field_line(struct http1_decoder *d, struct slice line)
{
	size_t n = http1_token(line);

	if (n == 0 && (line.ptr[0] == ' ' || line.ptr[0] == '\t'))
		return http1_refuse(d, 400, "folded field line");
	if (n == 0 || n == line.len || line.ptr[n] != ':')
		return http1_refuse(d, 400, "no field name");
	slice_advance(&line, n + 1);
	if (!http1_is_value(line))
		return http1_refuse(d, 400, "control byte in a field");
	return 0;
}

/* n bytes of the line that is being looked at are there. */
static int
check_limits(struct http1_decoder *d, size_t n)
{
	if (d->lines == 0)
		return n > d->limits.line ? http1_refuse(d, 414, "long request line")
					  : 0;
	if (n > 0 && d->lines > d->limits.fields)
		return http1_refuse(d, 431, "too many fields");
	if (n > d->limits.field_size)
		return http1_refuse(d, 431, "long field line");
	if (d->line > INT_MAX / 2)
		return http1_refuse(d, 431, "long head");
	return 0;
}

/* A line without its LF. Limits come first, as they do while the line is not complete.
 */
static int
check_line(struct http1_decoder *d, struct slice line)
{
	bool ended = line.len > 0 && line.ptr[line.len - 1] == '\r';

	line.len -= ended;
	int status = check_limits(d, line.len);
	if (status != 0)
		return status;
	if (!ended)
		return http1_refuse(d, 400, "LF without CR");
	if (d->lines > 0)
		return line.len > 0 ? check_field_line(d, line) : 0;
	if (line.len > 0)
		return check_request_line(d, line);
	if (d->line >= LEADING_CRLFS * 2)
		return http1_refuse(d, 400, "empty lines before the request line");
	return 0;
}

/* The line that the input ends with is not complete. */
static int
check_rest(struct http1_decoder *d, struct slice input)
{
	size_t n = input.len - d->line;

	if (n > 0 && input.ptr[input.len - 1] == '\r')
		n--;
	d->scanned = input.len;
	return check_limits(d, n);
}

int
http1_guard_head(struct http1_decoder *d, struct slice input)
{
	const char *lf;

	while (d->scanned < input.len &&
		(lf = memchr(input.ptr + d->scanned, '\n', input.len - d->scanned)) !=
			NULL) {
		size_t end = (size_t)(lf - input.ptr);
		struct slice line = slice_of(input.ptr + d->line, end - d->line);
		int status = check_line(d, line);
		if (status != 0)
			return status;
		d->line = d->scanned = end + 1;
		if (line.len > 1) /* more than its CR */
			d->lines++;
		else if (d->lines > 0)
			return (int)d->line;
	}
	return check_rest(d, input);
}
