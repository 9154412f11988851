#include "gateway/logger/resolver.h"

#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* Whoever comes last frees it. */
enum state { RUNS, HAS_ENDED, IS_UNWANTED };

struct resolver {
	_Atomic int state;
	char host[256], port[8];
	int type;
	int error; /* as gai_strerror() knows it */
	struct sockaddr_storage address;
	socklen_t len;
};

static void *
look_up(void *arg)
{
	struct resolver *r = arg;
	struct addrinfo *found, hints = { .ai_socktype = r->type };

	r->error = getaddrinfo(r->host, r->port, &hints, &found);
	if (r->error == 0) {
		memcpy(&r->address, found->ai_addr, found->ai_addrlen);
		r->len = found->ai_addrlen;
		freeaddrinfo(found);
	}
	if (atomic_exchange(&r->state, HAS_ENDED) == IS_UNWANTED)
		free(r);
	return NULL;
}

struct resolver *
resolver_begin(struct slice host, struct slice port, int type)
{
	struct resolver *r = calloc(1, sizeof(*r));
	pthread_t thread;

	if (r == NULL)
		return NULL;
	snprintf(r->host, sizeof(r->host), "%" SLICE_FMT, SLICE_ARG(host));
	snprintf(r->port, sizeof(r->port), "%" SLICE_FMT, SLICE_ARG(port));
	r->type = type;
	if (pthread_create(&thread, NULL, look_up, r) != 0) {
		free(r);
		return NULL;
	}
	pthread_detach(thread);
	return r;
}

int
resolver_ask(const struct resolver *r, struct sockaddr_storage *address, socklen_t *len,
	const char **why)
{
	if (atomic_load(&r->state) != HAS_ENDED)
		return 0;
	if (r->error != 0) {
		*why = gai_strerror(r->error);
		return -1;
	}
	*address = r->address;
	*len = r->len;
	return 1;
}

void
resolver_end(struct resolver *r)
{
	if (r != NULL && atomic_exchange(&r->state, IS_UNWANTED) == HAS_ENDED)
		free(r);
}
