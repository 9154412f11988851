#include "gateway/common/log_routes.h"

#include "gateway/config/log_sink.h"
#include "gateway/logger/log.h"
#include "gateway/logger/log_json.h"

/* More than anybody has; the log takes the first ones. */
enum { ROUTES = 64 };

static struct log_route routes[ROUTES];

static log_format_fn *
format_of(const struct log_sink *sink)
{
	return sink->format == SINK_JSON ? log_format_json : log_format_text;
}

void
log_routes_use(const struct server_settings *server, const char *app)
{
	enum log_level least = LOG_LEVEL_CRITICAL;
	size_t n = 0;

	log_use_routes(NULL, 0);
	for (size_t i = 0; i < server->n_sinks && n < ROUTES; i++) {
		const struct log_sink *sink = &server->sinks[i];
		struct log_route *route = &routes[n];
		if ((sink->takes & SINK_LOG) == 0 || !sink_is_for(sink, app))
			continue;
		*route = (struct log_route){
			.sink = (unsigned)i,
			.level = LOG_LEVEL_INFO,
			.format = format_of(sink),
		};
		(void)log_level_parse(sink->level, &route->level);
		if (route->level > least)
			least = route->level;
		n++;
	}
	log_set_level(least);
	log_use_routes(routes, n);
}
