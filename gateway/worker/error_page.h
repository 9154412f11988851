/*
 * The responses that are the gateway's own: short, plain, and silent about the request.
 * Each can be replaced by a file (error_pages). They are complete, head and body, and
 * close the connection.
 */
#ifndef WORKER_ERROR_PAGE_H
#define WORKER_ERROR_PAGE_H

#include <stddef.h>

#include "gateway/config/settings.h"

struct error_page {
	unsigned status;
	const char *text;
	size_t len;
	size_t head_len; /* of it: all that a HEAD request is sent */
};

/* Reads the files of error_pages. NULL, or what is wrong. */
const char *error_pages_load(const struct app_settings *settings);

/* Of a status from 400 to 599; lives as long as the process. A signal handler may send
 * one that was asked for before. */
const struct error_page *error_page(unsigned status);

#endif
