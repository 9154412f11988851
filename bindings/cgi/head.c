#include "bindings/cgi/head.h"

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "HTTP/1.0 200 OK", without its line end: leaves "200 OK". */
static bool
take_version(struct slice *line)
{
	static const struct slice name = SLICE_INIT("HTTP/");
	enum { VERSION = sizeof("HTTP/1.0 ") - 1 };

	if (line->len > 0 && line->ptr[line->len - 1] == '\r')
		line->len--;
	if (line->len <= VERSION || !slice_starts(*line, name) ||
		!is_digit(line->ptr[5]) || line->ptr[6] != '.' ||
		!is_digit(line->ptr[7]) || line->ptr[8] != ' ')
		return false;
	slice_advance(line, VERSION);
	return true;
}

int
nph_decode_head(struct cgi_head *head, struct slice input, size_t *scanned)
{
	const char *lf = input.len != 0 ? memchr(input.ptr, '\n', input.len) : NULL;

	if (lf == NULL)
		return 0;
	struct slice line = slice_of(input.ptr, (size_t)(lf - input.ptr));
	size_t first = line.len + 1;
	if (!take_version(&line)) {
		head->error = "the first line is no status line of HTTP";
		return -1;
	}
	slice_advance(&input, first);
	int len = cgi_decode_head(head, input, scanned);
	if (len <= 0)
		return len;
	if (head->status.len != 0) {
		head->error = "a status line and a Status field";
		return -1;
	}
	head->status = line;
	return len + (int)first;
}

/* The part of a path behind the mount; NULL: it is not below it. */
static const char *
behind_mount(const char *path, const char *mount)
{
	size_t len = strlen(mount);

	if (strncmp(path, mount, len) != 0 || (path[len] != '/' && path[len] != '\0'))
		return NULL;
	return path + len;
}

bool
head_is_local(struct local *local, const struct cgi_head *head, const char *mount,
	struct arena *memory)
{
	struct slice to = head->location;

	if (head->status.len != 0 || !slice_starts(to, SLICE("/")) ||
		slice_starts(to, SLICE("//")) || memchr(to.ptr, '#', to.len) != NULL)
		return false;
	const char *mark = memchr(to.ptr, '?', to.len);
	size_t len = mark != NULL ? (size_t)(mark - to.ptr) : to.len;
	char *uri = arena_strz(memory, to), *path = arena_bytes(memory, len + 1);
	if (uri == NULL || path == NULL)
		return false;
	path[cgi_decode_path(path, slice_of(to.ptr, len))] = '\0';
	const char *below = behind_mount(path, mount);
	if (below == NULL)
		return false;
	*local = (struct local){
		.uri = uri,
		.path = below,
		.query = mark != NULL ? uri + len + 1 : "",
	};
	return true;
}

struct slice
head_status(const struct cgi_head *head)
{
	if (head->status.len != 0)
		return head->status;
	return head->location.len != 0 ? SLICE("302 Found") : SLICE("200 OK");
}
