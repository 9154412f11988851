#include "gateway/arbiter/post_fork.h"

#include <stdlib.h>
#include <unistd.h>

#include "gateway/arbiter/hook.h"
#include "gateway/arbiter/kind.h"
#include "gateway/common/channel.h"

static void __attribute__((noreturn)) refuse(int fd)
{
	struct channel channel;

	channel_init(&channel, fd);
	channel_send(&channel, MESSAGE_FAILED, SLICE("the hook post_fork failed"));
	exit(EXIT_LOAD);
}

void
post_fork(const struct heritage *h, const char *kind)
{
	const struct al_facts facts = {
		.pool = h->app->name,
		.kind = kind,
		.arbiter = getppid(),
		.worker = getpid(),
		.age = h->age,
		.generation = h->generation,
		.status = -1,
		.fd = -1,
	};

	if (!hook_complete(h->server, SERVER_post_fork, &facts, HOOK_LIMIT_MS))
		refuse(h->channel);
}

void
post_fork_born(const struct heritage *h)
{
	post_fork(h, kind_worker.name);
}
