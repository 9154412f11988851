/*
 * X-Sendfile and X-Accel-Redirect: an application has a file sent in place of its own
 * body. Only files under sendfile_roots are; without any the fields are a proxy's
 * before us to follow, and are passed on.
 *
 * A path is a file's, or one from a root on: /srv/files/a.pdf under the root
 * /srv/files, or /a.pdf, which is looked for in each of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bindings/common/beneath.h"
#include "bindings/fastcgi/app.h"
#include "protocols/http1_guard.h"

static const struct order {
	const char *name;
	bool is_uri; /* else it is a path as it stands */
} orders[] = {
	{ .name = "X-Sendfile" },
	{ .name = "X-LIGHTTPD-send-file" },
	{ .name = "X-Accel-Redirect", .is_uri = true },
};

static const struct order *
find_order(struct slice name)
{
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		if (slice_caseeq(name, slice_str(orders[i].name)))
			return &orders[i];
	return NULL;
}

bool
sendfile_is_order(struct slice name)
{
	return find_order(name) != NULL;
}

const char *
sendfile_load(struct app *app)
{
	const char *error = NULL;
	size_t n = 0;

	while (al_option("sendfile_roots", n) != NULL)
		n++;
	if (n == 0)
		return NULL;
	app->sendfile_roots =
		arena_alloc(&app->memory, n * sizeof(*app->sendfile_roots));
	if (app->sendfile_roots == NULL)
		return "out of memory";
	for (size_t i = 0; i < n && error == NULL; i++) {
		struct folder *root = &app->sendfile_roots[app->n_sendfile_roots++];
		*root = (struct folder)FOLDER_CLOSED;
		error = folder_open(root, al_option("sendfile_roots", i), &app->memory);
	}
	return error != NULL ? "sendfile_roots: no such folder" : NULL;
}

const struct http1_field *
sendfile_order(const struct app *app, const struct cgi_head *head)
{
	for (size_t i = 0; app->n_sendfile_roots != 0 && i < head->n_fields; i++)
		if (sendfile_is_order(head->fields[i].name))
			return &head->fields[i];
	return NULL;
}

/* The path of a URI without its query, decoded once. -1: it has a NUL or is too long.
 */
static int
decode_uri(char path[PATH_MAX], struct slice uri)
{
	size_t n = 0;

	for (size_t i = 0; i < uri.len && uri.ptr[i] != '?'; i++) {
		char c = uri.ptr[i];
		bool coded = c == '%' && i + 2 < uri.len &&
			http1_hex(uri.ptr[i + 1]) >= 0 &&
			http1_hex(uri.ptr[i + 2]) >= 0;
		if (coded) {
			c = (char)(http1_hex(uri.ptr[i + 1]) << 4 |
				http1_hex(uri.ptr[i + 2]));
			i += 2;
		}
		if (c == '\0' || n == PATH_MAX - 1)
			return -1;
		path[n++] = c;
	}
	path[n] = '\0';
	return 0;
}

static int
copy_path(char path[PATH_MAX], struct slice value)
{
	if (value.len >= PATH_MAX)
		return -1;
	memcpy(path, value.ptr, value.len);
	path[value.len] = '\0';
	return 0;
}

/* A FIFO must not make us wait for its writer, nor a device for anything. */
static int
open_regular(const struct folder *root, const char *path, off_t *size)
{
	struct stat st = { 0 };
	int fd = beneath_open(root->fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);

	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		*size = st.st_size;
		return fd;
	}
	close(fd);
	errno = EISDIR;
	return -1;
}

int
sendfile_open(const struct app *app, const struct http1_field *order, off_t *size)
{
	char path[PATH_MAX];
	bool is_uri = find_order(order->name)->is_uri;
	int fd = -1;

	errno = EINVAL;
	if ((is_uri ? decode_uri : copy_path)(path, order->value) != 0)
		return -1;
	for (size_t i = 0; i < app->n_sendfile_roots && fd == -1; i++) {
		const struct folder *root = &app->sendfile_roots[i];
		const char *rest = folder_rest(root, path);
		if (rest == NULL)
			rest = path;
		fd = open_regular(root, rest + strspn(rest, "/"), size);
	}
	return fd;
}
