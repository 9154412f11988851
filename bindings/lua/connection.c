#include "bindings/lua/connection.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "bindings/lua/environ.h"

/* Lives in Lua's memory, until the reference to it is given up. */
struct detached {
	struct state *s;
	int self, handlers; /* references */
	int status; /* as that of struct al_proc */
	enum al_reason reason;
};

/* socket(env): the number of the descriptor, and what was received behind the request;
 * or nil and the reason. */
int
connection_socket(lua_State *L)
{
	struct state *s = state_of_request(L, offsetof(struct state, env), "env");
	const void *unread;
	size_t n;
	int fd = al_socket(s->req, &unread, &n);

	if (fd < 0) {
		lua_pushnil(L);
		lua_pushstring(L, strerror(errno));
		return 2;
	}
	s->has_socket = true;
	lua_pushinteger(L, fd);
	lua_pushlstring(L, unread, n);
	return 2;
}

/* ---- Detached mode ---- */

/* Calls handlers:status(). */
static void
ask(struct state *s, lua_State *L, void *arg)
{
	struct detached *d = arg;

	(void)s;
	lua_rawgeti(L, LUA_REGISTRYINDEX, d->handlers);
	lua_getfield(L, -1, "status");
	lua_insert(L, -2);
	lua_call(L, 1, 1);
	d->status = lua_toboolean(L, -1);
}

static int
on_status(void *arg)
{
	struct detached *d = arg;

	return state_try(d->s, ask, d) ? d->status : -1;
}

/* Calls handlers:terminate(reason). */
static void
tell(struct state *s, lua_State *L, void *arg)
{
	static const char *const reasons[] = {
		[AL_REASON_STOP] = "stop",
		[AL_REASON_RELOAD] = "reload",
		[AL_REASON_RECYCLE] = "recycle",
		[AL_REASON_TIMEOUT] = "timeout",
	};
	const struct detached *d = arg;

	(void)s;
	lua_rawgeti(L, LUA_REGISTRYINDEX, d->handlers);
	lua_getfield(L, -1, "terminate");
	if (lua_isnil(L, -1))
		return;
	lua_insert(L, -2);
	lua_pushstring(L, reasons[d->reason]);
	lua_call(L, 2, 0);
}

static void
on_terminate(void *arg, enum al_reason reason)
{
	struct detached *d = arg;

	d->reason = reason;
	state_try(d->s, tell, d);
}

static void
on_ended(void *arg)
{
	struct detached *d = arg;
	lua_State *L = d->s->L;

	luaL_unref(L, LUA_REGISTRYINDEX, d->handlers);
	luaL_unref(L, LUA_REGISTRYINDEX, d->self);
}

static const struct al_proc proc = {
	.status = on_status,
	.terminate = on_terminate,
	.ended = on_ended,
};

/* detach(env, handlers): what run() is to return then. The gateway calls handlers in
 * the main thread, whose state is another one where there are threads. */
int
connection_detach(lua_State *L)
{
	struct state *s = state_of_request(L, offsetof(struct state, env), "env");

	luaL_checktype(L, 2, LUA_TTABLE);
	lua_getfield(L, 2, "status");
	luaL_argcheck(L, lua_isfunction(L, -1), 2, "it has no function status");
	if (!s->is_main)
		return luaL_error(L, "a connection cannot be detached in a thread");
	if (!s->has_socket || s->detached != NULL)
		return luaL_error(L, "detach() is called once, after socket()");
	struct detached *d = lua_newuserdata(L, sizeof(*d));
	d->s = s;
	d->self = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_pushvalue(L, 2);
	d->handlers = luaL_ref(L, LUA_REGISTRYINDEX);
	s->detached = d;
	lua_pushvalue(L, lua_upvalueindex(2));
	return 1;
}

/* Who took the connection and did not detach it has done with it. */
void
connection_settle(struct state *s)
{
	bool taken = s->result == AL_ALREADY_HANDLED && s->has_socket;

	if (s->detached != NULL && taken)
		al_detach(s->req, &proc, s->detached);
	else if (s->detached != NULL)
		on_ended(s->detached);
	else if (taken)
		al_finish(s->req, AL_DONE, 0);
}
