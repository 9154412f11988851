/*
 * The environ of any head that is one: no name comes twice, no value holds a NUL, and
 * nothing is in it that a client may not say.
 */
#include <stdlib.h>

#include "protocols/cgi.h"
#include "tests/fuzz/fuzz.h"

enum { FIELDS = 100 };

static void
check_var(const struct cgi_var *var)
{
	static const char *const never[] = { "HTTP_PROXY", "HTTP_CONTENT_LENGTH",
		"HTTP_CONTENT_TYPE", "HTTP_TRANSFER_ENCODING", "HTTP_TE",
		"HTTP_KEEP_ALIVE" };

	assert(strlen(var->name) == var->name_len && var->name_len > 0);
	assert(strlen(var->value) == var->value_len);
	assert(var->id < CGI_VAR_IDS);
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		assert(strcmp(var->name, never[i]) != 0);
}

static void
check_environ(struct http1_head *head)
{
	struct cgi_var vars[CGI_OWN_VARS + FIELDS];
	struct arena memory = { 0 };
	struct cgi_source source = {
		.head = head,
		.body_length = head->length,
		.has_body = head->framing != HTTP1_NO_BODY,
		.scheme = head->n_fields % 2 == 0 ? "http" : "https",
		.server_name = "a",
		.server_port = "80",
		.remote_addr = "",
		.remote_port = "",
		.software = "alicorn",
		.underscores = head->target.len % 2 == 0,
	};
	size_t n = cgi_environ(&source, vars, &memory);

	assert(n > 0 && n <= CGI_OWN_VARS + head->n_fields);
	for (size_t i = 0; i < n; i++) {
		check_var(&vars[i]);
		for (size_t k = 0; k < i; k++)
			assert(strcmp(vars[i].name, vars[k].name) != 0);
	}
	arena_release(&memory);
}

void
fuzz_cgi_environ(struct slice in)
{
	static const struct http1_limits limits = { 4094, FIELDS, 8190, 1 << 20 };
	struct http1_field fields[FIELDS];
	struct http1_head head = { .fields = fields };
	struct http1_decoder d;

	http1_decoder_init(&d, &limits);
	int n = http1_decode_head(&d, in, &head);
	if (n <= 0)
		return;
	/* The environ is made in place: in memory of just the head. */
	char *own = malloc((size_t)n);
	assert(own != NULL);
	memcpy(own, in.ptr, (size_t)n);
	http1_decoder_init(&d, &limits);
	assert(http1_decode_head(&d, slice_of(own, (size_t)n), &head) == n);
	check_environ(&head);
	free(own);
}
