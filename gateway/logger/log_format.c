/*
 * The forms of a message as text: as a line of the log, and without what syslog has in
 * another form. In neither a control byte stays one.
 */
#include "gateway/config/log_sink.h"
#include "gateway/logger/log.h"
#include "gateway/logger/log_json.h"

#include <stdio.h>

/* C0 and DEL, and C1 as UTF-8 has it: a terminal takes orders from all of them. */
static bool
is_control(struct slice text, size_t i)
{
	const unsigned char *at = (const unsigned char *)text.ptr + i;
	bool begins_c1 = at[0] == 0xc2 && i + 1 < text.len && (at[1] & 0xe0) == 0x80;
	bool ends_c1 = i > 0 && at[-1] == 0xc2 && (at[0] & 0xe0) == 0x80;

	return at[0] < 0x20 || at[0] == 0x7f || begins_c1 || ends_c1;
}

size_t
log_escape(char *out, size_t room, struct slice text)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (size_t i = 0; i < text.len && n + LOG_ESCAPE_MAX <= room; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if (!is_control(text, i)) {
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
		n += log_escape(out + n, room - n, parts[i]);
		n += log_escape(out + n, room - n, SLICE(": "));
	}
	return n + log_escape(out + n, room - n, m->text);
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
