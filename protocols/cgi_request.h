/*
 * A request from the variables of CGI (RFC 3875 section 4), as a web server tells them
 * by FastCGI: the other way round than cgi_environ. What has its place in the head of
 * an HTTP request becomes such a head, so that all that reads heads needs to know
 * nothing of this; the rest is kept as it was told.
 */
#ifndef PROTOCOLS_CGI_REQUEST_H
#define PROTOCOLS_CGI_REQUEST_H

#include "protocols/cgi.h"

/* The variables that are known. Others that are not HTTP_* are left out. */
enum cgi_told {
	CGI_REQUEST_METHOD,
	CGI_REQUEST_URI,
	CGI_QUERY_STRING,
	CGI_SCRIPT_NAME,
	CGI_PATH_INFO,
	CGI_CONTENT_LENGTH,
	CGI_CONTENT_TYPE,
	CGI_HTTPS,
	CGI_REQUEST_SCHEME,
	CGI_HTTP_HOST,
	CGI_SERVER_NAME,
	CGI_SERVER_PORT,
	CGI_SERVER_PROTOCOL,
	CGI_REMOTE_ADDR,
	CGI_REMOTE_PORT,
	CGI_AUTH_TYPE,
	CGI_REMOTE_USER,
	CGI_REMOTE_IDENT,
	CGI_REMOTE_HOST,
	CGI_SERVER_ADDR,
	CGI_TOLD
};

struct cgi_request {
	struct slice vars[CGI_TOLD]; /* NUL-terminated; ptr NULL: not told */
	bool is_https;
	const char *error; /* what is refused, for the log */
};

/*
 * Reads name-value pairs as in a PARAMS stream. `params` and one byte behind it must be
 * writable: values are NUL-terminated and names of fields rewritten in place, and the
 * head points there. head->fields must be set to room for limits->fields of them. Of a
 * variable that comes twice the last value counts; HTTP_* are joined, as fields are.
 * Returns 0, or the negative status to answer: -400, -413, -414, -431, -501.
 *
 * SCRIPT_NAME and PATH_INFO are taken as they are told. Where no PATH_INFO is told,
 * SCRIPT_NAME is the whole path: nginx and Apache, as they are, take an application's
 * paths for names of scripts.
 */
int cgi_read_request(struct cgi_request *r, struct http1_head *head,
	const struct http1_limits *limits, struct slice params);

#endif
