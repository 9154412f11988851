/* The command routes: where the server listens, and who answers there. */
#ifndef ARBITER_CONTROL_ROUTES_H
#define ARBITER_CONTROL_ROUTES_H

#include "gateway/arbiter/control_command.h"

control_fn control_run_routes;

#endif
