#include "bindings/lua/environ.h"

#include <stddef.h>
#include <string.h>

#include "bindings/lua/load.h"

/* Upvalues of __index behind the state. */
enum { INPUT_METATABLE = 2, ERRORS_METATABLE };

struct state *
state_of_request(lua_State *L, size_t offset, const char *name)
{
	struct state *s = lua_touserdata(L, lua_upvalueindex(1));
	const void *table = *(const void **)((char *)s + offset);

	if (s->req == NULL || table == NULL || table != lua_topointer(L, 1))
		luaL_error(L, "%s is not that of the current request", name);
	return s;
}

/* ---- What is not in the gateway's environ ---- */

static void
push_input(struct state *s, lua_State *L)
{
	lua_createtable(L, 0, 1);
	lua_pushinteger(L, (lua_Integer)al_body_length(s->req));
	lua_setfield(L, -2, "length");
	lua_pushvalue(L, lua_upvalueindex(INPUT_METATABLE));
	lua_setmetatable(L, -2);
	s->input = lua_topointer(L, -1);
}

static void
push_errors(struct state *s, lua_State *L)
{
	lua_newtable(L);
	lua_pushvalue(L, lua_upvalueindex(ERRORS_METATABLE));
	lua_setmetatable(L, -2);
	s->errors = lua_topointer(L, -1);
}

/* All variables; WSAPI's own connectors have this too. */
static void
push_headers(struct state *s, lua_State *L)
{
	size_t n;
	const struct al_var *vars = al_env_all(s->req, &n);

	lua_createtable(L, 0, (int)n);
	for (size_t i = 0; i < n; i++) {
		lua_pushlstring(L, vars[i].name, vars[i].name_len);
		lua_pushlstring(L, vars[i].value, vars[i].value_len);
		lua_rawset(L, -3);
	}
}

static void
push_app_path(struct state *s, lua_State *L)
{
	(void)s;
	lua_pushstring(L, setup_folder());
}

/* wsapi.request and others rely on the slash. */
static void
push_path_info(struct state *s, lua_State *L)
{
	const char *path = al_env(s->req, "PATH_INFO");

	lua_pushstring(L, path != NULL && *path != '\0' ? path : "/");
}

static const struct {
	const char *name;
	void (*push)(struct state *s, lua_State *L);
} own[] = {
	{ "input", push_input },
	{ "error", push_errors },
	{ "headers", push_headers },
	{ "APP_PATH", push_app_path },
	{ "PATH_INFO", push_path_info },
};

static void
push_variable(struct state *s, lua_State *L, const char *name)
{
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		if (strcmp(own[i].name, name) == 0) {
			own[i].push(s, L);
			return;
		}
	}
	const char *value = al_env(s->req, name);
	lua_pushstring(L, value != NULL ? value : "");
}

/* env[name], where the table has no such name yet: now it has. */
static int
environ_index(lua_State *L)
{
	struct state *s = state_of_request(L, offsetof(struct state, env), "env");

	if (lua_type(L, 2) != LUA_TSTRING)
		return 0;
	lua_settop(L, 2);
	push_variable(s, L, lua_tostring(L, 2));
	lua_pushvalue(L, 2);
	lua_pushvalue(L, 3);
	lua_rawset(L, 1);
	return 1;
}

void
environ_push_metatable(struct state *s, lua_State *L)
{
	lua_createtable(L, 0, 1);
	lua_pushlightuserdata(L, s);
	input_push_metatable(s, L);
	errors_push_metatable(s, L);
	lua_pushcclosure(L, environ_index, ERRORS_METATABLE);
	lua_setfield(L, -2, "__index");
}
