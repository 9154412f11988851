#include "handshake.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "sha1.h"

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* section 1.3 */

enum { KEY_LEN = 24 };

static const char base64[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* ---- The key ---- */

/* The text of three bytes, of which n < 3 may be there at the end. */
static void
encode(const uint8_t *bytes, size_t n, char *text)
{
	uint32_t bits = (uint32_t)bytes[0] << 16 |
		(n > 1 ? (uint32_t)bytes[1] << 8 : 0) | (n > 2 ? bytes[2] : 0);

	for (unsigned i = 0; i < 4; i++)
		text[i] = i <= n ? base64[bits >> (18 - 6 * i) & 63] : '=';
}

/* 16 bytes are 22 characters, the last of which has four bits of zero, and "==". */
static bool
is_key(const char *key)
{
	return strlen(key) == KEY_LEN && strspn(key, base64) == KEY_LEN - 2 &&
		strchr("AQgw", key[KEY_LEN - 3]) != NULL &&
		strcmp(key + KEY_LEN - 2, "==") == 0;
}

bool
handshake_accept(const char *key, char accept[ACCEPT_LEN + 1])
{
	char text[KEY_LEN + sizeof(GUID)];
	uint8_t digest[SHA1_BYTES];

	if (!is_key(key))
		return false;
	snprintf(text, sizeof(text), "%s" GUID, key);
	sha1(text, sizeof(text) - 1, digest);
	for (size_t i = 0; i < SHA1_BYTES; i += 3, accept += 4)
		encode(digest + i, SHA1_BYTES - i < 3 ? SHA1_BYTES - i : 3, accept);
	*accept = '\0';
	return true;
}

/* ---- The request ---- */

bool
handshake_names(const char *list, const char *token)
{
	size_t n = strlen(token);

	while (*list != '\0') {
		list += strspn(list, " \t,");
		size_t len = strcspn(list, " \t,");
		if (len == n && strncasecmp(list, token, n) == 0)
			return true;
		list += len;
	}
	return false;
}

static const char *
field(struct al_request *req, const char *name)
{
	const char *value = al_env(req, name);

	return value != NULL ? value : "";
}

bool
handshake_is_asked(struct al_request *req)
{
	return handshake_names(field(req, "HTTP_UPGRADE"), "websocket");
}

static bool
is_well_formed(struct al_request *req, char accept[ACCEPT_LEN + 1])
{
	return strcmp(field(req, "REQUEST_METHOD"), "GET") == 0 &&
		strcmp(field(req, "SERVER_PROTOCOL"), "HTTP/1.0") != 0 &&
		handshake_names(field(req, "HTTP_CONNECTION"), "upgrade") &&
		handshake_accept(field(req, "HTTP_SEC_WEBSOCKET_KEY"), accept);
}

/* The status of a refusal, or NULL. Which version would be understood is told in it
 * (section 4.4). */
static const char *
judge(struct al_request *req, char accept[ACCEPT_LEN + 1])
{
	if (!handshake_is_asked(req))
		return "426 Upgrade Required";
	if (strcmp(field(req, "HTTP_SEC_WEBSOCKET_VERSION"), "13") != 0)
		return "426 Upgrade Required";
	return is_well_formed(req, accept) ? NULL : "400 Bad Request";
}

size_t
handshake_answer(struct al_request *req, char head[HANDSHAKE_MAX])
{
	static const struct al_header version = { .name = "Sec-WebSocket-Version",
		.value = "13" };
	char accept[ACCEPT_LEN + 1];
	const char *refusal = judge(req, accept);

	if (refusal != NULL) {
		(void)al_start(req, refusal, &version, 1);
		return 0;
	}
	return (size_t)snprintf(head, HANDSHAKE_MAX,
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		accept);
}
