#include "bindings/lua/module.h"

#include <string.h>

#include "bindings/lua/connection.h"
#include "bindings/lua/descriptors.h"
#include "bindings/lua/messages.h"

/* What iterate() returns to be left alone for a while. */
#define PAUSE "pause"

static const char already_handled = 0; /* its address is what tells */

/* log(level, text): in a request, the lines carry what tells it apart. */
static int
module_log(lua_State *L)
{
	/* In the order of enum al_level. */
	static const char *const levels[] = { "critical", "error", "warning", "info",
		"debug", NULL };
	const struct state *s = lua_touserdata(L, lua_upvalueindex(1));
	int level = luaL_checkoption(L, 1, NULL, levels);

	log_lines(s->req, (enum al_level)level, luaL_checkstring(L, 2));
	return 0;
}

static const luaL_Reg functions[] = {
	{ "log", module_log },
	{ "socket", connection_socket },
	{ "detach", connection_detach },
	{ "send", messages_send },
	{ "on_message", messages_on_message },
	{ "read", descriptor_read },
	{ "write", descriptor_write },
	{ "close", descriptor_close },
	{ NULL, NULL },
};

static void
set_text(lua_State *L, const char *name, const char *text)
{
	lua_pushstring(L, text);
	lua_setfield(L, -2, name);
}

/* The functions have the state as their first upvalue, and what detach() returns as
 * their second. */
void
module_open(struct state *s, lua_State *L)
{
	lua_getglobal(L, "package");
	lua_getfield(L, -1, "loaded");
	lua_newtable(L);
	lua_pushlightuserdata(L, s);
	lua_pushlightuserdata(L, (void *)&already_handled);
	luaL_setfuncs(L, functions, 2);
	lua_pushlightuserdata(L, (void *)&already_handled);
	lua_setfield(L, -2, "ALREADY_HANDLED");
	set_text(L, "PAUSE", PAUSE);
	set_text(L, "name", al_name());
	set_text(L, "version", al_version());
	lua_setfield(L, -2, "alicorn");
	lua_pop(L, 2);
}

bool
module_is_already_handled(lua_State *L, int at)
{
	return lua_touserdata(L, at) == &already_handled;
}

bool
module_is_pause(lua_State *L, int at)
{
	return lua_type(L, at) == LUA_TSTRING &&
		strcmp(lua_tostring(L, at), PAUSE) == 0;
}
