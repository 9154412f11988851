/* Worker classes of one's own: the worker's side of alicorn-worker.h. */
#ifndef WORKER_CUSTOM_H
#define WORKER_CUSTOM_H

#include <stdbool.h>

/* The setting worker_class names a shared object. */
bool custom_is_wanted(void);

/* Opens it and calls its init(). NULL, or what is wrong. */
const char *custom_load(const char *target);

/* Its run(); returns the exit status. */
int custom_run(void);

/* The generation is committed, the worker is told to stop: it hears of that in
 * al_control(). */
void custom_serve(void);
void custom_stop(void);

#endif
