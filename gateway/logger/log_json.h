/* A message of the log as an object of JSON, in one line. */
#ifndef LOGGER_LOG_JSON_H
#define LOGGER_LOG_JSON_H

#include "gateway/logger/log.h"

/* {"time":"2026-11-21T09:30:00.250+00:00","level":"info","pid":4711,"pool":"shop",
 * "request_id":"…","request":"GET /path","message":"…"}; what a message is not about is
 * left out. */
log_format_fn log_format_json;

#endif
