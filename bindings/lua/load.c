#include "bindings/lua/load.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * To find the application is easier in Lua. This returns the function that answers
 * requests, and a table with what else is called; or nil and the reason. Errors of the
 * application itself are raised.
 *
 * The module of a file is loaded as the launchers of WSAPI do: the chunk gets the
 * module's name, and may return the module or put it into package.loaded. What
 * require() looks for passes by a searcher that finds nothing but takes a note, for
 * `reload`.
 */
static const char loader[] =
	"local target, folder, settings, hooks, files, seed = ...\n"
	"local calls = {}\n"
	"\n"
	"local function join(first, path)\n"
	"  local whole, n = first:gsub(';;', function() return ';'..path..';' end, 1)\n"
	"  whole = n > 0 and whole or whole..';'..path\n"
	"  return (whole:gsub(';+', ';'):gsub('^;', ''):gsub(';$', ''))\n"
	"end\n"
	"\n"
	"local function take_note(name)\n"
	"  files[#files + 1] = package.searchpath(name, package.path)\n"
	"      or package.searchpath(name, package.cpath)\n"
	"end\n"
	"\n"
	"-- A library in C may hold modules below its own name.\n"
	"local function is_there(name)\n"
	"  return package.preload[name] or package.searchpath(name, package.path)\n"
	"      or package.searchpath(name, package.cpath)\n"
	"      or package.searchpath(name:match('^[^.]*'), package.cpath)\n"
	"end\n"
	"\n"
	"local function run_file(path)\n"
	"  local name = path:match('([^/]+)%.lua$')\n"
	"  local chunk, reason = loadfile(path)\n"
	"  files[#files + 1] = path\n"
	"  if not chunk then return nil, reason end\n"
	"  if not name then return chunk() end\n"
	"  local loaded = package.loaded\n"
	"  if loaded[name] == nil then loaded[name] = true end\n"
	"  local value = chunk(name)\n"
	"  if value == nil then value = loaded[name] end\n"
	"  if loaded[name] == true then loaded[name] = value end\n"
	"  return value\n"
	"end\n"
	"\n"
	"local function find(app, name)\n"
	"  if type(app) == 'table' and app[name] then return app[name] end\n"
	"  local owner, field = name:match('^(.+)[.:]([^.:]+)$')\n"
	"  return owner and require(owner)[field] or rawget(_G, name)\n"
	"end\n"
	"\n"
	"local function find_hook(app, hook, name)\n"
	"  local found, value = pcall(find, app, name)\n"
	"  if found and type(value) == 'function' then return value end\n"
	"  local why = found and name..' is no function' or tostring(value)\n"
	"  package.loaded.alicorn.log('error', 'hook '..hook..': '..why)\n"
	"end\n"
	"\n"
	"math.randomseed(seed)\n"
	"package.path = folder..'/?.lua;'..folder..'/?/init.lua;'\n"
	"    ..join(settings.lua_path, package.path)\n"
	"package.cpath = join(settings.lua_cpath, package.cpath)\n"
	"table.insert(package.searchers or package.loaders, 2, take_note)\n"
	"\n"
	"local app, reason\n"
	"if target:sub(1, 1) == '/' then\n"
	"  app, reason = run_file(target)\n"
	"elseif is_there(target) then\n"
	"  app = require(target)\n"
	"else\n"
	"  reason = 'there is no module '..target..' in '..folder..' and what '\n"
	"      ..'lua_path names: start in its folder, or name that by chdir or "
	"lua_path'\n"
	"end\n"
	"if reason then return nil, reason end\n"
	"local is_table = type(app) == 'table'\n"
	"local run = app\n"
	"if is_table then run = app.run end\n"
	"if type(run) ~= 'function' then\n"
	"  return nil, target..' is no WSAPI application: it gives a '..(is_table\n"
	"      and 'table without a function run' or type(app)..', not a function or a "
	"table')\n"
	"end\n"
	"for _, name in ipairs {'iterate', 'worker_init', 'worker_exit'} do\n"
	"  local value = is_table and app[name]\n"
	"  if type(value) == 'function' then calls[name] = value end\n"
	"end\n"
	"for hook, name in pairs(hooks) do\n"
	"  calls['hook '..hook] = find_hook(app, hook, name)\n"
	"end\n"
	"calls.seed, calls.collect = math.randomseed, collectgarbage\n"
	"return run, calls\n";

/* Before the names of those that the settings name. */
#define HOOK "hook "

static const char *const call_names[CALLS] = {
	[CALL_ITERATE] = "iterate",
	[CALL_INIT] = "worker_init",
	[CALL_EXIT] = "worker_exit",
	[CALL_POST_WORKER_INIT] = HOOK "post_worker_init",
	[CALL_PRE_REQUEST] = HOOK "pre_request",
	[CALL_POST_REQUEST] = HOOK "post_request",
	[CALL_WORKER_INT] = HOOK "worker_int",
	[CALL_WORKER_ABORT] = HOOK "worker_abort",
	[CALL_WORKER_EXIT] = HOOK "worker_exit",
	[CALL_SEED] = "seed",
	[CALL_COLLECT] = "collect",
};

/* What the gateway may be asked for in one thread only. */
static struct {
	const char *target;
	char folder[PATH_MAX];
	const char *lua_path, *lua_cpath;
	const char *hooks[CALLS]; /* NULL: not set */
} setup;

static const char *
or_empty(const char *text)
{
	return text != NULL ? text : "";
}

static const char *
find_folder(const char *target)
{
	const char *slash = strrchr(target, '/');

	if (*target != '/')
		return getcwd(setup.folder, PATH_MAX) != NULL ? NULL : strerror(errno);
	if (slash - target >= PATH_MAX)
		return "the name of the file is too long";
	memcpy(setup.folder, target, (size_t)(slash - target));
	setup.folder[slash - target] = '\0';
	return NULL;
}

const char *
setup_read(const char *target)
{
	setup.target = strdup(target);
	if (setup.target == NULL)
		return "out of memory";
	setup.lua_path = or_empty(al_option("lua_path", 0));
	setup.lua_cpath = or_empty(al_option("lua_cpath", 0));
	for (int i = 0; i < CALLS; i++)
		if (strncmp(call_names[i], HOOK, strlen(HOOK)) == 0)
			setup.hooks[i] = al_option(call_names[i] + strlen(HOOK), 0);
	return find_folder(target);
}

const char *
setup_folder(void)
{
	return setup.folder;
}

static void
push_settings(lua_State *L)
{
	lua_newtable(L);
	lua_pushstring(L, setup.lua_path);
	lua_setfield(L, -2, "lua_path");
	lua_pushstring(L, setup.lua_cpath);
	lua_setfield(L, -2, "lua_cpath");
}

static void
push_hooks(lua_State *L)
{
	lua_newtable(L);
	for (int i = 0; i < CALLS; i++) {
		if (setup.hooks[i] == NULL)
			continue;
		lua_pushstring(L, setup.hooks[i]);
		lua_setfield(L, -2, call_names[i] + strlen(HOOK));
	}
}

/* Takes the table of what is called from the stack. */
static void
note_calls(struct state *s, lua_State *L)
{
	for (int i = 0; i < CALLS; i++) {
		lua_getfield(L, -1, call_names[i]);
		s->calls[i] = luaL_ref(L, LUA_REGISTRYINDEX);
	}
	lua_pop(L, 1);
}

void
load_application(struct state *s, lua_State *L)
{
	if (luaL_loadbuffer(L, loader, sizeof(loader) - 1, "=alicorn") != 0)
		lua_error(L);
	lua_pushstring(L, setup.target);
	lua_pushstring(L, setup.folder);
	push_settings(L);
	push_hooks(L);
	lua_newtable(L);
	lua_pushvalue(L, -1);
	s->files = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_pushnumber(L, random_seed());
	lua_call(L, 6, 2);
	if (lua_isnil(L, -2))
		lua_remove(L, -2);
	else
		note_calls(s, L);
}

/* No errors: these are strings in a list. */
void
load_name_files(struct state *s)
{
	lua_State *L = s->L;

	if (s->files == LUA_REFNIL)
		return;
	lua_rawgeti(L, LUA_REGISTRYINDEX, s->files);
	for (int i = 1;; i++) {
		lua_rawgeti(L, -1, i);
		if (lua_type(L, -1) != LUA_TSTRING)
			break;
		al_file(lua_tostring(L, -1));
		lua_pop(L, 1);
	}
	lua_pop(L, 2);
}
