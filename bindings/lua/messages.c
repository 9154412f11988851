#include "bindings/lua/messages.h"

#include <errno.h>
#include <string.h>

/* send(type, data[, to[, fd]]): true, or nil and the reason. */
int
messages_send(lua_State *L)
{
	/* In the order of enum al_to. */
	static const char *const to[] = { "pool", "arbiter", NULL };
	size_t n;
	lua_Integer type = luaL_checkinteger(L, 1);
	const char *data = luaL_checklstring(L, 2, &n);
	enum al_to whom = (enum al_to)luaL_checkoption(L, 3, "pool", to);
	int fd = (int)luaL_optinteger(L, 4, -1);

	luaL_argcheck(
		L, type >= 0 && type <= UINT32_MAX, 1, "not from 0 to 4294967295");
	if (al_send(whom, (uint32_t)type, data, n, fd) == 0) {
		lua_pushboolean(L, 1);
		return 1;
	}
	lua_pushnil(L);
	lua_pushstring(L, strerror(errno));
	return 2;
}

struct message {
	pid_t from;
	uint32_t type;
	const void *data;
	size_t n;
	int fd;
};

/* The function is called with the type, the data, the sender's pid, and the descriptor
 * or nil. */
static void
deliver(struct state *s, lua_State *L, void *arg)
{
	const struct message *m = arg;

	lua_rawgeti(L, LUA_REGISTRYINDEX, s->receiver);
	lua_pushinteger(L, (lua_Integer)m->type);
	lua_pushlstring(L, m->data, m->n);
	lua_pushinteger(L, m->from);
	if (m->fd >= 0)
		lua_pushinteger(L, m->fd);
	else
		lua_pushnil(L);
	lua_call(L, 4, 0);
}

static void
on_message(void *arg, pid_t from, uint32_t type, const void *data, size_t n, int fd)
{
	struct message m = {
		.from = from,
		.type = type,
		.data = data,
		.n = n,
		.fd = fd,
	};

	state_try(arg, deliver, &m);
}

/* on_message(function), or nil for none. Messages come to the main thread; what other
 * threads' states would like to hear is nobody's. */
int
messages_on_message(lua_State *L)
{
	struct state *s = lua_touserdata(L, lua_upvalueindex(1));
	bool none = lua_isnoneornil(L, 1);

	if (!none)
		luaL_checktype(L, 1, LUA_TFUNCTION);
	if (!s->is_main)
		return 0;
	luaL_unref(L, LUA_REGISTRYINDEX, s->receiver);
	lua_settop(L, 1);
	s->receiver = luaL_ref(L, LUA_REGISTRYINDEX);
	al_on_message(none ? NULL : on_message, s);
	return 0;
}
