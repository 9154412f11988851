/* Paths of requests, decoded. */
#include "protocols/cgi.h"

#include "protocols/http1_guard.h"

size_t
cgi_decode_path(char *out, struct slice in)
{
	char *at = out;

	for (size_t i = 0; i < in.len; i++) {
		int high = in.ptr[i] == '%' && in.len - i > 2 ? http1_hex(in.ptr[i + 1])
							      : -1;
		int low = high >= 0 ? http1_hex(in.ptr[i + 2]) : -1;
		if (low >= 0) {
			*at++ = (char)(high << 4 | low);
			i += 2;
		} else {
			*at++ = in.ptr[i];
		}
	}
	return (size_t)(at - out);
}
