#include "protocols/http.h"

/* What servers write, what they once wrote, and what asctime() does. strptime() takes
 * more than it should, so each has its shape too, behind the name of the day: 0 is a
 * digit, a is a letter, _ is a digit or a blank. */
static const struct form {
	const char *format, *shape;
} forms[] = {
	{ "%a, %d %b %Y %H:%M:%S GMT", ", 00 aaa 0000 00:00:00 GMT" },
	{ "%A, %d-%b-%y %H:%M:%S GMT", ", 00-aaa-00 00:00:00 GMT" },
	{ "%a %b %e %H:%M:%S %Y", " aaa _0 00:00:00 0000" },
};

enum { TWO_DIGITS = 1, LONGEST = sizeof("Wednesday, 06-Nov-94 08:49:37 GMT") };

void
http_date_write(char text[HTTP_DATE], time_t at)
{
	struct tm tm;

	text[0] = '\0';
	if (gmtime_r(&at, &tm) != NULL)
		strftime(text, HTTP_DATE, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
fits(char c, char shape)
{
	bool is_digit = c >= '0' && c <= '9';

	if (shape == '0')
		return is_digit;
	if (shape == '_')
		return is_digit || c == ' ';
	return shape == 'a' ? is_letter(c) : c == shape;
}

static bool
has_shape(const char *text, const char *shape)
{
	while (is_letter(*text))
		text++;
	while (*shape != '\0' && fits(*text, *shape)) {
		text++;
		shape++;
	}
	return *shape == '\0' && *text == '\0';
}

/* A year of two digits is of this century, unless that were more than 50 years from
 * now. */
static int
full_year(int year, time_t now)
{
	struct tm tm;

	gmtime_r(&now, &tm);
	int full = tm.tm_year / 100 * 100 + year % 100;
	return full > tm.tm_year + 50 ? full - 100 : full;
}

static bool
read_form(const char *text, const struct form *form, time_t now, time_t *at)
{
	struct tm tm = { 0 };

	if (!has_shape(text, form->shape))
		return false;
	const char *end = strptime(text, form->format, &tm);
	if (end == NULL || *end != '\0')
		return false;
	if (form == &forms[TWO_DIGITS])
		tm.tm_year = full_year(tm.tm_year, now);
	int day = tm.tm_mday;
	*at = timegm(&tm);
	return tm.tm_mday == day;
}

bool
http_date_read(struct slice text, time_t now, time_t *at)
{
	char copy[LONGEST];

	if (text.len == 0 || text.len >= sizeof(copy))
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (read_form(copy, &forms[i], now, at))
			return true;
	return false;
}
