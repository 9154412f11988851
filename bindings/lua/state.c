#include "bindings/lua/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "bindings/lua/connection.h"
#include "bindings/lua/environ.h"
#include "bindings/lua/load.h"
#include "bindings/lua/module.h"
#include "bindings/lua/respond.h"

/* What lies at the bottom of the stack. */
enum { AT_TRACEBACK = 1, AT_RESPOND, BOTTOM = AT_RESPOND };

_Thread_local struct state *state_mine;

/* ---- Errors ---- */

/* Adds the stack to an error, whatever it is. */
static int
add_traceback(lua_State *L)
{
	const char *text = lua_tostring(L, 1);

	if (text == NULL && luaL_callmeta(L, 1, "__tostring"))
		text = lua_tostring(L, -1);
	if (text == NULL)
		text = lua_pushfstring(
			L, "an error that is a %s value", luaL_typename(L, 1));
	luaL_traceback(L, L, text, 1);
	return 1;
}

const char *
error_text(lua_State *L)
{
	const char *text = lua_tostring(L, -1);

	return text != NULL ? text : "an error in the handling of an error";
}

void
log_lines(struct al_request *req, enum al_level level, const char *text)
{
	while (*text != '\0') {
		/* Lua begins the lines of a stack with a tab, which is no plain text.
		 */
		bool tab = *text == '\t';
		text += tab;
		size_t n = strcspn(text, "\n");
		al_log(req, level, "%s%.*s", tab ? "  " : "", (int)n, text);
		text += n + (text[n] == '\n');
	}
}

/* ---- Calls ---- */

/* A protected call with the message handler at that place. */
static bool
call(struct state *s, lua_State *L, int n_args, int n_results, int handler)
{
	s->depth++;
	int failed = lua_pcall(L, n_args, n_results, handler);
	s->depth--;
	return failed == 0;
}

bool
state_call(struct state *s, lua_State *L, enum call which, int n)
{
	int at = lua_gettop(L) - n + 1;

	if (s->calls[which] == LUA_REFNIL) {
		lua_settop(L, at - 1);
		lua_pushnil(L);
		return true;
	}
	lua_rawgeti(L, LUA_REGISTRYINDEX, s->traceback);
	lua_insert(L, at);
	lua_rawgeti(L, LUA_REGISTRYINDEX, s->calls[which]);
	lua_insert(L, at + 1);
	bool worked = call(s, L, n, 1, at);
	lua_remove(L, at);
	return worked;
}

void
state_notify(struct state *s, lua_State *L, enum call which, int n)
{
	if (!state_call(s, L, which, n))
		log_lines(s->req, AL_LOG_ERROR, error_text(L));
	lua_pop(L, 1);
}

struct attempt {
	struct state *s;
	attempt_fn *fn;
	void *arg;
};

static int
attempt(lua_State *L)
{
	const struct attempt *a = lua_touserdata(L, 1);

	a->fn(a->s, L, a->arg);
	return 0;
}

bool
state_try(struct state *s, attempt_fn *fn, void *arg)
{
	lua_State *L = s->L;
	struct attempt a = { .s = s, .fn = fn, .arg = arg };
	int top = lua_gettop(L);

	lua_rawgeti(L, LUA_REGISTRYINDEX, s->traceback);
	lua_rawgeti(L, LUA_REGISTRYINDEX, s->attempt);
	lua_pushlightuserdata(L, &a);
	bool worked = call(s, L, 1, 0, top + 1);
	if (!worked)
		log_lines(s->req, AL_LOG_ERROR, error_text(L));
	lua_settop(L, top);
	return worked;
}

int
state_answer(struct state *s, struct al_request *req)
{
	lua_State *L = s->L;

	s->req = req;
	s->env = s->input = s->errors = NULL;
	s->result = AL_ERROR;
	s->detached = NULL;
	s->has_socket = false;
	lua_pushvalue(L, AT_RESPOND);
	if (!call(s, L, 0, 0, AT_TRACEBACK)) {
		log_lines(req, AL_LOG_ERROR, error_text(L));
		s->result = AL_ERROR;
	}
	lua_settop(L, BOTTOM);
	errors_flush(s);
	connection_settle(s);
	s->req = NULL;
	return s->result;
}

/* ---- To make one ---- */

lua_Number
random_seed(void)
{
	enum { BITS_OF_AN_EXACT_NUMBER = 52 };
	uint64_t bits;

	if (getrandom(&bits, sizeof(bits), 0) != sizeof(bits))
		bits = (uint64_t)time(NULL) << 32 ^ (uint64_t)getpid() << 12;
	return (lua_Number)(bits >> (64 - BITS_OF_AN_EXACT_NUMBER));
}

/* Leaves the function that is called for each request on the stack, or the reason why
 * there is none. */
static int
prepare(lua_State *L)
{
	struct state *s = lua_touserdata(L, 1);

	luaL_openlibs(L);
	lua_pushcfunction(L, add_traceback);
	s->traceback = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_pushboolean(L, 0);
	s->kept_env = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_pushcfunction(L, attempt);
	s->attempt = luaL_ref(L, LUA_REGISTRYINDEX);
	module_open(s, L);
	load_application(s, L);
	if (lua_isfunction(L, -1))
		respond_push(s, L);
	return 1;
}

void
error_explain(lua_State *L, char reason[REASON_MAX])
{
	const char *text = error_text(L);
	size_t n = strcspn(text, "\n");

	snprintf(reason, REASON_MAX, "%.*s", (int)(n < REASON_MAX ? n : REASON_MAX),
		text);
	if (text[n] != '\0')
		log_lines(NULL, AL_LOG_ERROR, text);
}

struct state *
state_new(bool is_main, char reason[REASON_MAX])
{
	struct state *s = calloc(1, sizeof(*s));

	snprintf(reason, REASON_MAX, "out of memory");
	if (s == NULL || (s->L = luaL_newstate()) == NULL)
		goto failed;
	s->is_main = is_main;
	s->files = s->receiver = LUA_REFNIL;
	lua_pushcfunction(s->L, add_traceback);
	lua_pushcfunction(s->L, prepare);
	lua_pushlightuserdata(s->L, s);
	lua_pcall(s->L, 1, 1, AT_TRACEBACK);
	if (lua_isfunction(s->L, -1))
		return s;
	error_explain(s->L, reason);
	load_name_files(s);
failed:
	if (s != NULL && s->L != NULL)
		lua_close(s->L);
	free(s);
	return NULL;
}

void
state_free(struct state *s)
{
	lua_close(s->L);
	free(s);
}
