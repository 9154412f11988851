/*
 * A folder of files: each adds its applications to the same server, and a broken one
 * harms nobody else.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/config/sources.h"
#include "gateway/config/text.h"

static const struct origin nowhere = { 0 };
static const char suffix[] = ".conf";

/* ---- The names ---- */

/* "10-shop.conf" holds the application shop: the number is for the order. */
static const char *
app_name(const char *file, struct arena *memory)
{
	size_t digits = strspn(file, "0123456789");

	if (digits > 0 && file[digits] == '-')
		file += digits + 1;
	return text_format(memory, "%.*s", (int)(strlen(file) - strlen(suffix)), file);
}

/* What begins with a dot is an editor's. */
static int
is_wanted(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > strlen(suffix) &&
		strcmp(entry->d_name + len - strlen(suffix), suffix) == 0;
}

/* By bytes, whatever the language of the user. */
static int
compare(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* ---- The files ---- */

static struct reading *
find_previous(const struct load *l, const char *path)
{
	const struct config *previous = l->previous;

	for (size_t i = 0; previous != NULL && i < previous->n_files; i++)
		if (strcmp(previous->files[i]->path, path) == 0)
			return previous->files[i];
	return NULL;
}

/* A file is broken. What it said before goes on; where that does not go together with
 * the other files any more, the fault stays one: what serves must not vanish. */
static void
go_on_without(struct load *l, const char *path, unsigned faults)
{
	struct reading *previous = find_previous(l, path);

	l->config->n_broken++;
	if (previous == NULL) {
		load_note(l, "%s is left out", path);
		l->faults = faults;
	} else if (load_reading(l, previous)) {
		load_note(l, "%s: what it said before goes on", path);
		l->faults = faults;
	} else {
		load_note(l, "%s: what it said before does not fit any more", path);
	}
}

/* One of the files, and what it says; that may be nothing, or broken. */
struct entry {
	const char *path;
	struct reading *reading;
	bool broken;
};

static void
read_entry(struct load *l, struct entry *entry, const char *folder, const char *file)
{
	struct arena *memory = &l->config->memory;
	unsigned faults = l->faults;

	*entry = (struct entry){ .path = text_absolute(file, folder, memory) };
	if (entry->path == NULL)
		load_fault(l, &nowhere, "out of memory");
	else
		entry->reading = file_read(l, entry->path, app_name(file, memory));
	entry->broken = l->faults > faults;
	if (entry->path != NULL)
		l->faults = faults;
	const struct reading *previous =
		entry->broken ? find_previous(l, entry->path) : NULL;
	l->is_routed |= previous != NULL &&
		(previous->routes.n > 0 || previous->n_listeners > 0);
}

static void
load_entry(struct load *l, const struct entry *entry)
{
	unsigned faults = l->faults;

	if (entry->path == NULL)
		return;
	if (entry->broken || !load_reading(l, entry->reading))
		go_on_without(l, entry->path, faults);
}

/* All are read before one is taken up: whether there are routes changes what addresses
 * mean in each. */
static void
read_entries(struct load *l, const char *folder, struct dirent **files, size_t n)
{
	struct entry *entries =
		arena_alloc(&l->config->memory, (n + 1) * sizeof *entries);

	if (entries == NULL) {
		load_fault(l, &nowhere, "out of memory");
		return;
	}
	for (size_t i = 0; i < n; i++)
		read_entry(l, &entries[i], folder, files[i]->d_name);
	for (size_t i = 0; i < n; i++) {
		load_entry(l, &entries[i]);
		reading_free(entries[i].reading);
	}
}

/* Without the slashes that a shell may have left at its end. */
static const char *
trimmed(const char *folder, struct arena *memory)
{
	size_t len = strlen(folder);

	while (len > 1 && folder[len - 1] == '/')
		len--;
	return text_format(memory, "%.*s", (int)len, folder);
}

void
folder_read(struct load *l, const char *path)
{
	const char *folder = trimmed(path, &l->config->memory);
	struct dirent **files;
	int n = scandir(folder, &files, is_wanted, compare);

	if (n < 0) {
		load_fault(l, &nowhere, "%s: %s", folder, strerror(errno));
		return;
	}
	l->is_folder = true;
	read_entries(l, folder, files, (size_t)n);
	for (int i = 0; i < n; i++)
		free(files[i]);
	free(files);
	if (l->config->n_apps == 0 && !l->is_routed)
		load_fault(l, &nowhere,
			"%s: there is no application in any file *.conf", folder);
}
