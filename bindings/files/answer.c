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

/* Up to this size a file is read and sent with its head in one piece: one system call
 * to the client is cheaper then than none of its bytes copied. */
enum { READ_MAX = 32 * 1024, FIELDS_MAX = 10 };

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
answer_error(
	struct al_request *req, unsigned status, const char *name, const char *value)
{
	const struct al_header field = { .name = name, .value = value };

	return al_error(req, status, &field, name != NULL ? 1 : 0) == 0 ? AL_DONE
									: AL_ERROR;
}

int
answer_none(struct al_request *req)
{
	return al_has_next(req) ? AL_DECLINED : answer_error(req, 404, NULL, NULL);
}

int
answer_method(struct al_request *req)
{
	if (al_has_next(req))
		return AL_DECLINED;
	return answer_error(req, 405, "Allow", "GET, HEAD");
}

int
answer_errno(struct al_request *req, const char *path, int error)
{
	switch (error) {
	case EXDEV:
		al_log(req, AL_WARNING, "%s: not sent, it leads out of the folder",
			path);
		return answer_error(req, 404, NULL, NULL);
	case ENOENT:
	case ENOTDIR:
	case ELOOP:
	case ENAMETOOLONG:
		return answer_none(req);
	case EACCES:
	case EPERM:
		return answer_error(req, 403, NULL, NULL);
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EAGAIN:
		al_log(req, AL_LOG_ERROR, "%s: %s", path, strerror(error));
		return answer_error(req, 503, NULL, NULL);
	}
	al_log(req, AL_LOG_ERROR, "%s: %s", path, strerror(error));
	return answer_error(req, 500, NULL, NULL);
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

/* What the client would have most; of what it likes as well, the smallest. One that is
 * gone is missed here, and its successor found when the path is looked up again. */
static enum form
choose(const struct ask *ask, struct entry *entry, bool *varies)
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
		bool is_as_good = quality == most && quality > 0 && best == FORM_PLAIN;
		if ((quality > most || is_as_good) &&
			file_refresh(&entry->forms[form])) {
			best = (enum form)form;
			most = quality;
		}
	}
	return best;
}

/* ---- How much of it ---- */

/* A response in the making. */
struct reply {
	const struct ask *ask;
	const char *type;
	struct file *file; /* the form that is sent */
	struct http_conditions conditions;
	struct http_validators validators;
	struct fields fields;
};

static int
send_last(struct al_request *req, const char *bytes, size_t n)
{
	return al_write_last(req, bytes, n) == 0 ? AL_DONE : AL_ERROR;
}

static int
send_bytes(const struct reply *r, const struct http_range *range)
{
	static char bytes[READ_MAX];
	struct al_request *req = r->ask->req;
	off_t offset = (off_t)range->offset;
	size_t length = (size_t)range->length;

	if (length > READ_MAX)
		return al_sendfile(req, r->file->fd, offset, (off_t)length) == 0
			? AL_DONE
			: AL_ERROR;
	const char *content = file_content(r->file);
	if (content != NULL)
		return send_last(req, content + offset, length);
	ssize_t n = pread(r->file->fd, bytes, length, offset);
	/* Fewer bytes than were declared: the gateway ends the connection. */
	return n >= 0 ? send_last(req, bytes, (size_t)n) : AL_ERROR;
}

/* Declares a length and sends so much, unless only the head is wanted. */
static int
send_range(struct reply *r, const char *status, const struct http_range *range)
{
	struct al_request *req = r->ask->req;
	char part[FILE_LENGTH];
	const char *length = r->file->length;

	if (range->length != (uint64_t)r->file->size) {
		snprintf(part, sizeof(part), "%llu", (unsigned long long)range->length);
		length = part;
	}
	add(&r->fields, "Content-Type", r->type);
	add(&r->fields, "Content-Length", length);
	if (al_start(req, status, r->fields.rows, r->fields.n) != 0)
		return AL_ERROR;
	bool is_head = strcmp(r->ask->facts[FACT_METHOD], "HEAD") == 0;
	return is_head ? AL_DONE : send_bytes(r, range);
}

static int
send_one(struct reply *r, const struct http_range *range)
{
	char content_range[HTTP_CONTENT_RANGE];

	http_content_range(content_range, range, (uint64_t)r->file->size);
	add(&r->fields, "Content-Range", content_range);
	return send_range(r, "206 Partial Content", range);
}

static int
send_several(struct reply *r, const struct http_range *ranges, size_t n)
{
	struct al_request *req = r->ask->req;
	struct multipart parts;

	multipart_init(&parts, r->file, r->type, ranges, n);
	if (parts.n == 1)
		return send_one(r, ranges);
	add(&r->fields, "Content-Type", parts.type);
	add(&r->fields, "Content-Length", parts.length);
	if (al_start(req, "206 Partial Content", r->fields.rows, r->fields.n) != 0)
		return AL_ERROR;
	return multipart_send(&parts, req);
}

static int
refuse_ranges(const struct reply *r)
{
	char content_range[HTTP_CONTENT_RANGE];

	http_content_range(content_range, NULL, (uint64_t)r->file->size);
	return answer_error(r->ask->req, 416, "Content-Range", content_range);
}

/* Ranges are for GET alone (RFC 9110 section 14.2). */
static int
send_wanted(struct reply *r)
{
	const struct http_range whole = { .length = (uint64_t)r->file->size };
	struct http_range ranges[HTTP_RANGES];
	int n = 0;

	add(&r->fields, "Accept-Ranges", "bytes");
	if (strcmp(r->ask->facts[FACT_METHOD], "GET") == 0 &&
		http_conditions_range(&r->conditions, &r->validators))
		n = http_ranges(fact(r->ask, FACT_RANGE), whole.length, ranges);
	if (n < 0)
		return refuse_ranges(r);
	if (n == 0)
		return send_range(r, "200 OK", &whole);
	return n == 1 ? send_one(r, ranges) : send_several(r, ranges, (size_t)n);
}

/* ---- All of it ---- */

static void
gather(struct reply *r)
{
	const struct ask *ask = r->ask;

	r->conditions = (struct http_conditions){
		.if_match = fact(ask, FACT_IF_MATCH),
		.if_none_match = fact(ask, FACT_IF_NONE_MATCH),
		.if_modified_since = fact(ask, FACT_IF_MODIFIED_SINCE),
		.if_unmodified_since = fact(ask, FACT_IF_UNMODIFIED_SINCE),
		.if_range = fact(ask, FACT_IF_RANGE),
	};
	r->validators = (struct http_validators){
		.etag = slice_str(r->file->etag),
		.modified = r->file->modified,
		.now = time(NULL),
	};
	add(&r->fields, "ETag", r->file->etag);
	add(&r->fields, "Last-Modified", r->file->last_modified);
	if (ask->site->cache_control != NULL)
		add(&r->fields, "Cache-Control", ask->site->cache_control);
}

int
answer_file(const struct ask *ask, struct entry *entry)
{
	bool varies;
	enum form form = choose(ask, entry, &varies);
	struct reply r = {
		.ask = ask,
		.type = entry->type,
		.file = &entry->forms[form],
	};

	gather(&r);
	if (varies)
		add(&r.fields, "Vary", "Accept-Encoding");
	switch (http_conditions_check(&r.conditions, &r.validators, true)) {
	case 412:
		return answer_error(ask->req, 412, NULL, NULL);
	case 304:
		if (al_start(ask->req, "304 Not Modified", r.fields.rows, r.fields.n) !=
			0)
			return AL_ERROR;
		return AL_DONE;
	}
	if (form != FORM_PLAIN)
		add(&r.fields, "Content-Encoding", codings[form].ptr);
	return send_wanted(&r);
}
