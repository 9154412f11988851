#include "protocols/mime.h"

#include <stdlib.h>

const char mime_built_in[] = "text/html html htm\n"
			     "text/css css\n"
			     "text/javascript js mjs\n"
			     "text/plain txt text log\n"
			     "text/markdown md\n"
			     "text/csv csv\n"
			     "text/calendar ics\n"
			     "text/vtt vtt\n"
			     "application/json json map\n"
			     "application/manifest+json webmanifest\n"
			     "application/ld+json jsonld\n"
			     "application/xml xml xsl\n"
			     "application/xhtml+xml xhtml\n"
			     "application/rss+xml rss\n"
			     "application/atom+xml atom\n"
			     "application/wasm wasm\n"
			     "application/pdf pdf\n"
			     "application/epub+zip epub\n"
			     "application/zip zip\n"
			     "application/gzip gz tgz\n"
			     "application/zstd zst\n"
			     "application/x-tar tar\n"
			     "image/png png\n"
			     "image/jpeg jpg jpeg\n"
			     "image/gif gif\n"
			     "image/svg+xml svg\n"
			     "image/webp webp\n"
			     "image/avif avif\n"
			     "image/vnd.microsoft.icon ico\n"
			     "image/bmp bmp\n"
			     "font/woff woff\n"
			     "font/woff2 woff2\n"
			     "font/ttf ttf\n"
			     "font/otf otf\n"
			     "audio/mpeg mp3\n"
			     "audio/mp4 m4a\n"
			     "audio/ogg ogg oga opus\n"
			     "audio/flac flac\n"
			     "audio/wav wav\n"
			     "video/mp4 mp4 m4v\n"
			     "video/webm webm\n"
			     "video/ogg ogv\n";

static const char unknown[] = "application/octet-stream";

/* The next of the words of a line. */
static struct slice
take_word(struct slice *line)
{
	size_t n = 0;

	*line = slice_trim(*line);
	while (n < line->len && line->ptr[n] != ' ' && line->ptr[n] != '\t')
		n++;
	struct slice word = slice_of(line->ptr, n);
	slice_advance(line, n);
	return word;
}

static struct slice
take_line(struct slice *text)
{
	const char *end = memchr(text->ptr, '\n', text->len);
	size_t n = end != NULL ? (size_t)(end - text->ptr) : text->len;
	struct slice line = slice_of(text->ptr, n);
	const char *comment = n > 0 ? memchr(line.ptr, '#', n) : NULL;

	slice_advance(text, end != NULL ? n + 1 : n);
	if (comment != NULL)
		line.len = (size_t)(comment - line.ptr);
	return line;
}

static const char *
copy_type(struct slice type, struct arena *memory)
{
	static const struct slice charset = SLICE_INIT("; charset=utf-8");
	size_t more = slice_starts(type, SLICE("text/")) ? charset.len : 0;
	char *copy = arena_bytes(memory, type.len + more + 1);

	if (copy == NULL)
		return NULL;
	memcpy(copy, type.ptr, type.len);
	memcpy(copy + type.len, charset.ptr, more);
	copy[type.len + more] = '\0';
	return copy;
}

static int
add_row(struct mime *m, const char *type, const char *extension)
{
	if (m->n == m->room) {
		size_t room = m->room * 2 + 64;
		struct mime_row *rows = reallocarray(m->rows, room, sizeof(*rows));
		if (rows == NULL)
			return -1;
		m->rows = rows;
		m->room = room;
	}
	m->rows[m->n] = (struct mime_row){ extension, type, m->n };
	m->n++;
	return 0;
}

int
mime_add(struct mime *m, struct slice text, struct arena *memory)
{
	while (text.len > 0) {
		struct slice line = take_line(&text), word;
		const char *type = NULL;
		struct slice first = take_word(&line);
		while ((word = take_word(&line)).len > 0) {
			if (type == NULL)
				type = copy_type(first, memory);
			const char *extension = arena_strz(memory, word);
			if (type == NULL || extension == NULL ||
				add_row(m, type, extension) != 0)
				return -1;
		}
	}
	return 0;
}

static int
compare_extensions(const void *a, const void *b)
{
	const struct mime_row *one = a, *other = b;

	return strcasecmp(one->extension, other->extension);
}

/* Of several rows of one extension the first one added stands first. */
static int
compare_rows(const void *a, const void *b)
{
	const struct mime_row *one = a, *other = b;
	int order = compare_extensions(a, b);

	return order != 0
		? order
		: (one->number > other->number) - (one->number < other->number);
}

void
mime_sort(struct mime *m)
{
	size_t kept = 0;

	if (m->n > 0)
		qsort(m->rows, m->n, sizeof(*m->rows), compare_rows);
	for (size_t i = 0; i < m->n; i++)
		if (kept == 0 ||
			compare_extensions(&m->rows[kept - 1], &m->rows[i]) != 0)
			m->rows[kept++] = m->rows[i];
	m->n = kept;
}

const char *
mime_type(const struct mime *m, const char *path)
{
	const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');

	if (dot == NULL || (slash != NULL && dot < slash) || m->n == 0)
		return unknown;
	const struct mime_row key = { .extension = dot + 1 };
	const struct mime_row *row =
		bsearch(&key, m->rows, m->n, sizeof(*m->rows), compare_extensions);
	return row != NULL ? row->type : unknown;
}

void
mime_release(struct mime *m)
{
	free(m->rows);
	*m = (struct mime){ 0 };
}
