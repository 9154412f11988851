/*
 * The values of access logs, as they are written: what the tables of access_atoms.c are
 * made of.
 */
#ifndef WORKER_ACCESS_VALUES_H
#define WORKER_ACCESS_VALUES_H

#include "gateway/worker/access_atoms.h"

/* What a client said, or an application; a slice of NULL is missing. */
void access_put_value(struct access_line *line, struct slice value);

void access_put_number(struct access_line *line, uint64_t number);

/* With zeros in front, so that it has as many digits. */
void access_put_digits(struct access_line *line, uint64_t number, size_t digits);

/* "-", or null. */
access_atom_fn access_put_nothing;

/* Of requests and responses: access_values.c. */
access_atom_fn access_put_peer, access_put_user, access_put_request_line,
	access_put_method, access_put_query, access_put_protocol,
	access_put_request_field, access_put_referer, access_put_agent,
	access_put_variable, access_put_path, access_put_raw_path, access_put_id,
	access_put_host, access_put_received, access_put_status, access_put_bytes,
	access_put_bytes_or_dash, access_put_response_field;

/* The path of a request, as it was received, without its query; empty before its head
 * was.
 */
struct slice access_path(const struct al_request *req);

/* 499: the client left before there was one. */
unsigned access_status(const struct al_request *req);

#endif
