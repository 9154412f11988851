/*
 * A file as a response (RFC 9110): which of its forms, whether it is sent at all, and
 * how much of it.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bindings/files/multipart.h"
#include "bindings/files/site.h"
#include "protocols/http.h"

enum {
	FIELDS_MAX = 10,
	/* Up to this size a file is read and sent with its head, in one piece: one
	 * system call to the client is cheaper then than none of its bytes copied. */
	READ_MAX = 32 * 1024,
};

struct fields {
	struct al_header rows[FIELDS_MAX];
	size_t n;
};

static void
add(struct fields *fields, const char *name, const char *value)
{
	fields->rows[fields->n++] = (struct al_header){ .name = name, .value = value };
}

/* ---- Without a file ---- */

int
answer_text(
	struct al_request *req, const char *status, const char *name, const char *value)
{
	struct fields fields = { 0 };
	char text[64];
	int n = snprintf(text, sizeof(text), "%s\n", status);

	add(&fields, "Content-Type", "text/plain; charset=utf-8");
	if (name != NULL)
		add(&fields, name, value);
	if (al_start(req, status, fields.rows, fields.n) != 0 ||
		al_write_last(req, text, (size_t)n) != 0)
		return AL_ERROR;
	return AL_DONE;
}

int
answer_errno(struct al_request *req, const char *path, int error)
{
	switch (error) {
	case EXDEV:
		al_log(req, AL_WARNING, "%s: not sent, it leads out of the folder",
			path);
		return answer_text(req, "404 Not Found", NULL, NULL);
	case ENOENT:
	case ENOTDIR:
	case ELOOP:
	case ENAMETOOLONG:
		return answer_text(req, "404 Not Found", NULL, NULL);
	case EACCES:
	case EPERM:
		return answer_text(req, "403 Forbidden", NULL, NULL);
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EAGAIN:
		al_log(req, AL_LOG_ERROR, "%s: %s", path, strerror(error));
		return answer_text(req, "503 Service Unavailable", "Retry-After", "1");
	}
	al_log(req, AL_LOG_ERROR, "%s: %s", path, strerror(error));
	return answer_text(req, "500 Internal Server Error", NULL, NULL);
}

/* ---- Which form ---- */

static struct slice
fact(const struct ask *ask, enum fact fact)
{
	const char *value = ask->facts[fact];

	return value != NULL ? slice_str(value) : (struct slice){ 0 };
}

static const struct slice codings[FORMS] = {
	[FORM_PLAIN] = SLICE_INIT("identity"),
	[FORM_BR] = SLICE_INIT("br"),
	[FORM_GZIP] = SLICE_INIT("gzip"),
};

/* A neighbour that is older than the file was made of another one. */
static bool
has_form(const struct entry *entry, size_t form)
{
	return entry->forms[form].fd != -1 &&
		entry->forms[form].mtime.tv_sec >=
		entry->forms[FORM_PLAIN].mtime.tv_sec;
}

/* What the client would have most; of what it likes as well, the smallest. */
static enum form
choose(const struct ask *ask, const struct entry *entry, bool *varies)
{
	struct slice accepted = fact(ask, FACT_ACCEPT_ENCODING);
	unsigned most = http_coding_quality(accepted, codings[FORM_PLAIN]);
	enum form best = FORM_PLAIN;

	*varies = false;
	for (size_t form = FORM_PLAIN + 1; form < FORMS; form++) {
		if (!has_form(entry, form))
			continue;
		*varies = true;
		unsigned quality = http_coding_quality(accepted, codings[form]);
		if (quality > most ||
			(quality == most && best == FORM_PLAIN && most > 0)) {
			best = (enum form)form;
			most = quality;
		}
	}
	return best;
}

/* ---- How much of it ---- */

static int
send_part(struct al_request *req, const struct file *file, uint64_t offset,
	uint64_t length)
{
	static char bytes[READ_MAX];

	if (length > READ_MAX)
		return al_sendfile(req, file->fd, (off_t)offset, (off_t)length) == 0
			? AL_DONE
			: AL_ERROR;
	ssize_t n = pread(file->fd, bytes, (size_t)length, (off_t)offset);
	/* Fewer bytes than were declared: the gateway ends the connection. */
	return n >= 0 && al_write_last(req, bytes, (size_t)n) == 0 ? AL_DONE : AL_ERROR;
}

/* Declares a length and sends so much, unless only the head is wanted. */
static int
send_range(const struct ask *ask, const char *status, struct fields *fields,
	const struct file *file, uint64_t offset, uint64_t length)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)length);
	add(fields, "Content-Length", text);
	if (al_start(ask->req, status, fields->rows, fields->n) != 0)
		return AL_ERROR;
	if (strcmp(ask->facts[FACT_METHOD], "HEAD") == 0)
		return AL_DONE;
	return send_part(ask->req, file, offset, length);
}

static int
send_one(const struct ask *ask, struct fields *fields, const struct entry *entry,
	const struct file *file, const struct http_range *range)
{
	char content_range[HTTP_CONTENT_RANGE];

	http_content_range(content_range, range, (uint64_t)file->size);
	add(fields, "Content-Type", entry->type);
	add(fields, "Content-Range", content_range);
	return send_range(
		ask, "206 Partial Content", fields, file, range->offset, range->length);
}

static int
send_several(const struct ask *ask, struct fields *fields, const struct entry *entry,
	const struct file *file, const struct http_range *ranges, size_t n)
{
	struct multipart parts;

	multipart_init(&parts, file, entry->type, ranges, n);
	if (parts.n == 1)
		return send_one(ask, fields, entry, file, ranges);
	add(fields, "Content-Type", parts.type);
	add(fields, "Content-Length", parts.length);
	if (al_start(ask->req, "206 Partial Content", fields->rows, fields->n) != 0)
		return AL_ERROR;
	return multipart_send(&parts, ask->req);
}

static int
refuse_ranges(const struct ask *ask, const struct file *file)
{
	char content_range[HTTP_CONTENT_RANGE];

	http_content_range(content_range, NULL, (uint64_t)file->size);
	return answer_text(
		ask->req, "416 Range Not Satisfiable", "Content-Range", content_range);
}

/* Ranges are for GET alone (RFC 9110 section 14.2). */
static int
find_ranges(const struct ask *ask, const struct file *file,
	const struct http_conditions *conditions,
	const struct http_validators *validators, struct http_range ranges[HTTP_RANGES])
{
	if (ask->facts[FACT_RANGE] == NULL ||
		strcmp(ask->facts[FACT_METHOD], "GET") != 0 ||
		!http_conditions_range(conditions, validators))
		return 0;
	return http_ranges(fact(ask, FACT_RANGE), (uint64_t)file->size, ranges);
}

/* ---- All of it ---- */

static void
add_common(struct fields *fields, const struct site *site, const struct file *file,
	bool varies)
{
	add(fields, "ETag", file->etag);
	add(fields, "Last-Modified", file->last_modified);
	if (varies)
		add(fields, "Vary", "Accept-Encoding");
	if (site->cache_control != NULL)
		add(fields, "Cache-Control", site->cache_control);
}

int
answer_file(const struct ask *ask, const struct entry *entry)
{
	bool varies;
	enum form form = choose(ask, entry, &varies);
	const struct file *file = &entry->forms[form];
	const struct http_validators validators = {
		.etag = slice_str(file->etag),
		.modified = file->modified,
		.now = time(NULL),
	};
	const struct http_conditions conditions = {
		.if_match = fact(ask, FACT_IF_MATCH),
		.if_none_match = fact(ask, FACT_IF_NONE_MATCH),
		.if_modified_since = fact(ask, FACT_IF_MODIFIED_SINCE),
		.if_unmodified_since = fact(ask, FACT_IF_UNMODIFIED_SINCE),
		.if_range = fact(ask, FACT_IF_RANGE),
	};
	struct http_range ranges[HTTP_RANGES];
	struct fields fields = { 0 };

	unsigned status = http_conditions_check(&conditions, &validators, true);
	if (status == 412)
		return answer_text(ask->req, "412 Precondition Failed", NULL, NULL);
	add_common(&fields, ask->site, file, varies);
	if (status == 304)
		return al_start(ask->req, "304 Not Modified", fields.rows, fields.n) ==
				0
			? AL_DONE
			: AL_ERROR;
	int n = find_ranges(ask, file, &conditions, &validators, ranges);
	if (n < 0)
		return refuse_ranges(ask, file);
	add(&fields, "Accept-Ranges", "bytes");
	if (form != FORM_PLAIN)
		add(&fields, "Content-Encoding", codings[form].ptr);
	if (n > 1)
		return send_several(ask, &fields, entry, file, ranges, (size_t)n);
	if (n == 1)
		return send_one(ask, &fields, entry, file, ranges);
	add(&fields, "Content-Type", entry->type);
	return send_range(ask, "200 OK", &fields, file, 0, (uint64_t)file->size);
}
