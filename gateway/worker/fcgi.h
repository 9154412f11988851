/*
 * Connections on which a web server speaks FastCGI instead of HTTP (the setting
 * protocol): how a request is received and a response framed. All else, from the states
 * of the connection to what the application sees, is as for HTTP.
 */
#ifndef WORKER_FCGI_H
#define WORKER_FCGI_H

#include "gateway/worker/conn.h"
#include "gateway/worker/error_page.h"
#include "gateway/worker/steps.h"

/* The connections of this worker are such ones. */
bool fcgi_is_spoken(void);

/* Makes a new connection one of them. -1: its peer is not believed, which is logged, or
 * memory is out; it is to be closed. */
int fcgi_open(struct conn *c);
void fcgi_close(struct conn *c);

/* The step of CONN_HEAD and of CONN_BODY. */
enum want fcgi_step(struct conn *c);

/* The response is complete, and the connection is kept. */
void fcgi_end(struct conn *c);

/* The id of the request that is active. */
uint16_t fcgi_id(const struct conn *c);

/* Sends the pieces as output_send() does, as a part of the response; `ends`: the last
 * one. */
enum output_result fcgi_send(
	struct conn *c, const struct iovec *pieces, size_t n, bool ends);

/* A response of our own. Without a request it is nothing, and the end of the connection
 * says it all. */
enum output_result fcgi_send_page(struct conn *c, const struct iovec *pieces, size_t n);

/* The same, at once or not at all, in a signal handler. */
void fcgi_last_words(const struct conn *c, const struct error_page *page);

#endif
