#include "gateway/config/sources.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/config/text.h"

struct section
server_section(struct server_settings *s, struct arena *memory)
{
	return (struct section){ server_table, SERVER_SETTINGS, s, s->origins, memory };
}

struct section
app_section(struct app_settings *a, struct arena *memory)
{
	return (struct section){ app_table, APP_SETTINGS, a, a->origins, memory };
}

struct section
route_section(struct route *r, struct arena *memory)
{
	return (struct section){ route_table, ROUTE_SETTINGS, r, r->origins, memory };
}

struct section
command_section(struct command_settings *c, struct arena *memory)
{
	return (struct section){ command_table, COMMAND_SETTINGS, c, c->origins,
		memory };
}

static void __attribute__((format(printf, 3, 0)))
add_line(struct load *l, const struct origin *origin, const char *format, va_list args)
{
	if (origin->line > 0)
		buffer_addf(l->errors, "%s:%u: ", origin->source, origin->line);
	else if (origin->source != NULL && strcmp(origin->source, SOURCE_VARIABLE) == 0)
		buffer_add_str(l->errors, "alicorn: " SOURCE_VARIABLE ": ");
	else
		buffer_add_str(l->errors, "alicorn: ");
	buffer_add_str(l->errors, text_vformat(&l->config->memory, format, args));
	buffer_add_char(l->errors, '\n');
}

void
load_fault(struct load *l, const struct origin *origin, const char *format, ...)
{
	va_list args;

	l->faults++;
	va_start(args, format);
	add_line(l, origin, format, args);
	va_end(args);
}

void
load_note(struct load *l, const char *format, ...)
{
	const struct origin nowhere = { 0 };
	va_list args;

	va_start(args, format);
	add_line(l, &nowhere, format, args);
	va_end(args);
}

void
load_lack(struct load *l, const struct origin *origin, const char *format, ...)
{
	va_list args;

	if (l->is_folder)
		l->config->n_broken++;
	else
		l->faults++;
	va_start(args, format);
	add_line(l, origin, format, args);
	va_end(args);
}

void *
load_grow(struct load *l, void *items, size_t n, size_t *room, size_t size)
{
	const struct origin nowhere = { 0 };

	if (n < *room)
		return items;
	void *more = arena_alloc(&l->config->memory, (*room * 2 + 1) * size);
	if (more == NULL) {
		load_fault(l, &nowhere, "out of memory");
		return NULL;
	}
	if (n > 0)
		memcpy(more, items, n * size);
	*room = *room * 2 + 1;
	return more;
}

/* The name of an included file lacks its folder in some versions of libconfig. */
struct origin
load_origin(struct arena *memory, const char *path, const char *folder,
	const char *found, int line)
{
	size_t len = folder != NULL ? strlen(folder) : 0;

	if (found == NULL || strcmp(found, path) == 0)
		found = path;
	else if (len > 0 && (strncmp(found, folder, len) != 0 || found[len] != '/'))
		found = text_format(memory, "%s/%s", folder, found);
	else
		found = text_format(memory, "%s", found);
	return (struct origin){ found, (unsigned)line };
}

void
reading_free(struct reading *r)
{
	if (r == NULL || --r->holders > 0)
		return;
	arena_release(&r->memory);
	free(r);
}

const char *
load_label(struct load *l, const struct setting *row, const struct origin *origin)
{
	bool typed = strcmp(origin->source, SOURCE_COMMAND_LINE) == 0 ||
		strcmp(origin->source, SOURCE_VARIABLE) == 0;

	if (origin->source[0] == '$')
		return origin->source;
	if (!typed || origin->line > 0)
		return row->name;
	if (row->flag == NULL)
		return "TARGET";
	return text_format(
		&l->config->memory, "--%.*s", (int)strcspn(row->flag, "|"), row->flag);
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
	const struct setting *setting = &s.table[row];
	const char *reason = setting_parse(
		setting, s.settings, text, begins(&s.origins[row], &origin), s.memory);
	const char *advice = reserved_advice(slice_str(setting->name));

	if (reason != NULL)
		load_fault(l, &origin, "%s: \"%s\" is %s%s%s", name, text, reason,
			advice != NULL ? ": " : "", advice != NULL ? advice : "");
	s.origins[row] = origin;
	return reason == NULL;
}
