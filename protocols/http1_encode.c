/* Responses as they go out: RFC 9110 section 15, RFC 9112 sections 4 to 6 and 9. */
#include "protocols/http1.h"

#include "protocols/http1_guard.h"

enum {
	FIRST_STATUS = 100,
	STATUSES = 500,
	FIXED_ROOM = 256, /* for what a head has beside the texts that are passed in */
};

struct status {
	struct slice line; /* as it is sent */
	const char *reason;
};

#define STATUS(code, reason) \
	[code - FIRST_STATUS] = { SLICE_INIT("HTTP/1.1 " #code " " reason "\r\n"), \
		reason }

/* The registry of RFC 9110 section 16.2. */
static const struct status statuses[STATUSES] = {
	STATUS(100, "Continue"),
	STATUS(101, "Switching Protocols"),
	STATUS(102, "Processing"),
	STATUS(103, "Early Hints"),
	STATUS(200, "OK"),
	STATUS(201, "Created"),
	STATUS(202, "Accepted"),
	STATUS(203, "Non-Authoritative Information"),
	STATUS(204, "No Content"),
	STATUS(205, "Reset Content"),
	STATUS(206, "Partial Content"),
	STATUS(207, "Multi-Status"),
	STATUS(208, "Already Reported"),
	STATUS(226, "IM Used"),
	STATUS(300, "Multiple Choices"),
	STATUS(301, "Moved Permanently"),
	STATUS(302, "Found"),
	STATUS(303, "See Other"),
	STATUS(304, "Not Modified"),
	STATUS(305, "Use Proxy"),
	STATUS(307, "Temporary Redirect"),
	STATUS(308, "Permanent Redirect"),
	STATUS(400, "Bad Request"),
	STATUS(401, "Unauthorized"),
	STATUS(402, "Payment Required"),
	STATUS(403, "Forbidden"),
	STATUS(404, "Not Found"),
	STATUS(405, "Method Not Allowed"),
	STATUS(406, "Not Acceptable"),
	STATUS(407, "Proxy Authentication Required"),
	STATUS(408, "Request Timeout"),
	STATUS(409, "Conflict"),
	STATUS(410, "Gone"),
	STATUS(411, "Length Required"),
	STATUS(412, "Precondition Failed"),
	STATUS(413, "Content Too Large"),
	STATUS(414, "URI Too Long"),
	STATUS(415, "Unsupported Media Type"),
	STATUS(416, "Range Not Satisfiable"),
	STATUS(417, "Expectation Failed"),
	STATUS(421, "Misdirected Request"),
	STATUS(422, "Unprocessable Content"),
	STATUS(423, "Locked"),
	STATUS(424, "Failed Dependency"),
	STATUS(425, "Too Early"),
	STATUS(426, "Upgrade Required"),
	STATUS(428, "Precondition Required"),
	STATUS(429, "Too Many Requests"),
	STATUS(431, "Request Header Fields Too Large"),
	STATUS(451, "Unavailable For Legal Reasons"),
	STATUS(500, "Internal Server Error"),
	STATUS(501, "Not Implemented"),
	STATUS(502, "Bad Gateway"),
	STATUS(503, "Service Unavailable"),
	STATUS(504, "Gateway Timeout"),
	STATUS(505, "HTTP Version Not Supported"),
	STATUS(506, "Variant Also Negotiates"),
	STATUS(507, "Insufficient Storage"),
	STATUS(508, "Loop Detected"),
	STATUS(511, "Network Authentication Required"),
};

static const struct status unknown = { .reason = "Unknown" };

static const struct status *
find_status(unsigned status)
{
	unsigned i = status - FIRST_STATUS;

	return i < STATUSES && statuses[i].reason != NULL ? &statuses[i] : &unknown;
}

const char *
http1_reason(unsigned status)
{
	return find_status(status)->reason;
}

bool
http1_no_body(unsigned status, bool is_head)
{
	return is_head || status < 200 || status == 204 || status == 304;
}

/* Writes into memory, as long as there is room: callers make enough of it. */
struct pen {
	char *at;
	char *end;
};

static void
put(struct pen *pen, struct slice s)
{
	if (s.len > 0 && s.len <= (size_t)(pen->end - pen->at))
		pen->at = mempcpy(pen->at, s.ptr, s.len);
}

static void
put_number(struct pen *pen, uint64_t number)
{
	char text[HTTP1_DIGITS];

	put(pen, http1_digits(text + sizeof(text), number, 10));
}

/* The line that is ready says the same: most applications say the registered reason. */
static bool
is_line_of(const struct status *known, struct slice reason)
{
	const size_t before = sizeof("HTTP/1.1 200 ") - 1, behind = sizeof("\r\n") - 1;

	return reason.len == 0 ||
		(known->line.len == before + reason.len + behind &&
			memcmp(known->line.ptr + before, reason.ptr, reason.len) == 0);
}

/* Of CGI, which has a field in its place, all but what stands before the number. */
static void
put_status_line(struct pen *pen, unsigned status, struct slice reason, bool cgi)
{
	const struct slice version = cgi ? SLICE("Status: ") : SLICE("HTTP/1.1 ");
	const struct status *known = find_status(status);

	if (known->line.len > 0 && !cgi && is_line_of(known, reason)) {
		put(pen, known->line);
		return;
	}
	put(pen, version);
	put_number(pen, status);
	put(pen, SLICE(" "));
	put(pen, reason.len > 0 ? reason : slice_str(known->reason));
	put(pen, SLICE("\r\n"));
}

/* RFC 9112 section 9.3: each version has its own default. */
static struct slice
connection_line(const struct http1_reply *reply)
{
	if (!reply->keep_alive)
		return SLICE("Connection: close\r\n");
	return reply->http10 ? SLICE("Connection: keep-alive\r\n") : SLICE("");
}

static void
put_framing(struct pen *pen, const struct http1_reply *reply)
{
	switch (reply->framing) {
	case HTTP1_NO_BODY:
		break;
	case HTTP1_LENGTH:
		put(pen, SLICE("Content-Length: "));
		put_number(pen, reply->length);
		put(pen, SLICE("\r\n"));
		break;
	case HTTP1_CHUNKED:
		put(pen, SLICE("Transfer-Encoding: chunked\r\n"));
		break;
	}
}

static void
put_field(struct pen *pen, struct slice name, struct slice value)
{
	if (name.len + value.len + HTTP1_LINE <= (size_t)(pen->end - pen->at))
		pen->at = http1_put_line(pen->at, name, value);
}

void
http1_encode_head(struct buffer *out, const struct http1_response *r,
	const struct http1_reply *reply)
{
	size_t room = FIXED_ROOM + r->reason.len + reply->server.len + reply->date.len +
		reply->more.name.len + reply->more.value.len + r->fields.len;
	char *text = buffer_reserve(out, room);

	if (text == NULL)
		return;
	struct pen pen = { .at = text, .end = text + room };
	put_status_line(&pen, r->status, r->reason, reply->cgi);
	if (!r->has_server && reply->server.len > 0)
		put_field(&pen, SLICE("Server"), reply->server);
	if (!r->has_date && reply->date.len > 0)
		put_field(&pen, SLICE("Date"), reply->date);
	if (!reply->cgi)
		put(&pen, connection_line(reply));
	put_framing(&pen, reply);
	if (reply->more.name.len > 0)
		put_field(&pen, reply->more.name, reply->more.value);
	put(&pen, buffer_slice(&r->fields));
	put(&pen, SLICE("\r\n"));
	out->len += (size_t)(pen.at - text);
}

size_t
http1_chunk_head(char text[HTTP1_CHUNK_HEAD], uint64_t size)
{
	char number[HTTP1_DIGITS];
	struct pen pen = { .at = text, .end = text + HTTP1_CHUNK_HEAD };

	put(&pen, http1_digits(number + sizeof(number), size, 16));
	put(&pen, SLICE("\r\n"));
	return (size_t)(pen.at - text);
}
