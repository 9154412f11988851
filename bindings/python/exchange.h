/*
 * One request as the application sees it. It lives on the stack of handle(). What the
 * application is given of it are parts: objects that point to the exchange until the
 * request ends, and to nothing afterwards, since an application may keep them.
 */
#ifndef PYTHON_EXCHANGE_H
#define PYTHON_EXCHANGE_H

#include <Python.h>

#include "gateway/alicorn.h"

enum part_kind {
	PART_START_RESPONSE,
	PART_WRITE,
	PART_INPUT,
	PART_ERRORS,
	PART_EARLY_HINTS,
	N_PARTS
};

struct part {
	PyObject base;
	vectorcallfunc call; /* of the kinds that are called */
	struct exchange *exchange; /* NULL: the request has ended */
};

enum { ERRORS_LINE_MAX = 1024 };

struct exchange {
	struct al_request *req;
	struct part *parts[N_PARTS];
	PyObject *connection; /* its socket */
	uint64_t body_left; /* bytes of the request body that were not read yet */
	bool started; /* start_response was called */
	bool committed; /* the head is sent, or as good as sent */
	bool gone; /* the client has gone, nothing can be sent any more */
	size_t line_len;
	char line[ERRORS_LINE_MAX]; /* what wsgi.errors was given since the last LF */
};

extern PyTypeObject start_response_type, write_type, input_type, errors_type,
	early_hints_type;

PyObject *start_response_call(
	PyObject *self, PyObject *const *args, size_t nargsf, PyObject *names);
PyObject *early_hints_call(
	PyObject *self, PyObject *const *args, size_t nargsf, PyObject *names);
PyObject *write_call(
	PyObject *self, PyObject *const *args, size_t nargsf, PyObject *names);

/* Makes the types of the parts; -1 with an exception. */
int parts_init(void);
void parts_release(void);

/* Ties the parts to the exchange; -1 with an exception. exchange_end is owed also then.
 * With AL_ALREADY_HANDLED it leaves the request to the application's threads, so that
 * it must not be used afterwards. */
int exchange_begin(struct exchange *x, struct al_request *req);
void exchange_end(struct exchange *x, enum al_result result);

/* The request that this thread answers, or NULL. */
struct al_request *exchange_current(void);

/* The exchange of a part, or NULL with an exception when the request has ended. */
struct exchange *part_exchange(PyObject *part);

/* Answers that parts give as files do. */
PyObject *part_true(PyObject *part, PyObject *none);
PyObject *part_false(PyObject *part, PyObject *none);
PyObject *part_closed(PyObject *part, void *closure);

/* When an item is sent: with the next one, at once, or at once with the end behind it.
 */
enum sending { SEND_LATER, SEND_NOW, SEND_LAST };

/* One item of the body, which commits the head unless it is empty; -1 with an
 * exception. */
int exchange_write(struct exchange *x, PyObject *item, enum sending when);

/* A regular file from `offset` to its end, as the body; -1 with an exception. */
int exchange_sendfile(struct exchange *x, int fd, off_t offset);

/* Logs the line that wsgi.errors was given a beginning of. */
void errors_flush(struct exchange *x);

#endif
