/*
 * The hooks that the settings name, as functions of Python; and what becomes of them,
 * and of the threads' stacks, when a signal ends the process.
 */
#ifndef PYTHON_HOOKS_H
#define PYTHON_HOOKS_H

#include <Python.h>
#include <stdbool.h>

#include "gateway/alicorn.h"

/* Whether there is pre_request, or post_request: else the calls that are about requests
 * are not to be made. */
extern bool hooks_follow_requests;

/* Finds the functions; what is not found is logged. The lock is held. */
void hooks_init(void);
void hooks_release(void);

/* Those of a worker: AL_WORKER_INIT, AL_WORKER_INT and AL_WORKER_EXIT. The lock is
 * held.
 */
void hooks_call(enum al_hook moment);

/* The environ of the request that is about to be answered. */
void hooks_request(PyObject *variables);

/* What start_response was given for it. */
void hooks_response(PyObject *status, PyObject *headers);

/* It was answered. */
void hooks_answered(struct al_request *req);

/* In a signal handler: AL_WORKER_INT and AL_WORKER_ABORT. */
void hooks_interrupt(enum al_hook moment);

/* There too: writes the stacks of all threads to the log. */
void hooks_show_stacks(void);

#endif
