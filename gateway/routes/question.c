#include "gateway/routes/question.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

#include "gateway/routes/path.h"
#include "gateway/routes/table.h"

static const char *
read_client(struct question *q, const char *text)
{
	q->client_text = text != NULL ? text : "127.0.0.1";
	if (inet_pton(AF_INET, q->client_text, &q->client.v4.sin_addr) == 1)
		q->client.any.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, q->client_text, &q->client.v6.sin6_addr) == 1)
		q->client.any.sa_family = AF_INET6;
	else
		return "the client has no such address";
	return NULL;
}

/* Of HTTP/1.0, where a head needs no fields. */
static const char *
read_head(struct question *q, const char *text)
{
	const struct http1_limits limits = { UINT16_MAX, 1, UINT16_MAX, 0 };
	static struct http1_field none;
	struct http1_decoder decoder;

	http1_decoder_init(&decoder, &limits);
	buffer_addf(&q->text, "%s HTTP/1.0\r\n\r\n", text);
	q->head.fields = &none;
	int n = http1_decode_head(&decoder, buffer_slice(&q->text), &q->head);
	if (n > 0 && (size_t)n == q->text.len)
		return NULL;
	return n < 0 ? decoder.reason : "not a method and a URL";
}

static void
read_authority(struct question *q)
{
	struct slice authority = q->head.authority, target = q->head.target;
	bool is_https = target.len > 5 &&
		slice_caseeq(slice_of(target.ptr, 6), SLICE("https:"));
	const char *colon =
		authority.len > 0 ? memrchr(authority.ptr, ':', authority.len) : NULL;

	q->scheme = is_https ? SLICE("https") : SLICE("http");
	q->host = route_host(authority);
	/* Not one of an IPv6 address, all of which is the host. */
	if (colon != NULL && colon >= q->host.ptr + q->host.len)
		q->port = slice_of(
			colon + 1, (size_t)(authority.ptr + authority.len - colon - 1));
}

const char *
question_read(struct question *q, const char *text, const char *client)
{
	*q = (struct question){ 0 };
	const char *reason = read_client(q, client);

	if (reason == NULL)
		reason = read_head(q, text);
	if (reason != NULL)
		return reason;
	read_authority(q);
	char *to = buffer_reserve(&q->room, q->head.path.len);
	if (to == NULL)
		return "out of memory";
	q->path = route_path(q->head.path, to);
	return NULL;
}

void
question_release(struct question *q)
{
	buffer_release(&q->text);
	buffer_release(&q->room);
}
