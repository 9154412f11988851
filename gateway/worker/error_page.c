#include "gateway/worker/error_page.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "protocols/buffer.h"
#include "protocols/http1.h"

enum {
	STATUS_FIRST = 400,
	STATUS_LAST = 599,
	PAGE_MAX = 64 * 1024, /* bytes of a file */
	RETRY_SECONDS = 1,
};

/* Of every page: where its head is HTTP's and not CGI's. */
#define VERSION "HTTP/1.1 "
#define LAST_LINES "Connection: close\r\n\r\n"

/* Made when they are first asked for, and kept. */
static struct error_page pages[STATUS_LAST - STATUS_FIRST + 1];

static const char plain[] = "text/plain";

/* When memory is out even for a page. */
static const char bare[] = VERSION "500 Internal Server Error\r\n"
				   "Content-Length: 0\r\n" LAST_LINES;
static const struct error_page last_resort = {
	.status = 500,
	.text = bare,
	.len = sizeof(bare) - 1,
	.head_len = sizeof(bare) - 1,
	.type = plain,
};

static const struct {
	const char *ending;
	const char *type;
} types[] = {
	{ ".html", "text/html; charset=utf-8" },
	{ ".json", "application/json" },
	{ ".txt", "text/plain; charset=utf-8" },
};

static const char *
type_of(const char *path)
{
	const char *ending = strrchr(path, '.');

	for (size_t i = 0; ending != NULL && i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(ending, types[i].ending) == 0)
			return types[i].type;
	return "text/html";
}

static void
add_head(struct buffer *text, const struct error_page *page, size_t len)
{
	buffer_addf(text,
		VERSION "%u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n",
		page->status, http1_reason(page->status), page->type, len);
	if (page->retry_after != 0)
		buffer_addf(text, "Retry-After: %u\r\n", page->retry_after);
	buffer_add_str(text, LAST_LINES);
}

/* Takes the place of the page that was there. Who is turned away because there is too
 * much to do may come again (RFC 9110 section 10.2.3). */
static bool
make_page(unsigned status, const char *type, struct slice body)
{
	struct error_page *place = &pages[status - STATUS_FIRST];
	struct error_page page = {
		.status = status,
		.type = type,
		.retry_after = status == 503 ? RETRY_SECONDS : 0,
	};
	struct buffer text = { 0 };

	add_head(&text, &page, body.len);
	page.head_len = text.len;
	buffer_add_slice(&text, body);
	if (text.failed) {
		buffer_release(&text);
		return false;
	}
	page.text = text.ptr;
	page.len = text.len;
	free((char *)place->text);
	*place = page;
	return true;
}

static const char *
read_file(const char *path, struct buffer *body)
{
	FILE *file = fopen(path, "re");
	char *room = buffer_reserve(body, PAGE_MAX + 1);
	const char *error = NULL;

	if (file == NULL)
		return strerror(errno);
	if (room == NULL)
		error = strerror(ENOMEM);
	else if ((body->len = fread(room, 1, PAGE_MAX + 1, file)) > PAGE_MAX)
		error = "longer than 64 KiB";
	else if (ferror(file))
		error = "cannot be read";
	fclose(file);
	return error;
}

/* "502=/srv/errors/502.html" */
static const char *
load_page(const char *item)
{
	static char error[512];
	struct buffer body = { 0 };
	const char *path = strchr(item, '=') + 1, *why;
	char *end;
	unsigned long status = strtoul(item, &end, 10);

	if (status < STATUS_FIRST || status > STATUS_LAST || *end != '=') {
		snprintf(error, sizeof(error),
			"error_pages: %.100s does not begin with a status from 400 to "
			"599",
			item);
		return error;
	}
	why = read_file(path, &body);
	if (why == NULL &&
		!make_page((unsigned)status, type_of(path), buffer_slice(&body)))
		why = strerror(ENOMEM);
	buffer_release(&body);
	if (why == NULL)
		return NULL;
	snprintf(error, sizeof(error), "error_pages: %.300s: %s", path, why);
	return error;
}

const char *
error_pages_load(const struct app_settings *settings)
{
	const char *error = NULL;

	for (size_t i = 0; i < settings->error_pages.n && error == NULL; i++)
		error = load_page(settings->error_pages.items[i]);
	return error;
}

const struct error_page *
error_page(unsigned status)
{
	char text[128];

	if (status < STATUS_FIRST || status > STATUS_LAST)
		status = 500;
	if (pages[status - STATUS_FIRST].text == NULL) {
		int len = snprintf(
			text, sizeof(text), "%u %s\n", status, http1_reason(status));
		if (!make_page(status, plain, slice_of(text, (size_t)len)))
			return &last_resort;
	}
	return &pages[status - STATUS_FIRST];
}

size_t
error_page_pieces(const struct error_page *page, bool cgi, bool is_head,
	struct http1_field more, struct iovec pieces[ERROR_PAGE_PIECES])
{
	const size_t version = cgi ? sizeof(VERSION) - 1 : 0;
	const size_t last = cgi ? sizeof(LAST_LINES) - 1 : 2;
	const bool has_more = more.name.len > 0;
	struct slice parts[ERROR_PAGE_PIECES] = {
		cgi ? SLICE("Status: ") : SLICE(""),
		slice_of(page->text + version, page->head_len - version - last),
		more.name,
		has_more ? SLICE(": ") : SLICE(""),
		more.value,
		has_more ? SLICE("\r\n\r\n") : SLICE("\r\n"),
		slice_of(page->text + page->head_len, page->len - page->head_len),
	};
	size_t n = 0;

	parts[ERROR_PAGE_PIECES - 1].len *= !is_head;
	for (size_t i = 0; i < ERROR_PAGE_PIECES; i++)
		if (parts[i].len > 0)
			pieces[n++] =
				(struct iovec){ (char *)parts[i].ptr, parts[i].len };
	return n;
}

void
error_page_send(
	int fd, const struct error_page *page, bool is_head, struct http1_field more)
{
	struct iovec pieces[ERROR_PAGE_PIECES];
	struct msghdr message = {
		.msg_iov = pieces,
		.msg_iovlen = error_page_pieces(page, false, is_head, more, pieces),
	};

	(void)sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}
