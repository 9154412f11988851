#include "gateway/routes/escape.h"

#include <stdint.h>

enum {
	IN_PATH = 1 << ESCAPE_PATH,
	IN_URI = 1 << ESCAPE_URI,
	IN_BOTH = IN_PATH | IN_URI
};

/* pchar and '/' in paths (section 3.3); gen-delims and '%' besides in URIs. */
static const uint8_t stays[256] = {
	['!'] = IN_BOTH,
	['#'] = IN_URI,
	['$'] = IN_BOTH,
	['%'] = IN_URI,
	['&' ... ';'] = IN_BOTH, /* &'()*+,-./ digits : ; */
	['='] = IN_BOTH,
	['?'] = IN_URI,
	['@' ... 'Z'] = IN_BOTH,
	['['] = IN_URI,
	[']'] = IN_URI,
	['_'] = IN_BOTH,
	['a' ... 'z'] = IN_BOTH,
	['~'] = IN_BOTH,
};

void
escape(struct buffer *out, struct slice text, enum escape_set set)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if ((stays[c] & 1 << set) != 0) {
			buffer_add_char(out, (char)c);
		} else {
			const char code[] = { '%', digits[c >> 4], digits[c & 15] };
			buffer_add(out, code, sizeof code);
		}
	}
}
