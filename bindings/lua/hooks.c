#include "bindings/lua/hooks.h"

#include <stdio.h>
#include <unistd.h>

#include "bindings/lua/environ.h"
#include "bindings/lua/load.h"

/* What the binding does at a moment; the request is NULL but for the requests'. */
typedef void moment_fn(struct state *s, struct al_request *req);

/* What is called where Lua next looks, in place of the signal handler, which must not
 * call it: the interpreter may be in the middle of anything. */
static struct state *interrupted;
static enum al_hook interrupted_by;

/* Does not return: the request was answered by the gateway. */
static void
on_interrupt(lua_State *L, lua_Debug *unused)
{
	struct state *s = interrupted;
	bool stopped = interrupted_by == AL_WORKER_INT;

	(void)unused;
	lua_sethook(L, NULL, 0, 0);
	if (!stopped) {
		luaL_traceback(L, L, "it takes too long, and is here:", 0);
		log_lines(s->req, AL_LOG_ERROR, lua_tostring(L, -1));
	}
	state_notify(s, L, stopped ? CALL_WORKER_INT : CALL_WORKER_ABORT, 0);
	state_notify(s, L, CALL_WORKER_EXIT, 0);
	_exit(stopped ? 0 : 1);
}

/* In a signal handler. A coroutine has a hook of its own in Lua 5.4, so one that is
 * running is not interrupted; what LuaJIT has compiled is not either. The arbiter kills
 * those. */
static void
interrupt(struct state *s, enum al_hook moment)
{
	interrupted = s;
	interrupted_by = moment;
	al_end_later();
	lua_sethook(s->L, on_interrupt, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

static void
on_worker_init(struct state *s, struct al_request *req)
{
	(void)req;
	state_notify(s, s->L, CALL_POST_WORKER_INIT, 0);
}

static void
on_worker_exit(struct state *s, struct al_request *req)
{
	(void)req;
	state_notify(s, s->L, CALL_WORKER_EXIT, 0);
}

/* post_request(env, status): the environ, or nil if the application had none. */
static void
on_post_request(struct state *s, struct al_request *req)
{
	lua_State *L = s->L;

	if (s->calls[CALL_POST_REQUEST] == LUA_REFNIL)
		return;
	if (s->kept_for == req)
		lua_rawgeti(L, LUA_REGISTRYINDEX, s->kept_env);
	else
		lua_pushnil(L);
	lua_pushinteger(L, (lua_Integer)al_status(req));
	s->req = req;
	state_notify(s, L, CALL_POST_REQUEST, 2);
	errors_flush(s);
	s->req = NULL;
}

static void
on_before_fork(struct state *s, struct al_request *req)
{
	static bool collected;

	(void)req;
	/* What is garbage now would be copied by each worker that clears it away. */
	if (!collected)
		state_notify(s, s->L, CALL_COLLECT, 0);
	collected = true;
	/* Lest each worker print once more what waits to be printed. */
	fflush(stdout);
}

static void
on_after_fork(struct state *s, struct al_request *req)
{
	(void)req;
	lua_pushnumber(s->L, random_seed());
	state_notify(s, s->L, CALL_SEED, 1);
}

static void
on_worker_int(struct state *s, struct al_request *req)
{
	bool is_set = s->calls[CALL_WORKER_INT] != LUA_REFNIL;
	bool exit_is_set = s->calls[CALL_WORKER_EXIT] != LUA_REFNIL;

	(void)req;
	if (s->depth > 0 && (is_set || exit_is_set))
		interrupt(s, AL_WORKER_INT);
	else if (s->depth == 0 && is_set)
		state_notify(s, s->L, CALL_WORKER_INT, 0);
}

static void
on_worker_abort(struct state *s, struct al_request *req)
{
	(void)req;
	if (s->depth > 0)
		interrupt(s, AL_WORKER_ABORT);
}

static void
write_stack(lua_State *L, lua_Debug *unused)
{
	(void)unused;
	lua_sethook(L, NULL, 0, 0);
	luaL_traceback(L, L, "it takes long, and is here:", 0);
	log_lines(state_mine->req, AL_WARNING, lua_tostring(L, -1));
	lua_pop(L, 1);
}

/* In a signal handler; see interrupt(), which comes first. */
static void
on_show_stack(struct state *s, struct al_request *req)
{
	(void)req;
	if (s->depth > 0 && lua_gethook(s->L) == NULL)
		lua_sethook(s->L, write_stack,
			LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

static void
on_files(struct state *s, struct al_request *req)
{
	(void)req;
	load_name_files(s);
}

void
hooks_call(struct state *s, enum al_hook moment, struct al_request *req)
{
	static moment_fn *const at[] = {
		[AL_WORKER_INIT] = on_worker_init,
		[AL_WORKER_EXIT] = on_worker_exit,
		[AL_POST_REQUEST] = on_post_request,
		[AL_BEFORE_FORK] = on_before_fork,
		[AL_AFTER_FORK_CHILD] = on_after_fork,
		[AL_WORKER_INT] = on_worker_int,
		[AL_WORKER_ABORT] = on_worker_abort,
		[AL_FILES] = on_files,
		[AL_SHOW_STACK] = on_show_stack,
	};

	if (moment < sizeof(at) / sizeof(at[0]) && at[moment] != NULL)
		at[moment](s, req);
}
