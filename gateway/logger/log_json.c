#include "gateway/logger/log_json.h"

#include <stdio.h>

#include "gateway/logger/wall.h"
#include "protocols/json.h"

/* For all that is no text: names, quotes, the numbers. */
enum { FIXED_BYTES = 256 };

static char *
add_text(char *out, const char *end, const char *name, struct slice text)
{
	out += snprintf(out, FIXED_BYTES / 4, ",\"%s\":", name);
	return json_text(out, end, text);
}

static const char *
level_name(enum log_level level)
{
	static const char *const names[] = {
		[LOG_LEVEL_CRITICAL] = "critical",
		[LOG_LEVEL_ERROR] = "error",
		[LOG_LEVEL_WARNING] = "warning",
		[LOG_LEVEL_INFO] = "info",
		[LOG_LEVEL_DEBUG] = "debug",
	};

	return names[level];
}

size_t
log_format_json(char *out, size_t room, const struct log_message *m)
{
	const struct {
		const char *name;
		struct slice text;
	} parts[] = {
		{ "pool", m->about.pool },
		{ "request_id", m->about.id },
		{ "request", m->about.request },
	};
	char when[WALL_STAMP], *begin = out;
	const char *end = out + room - FIXED_BYTES;

	if (room < 2 * FIXED_BYTES)
		return 0;
	wall_stamp(when);
	out += snprintf(out, FIXED_BYTES / 2,
		"{\"time\":\"%.*s\",\"level\":\"%s\",\"pid\":%d", WALL_STAMP, when,
		level_name(m->level), m->pid);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i].text.len > 0)
			out = add_text(out, end, parts[i].name, parts[i].text);
	out = add_text(out, end, "message", m->text);
	*out++ = '}';
	return (size_t)(out - begin);
}
