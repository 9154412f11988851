/*
 * A trial: whether the applications of a configuration can be loaded, for
 * --check-config. Each is loaded in a process of its own, as its workers would load it;
 * nothing listens.
 */
#ifndef ARBITER_TRIAL_H
#define ARBITER_TRIAL_H

#include "gateway/common/heritage.h"
#include "gateway/config/config.h"

/*
 * Prints a line for each application: "shop: ok", or, on stderr, "shop: " and the
 * reason. `load` runs in the process, as a worker does, and reports over its channel.
 * Returns the exit status: EXIT_DONE or EXIT_CONFIG.
 */
enum exit_status trial_run(const struct config *config, worker_fn *load);

#endif
