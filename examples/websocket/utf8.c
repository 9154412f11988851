#include "utf8.h"

/* Characters of more than one byte, by the first one: what may follow that. The rows
 * are those of RFC 3629 section 4. */
static const struct {
	uint8_t first, last;
	struct utf8 next;
} rows[] = {
	{ 0xc2, 0xdf, { 1, 0x80, 0xbf } },
	{ 0xe0, 0xe0, { 2, 0xa0, 0xbf } },
	{ 0xe1, 0xec, { 2, 0x80, 0xbf } },
	{ 0xed, 0xed, { 2, 0x80, 0x9f } },
	{ 0xee, 0xef, { 2, 0x80, 0xbf } },
	{ 0xf0, 0xf0, { 3, 0x90, 0xbf } },
	{ 0xf1, 0xf3, { 3, 0x80, 0xbf } },
	{ 0xf4, 0xf4, { 3, 0x80, 0x8f } },
};

static bool
begin(struct utf8 *u, uint8_t byte)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (byte >= rows[i].first && byte <= rows[i].last) {
			*u = rows[i].next;
			return true;
		}
	return false;
}

static bool
go_on(struct utf8 *u, uint8_t byte)
{
	if (byte < u->low || byte > u->high)
		return false;
	*u = (struct utf8){ (uint8_t)(u->left - 1), 0x80, 0xbf };
	return true;
}

bool
utf8_feed(struct utf8 *u, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (u->left > 0 ? !go_on(u, bytes[i])
				: bytes[i] >= 0x80 && !begin(u, bytes[i]))
			return false;
	}
	return true;
}

bool
utf8_is_complete(const struct utf8 *u)
{
	return u->left == 0;
}
