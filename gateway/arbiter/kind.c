#include "gateway/arbiter/kind.h"

#include <signal.h>
#include <string.h>

#include "gateway/arbiter/child.h"
#include "gateway/arbiter/pool.h"
#include "gateway/arbiter/program.h"

static int
run_worker(const struct family *f, const struct pool *pool, const struct heritage *h)
{
	(void)pool;
	return f->worker(h);
}

static int
run_prototype(const struct family *f, const struct pool *pool, const struct heritage *h)
{
	(void)pool;
	return f->prototype(h);
}

static int
run_program(const struct family *f, const struct pool *pool, const struct heritage *h)
{
	struct channel channel;

	(void)f;
	channel_init(&channel, h->channel);
	const char *reason = program_exec(h->app, pool->socket);
	channel_send(&channel, MESSAGE_FAILED, slice_str(reason));
	return EXIT_LOAD;
}

const struct child_kind kind_worker = {
	.name = "worker",
	.has_slot = true,
	.quick_signal = SIGQUIT,
	.run = run_worker,
};

const struct child_kind kind_prototype = {
	.name = "prototype",
	.quick_signal = SIGQUIT,
	.run = run_prototype,
};

const struct child_kind kind_program = {
	.name = "program",
	.leads_group = true,
	.drops_requests = true,
	.quick_signal = SIGTERM,
	.settle_ms = 100,
	.run = run_program,
};
