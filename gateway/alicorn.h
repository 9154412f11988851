/*
 * alicorn.h: the interface between the gateway and applications, of any language.
 *
 * CGI in its words (RFC 3875), WSGI in its meaning (PEP 3333). Bindings, which run
 * applications of one language, and applications written in C use the same calls.
 * Documented in alicorn(3).
 *
 * A request belongs to the gateway. A pointer that a call returns lives until the
 * request ends, unless its comment says otherwise; what is passed in is copied where it
 * must live longer than the call. The calls about a request are made in the thread in
 * which handle() was called for it, or in which a watcher or timer fires; the others,
 * and al_finish() of a connection that the application took over, in any thread. Calls
 * of the gateway to the application come in the worker's main thread, but handle() and
 * the hooks about requests and threads: with `threads` they come in each of these.
 */
#ifndef ALICORN_H
#define ALICORN_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* Grows when a call is added; a binding that was built for a greater number than the
 * server's is refused with a message. */
#define AL_ABI 3

struct al_request;

/* What handle() returns. */
enum al_result {
	AL_ERROR = -1, /* failed: 500 if nothing was sent, else the connection is cut */
	AL_DONE = 0, /* the response is complete */
	AL_PENDING = 1, /* goes on through watchers and timers until al_finish() */
	/* The connection is the application's from now on, until al_finish(): see
	 * al_socket() and al_detach(). */
	AL_ALREADY_HANDLED = 2,
	/* The request is for somebody else; nothing was started. Only where the
	 * configuration says who comes next: see al_has_next(). */
	AL_DECLINED = 3,
};

/* What iterate() returns. */
enum al_iteration {
	AL_AGAIN = 0, /* call again soon; requests come first */
	AL_PAUSE = 1, /* call again after the next request, or `iterate_interval` */
};

enum al_level { AL_CRITICAL, AL_LOG_ERROR, AL_WARNING, AL_INFO, AL_DEBUG };

/* Moments that a binding may want to know of. Those in brackets have a request. */
enum al_hook {
	AL_WORKER_INIT, /* the application is loaded, no request was taken yet */
	AL_WORKER_EXIT, /* the last request is answered, the process ends next */
	AL_PRE_REQUEST, /* [request] complete, handle() comes next */
	AL_POST_REQUEST, /* [request] answered, or failed; it ends next */
	/* A prototype, which has loaded the application, is about to fork a worker, has
	 * done so or failed, or is that worker. */
	AL_BEFORE_FORK,
	AL_AFTER_FORK_PARENT,
	AL_AFTER_FORK_CHILD,
	/* Told to stop quickly: the process ends next. In a signal handler if the
	 * application is in the middle of a request, so only what may be called there
	 * may be called; else not. */
	AL_WORKER_INT,
	/* The process ends by a fatal signal, or as a request takes too long; in a
	 * signal handler. Clients have been answered. */
	AL_WORKER_ABORT,
	/* Name the files that the application was loaded from: al_file(). */
	AL_FILES,
	/* A thread begins, or ends, in which handle() is called: one of `threads`.
	 * Called in it; not for the main thread. */
	AL_THREAD_START,
	AL_THREAD_EXIT,
	/* The request takes longer than slow_stack_after, and goes on: write to
	 * al_log_fd() what it is doing. In a signal handler, in the thread that has it.
	 */
	AL_SHOW_STACK,
};

/*
 * A binding is a shared object that exports one of these as `al_binding`. Members that
 * it does not need are NULL; all but load and handle are optional. Hooks that it does
 * not know are to be ignored: there will be more.
 */
struct al_binding {
	uint32_t abi; /* AL_ABI */
	uint32_t flags; /* enum al_binding_flags */
	const char *name; /* "python" */

	/* Loads the application; the target is what stands behind "python:". Returns
	 * NULL and sets *app, or says in one line why not; the text is never freed. */
	const char *(*load)(const char *target, void **app);

	/* Answers one complete request; returns enum al_result. */
	int (*handle)(void *app, struct al_request *req);

	/* Work between requests, where worker_class is iterating; returns enum
	 * al_iteration. */
	int (*iterate)(void *app);

	void (*hook)(void *app, enum al_hook hook, struct al_request *req);

	/* The worker ends; the application's own clean-up. */
	void (*unload)(void *app);

	/* Since AL_ABI 2: prepares the loaded application in the worker that is to run
	 * it. With preload_app, load() was called in another process, from which the
	 * worker was forked. Returns NULL, or says in one line why it cannot run. */
	const char *(*start)(void *app);
};

/* Defined by a binding, not by the gateway. */
extern const struct al_binding al_binding;

enum al_binding_flags {
	/* handle() returns soon in any case, and goes on by AL_PENDING. */
	AL_EVENT_DRIVEN = 1,
	/* Since AL_ABI 3: handle() may run in several threads at once. */
	AL_THREAD_SAFE = 2,
};

/*
 * A C application is a shared object that exports al_handle and, if it needs them,
 * al_worker_init, al_worker_exit and al_iterate. The pointer is the application's own:
 * al_worker_init may set it, the others are given it. al_worker_init is called in each
 * worker, also when the shared object was opened before in a prototype; it returns
 * NULL, or says in one line why the application cannot run.
 * With AL_THREAD_SAFE in al_flags al_handle may be called in several threads at once,
 * as the setting threads says; without al_flags it runs in one.
 */
extern const uint32_t al_flags;
int al_handle(void *app, struct al_request *req);
const char *al_worker_init(void **app);
void al_worker_exit(void *app);
int al_iterate(void *app);

/* A function that one of its settings post_worker_init, pre_request, post_request,
 * worker_int, worker_abort and worker_exit names; req is NULL but for the requests'.
 * The moments are those of enum al_hook. */
typedef void al_app_hook(void *app, struct al_request *req);

/* ---- The environ ---------------------------------------------------------------- */

/*
 * One variable of the environ: REQUEST_METHOD, SCRIPT_NAME, PATH_INFO, QUERY_STRING,
 * CONTENT_TYPE, CONTENT_LENGTH, SERVER_NAME, SERVER_PORT, SERVER_PROTOCOL,
 * SERVER_SOFTWARE, GATEWAY_INTERFACE, REMOTE_ADDR, REMOTE_PORT, REQUEST_SCHEME,
 * REQUEST_URI, RAW_URI, REQUEST_ID, HTTPS, and HTTP_* for the other header fields. Both
 * texts are NUL-terminated and hold no other NUL.
 */
struct al_var {
	const char *name;
	const char *value;
	uint32_t name_len;
	uint32_t value_len;
	/* The same name has the same id in every request of a process, so that a
	 * binding can keep its own form of the name; below AL_VAR_IDS. 0: a name
	 * without an id. */
	uint32_t id;
};

#define AL_VAR_IDS 128

/* The value of a variable, or NULL where the request has none of that name. */
const char *al_env(struct al_request *req, const char *name);

/* All variables, each name once; n is set to their number. */
const struct al_var *al_env_all(struct al_request *req, size_t *n);

/* "http" or "https" (wsgi.url_scheme). */
const char *al_scheme(struct al_request *req);

/* More than one process, or thread, may run the application (wsgi.multiprocess,
 * wsgi.multithread). */
bool al_multiprocess(void);
bool al_multithread(void);

/* ---- The request body ----------------------------------------------------------- */

/* The body, a chunked one too, is received before handle() is called: no call waits. */

/* The length of the body in bytes, 0 when there is none. */
uint64_t al_body_length(struct al_request *req);

/* Up to n bytes into buf; 0 at the end, -1 and errno when the spool file fails. */
ssize_t al_read(struct al_request *req, void *buf, size_t n);

/* The same up to and with the next LF. */
ssize_t al_readline(struct al_request *req, void *buf, size_t n);

/* The whole body in memory, or NULL when it was spooled to a file (or is empty). Does
 * not move what al_read reads next. */
const void *al_body_memory(struct al_request *req);

/* A descriptor of the spool file, or -1 when the body is in memory. It stays the
 * gateway's: read it with pread(), do not close it. */
int al_body_fd(struct al_request *req);

/* ---- The response --------------------------------------------------------------- */

/* A length of 0 stands for a NUL-terminated text, whose length is taken. */
struct al_header {
	const char *name;
	const char *value;
	size_t name_len;
	size_t value_len;
};

/*
 * The status ("200 OK"; the reason may be missing) and header fields. Sends nothing
 * yet; called again before the first byte was sent it replaces them. Hop-by-hop fields
 * (RFC 9110 section 7.6.1) are left out: framing is the gateway's business.
 * Returns 0, or -1 and says why in the log, with errno EINVAL: the status is not one, a
 * name is no token, a value holds CR, LF or NUL (RFC 9110 section 5.5), or two
 * Content-Lengths differ; EALREADY: something was sent.
 */
int al_start(struct al_request *req, const char *status,
	const struct al_header *headers, size_t n);

/*
 * Some of the body. Small pieces are gathered; what the client does not take at once is
 * copied and sent later. Waits only when more than `response_buffer_size` bytes are
 * queued, and never for event-driven bindings (see al_queued). Bytes beyond
 * Content-Length are dropped and logged once. Returns 0, or -1 when the client has gone
 * or takes nothing (EPIPE), or al_start was not called (EINVAL).
 */
int al_write(struct al_request *req, const void *data, size_t n);

/* The same for the last piece: nothing follows, so that the gateway knows the length of
 * a response that is complete with it, and sends it with its head at once. */
int al_write_last(struct al_request *req, const void *data, size_t n);

/*
 * An interim response before the final one (RFC 9110 section 15.2): "103 Early Hints"
 * with Link fields, or "102 Processing". It is sent at once; HTTP/1.0 clients, which
 * know none, are not sent it. Returns 0, or -1 with errno EINVAL: not such a status, or
 * a field is none; EALREADY: the response has begun; EPIPE: the client has gone.
 */
int al_inform(struct al_request *req, const char *status,
	const struct al_header *headers, size_t n);

/* Sends what is gathered now, the head too. Returns as al_write. */
int al_flush(struct al_request *req);

/*
 * A part of a file as the next piece of the body; length -1 means to its end. The
 * descriptor is duplicated, its position is neither used nor moved. Returns as
 * al_write, also -1 with the errno of dup() or fstat().
 */
int al_sendfile(struct al_request *req, int fd, off_t offset, off_t length);

/*
 * The whole of a response that is an error: the server's page for that status, from 400
 * to 599 (others become 500), or the one that `error_pages` names for it, with these
 * fields; Content-Type, and with 503 Retry-After, are the page's. Returns as al_start
 * and al_write_last.
 */
int al_error(struct al_request *req, unsigned status, const struct al_header *headers,
	size_t n);

/* True once a byte of the response has left for the client. */
bool al_sent(struct al_request *req);

/* True where another application comes next if this one returns AL_DECLINED. */
bool al_has_next(struct al_request *req);

/* In AL_POST_REQUEST: the status that the client was answered; 0: it was not. */
unsigned al_status(struct al_request *req);

/* ---- Connections that leave ----------------------------------------------------- */

/*
 * The descriptor of the client's connection, for an application that speaks to it
 * itself; *unread and *n are what was received behind this request, until the request
 * ends. It is non-blocking, and stays the gateway's to close: the application makes it
 * its own by returning AL_ALREADY_HANDLED, and gives it back by al_finish(), which may
 * be called in any thread, and then closes it. Until then it has no time limits, is
 * read and written by nobody else, and a graceful stop waits for it. Returns -1 with
 * errno EALREADY: a response has begun; EPIPE: the client has gone; ENOTSUP: it is a
 * web server that speaks FastCGI, which is no client's connection.
 */
int al_socket(struct al_request *req, const void **unread, size_t *n);

/* Why an application shall end its connection. */
enum al_reason {
	AL_REASON_STOP, /* the server stops */
	AL_REASON_RELOAD, /* this worker is replaced at a reload */
	AL_REASON_RECYCLE, /* it is replaced as it has served enough, or grown too large
			    */
	AL_REASON_TIMEOUT, /* the connection has been open for detached_timeout */
};

/*
 * Detached mode: the application goes on with the connection in a thread, or a process,
 * of its own, under supervision. Both functions are called in the main thread, and must
 * return at once.
 */
struct al_proc {
	/* 1: it goes on; 0: it has ended; -1: it has failed. Asked about once a second,
	 * and before terminate(). May be NULL: it goes on until al_finish(). When it
	 * has ended the gateway finishes the request, and al_finish() must not be
	 * called. */
	int (*status)(void *arg);
	/* To be done soon. Who is still there after graceful_timeout is cut off. */
	void (*terminate)(void *arg, enum al_reason reason);
	/* The last call: nobody asks any more. May be NULL. */
	void (*ended)(void *arg);
};

/* Before AL_ALREADY_HANDLED is returned; the table is not copied. */
void al_detach(struct al_request *req, const struct al_proc *proc, void *arg);

/* ---- Messages ------------------------------------------------------------------- */

enum al_to {
	AL_TO_POOL, /* all other workers of this application */
	AL_TO_ARBITER, /* its hook on_message */
};

enum { AL_MESSAGE_MAX = 16 * 1024 };

/* A message of a type of the application's own, with a copy of a descriptor unless fd
 * is -1. Arrives in the order of sending, at workers that serve at that time, or not at
 * all. 0, or -1 with errno EMSGSIZE: more than AL_MESSAGE_MAX bytes; EAGAIN: too many
 * wait; EPIPE: this is a prototype, which has no place among the workers. It leaves
 * when the request that the main thread is in has ended. In any thread. */
int al_send(enum al_to to, uint32_t type, const void *data, size_t n, int fd);

/* Called in the main thread, between requests, with what another worker sent; `from` is
 * its pid. The descriptor is the application's to close; -1: none. */
typedef void al_message_fn(
	void *arg, pid_t from, uint32_t type, const void *data, size_t n, int fd);

/* Messages that come before this is called, or after it was called with NULL, are lost.
 */
void al_on_message(al_message_fn *fn, void *arg);

/* ---- Event-driven applications -------------------------------------------------- */

/* Ends a request whose handle() returned AL_PENDING: AL_DONE or AL_ERROR. After
 * AL_ERROR with nothing sent the client gets `status`, such as 502 (0: 500). Or ends
 * one that was AL_ALREADY_HANDLED, in any thread; both values mean the same then. The
 * request must not be used afterwards. */
void al_finish(struct al_request *req, enum al_result result, int status);

/* Bytes that wait for the client. Above al_queue_limit() an event-driven binding should
 * stop producing until the drain call. */
size_t al_queued(struct al_request *req);
size_t al_queue_limit(void);

struct al_pending {
	/* The queue has been emptied. May be NULL. */
	void (*drained)(struct al_request *req, void *arg);
	/* The client has gone or a time limit passed: give up at once. The request must
	 * not be used afterwards; al_finish() is not called for it. */
	void (*aborted)(struct al_request *req, void *arg);
};

/* Set these before handle() returns AL_PENDING; the table is not copied. */
void al_pending(struct al_request *req, const struct al_pending *calls, void *arg);

enum al_events { AL_READABLE = 1, AL_WRITABLE = 2, AL_CLOSED = 4 };

struct al_watch;
typedef void al_watch_fn(struct al_watch *watch, unsigned events, void *arg);

/* Calls fn when the state of the descriptor changes to readable or writable: edge
 * triggered, so read or write until EAGAIN. NULL and errno when it cannot be watched.
 * The descriptor stays the caller's and must be open until al_unwatch, which frees. */
struct al_watch *al_watch(int fd, al_watch_fn *fn, void *arg);
void al_unwatch(struct al_watch *watch);

struct al_timer;
typedef void al_timer_fn(void *arg);

/* Calls fn once, after that many milliseconds; NULL when memory is out. al_timer_free
 * before or after it fired; al_timer_reset to begin anew. */
struct al_timer *al_timer_new(unsigned ms, al_timer_fn *fn, void *arg);
void al_timer_reset(struct al_timer *timer, unsigned ms);
void al_timer_free(struct al_timer *timer);

/* ---- The rest ------------------------------------------------------------------- */

/* A line for the log. With a request (or NULL) it carries what tells the request apart.
 * Control bytes are escaped. */
void al_log(struct al_request *req, enum al_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Value i of a setting of this application, as text, such as al_option("chdir", 0);
 * NULL beyond the last, and for an unknown or unset one. It lives as long as the
 * process. */
const char *al_option(const char *name, size_t i);

/* The name of the application, and the number of this worker: 1 for the first process
 * ever started, then 2, … */
const char *al_name(void);
unsigned al_worker_age(void);

/* The generation of the configuration: 1, and one more at each reload. */
unsigned al_generation(void);

/* Workers of this application that are in a request now, this one included. */
unsigned al_busy_workers(void);

/* In load() and in AL_FILES: a change of this file shall be followed by a reload, if
 * such are looked for. */
void al_file(const char *path);

/* The descriptor of the log now, for what is written in AL_WORKER_ABORT. */
int al_log_fd(void);

/* In AL_WORKER_INT and AL_WORKER_ABORT, when they interrupt a request: the process does
 * not end with the return from the hook. The binding ends it by _exit() within a
 * second, lest it be killed. */
void al_end_later(void);

/* "alicorn/0.1.0" (SERVER_SOFTWARE). */
const char *al_version(void);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
