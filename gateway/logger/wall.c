#include "gateway/logger/wall.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
	DAY_SECONDS = 86400,
	FIRST_YEAR = 1970,
	MS_PLACE = 20, /* of the milliseconds, in a stamp */
};

static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul",
	"Aug", "Sep", "Oct", "Nov", "Dec" };

static _Thread_local struct wall now;
static bool zone_is_kept;

static bool
is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int
month_days(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month] + (month == 1 && is_leap(year));
}

/* Counts the years up: done once in a second, this needs to be nothing but right. */
static void
set_date(struct wall *w, long days)
{
	int month = 0;

	for (w->year = FIRST_YEAR; days >= 365 + is_leap(w->year); w->year++)
		days -= 365 + is_leap(w->year);
	for (; days >= month_days(w->year, month); month++)
		days -= month_days(w->year, month);
	w->month = months[month];
	w->month_number = month + 1;
	w->day = (int)days + 1;
}

void
wall_make(struct wall *w, time_t at, long offset)
{
	long seconds = (long)at + offset;
	int of_day = (int)(seconds % DAY_SECONDS);

	w->at = at;
	w->offset = offset;
	w->hour = of_day / 3600;
	w->minute = of_day / 60 % 60;
	w->second = of_day % 60;
	set_date(w, seconds / DAY_SECONDS);
}

static const struct wall *
wall_at(time_t at)
{
	struct tm tm;

	if (at == now.at)
		return &now;
	if (!zone_is_kept && localtime_r(&at, &tm) != NULL)
		now.offset = tm.tm_gmtoff;
	wall_make(&now, at, now.offset);
	return &now;
}

const struct wall *
wall_now(void)
{
	return wall_at(time(NULL));
}

static char *
put_digits(char *out, int number, int digits)
{
	for (int i = digits; i-- > 0; number /= 10)
		out[i] = (char)('0' + number % 10);
	return out + digits;
}

/* All but the milliseconds, for which zeros stand. */
static void
write_stamp(char *out, const struct wall *w)
{
	const struct {
		int number, digits;
		char behind;
	} parts[] = {
		{ w->year, 4, '-' },
		{ w->month_number, 2, '-' },
		{ w->day, 2, 'T' },
		{ w->hour, 2, ':' },
		{ w->minute, 2, ':' },
		{ w->second, 2, '.' },
		{ 0, 3, w->offset < 0 ? '-' : '+' },
		{ (int)labs(w->offset) / 3600, 2, ':' },
		{ (int)labs(w->offset) / 60 % 60, 2, '\0' },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		out = put_digits(out, parts[i].number, parts[i].digits);
		if (parts[i].behind != '\0')
			*out++ = parts[i].behind;
	}
}

void
wall_stamp(char text[WALL_STAMP])
{
	static _Thread_local char made[WALL_STAMP];
	static _Thread_local time_t made_at = -1;
	struct timespec moment;

	clock_gettime(CLOCK_REALTIME, &moment);
	if (made_at != moment.tv_sec) {
		write_stamp(made, wall_at(moment.tv_sec));
		made_at = moment.tv_sec;
	}
	memcpy(text, made, WALL_STAMP);
	put_digits(text + MS_PLACE, (int)(moment.tv_nsec / 1000000), 3);
}

void
wall_keep_zone(void)
{
	zone_is_kept = true;
}
