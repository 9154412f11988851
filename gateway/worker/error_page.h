/*
 * The responses that are the gateway's own: short, plain, and silent about the request.
 * Each can be replaced by a file (error_pages). They are complete, head and body, and
 * close the connection. What applications answer with them (al_error) has a head of its
 * own.
 */
#ifndef WORKER_ERROR_PAGE_H
#define WORKER_ERROR_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "gateway/config/settings.h"
#include "protocols/http1.h"

struct error_page {
	unsigned status;
	const char *text;
	size_t len;
	size_t head_len; /* of it: all that a HEAD request is sent */
	const char *type; /* of the rest: Content-Type */
	unsigned retry_after; /* seconds; 0: nothing is said of that */
};

/* Reads the files of error_pages. NULL, or what is wrong. */
const char *error_pages_load(const struct app_settings *settings);

enum { ERROR_PAGE_PIECES = 7 };

/* The page with one field more, unless that has no name; returns the number of pieces.
 * As CGI has it, it says nothing of the connection. A signal handler may call it. */
size_t error_page_pieces(const struct error_page *page, bool cgi, bool is_head,
	struct http1_field more, struct iovec pieces[ERROR_PAGE_PIECES]);

/* Sends it, as far as the socket takes it. A signal handler may call it. */
void error_page_send(
	int fd, const struct error_page *page, bool is_head, struct http1_field more);

/* Of a status from 400 to 599; lives as long as the process. A signal handler may send
 * one that was asked for before. */
const struct error_page *error_page(unsigned status);

#endif
