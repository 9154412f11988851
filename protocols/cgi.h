/*
 * CGI/1.1 (RFC 3875): the variables of a request, and the head of a CGI response. One
 * producer of the environ; bindings encode it as their language or protocol wants it.
 */
#ifndef PROTOCOLS_CGI_H
#define PROTOCOLS_CGI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocols/arena.h"
#include "protocols/buffer.h"
#include "protocols/http1.h"
#include "protocols/slice.h"

struct cgi_request;

/* What is known of a request beside its head. Texts are NUL-terminated. */
struct cgi_source {
	struct http1_head *head;
	uint64_t body_length; /* as received: chunked bodies too */
	bool has_body; /* one was declared, also of length 0 */
	const char *scheme; /* "http" */
	const char *server_name, *server_port;
	const char *remote_addr, *remote_port; /* "" for unix sockets */
	const char *software;
	struct slice request_id; /* NUL-terminated; empty: it has none */
	/* The part of the path that names the application; head->path goes on behind
	 * it. NULL is none. */
	const char *script_name;
	/* The PROXY protocol's family, such as "TCP4", and the address that the client
	 * connected to; NULL: none were told. */
	const char *proxy_protocol, *proxy_addr, *proxy_port;
	bool underscores; /* names with an underscore are wanted: the caller judged them
			   */
	const struct cgi_request *told; /* NULL: the request came by HTTP */
};

/* The layout of struct al_var in alicorn.h. */
struct cgi_var {
	const char *name;
	const char *value;
	uint32_t name_len;
	uint32_t value_len;
	uint32_t id;
};

enum { CGI_VAR_IDS = 128, CGI_OWN_VARS = 29 };

/*
 * Fills vars, which has room for CGI_OWN_VARS and one for each field of the head. Each
 * name comes once: repeats of a field are joined with ", ", Cookie's with "; ". Left
 * out: Proxy (httpoxy), unless wanted names with an underscore (X_Y would pass for
 * X-Y), hop-by-hop fields except Upgrade and Connection, Content-Type and
 * Content-Length as HTTP_*. HTTP_HOST is the head's authority. PATH_INFO is decoded
 * once. A value that stands in the head's own memory is NUL-terminated there, over the
 * byte behind it, which must be writable and is used no more: so the head must be
 * complete and the slices of it stay valid. Names and values that must be made live in
 * the arena. Returns their number; 0 when memory is out.
 */
size_t cgi_environ(
	const struct cgi_source *source, struct cgi_var *vars, struct arena *memory);

/* %XX decoded, once, into out (room for in.len); returns the length. */
size_t cgi_decode_path(char *out, struct slice in);

/* ---- The head of a CGI response (RFC 3875 section 6) ---- */

struct cgi_head {
	struct slice status; /* "404 Not Found"; empty: none was given */
	struct slice location; /* empty: none */
	struct http1_field *fields; /* memory of the caller; Status is not among them */
	size_t n_fields, max_fields;
	const char *error;
};

/*
 * Looks for a complete head in the input, whose lines end with LF or CRLF. Returns its
 * length with the empty line; 0: more is needed; -1: it is none (no colon, bad name,
 * CR, NUL in a value, too many fields, no field at all) and error says so. The caller
 * bounds the length of the input. Linear when the caller passes where the last call
 * stopped, in *scanned, which begins with 0.
 */
int cgi_decode_head(struct cgi_head *head, struct slice input, size_t *scanned);

#endif
