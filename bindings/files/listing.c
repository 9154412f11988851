/*
 * A page of what is in a folder: what can be asked for, and nothing else.
 */
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bindings/files/site.h"
#include "protocols/buffer.h"

enum { ITEMS_MAX = 10000, PAGE_MAX = 16 << 20 };

struct item {
	char *name;
	bool is_folder;
	off_t size;
	time_t modified;
};

struct list {
	struct item *items;
	size_t n, room;
	bool is_cut; /* there are more */
};

/* ---- What there is ---- */

static void
list_release(struct list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i].name);
	free(list->items);
}

/* Looks as a request would: links are followed within the root. */
static bool
look(const struct root *root, const char *path, const char *name, struct stat *st)
{
	char joined[PATH_MAX];

	if (snprintf(joined, sizeof(joined), "%s%s", path, name) >= (int)sizeof(joined))
		return false;
	int fd = root_open_file(root, joined, O_PATH);
	bool found = fd != -1 && fstat(fd, st) == 0 &&
		(S_ISREG(st->st_mode) || S_ISDIR(st->st_mode));
	if (fd != -1)
		close(fd);
	return found;
}

static int
add_item(struct list *list, const char *name, const struct stat *st)
{
	if (list->n == list->room) {
		size_t room = list->room * 2 + 64;
		struct item *items = reallocarray(list->items, room, sizeof(*items));
		if (items == NULL)
			return -1;
		list->items = items;
		list->room = room;
	}
	struct item *item = &list->items[list->n];
	*item = (struct item){
		.name = strdup(name),
		.is_folder = S_ISDIR(st->st_mode),
		.size = st->st_size,
		.modified = st->st_mtime,
	};
	if (item->name == NULL)
		return -1;
	list->n++;
	return 0;
}

static int
compare(const void *a, const void *b)
{
	const struct item *one = a, *other = b;

	if (one->is_folder != other->is_folder)
		return one->is_folder ? -1 : 1;
	return strcmp(one->name, other->name);
}

/* 0, or -1 and errno. */
static int
list_read(struct list *list, const struct root *root, const char *path)
{
	int fd = root_open_file(
		root, *path != '\0' ? path : ".", O_RDONLY | O_DIRECTORY);
	DIR *folder = fd != -1 ? fdopendir(fd) : NULL;
	struct dirent *found;
	struct stat st;
	int result = 0;

	if (folder == NULL)
		return -1;
	while (result == 0 && !list->is_cut && (found = readdir(folder)) != NULL) {
		if (found->d_name[0] == '.' || !look(root, path, found->d_name, &st))
			continue;
		list->is_cut = list->n == ITEMS_MAX;
		if (!list->is_cut)
			result = add_item(list, found->d_name, &st);
	}
	closedir(folder);
	if (list->n > 0)
		qsort(list->items, list->n, sizeof(*list->items), compare);
	return result;
}

/* ---- The page ---- */

static void
add_html(struct buffer *page, const char *text)
{
	static const char *const escapes[256] = {
		['&'] = "&amp;",
		['<'] = "&lt;",
		['>'] = "&gt;",
		['"'] = "&quot;",
	};

	for (; *text != '\0'; text++) {
		const char *escape = escapes[(unsigned char)*text];
		if (escape != NULL)
			buffer_add_str(page, escape);
		else
			buffer_add_char(page, *text);
	}
}

/* A name as a part of a path: all but the unreserved bytes is escaped (RFC 3986). */
static void
add_reference(struct buffer *page, const char *name)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789-._~";

	for (; *name != '\0'; name++)
		if (strchr(plain, *name) != NULL)
			buffer_add_char(page, *name);
		else
			buffer_addf(page, "%%%02X", (unsigned char)*name);
}

static void
add_size(struct buffer *page, off_t size)
{
	static const char units[] = " KMGTPE";
	double shown = (double)size;
	size_t unit = 0;

	for (; shown >= 1024; shown /= 1024)
		unit++;
	if (unit == 0)
		buffer_addf(page, "%lld", (long long)size);
	else
		buffer_addf(page, "%.1f %c", shown, units[unit]);
}

static void
add_row(struct buffer *page, const struct item *item)
{
	const char *slash = item->is_folder ? "/" : "";
	char date[32] = "";
	struct tm tm;

	if (gmtime_r(&item->modified, &tm) != NULL)
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M", &tm);
	buffer_add_str(page, "<tr><td><a href=\"");
	add_reference(page, item->name);
	buffer_addf(page, "%s\">", slash);
	add_html(page, item->name);
	buffer_addf(page, "%s</a></td><td>%s</td><td class=\"size\">", slash, date);
	if (!item->is_folder)
		add_size(page, item->size);
	buffer_add_str(page, "</td></tr>\n");
}

static void
add_page(struct buffer *page, const char *path, const struct list *list)
{
	buffer_add_str(page,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta "
		"charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width\">\n<title>/");
	add_html(page, path);
	buffer_add_str(page,
		"</title>\n<style>\n"
		"body { font: 1em sans-serif; margin: 2em; }\n"
		"th, td { padding: 0 2em 0.3em 0; text-align: left; }\n"
		".size { text-align: right; }\n"
		"</style>\n</head>\n<body>\n<h1>/");
	add_html(page, path);
	buffer_add_str(page,
		"</h1>\n<table>\n"
		"<tr><th>Name</th><th>Modified (UTC)</th><th>Size</th></tr>\n");
	if (*path != '\0')
		buffer_add_str(page,
			"<tr><td><a "
			"href=\"../\">../</a></td><td></td><td></td></tr>\n");
	for (size_t i = 0; i < list->n; i++)
		add_row(page, &list->items[i]);
	buffer_add_str(page, "</table>\n");
	if (list->is_cut)
		buffer_add_str(page, "<p>There are more.</p>\n");
	buffer_add_str(page, "</body>\n</html>\n");
}

static int
send_page(const struct ask *ask, const char *path, const struct list *list)
{
	const struct al_header type = {
		.name = "Content-Type",
		.value = "text/html; charset=utf-8",
	};
	struct buffer page = { 0 };
	int result = AL_ERROR;

	buffer_init(&page, PAGE_MAX);
	add_page(&page, path, list);
	if (!page.failed && al_start(ask->req, "200 OK", &type, 1) == 0 &&
		al_write_last(ask->req, page.ptr, page.len) == 0)
		result = AL_DONE;
	buffer_release(&page);
	return result;
}

int
answer_listing(const struct ask *ask, const char *path)
{
	struct list list = { 0 };
	int result;

	if (list_read(&list, &ask->site->root, path) == 0)
		result = send_page(ask, path, &list);
	else
		result = answer_errno(ask->req, path, errno);
	list_release(&list);
	return result;
}
