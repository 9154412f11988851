#include "bindings/php/static.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

/* ---- Types ---- */

static const struct {
	const char *extension, *type;
} types[] = {
	{ "css", "text/css" },
	{ "js", "text/javascript" },
	{ "png", "image/png" },
	{ "jpg", "image/jpeg" },
	{ "jpeg", "image/jpeg" },
	{ "gif", "image/gif" },
	{ "svg", "image/svg+xml" },
	{ "webp", "image/webp" },
	{ "avif", "image/avif" },
	{ "ico", "image/x-icon" },
	{ "bmp", "image/bmp" },
	{ "html", "text/html" },
	{ "htm", "text/html" },
	{ "txt", "text/plain" },
	{ "md", "text/markdown" },
	{ "csv", "text/csv" },
	{ "ics", "text/calendar" },
	{ "mjs", "text/javascript" },
	{ "json", "application/json" },
	{ "map", "application/json" },
	{ "webmanifest", "application/manifest+json" },
	{ "xml", "application/xml" },
	{ "xsl", "application/xml" },
	{ "rss", "application/rss+xml" },
	{ "atom", "application/atom+xml" },
	{ "pdf", "application/pdf" },
	{ "wasm", "application/wasm" },
	{ "zip", "application/zip" },
	{ "gz", "application/gzip" },
	{ "tar", "application/x-tar" },
	{ "woff", "font/woff" },
	{ "woff2", "font/woff2" },
	{ "ttf", "font/ttf" },
	{ "otf", "font/otf" },
	{ "mp3", "audio/mpeg" },
	{ "ogg", "audio/ogg" },
	{ "wav", "audio/wav" },
	{ "mp4", "video/mp4" },
	{ "webm", "video/webm" },
};

static const char *
type_of(const char *file)
{
	const char *dot = strrchr(file, '.'), *slash = strrchr(file, '/');

	if (dot != NULL && dot > slash)
		for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
			if (strcasecmp(dot + 1, types[i].extension) == 0)
				return types[i].type;
	return "application/octet-stream";
}

/* ---- Dates (RFC 9110 section 5.6.7) ---- */

#define DATE_FORMAT "%a, %d %b %Y %H:%M:%S GMT"

enum { DATE_BYTES = 32 };

static void
write_date(char text[DATE_BYTES], time_t at)
{
	struct tm tm;

	gmtime_r(&at, &tm);
	strftime(text, DATE_BYTES, DATE_FORMAT, &tm);
}

/* A date that cannot be read says nothing. */
static bool
is_since(const char *text, time_t modified)
{
	struct tm tm = { 0 };
	const char *end = text != NULL ? strptime(text, DATE_FORMAT, &tm) : NULL;

	return end != NULL && *end == '\0' && timegm(&tm) >= modified;
}

/* ---- Answers ---- */

int
static_refuse(struct al_request *req, const char *status, const char *location)
{
	const struct al_header fields[] = {
		{ .name = "Content-Type", .value = "text/plain; charset=utf-8" },
		{ .name = "Location", .value = location },
	};
	char text[64];
	int n = snprintf(text, sizeof(text), "%s\n", status);

	if (al_start(req, status, fields, location != NULL ? 2 : 1) != 0 ||
		al_write_last(req, text, (size_t)n) != 0)
		return AL_ERROR;
	return AL_DONE;
}

static int
refuse_method(struct al_request *req)
{
	const struct al_header allow = { .name = "Allow", .value = "GET, HEAD" };

	return al_start(req, "405 Method Not Allowed", &allow, 1) == 0 ? AL_DONE
								       : AL_ERROR;
}

static int
send_file(struct al_request *req, const struct facts *facts, const struct place *place)
{
	const char *method = facts->text[FACT_METHOD];
	char modified[DATE_BYTES], length[24];
	const struct al_header fields[] = {
		{ .name = "Last-Modified", .value = modified },
		{ .name = "Content-Type", .value = type_of(place->file) },
		{ .name = "Content-Length", .value = length },
	};

	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return refuse_method(req);
	write_date(modified, place->st.st_mtime);
	snprintf(length, sizeof(length), "%lld", (long long)place->st.st_size);
	if (is_since(facts->text[FACT_IF_MODIFIED_SINCE], place->st.st_mtime))
		return al_start(req, "304 Not Modified", fields, 1) == 0 ? AL_DONE
									 : AL_ERROR;
	if (al_start(req, "200 OK", fields, 3) != 0 ||
		al_sendfile(req, place->fd, 0, place->st.st_size) != 0)
		return AL_ERROR;
	return AL_DONE;
}

int
static_send(struct al_request *req, const struct facts *facts, struct place *place)
{
	int result = send_file(req, facts, place);

	close(place->fd);
	return result;
}
