#include "bindings/fastcgi/place.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

void
places_release(struct places *p)
{
	free(p->items);
	*p = (struct places){ 0 };
}

bool
places_have(const struct places *p, const struct place *place)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->items[i].len == place->len &&
			memcmp(&p->items[i].any, &place->any, place->len) == 0)
			return true;
	return false;
}

static int
copy_all(struct places *p, const struct addrinfo *found)
{
	size_t n = 0;

	for (const struct addrinfo *at = found; at != NULL; at = at->ai_next)
		n++;
	struct place *items = calloc(n, sizeof(*items));
	if (items == NULL)
		return EAI_MEMORY;
	places_release(p);
	p->items = items;
	for (const struct addrinfo *at = found; at != NULL; at = at->ai_next) {
		struct place *place = &items[p->n];
		if (at->ai_addrlen > sizeof(place->local))
			continue;
		memcpy(&place->any, at->ai_addr, at->ai_addrlen);
		place->len = at->ai_addrlen;
		p->n++;
	}
	return p->n != 0 ? 0 : EAI_NODATA;
}

static int
look_up(struct places *p, const struct host *host, int flags)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags };
	struct addrinfo *found;
	int error = getaddrinfo(host->name, host->service, &hints, &found);

	if (error != 0)
		return error;
	error = copy_all(p, found);
	freeaddrinfo(found);
	return error;
}

int
places_look_up(struct places *p, const struct host *host)
{
	return look_up(p, host, 0);
}

static const char *
parse_unix(struct places *p, const char *path)
{
	size_t len = strlen(path);

	p->items = calloc(1, sizeof(*p->items));
	if (p->items == NULL)
		return "out of memory";
	if (len >= sizeof(p->items->local.sun_path))
		return "the path of the unix socket is too long";
	p->items->local.sun_family = AF_UNIX;
	memcpy(p->items->local.sun_path, path, len);
	p->items->len = sizeof(p->items->local);
	p->n = 1;
	return NULL;
}

const char *
places_parse(struct places *p, struct host *host, const char *text)
{
	const char *colon = strrchr(text, ':');

	host->name[0] = '\0';
	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(p, text + 5);
	if (colon == NULL || colon == text || colon[1] == '\0' ||
		strlen(colon + 1) >= sizeof(host->service))
		return "the target is not HOST:PORT or unix:PATH";
	size_t len = (size_t)(colon - text);
	if (text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len >= sizeof(host->name))
		return "the name of the host is too long";
	memcpy(host->name, text, len);
	host->name[len] = '\0';
	memcpy(host->service, colon + 1, strlen(colon + 1) + 1);
	if (look_up(p, host, AI_NUMERICHOST) == 0)
		host->name[0] = '\0';
	return NULL;
}
