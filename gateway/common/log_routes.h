/*
 * From the table of sinks to the log: which of them its messages go to, and in which
 * form.
 */
#ifndef COMMON_LOG_ROUTES_H
#define COMMON_LOG_ROUTES_H

#include "gateway/config/settings.h"

/* From now on, in this process: what it says is of that application; NULL: of the
 * server. The settings are used as long as these routes are. */
void log_routes_use(const struct server_settings *server, const char *app);

#endif
