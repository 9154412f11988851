/* The PROXY protocol: nothing is decided too early, and nothing is changed by more
 * bytes. */
#include "protocols/proxy.h"
#include "tests/fuzz/fuzz.h"

enum { MOST = 600 }; /* a header is shorter */

static void
check_versions(struct slice in, unsigned versions)
{
	struct proxy_header header, other;
	int n = proxy_decode(&header, versions, in), early = 0;
	size_t received = 0;

	assert(n == PROXY_BAD || header.error == NULL);
	assert(n != PROXY_BAD || header.error != NULL);
	assert(n <= 536 && n <= (int)in.len);
	assert(n > 0 || header.client.any.sa_family == AF_UNSPEC || n == PROXY_BAD);
	while (received <= in.len && received < MOST &&
		(early = proxy_decode(&other, versions, slice_of(in.ptr, received))) ==
			0)
		received++;
	assert(early == n && (n <= 0 || received == (size_t)n));
	assert(n == PROXY_BAD ? other.error != NULL
			      : memcmp(&header, &other, sizeof(header)) == 0);
}

void
fuzz_proxy(struct slice in)
{
	for (unsigned versions = 0; versions <= (PROXY_V1 | PROXY_V2); versions++)
		check_versions(in, versions);
}
