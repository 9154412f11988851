#include "gateway/logger/wall.h"

#include <stdbool.h>

enum { DAY_SECONDS = 86400, FIRST_YEAR = 1970 };

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

const struct wall *
wall_now(void)
{
	time_t at = time(NULL);
	struct tm tm;

	if (at == now.at)
		return &now;
	if (!zone_is_kept && localtime_r(&at, &tm) != NULL)
		now.offset = tm.tm_gmtoff;
	wall_make(&now, at, now.offset);
	return &now;
}

void
wall_keep_zone(void)
{
	zone_is_kept = true;
}
