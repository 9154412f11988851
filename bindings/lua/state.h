/*
 * An interpreter with the application loaded, and the request that it answers.
 *
 * There is one for the main thread, and with `threads` one for each of these; they
 * share nothing. An error in Lua jumps over C code to the protected call that it is in.
 * So what may raise one is only done inside of such a call, and C code in there holds
 * nothing that it would have to give back.
 */
#ifndef LUA_STATE_H
#define LUA_STATE_H

#include <signal.h>
#include <stdbool.h>

#include "bindings/lua/compat.h"
#include "gateway/alicorn.h"

/* Functions that are called by name, each of which may be missing: the application's
 * own, those that the settings name as hooks, and two of Lua's library. */
enum call {
	CALL_ITERATE,
	CALL_INIT,
	CALL_EXIT,
	CALL_POST_WORKER_INIT,
	CALL_PRE_REQUEST,
	CALL_POST_REQUEST,
	CALL_WORKER_INT,
	CALL_WORKER_ABORT,
	CALL_WORKER_EXIT,
	CALL_SEED,
	CALL_COLLECT,
	CALLS
};

enum { ERRORS_LINE_MAX = 1024, REASON_MAX = 1024 };

struct state {
	lua_State *L;
	volatile sig_atomic_t depth; /* of calls into Lua; 0: none is under way */
	struct al_request *req; /* that is answered now; NULL: none */
	/* The request's tables, by their address. Those of earlier requests, which an
	 * application may have kept, are told from them by that. */
	const void *env, *input, *errors;
	enum al_result result;
	struct detached *detached; /* what becomes of its connection, or NULL */
	bool has_socket; /* the application was given the request's connection */
	bool is_main; /* of the main thread, which is told of messages */
	int traceback; /* reference: what adds the stack to an error */
	int attempt; /* reference: see state_try() */
	int receiver; /* reference: the function for messages, or LUA_REFNIL */
	int files; /* reference: the list of files that were loaded */
	int calls[CALLS]; /* references, LUA_REFNIL: it is missing */
	int kept_env; /* reference: the environ of the last request, for post_request */
	const struct al_request *kept_for;
	size_t line_len;
	char line[ERRORS_LINE_MAX]; /* what env.error was given since the last LF */
};

/* The state of this thread; NULL: it has none. */
extern _Thread_local struct state *state_mine;

/* Makes a state that has loaded the application, as setup_read() noted it. NULL: it
 * cannot, and `reason` says why in one line; the log may say more. */
struct state *state_new(bool is_main, char reason[REASON_MAX]);
void state_free(struct state *s);

/* Answers the request; returns enum al_result. */
int state_answer(struct state *s, struct al_request *req);

/* Calls a function with the n values on top of the stack of L, which is the state's or
 * one of its coroutines', if it is there. True: its result is on the stack instead, or
 * nil if it is missing. False: it failed, and the error is on the stack. */
bool state_call(struct state *s, lua_State *L, enum call which, int n);

/* The same where the result does not matter, and an error is for the log. */
void state_notify(struct state *s, lua_State *L, enum call which, int n);

/* Calls fn where it may raise errors. False: it did, which is logged. */
typedef void attempt_fn(struct state *s, lua_State *L, void *arg);
bool state_try(struct state *s, attempt_fn *fn, void *arg);

/* The text of the error on top of the stack. */
const char *error_text(lua_State *L);

/* Its first line, as the reason why the application cannot run; where there are more
 * the log gets all of them. */
void error_explain(lua_State *L, char reason[REASON_MAX]);

/* Logs a text line by line. */
void log_lines(struct al_request *req, enum al_level level, const char *text);

/* A number that is another one in each process and thread. */
lua_Number random_seed(void);

#endif
