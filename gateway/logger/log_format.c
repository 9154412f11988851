/*
 * The forms of a message as text: as a line of the log, and without what syslog has in
 * another form. In neither a control byte stays one.
 */
#include "gateway/config/log_sink.h"
#include "gateway/logger/log.h"
#include "gateway/logger/log_json.h"

#include <stdio.h>

enum { ESCAPE_MAX = 4 };

static size_t
put_escaped(char *out, size_t room, struct slice text)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (size_t i = 0; i < text.len && n + ESCAPE_MAX <= room; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if (c >= 0x20 && c != 0x7f) {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '\\';
		out[n++] = 'x';
		out[n++] = digits[c >> 4];
		out[n++] = digits[c & 15];
	}
	return n;
}

size_t
log_format_bare(char *out, size_t room, const struct log_message *m)
{
	const struct slice parts[] = { m->about.pool, m->about.id, m->about.request };
	size_t n = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i].len == 0 || m->about.is_named)
			continue;
		n += put_escaped(out + n, room - n, parts[i]);
		n += put_escaped(out + n, room - n, SLICE(": "));
	}
	return n + put_escaped(out + n, room - n, m->text);
}

size_t
log_format_text(char *out, size_t room, const struct log_message *m)
{
	int n = snprintf(out, room, "[%" SLICE_FMT "] [%d] [%s] ", SLICE_ARG(m->when),
		m->pid, m->level_name);
	size_t prefix = n > 0 && (size_t)n < room ? (size_t)n : 0;

	return prefix + log_format_bare(out + prefix, room - prefix, m);
}

log_format_fn *
log_format_of(const struct log_sink *sink)
{
	if (sink->format == SINK_JSON)
		return log_format_json;
	return sink->kind == SINK_SYSLOG || sink->kind == SINK_JOURNAL
		? log_format_bare
		: log_format_text;
}
