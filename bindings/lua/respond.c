#include "bindings/lua/respond.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bindings/lua/environ.h"
#include "bindings/lua/headers.h"
#include "bindings/lua/module.h"

/* Upvalues behind the state, and where things are on the stack. */
enum { UP_RUN = 2, UP_METATABLE };
enum { AT_ENV = 1, AT_STATUS, AT_HEADERS, AT_ITERATOR };

static void
push_env(struct state *s, lua_State *L)
{
	lua_newtable(L);
	lua_pushvalue(L, lua_upvalueindex(UP_METATABLE));
	lua_setmetatable(L, -2);
	s->env = lua_topointer(L, -1);
}

/* The hook post_request is given the environ too. */
static void
tell_hooks(struct state *s, lua_State *L)
{
	if (s->calls[CALL_POST_REQUEST] != LUA_REFNIL) {
		s->kept_for = s->req;
		lua_pushvalue(L, AT_ENV);
		lua_rawseti(L, LUA_REGISTRYINDEX, s->kept_env);
	}
	if (s->calls[CALL_PRE_REQUEST] != LUA_REFNIL) {
		lua_pushvalue(L, AT_ENV);
		state_notify(s, L, CALL_PRE_REQUEST, 1);
	}
}

/* Begins the response; -1: the gateway refuses it, and has told the log why. */
static int
start(struct state *s, lua_State *L)
{
	struct headers headers;
	char code[STATUS_CODE_ROOM];
	const char *status = status_text(L, AT_STATUS, code);

	headers_read(&headers, L, AT_HEADERS);
	return al_start(s->req, status, headers.all, headers.n);
}

/* Each piece of the body is sent before the application is asked for the next. */
static int
send_pieces(struct state *s, lua_State *L)
{
	size_t n;

	if (!lua_isfunction(L, AT_ITERATOR) &&
		luaL_getmetafield(L, AT_ITERATOR, "__call") == 0)
		luaL_error(L,
			"the application gives a %s for the iterator of the body, not "
			"a "
			"function",
			luaL_typename(L, AT_ITERATOR));
	lua_settop(L, AT_ITERATOR);
	for (;;) {
		lua_pushvalue(L, AT_ITERATOR);
		lua_call(L, 0, 1);
		if (!lua_toboolean(L, -1))
			return 0;
		const char *piece = lua_tolstring(L, -1, &n);
		if (piece == NULL)
			luaL_error(L,
				"the iterator gives a %s, neither a string nor nil",
				luaL_typename(L, -1));
		if (n > 0 && (al_write(s->req, piece, n) != 0 || al_flush(s->req) != 0))
			return -1;
		lua_settop(L, AT_ITERATOR);
	}
}

/* Called for each request. */
static int
respond(lua_State *L)
{
	struct state *s = lua_touserdata(L, lua_upvalueindex(1));

	push_env(s, L);
	tell_hooks(s, L);
	lua_pushvalue(L, lua_upvalueindex(UP_RUN));
	lua_pushvalue(L, AT_ENV);
	lua_call(L, 1, AT_ITERATOR - AT_ENV);
	if (module_is_already_handled(L, AT_STATUS)) {
		s->result = AL_ALREADY_HANDLED;
		return 0;
	}
	if (start(s, L) != 0)
		return 0;
	lua_settop(L, AT_ITERATOR);
	if (lua_isnil(L, AT_ITERATOR) || send_pieces(s, L) == 0)
		s->result = AL_DONE;
	return 0;
}

void
respond_push(struct state *s, lua_State *L)
{
	lua_pushlightuserdata(L, s);
	lua_insert(L, -2);
	environ_push_metatable(s, L);
	lua_pushcclosure(L, respond, UP_METATABLE);
}
