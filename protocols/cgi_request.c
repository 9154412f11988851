#include "protocols/cgi_request.h"

#include "protocols/fastcgi.h"
#include "protocols/http1_guard.h"

/* Which bytes a value may have: the paths are decoded, so theirs may be any but NUL. */
static const struct {
	struct slice name;
	bool is_path;
} known[CGI_TOLD] = {
	[CGI_REQUEST_METHOD] = { SLICE_INIT("REQUEST_METHOD"), false },
	[CGI_REQUEST_URI] = { SLICE_INIT("REQUEST_URI"), false },
	[CGI_QUERY_STRING] = { SLICE_INIT("QUERY_STRING"), false },
	[CGI_SCRIPT_NAME] = { SLICE_INIT("SCRIPT_NAME"), true },
	[CGI_PATH_INFO] = { SLICE_INIT("PATH_INFO"), true },
	[CGI_CONTENT_LENGTH] = { SLICE_INIT("CONTENT_LENGTH"), false },
	[CGI_CONTENT_TYPE] = { SLICE_INIT("CONTENT_TYPE"), false },
	[CGI_HTTPS] = { SLICE_INIT("HTTPS"), false },
	[CGI_REQUEST_SCHEME] = { SLICE_INIT("REQUEST_SCHEME"), false },
	[CGI_HTTP_HOST] = { SLICE_INIT("HTTP_HOST"), false },
	[CGI_SERVER_NAME] = { SLICE_INIT("SERVER_NAME"), false },
	[CGI_SERVER_PORT] = { SLICE_INIT("SERVER_PORT"), false },
	[CGI_SERVER_PROTOCOL] = { SLICE_INIT("SERVER_PROTOCOL"), false },
	[CGI_REMOTE_ADDR] = { SLICE_INIT("REMOTE_ADDR"), false },
	[CGI_REMOTE_PORT] = { SLICE_INIT("REMOTE_PORT"), false },
	[CGI_AUTH_TYPE] = { SLICE_INIT("AUTH_TYPE"), false },
	[CGI_REMOTE_USER] = { SLICE_INIT("REMOTE_USER"), false },
	[CGI_REMOTE_IDENT] = { SLICE_INIT("REMOTE_IDENT"), false },
	[CGI_REMOTE_HOST] = { SLICE_INIT("REMOTE_HOST"), false },
	[CGI_SERVER_ADDR] = { SLICE_INIT("SERVER_ADDR"), false },
};

static int
refuse(struct cgi_request *r, int status, const char *error)
{
	r->error = error;
	return -status;
}

/* ---- One variable ---- */

static int
take_known(struct cgi_request *r, enum cgi_told var, struct slice value)
{
	if (value.len > 0 && memchr(value.ptr, '\0', value.len) != NULL)
		return refuse(r, 400, "NUL in a variable");
	if (!known[var].is_path && !http1_is_value(value))
		return refuse(r, 400, "control byte in a variable");
	r->vars[var] = value;
	return 0;
}

/* The name of the field whose variable this is, made in place; the empty slice: it is
 * that of no field, or of one whose variable has another name. */
static struct slice
field_name(struct slice name)
{
	char *at;

	if (!slice_starts(name, SLICE("HTTP_")) ||
		slice_eq(name, SLICE("HTTP_CONTENT_TYPE")))
		return (struct slice){ 0 };
	slice_advance(&name, sizeof("HTTP_") - 1);
	at = (char *)name.ptr;
	for (size_t i = 0; i < name.len; i++) {
		bool plain = (at[i] >= 'A' && at[i] <= 'Z') ||
			(at[i] >= '0' && at[i] <= '9');
		if (at[i] == '_')
			at[i] = '-';
		else if (!plain)
			return (struct slice){ 0 };
	}
	return name;
}

static int
add_field(struct cgi_request *r, struct http1_head *head,
	const struct http1_limits *limits, struct slice name, struct slice value)
{
	if (head->n_fields == limits->fields)
		return refuse(r, 431, "too many fields");
	if (name.len + value.len + sizeof(": ") - 1 > limits->field_size)
		return refuse(r, 431, "field too long");
	if (!http1_is_value(value))
		return refuse(r, 400, "control byte in a field");
	head->fields[head->n_fields++] =
		(struct http1_field){ .name = name, .value = slice_trim(value) };
	return 0;
}

static int
take_variable(struct cgi_request *r, struct http1_head *head,
	const struct http1_limits *limits, struct slice name, struct slice value)
{
	int status = 0;

	for (size_t i = 0; i < CGI_TOLD && status == 0; i++)
		if (slice_eq(name, known[i].name))
			status = take_known(r, (enum cgi_told)i, value);
	if (status != 0)
		return status;
	struct slice field = field_name(name);
	return field.len > 0 ? add_field(r, head, limits, field, value) : 0;
}

/* ---- What they mean together ---- */

static int
read_target(struct cgi_request *r, struct http1_head *head,
	const struct http1_limits *limits)
{
	struct http1_decoder d = { .reason = NULL };
	struct slice target = r->vars[CGI_REQUEST_URI];

	if (target.len == 0)
		return refuse(r, 400, "no REQUEST_URI");
	if (target.len > limits->line)
		return refuse(r, 414, "REQUEST_URI too long");
	if ((http1_classes(target) & HTTP1_NOT_TARGET) != 0 || !http1_percents(target))
		return refuse(r, 400, "bad byte in REQUEST_URI");
	head->method = r->vars[CGI_REQUEST_METHOD];
	head->target = target;
	int status = http1_check_method(&d, head);
	if (status == 0)
		status = http1_split_target(&d, head);
	r->error = d.reason;
	return status;
}

/* What the web server made of the target. */
static int
read_paths(struct cgi_request *r, struct http1_head *head)
{
	struct slice *script = &r->vars[CGI_SCRIPT_NAME],
		     *path = &r->vars[CGI_PATH_INFO];

	if (r->vars[CGI_QUERY_STRING].ptr != NULL)
		head->query = r->vars[CGI_QUERY_STRING];
	if (slice_eq(*script, SLICE("/")) && path->ptr != NULL)
		*script = SLICE("");
	if (path->ptr == NULL) {
		if (script->len > 0)
			*path = *script;
		*script = SLICE("");
	}
	if ((path->len > 0 && *path->ptr != '/') ||
		(script->len > 0 && *script->ptr != '/'))
		return refuse(r, 400, "SCRIPT_NAME or PATH_INFO is no path");
	return 0;
}

static int
read_host(struct cgi_request *r, struct http1_head *head)
{
	struct slice host = slice_trim(r->vars[CGI_HTTP_HOST]);

	if (host.len > 0 && !http1_is_authority(host))
		return refuse(r, 400, "bad HTTP_HOST");
	if (head->authority.len == 0)
		head->authority = host;
	return 0;
}

static int
read_length(struct cgi_request *r, struct http1_head *head,
	const struct http1_limits *limits)
{
	struct slice length = r->vars[CGI_CONTENT_LENGTH];

	head->framing = length.len > 0 ? HTTP1_LENGTH : HTTP1_NO_BODY;
	head->length = 0;
	if (length.len > 0 && !http1_number(length, &head->length))
		return refuse(r, 400, "bad CONTENT_LENGTH");
	if (head->length > limits->body)
		return refuse(r, 413, "CONTENT_LENGTH above the limit");
	return 0;
}

static void
read_protocol(struct cgi_request *r, struct http1_head *head)
{
	struct slice *protocol = &r->vars[CGI_SERVER_PROTOCOL];
	struct slice https = r->vars[CGI_HTTPS];

	if (protocol->len == 0)
		*protocol = SLICE("HTTP/1.0");
	head->minor = slice_eq(*protocol, SLICE("HTTP/1.0")) ? 0 : 1;
	head->keep_alive = head->expect_continue = false;
	r->is_https = slice_caseeq(r->vars[CGI_REQUEST_SCHEME], SLICE("https")) ||
		(https.len > 0 && !slice_caseeq(https, SLICE("off")));
}

static void
end_texts(struct cgi_request *r)
{
	for (size_t i = 0; i < CGI_TOLD; i++)
		if (r->vars[i].ptr != NULL)
			((char *)r->vars[i].ptr)[r->vars[i].len] = '\0';
}

/* The type of the body is a field like others, but for the name of its variable. */
static int
add_type(struct cgi_request *r, struct http1_head *head,
	const struct http1_limits *limits)
{
	struct slice type = r->vars[CGI_CONTENT_TYPE];

	return type.len == 0 ? 0
			     : add_field(r, head, limits, SLICE("Content-Type"), type);
}

int
cgi_read_request(struct cgi_request *r, struct http1_head *head,
	const struct http1_limits *limits, struct slice params)
{
	struct slice name, value;
	int more, status = 0;

	*r = (struct cgi_request){ 0 };
	head->n_fields = 0;
	while ((more = fastcgi_pair_next(&params, &name, &value)) == 1 && status == 0)
		status = take_variable(r, head, limits, name, value);
	if (more < 0)
		return refuse(r, 400, "a variable is cut");
	if (status == 0)
		status = add_type(r, head, limits);
	if (status != 0)
		return status;
	end_texts(r);
	if ((status = read_target(r, head, limits)) != 0 ||
		(status = read_paths(r, head)) != 0 ||
		(status = read_host(r, head)) != 0)
		return status;
	read_protocol(r, head);
	return read_length(r, head, limits);
}
