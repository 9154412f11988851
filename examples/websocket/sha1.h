/*
 * SHA-1 (RFC 3174). WebSocket uses it to show that a server has understood the request,
 * not to keep a secret; for that it would be too weak.
 */
#ifndef WEBSOCKET_SHA1_H
#define WEBSOCKET_SHA1_H

#include <stddef.h>
#include <stdint.h>

enum { SHA1_BYTES = 20 };

void sha1(const void *data, size_t n, uint8_t digest[SHA1_BYTES]);

#endif
