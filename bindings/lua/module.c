#include "bindings/lua/module.h"

#include <string.h>

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
	{ NULL, NULL },
};

void
module_open(struct state *s, lua_State *L)
{
	lua_getglobal(L, "package");
	lua_getfield(L, -1, "loaded");
	lua_newtable(L);
	lua_pushlightuserdata(L, s);
	luaL_setfuncs(L, functions, 1);
	lua_pushstring(L, al_name());
	lua_setfield(L, -2, "name");
	lua_pushstring(L, al_version());
	lua_setfield(L, -2, "version");
	lua_pushstring(L, PAUSE);
	lua_setfield(L, -2, "PAUSE");
	lua_pushlightuserdata(L, (void *)&already_handled);
	lua_setfield(L, -2, "ALREADY_HANDLED");
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
