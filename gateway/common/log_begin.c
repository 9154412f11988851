#include "gateway/common/log_begin.h"

#include <errno.h>
#include <string.h>

#include "gateway/logger/log.h"
#include "gateway/logger/outlet.h"

void
log_begin(const struct heritage *h)
{
	const struct outlet_gift gift = {
		.ring = h->log.ring,
		.bell = h->log.bell,
		.is_patient = strcmp(h->server->log_overflow, "block") == 0,
	};

	log_mirror(-1);
	log_use(h->log.output);
	log_use_sinks(h->server->sinks, h->log.sinks, h->server->n_sinks, h->app->name);
	/* What it says comes by the pipe then, in another form. */
	if (outlet_open(&gift) == -1)
		log_error("a ring for the log: %s", strerror(errno));
}
