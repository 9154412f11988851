/* The start page and its style sheet: files of the working folder that are read once.
 */
#include <alicorn.h>
#include <stdio.h>
#include <string.h>

enum { PAGE_MAX = 32 * 1024 };

static struct page {
	const char *path, *file, *type;
	size_t len;
	char text[PAGE_MAX];
} pages[] = {
	{ .path = "/", .file = "start.html", .type = "text/html; charset=utf-8" },
	{ .path = "/look.css", .file = "look.css", .type = "text/css; charset=utf-8" },
};

enum { PAGES = sizeof(pages) / sizeof(pages[0]) };

/* Runs before the first request; a text that it returns is why the worker cannot start.
 */
const char *
al_worker_init(void **app)
{
	(void)app;
	for (size_t i = 0; i < PAGES; i++) {
		FILE *f = fopen(pages[i].file, "r");

		if (f == NULL)
			return "start.html or look.css cannot be read: is chdir set?";
		pages[i].len = fread(pages[i].text, 1, PAGE_MAX, f);
		fclose(f);
	}
	return NULL;
}

static int
answer(struct al_request *req, const char *status, const char *type, const char *text,
	size_t len)
{
	const struct al_header headers[] = { { .name = "Content-Type",
		.value = type } };

	if (al_start(req, status, headers, 1) != 0 || al_write(req, text, len) != 0)
		return AL_ERROR;
	return AL_DONE;
}

int
al_handle(void *app, struct al_request *req)
{
	static const char missing[] = "There is no such page.\n";
	const char *path = al_env(req, "PATH_INFO");

	(void)app;
	for (size_t i = 0; path != NULL && i < PAGES; i++)
		if (strcmp(path, pages[i].path) == 0)
			return answer(req, "200 OK", pages[i].type, pages[i].text,
				pages[i].len);
	return answer(req, "404 Not Found", "text/plain", missing, sizeof(missing) - 1);
}
