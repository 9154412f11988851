/*
 * Reports to a statsd server: each worker gathers what its requests came to, and sends
 * it once a second, in few datagrams, so that no request costs a system call. The names
 * are gunicorn's. Without statsd_host these calls do nothing.
 */
#ifndef WORKER_REPORTS_H
#define WORKER_REPORTS_H

#include <stdint.h>

/* Begins; with the loop. A server that cannot be found is told in the log. */
void reports_start(void);

/* A request has ended, and was so long in the application. Also in a signal handler. */
void reports_count(unsigned status, uint64_t us);

/* Sends what is left. */
void reports_stop(void);

#endif
