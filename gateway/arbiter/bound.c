#include "gateway/arbiter/bound.h"

#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { PORT_TEXT = 8 };

static const struct sockaddr_in *
v4(const struct sockaddr_storage *a)
{
	return (const void *)a;
}

static const struct sockaddr_in6 *
v6(const struct sockaddr_storage *a)
{
	return (const void *)a;
}

static bool
is_wildcard(const struct sockaddr_storage *a)
{
	return a->ss_family == AF_INET ? v4(a)->sin_addr.s_addr == htonl(INADDR_ANY)
				       : IN6_IS_ADDR_UNSPECIFIED(&v6(a)->sin6_addr);
}

static bool
takes_both_families(int fd)
{
	int only_v6 = 1;
	socklen_t size = sizeof(only_v6);

	return getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, &size) == 0 &&
		!only_v6;
}

static bool
same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET)
		return v4(a)->sin_addr.s_addr == v4(b)->sin_addr.s_addr;
	return IN6_ARE_ADDR_EQUAL(&v6(a)->sin6_addr, &v6(b)->sin6_addr) &&
		v6(a)->sin6_scope_id == v6(b)->sin6_scope_id;
}

/* The port stands in the same place for both families. */
static bool
same_port(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	return v4(a)->sin_port == v4(b)->sin_port;
}

/* systemd opens [::] for both families where 0.0.0.0 is meant. */
static bool
is_like(int fd, const struct sockaddr_storage *bound, const struct addrinfo *info)
{
	struct sockaddr_storage wanted = { 0 };

	memcpy(&wanted, info->ai_addr, info->ai_addrlen);
	if (!same_port(bound, &wanted))
		return false;
	return same_host(bound, &wanted) ||
		(bound->ss_family == AF_INET6 && wanted.ss_family == AF_INET &&
			is_wildcard(bound) && is_wildcard(&wanted) &&
			takes_both_families(fd));
}

static bool
bound_to_tcp(int fd, const struct sockaddr_storage *bound, const struct address *wanted)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
	};
	struct addrinfo *all;
	bool same = false;

	if (getaddrinfo(wanted->host, wanted->port, &hints, &all) != 0)
		return false;
	for (const struct addrinfo *i = all; i != NULL && !same; i = i->ai_next)
		same = is_like(fd, bound, i);
	freeaddrinfo(all);
	return same;
}

/* False: it cannot be told. What follows the path of a unix socket is 0. */
static bool
look_at(int fd, struct sockaddr_storage *bound)
{
	socklen_t size = sizeof(*bound) - 1;

	*bound = (struct sockaddr_storage){ 0 };
	return getsockname(fd, (struct sockaddr *)bound, &size) == 0;
}

static bool
is_inet(const struct sockaddr_storage *bound)
{
	return bound->ss_family == AF_INET || bound->ss_family == AF_INET6;
}

bool
bound_to(int fd, const struct address *wanted)
{
	struct sockaddr_storage bound;
	const struct sockaddr_un *file = (const void *)&bound;

	if (!look_at(fd, &bound))
		return false;
	if (wanted->kind == ADDRESS_TCP)
		return is_inet(&bound) && bound_to_tcp(fd, &bound, wanted);
	return wanted->kind == ADDRESS_UNIX && bound.ss_family == AF_UNIX &&
		strcmp(file->sun_path, wanted->host) == 0;
}

bool
bound_address(int fd, struct address *address, struct arena *memory)
{
	char host[NI_MAXHOST], port[PORT_TEXT];
	struct sockaddr_storage bound;
	const struct sockaddr_un *file = (const void *)&bound;

	if (!look_at(fd, &bound))
		return false;
	if (bound.ss_family == AF_UNIX) {
		address->kind = ADDRESS_UNIX;
		address->host = arena_strz(memory, slice_str(file->sun_path));
		address->port = "";
	} else if (is_inet(&bound) &&
		getnameinfo((struct sockaddr *)&bound, sizeof(bound), host,
			sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
		address->kind = ADDRESS_TCP;
		address->host = arena_strz(memory, slice_str(host));
		address->port = arena_strz(memory, slice_str(port));
	} else {
		return false;
	}
	return address->host != NULL && address->port != NULL;
}
