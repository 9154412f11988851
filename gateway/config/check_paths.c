/*
 * Paths: where relative ones begin, and folders that must be there.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "gateway/config/sources.h"
#include "gateway/config/text.h"

const char *
load_folder(struct load *l, const struct origin *origin)
{
	struct arena *memory = &l->config->memory;
	const char *slash = origin->line > 0 ? strrchr(origin->source, '/') : NULL;

	if (slash == NULL)
		return l->cwd;
	size_t len = slash > origin->source ? (size_t)(slash - origin->source) : 1;
	const char *folder = arena_strz(memory, slice_of(origin->source, len));
	return folder != NULL ? text_absolute(folder, l->cwd, memory) : NULL;
}

/* A text with the path in it made absolute. NULL when memory is out. */
typedef const char *absolute_fn(
	const char *text, const char *folder, struct arena *memory);

/* "-" is no file but a stream. */
static const char *
absolute_path(const char *text, const char *folder, struct arena *memory)
{
	return strcmp(text, "-") == 0 ? text : text_absolute(text, folder, memory);
}

static const char *
absolute_address(const char *text, const char *folder, struct arena *memory)
{
	if (strncasecmp(text, "unix:", 5) != 0)
		return text;
	text += strncmp(text + 5, "//", 2) == 0 ? 7 : 5;
	if (*text == '\0')
		return "unix:";
	const char *path = text_absolute(text, folder, memory);
	return path != NULL ? text_format(memory, "unix:%s", path) : NULL;
}

static bool
make_absolute(absolute_fn *make, const char **items, size_t n, const char *folder,
	struct arena *memory)
{
	for (size_t i = 0; i < n; i++) {
		items[i] = make(items[i], folder, memory);
		if (items[i] == NULL)
			return false;
	}
	return true;
}

/* The values are copied first: those of a list may be another application's too. */
static bool
make_row_absolute(struct load *l, struct section s, size_t row, absolute_fn *make)
{
	struct arena *memory = &l->config->memory;
	void *member = (char *)s.settings + s.table[row].offset;
	const char *folder = load_folder(l, &s.origins[row]);
	setting_list *list = member;
	setting_str *text = member;

	if (folder == NULL)
		return false;
	if (!setting_is_list(&s.table[row]))
		return *text == NULL || make_absolute(make, text, 1, folder, memory);
	const char **items = arena_alloc(memory, (list->n + 1) * sizeof *items);
	if (items == NULL)
		return false;
	for (size_t i = 0; i < list->n; i++)
		items[i] = list->items[i];
	list->items = items;
	return make_absolute(make, items, list->n, folder, memory);
}

bool
check_bind_paths(struct load *l, struct app_settings *app)
{
	return make_row_absolute(l, app_section(app, NULL), APP_bind, absolute_address);
}

void
check_paths(struct load *l, struct section s)
{
	const struct origin nowhere = { 0 };

	for (size_t row = 0; row < s.n; row++) {
		enum setting_type type = s.table[row].type;
		if ((type == SETTING_PATH || type == SETTING_PATHS) &&
			!make_row_absolute(l, s, row, absolute_path))
			load_fault(l, &nowhere, "out of memory");
	}
}

void
check_folders(struct load *l, const struct app_settings *app)
{
	static const enum app_setting rows[] = { APP_chdir, APP_root, APP_venv };
	struct stat st;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct setting *row = &app_table[rows[i]];
		const struct origin *origin = &app->origins[rows[i]];
		const setting_str *path =
			(const void *)((const char *)app + row->offset);
		if (*path == NULL)
			continue;
		bool found = stat(*path, &st) == 0;
		if (!found || !S_ISDIR(st.st_mode))
			load_fault(l, origin, "%s: %s: %s", load_label(l, row, origin),
				*path, found ? "not a folder" : strerror(errno));
	}
}
