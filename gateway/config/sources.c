#include "gateway/config/sources.h"

#include <string.h>

#include "gateway/config/text.h"

struct section
server_section(struct server_settings *s)
{
	return (struct section){ server_table, SERVER_SETTINGS, s, s->origins };
}

struct section
app_section(struct app_settings *a)
{
	return (struct section){ app_table, APP_SETTINGS, a, a->origins };
}

struct section
command_section(struct command_settings *c)
{
	return (struct section){ command_table, COMMAND_SETTINGS, c, c->origins };
}

void
load_fault(struct load *l, const struct origin *origin, const char *format, ...)
{
	va_list args;

	if (origin->line > 0)
		buffer_addf(l->errors, "%s:%u: ", origin->source, origin->line);
	else if (origin->source != NULL && strcmp(origin->source, SOURCE_VARIABLE) == 0)
		buffer_add_str(l->errors, "alicorn: " SOURCE_VARIABLE ": ");
	else
		buffer_add_str(l->errors, "alicorn: ");
	va_start(args, format);
	buffer_add_str(l->errors, text_vformat(&l->config->memory, format, args));
	va_end(args);
	buffer_add_char(l->errors, '\n');
}

bool
load_failed(const struct load *l)
{
	return l->errors->len > l->faults_begin || l->errors->failed;
}

/* A list that this source began goes on; one of a weaker source is replaced. */
static bool
begins(const struct origin *before, const struct origin *now)
{
	return before->source == NULL || strcmp(before->source, now->source) != 0;
}

bool
load_value(struct load *l, struct section s, size_t row, const char *name,
	const char *text, struct origin origin)
{
	const char *reason = setting_parse(&s.table[row], s.settings, text,
		begins(&s.origins[row], &origin), &l->config->memory);

	if (reason != NULL)
		load_fault(l, &origin, "%s: \"%s\" is %s", name, text, reason);
	s.origins[row] = origin;
	return reason == NULL;
}
