#include "gateway/routes/path.h"

#include <string.h>

#include "gateway/routes/escape.h"
#include "protocols/cgi.h"

/* A dot that a part begins with may be "." or "..", or ".well-known", which costs the
 * copy and stays. */
bool
route_path_is_plain(struct slice raw)
{
	char before = '\0';

	for (size_t i = 0; i < raw.len; i++) {
		char c = raw.ptr[i];
		if (c == '%' || (before == '/' && (c == '/' || c == '.')))
			return false;
		before = c;
	}
	return true;
}

/* Back to the slash that the last part stands behind. */
static size_t
drop_last(const char *path, size_t len)
{
	while (len > 0 && path[--len] != '/')
		;
	return len;
}

/* Each part goes to its place with the '/' before it; the place is never behind where
 * it is read. */
static struct slice
remove_dots(char *path, size_t size)
{
	size_t len = 0, at = 0;
	bool is_folder = false; /* a slash is to end it */

	while (at < size) {
		const char *part = path + ++at;
		const char *end = at < size ? memchr(part, '/', size - at) : NULL;
		size_t n = end != NULL ? (size_t)(end - part) : size - at;
		struct slice name = slice_of(part, n);
		at += n;
		is_folder = n == 0 || slice_eq(name, SLICE(".")) ||
			slice_eq(name, SLICE(".."));
		if (!is_folder) {
			path[len] = '/';
			memmove(path + len + 1, part, n);
			len += n + 1;
		} else if (n == 2) {
			len = drop_last(path, len);
		}
	}
	if (is_folder)
		path[len++] = '/';
	return slice_of(path, len);
}

struct slice
route_path(struct slice raw, char *to)
{
	if (route_path_is_plain(raw))
		return raw;
	size_t len = cgi_decode_path(to, raw);
	return to[0] == '/' ? remove_dots(to, len) : slice_of(to, len);
}

void
route_path_encode(struct buffer *out, struct slice path)
{
	escape(out, path, ESCAPE_PATH);
}

bool
route_mount(struct slice path, struct slice mount, struct slice *rest)
{
	if (!slice_starts(path, mount))
		return false;
	*rest = path;
	slice_advance(rest, mount.len);
	return rest->len == 0 || rest->ptr[0] == '/';
}
