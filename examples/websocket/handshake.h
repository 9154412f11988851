/*
 * The opening handshake (RFC 6455 section 4): a GET request that asks for another
 * protocol, and the head that agrees to it.
 */
#ifndef WEBSOCKET_HANDSHAKE_H
#define WEBSOCKET_HANDSHAKE_H

#include <alicorn.h>

enum { ACCEPT_LEN = 28, HANDSHAKE_MAX = 160 };

/* The request asks for a WebSocket, well or badly. */
bool handshake_is_asked(struct al_request *req);

/* Agrees: the head to send, and its length. 0: the request was refused by a response
 * instead, which is complete. */
size_t handshake_answer(struct al_request *req, char head[HANDSHAKE_MAX]);

/* What proves that the key was understood (section 4.2.2), ended by NUL. False: the key
 * is not 16 bytes in base64. */
bool handshake_accept(const char *key, char accept[ACCEPT_LEN + 1]);

/* Whether a field that is a list, such as "keep-alive, Upgrade", names the token. */
bool handshake_names(const char *list, const char *token);

#endif
