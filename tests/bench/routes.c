/*
 * What it costs to find a request's route, in tables of 1 to 1000 routes: nanoseconds
 * of one match. Prints a table in Markdown.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gateway/routes/path.h"
#include "gateway/routes/table.h"

enum { MOST = 1000, TEXT = 64, ROUNDS = 100, MATCHES = 10000 };

/* A route goes by one of these, which have its number in them, and a request that it
 * is the first to hold for. */
static const struct kind {
	const char *host, *path; /* of the route */
	const char *asked_host, *asked_path;
} kinds[] = {
	{ NULL, "/application-%zu/area/*", "www.shop.example:443",
		"/application-%zu/area/item/4711" },
	{ "*.site-%zu.example", NULL, "www.site-%zu.example", "/some/page/of/it" },
	{ NULL, "*.kind%zu", "shop.example", "/pictures/2026/one.kind%zu" },
	{ NULL, "/page-%zu", "shop.example", "/page-%zu" },
	{ NULL, "/application-%zu/*", "[2001:db8::1]:8080", "/application-%zu" },
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

struct row {
	char host[TEXT], path[TEXT], asked_host[TEXT], asked_path[TEXT];
	const char *hosts[1], *paths[1];
};

static void
put_number(char text[TEXT], const char *format, size_t i)
{
	const char *number = strstr(format, "%zu");

	if (number == NULL)
		snprintf(text, TEXT, "%s", format);
	else
		snprintf(text, TEXT, "%.*s%zu%s", (int)(number - format), format, i,
			number + 3);
}

static void
fill(struct row *row, struct route_criteria *c, struct route_request *r, size_t i)
{
	const struct kind *kind = &kinds[i % KINDS];

	*c = (struct route_criteria){ 0 };
	if (kind->host != NULL) {
		put_number(row->host, kind->host, i);
		row->hosts[0] = row->host;
		c->host = (struct text_list){ row->hosts, 1 };
	}
	if (kind->path != NULL) {
		put_number(row->path, kind->path, i);
		row->paths[0] = row->path;
		c->path = (struct text_list){ row->paths, 1 };
	}
	put_number(row->asked_host, kind->asked_host, i);
	put_number(row->asked_path, kind->asked_path, i);
	*r = (struct route_request){ .host = slice_str(row->asked_host),
		.path = slice_str(row->asked_path),
		.method = SLICE("GET") };
}

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The best of many short rounds, since what else the machine does only adds. A request
 * that is sent to another route than its own ends the program. */
static double
measure(const struct route_table *t, const struct route_request *requests, size_t n,
	size_t first)
{
	double best = 1e9;

	for (int round = 0; round < ROUNDS; round++) {
		double began = now_ns();
		for (size_t i = 0, at = 0; i < MATCHES;
			i++, at = at + 1 < n ? at + 1 : 0) {
			char room[TEXT];
			struct route_request r = requests[at];
			r.path = route_path(r.path, room);
			int expected = first > 0 ? -1 : (int)at;
			if (route_table_match(t, &r) != expected)
				abort();
		}
		double each = (now_ns() - began) / MATCHES;
		best = each < best ? each : best;
	}
	return best;
}

int
main(void)
{
	static struct row rows[2 * MOST];
	static struct route_criteria criteria[2 * MOST];
	static struct route_request requests[2 * MOST];

	for (size_t i = 0; i < 2 * MOST; i++)
		fill(&rows[i], &criteria[i], &requests[i], i);
	puts("| routes | ns, a match | ns, no match |\n| ---: | ---: | ---: |");
	for (size_t n = 1; n <= MOST; n *= 10) {
		struct route_table *t = route_table_new(criteria, n);
		if (t == NULL)
			return 1;
		printf("| %zu | %.0f | %.0f |\n", n, measure(t, requests, n, 0),
			measure(t, requests + MOST, n, MOST));
		route_table_free(t);
	}
	return 0;
}
