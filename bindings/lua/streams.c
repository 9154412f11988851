/*
 * env.input, the body of the request, which the gateway has received already, and
 * env.error, whose lines go to the log.
 */
#include "bindings/lua/environ.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* A metatable whose methods have the state as their upvalue. */
static void
push_metatable(struct state *s, lua_State *L, const luaL_Reg *methods)
{
	lua_newtable(L);
	lua_newtable(L);
	lua_pushlightuserdata(L, s);
	luaL_setfuncs(L, methods, 1);
	lua_setfield(L, -2, "__index");
}

/* ---- env.input ---- */

static struct state *
check_input(lua_State *L)
{
	return state_of_request(L, offsetof(struct state, input), "env.input");
}

static int
raise_errno(lua_State *L)
{
	return luaL_error(L, "cannot read the body: %s", strerror(errno));
}

/* Up to n bytes; fewer only at the end. */
static size_t
read_all(lua_State *L, struct al_request *req, char *to, size_t n)
{
	size_t done = 0;
	ssize_t part = 1;

	while (done < n && (part = al_read(req, to + done, n - done)) > 0)
		done += (size_t)part;
	if (part < 0)
		raise_errno(L);
	return done;
}

/* The bytes that n stands for: absent, it is the rest of the body. */
static size_t
wanted(lua_State *L, const struct state *s)
{
	uint64_t most = al_body_length(s->req);

	if (lua_isnoneornil(L, 2))
		return (size_t)most;
	lua_Number n = luaL_checknumber(L, 2);
	if (!(n >= 1))
		return 0;
	return n < (lua_Number)most ? (size_t)n : (size_t)most;
}

/* read([n]): the next n bytes, or all that are left; nil when there are none. */
static int
input_read(lua_State *L)
{
	enum { FEW = 4096 };
	struct state *s = check_input(L);
	size_t n = wanted(L, s);
	char few[FEW], *room = n <= FEW ? few : lua_newuserdata(L, n);

	n = read_all(L, s->req, room, n);
	if (n == 0)
		return 0;
	lua_pushlstring(L, room, n);
	return 1;
}

/* The next line without its LF; nothing at the end. */
static int
input_next_line(lua_State *L)
{
	luaL_Buffer line;
	ssize_t n;
	bool ended;

	lua_settop(L, 0);
	lua_pushvalue(L, lua_upvalueindex(2));
	struct state *s = check_input(L);
	luaL_buffinit(L, &line);
	do {
		char *room = luaL_prepbuffer(&line);
		n = al_readline(s->req, room, LUAL_BUFFERSIZE);
		if (n < 0)
			return raise_errno(L);
		ended = n > 0 && room[n - 1] == '\n';
		luaL_addsize(&line, (size_t)n - ended);
	} while (n > 0 && !ended);
	luaL_pushresult(&line);
	return ended || lua_rawlen(L, -1) > 0;
}

/* lines(): an iterator, as of io's files. */
static int
input_lines(lua_State *L)
{
	check_input(L);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_pushvalue(L, 1);
	lua_pushcclosure(L, input_next_line, 2);
	return 1;
}

void
input_push_metatable(struct state *s, lua_State *L)
{
	static const luaL_Reg methods[] = {
		{ "read", input_read },
		{ "lines", input_lines },
		{ NULL, NULL },
	};

	push_metatable(s, L, methods);
}

/* ---- env.error ---- */

static struct state *
check_errors(lua_State *L)
{
	return state_of_request(L, offsetof(struct state, errors), "env.error");
}

void
errors_flush(struct state *s)
{
	if (s->line_len == 0)
		return;
	al_log(s->req, AL_LOG_ERROR, "%.*s", (int)s->line_len, s->line);
	s->line_len = 0;
}

/* Keeps the beginning of a line. One that is too long for the room is broken. */
static void
keep(struct state *s, const char *text, size_t n)
{
	while (n > 0) {
		if (s->line_len == ERRORS_LINE_MAX)
			errors_flush(s);
		size_t room = ERRORS_LINE_MAX - s->line_len;
		size_t part = n < room ? n : room;
		memcpy(s->line + s->line_len, text, part);
		s->line_len += part;
		text += part;
		n -= part;
	}
}

static void
write_lines(struct state *s, const char *text, size_t n)
{
	const char *end;

	while ((end = memchr(text, '\n', n)) != NULL) {
		keep(s, text, (size_t)(end - text));
		errors_flush(s);
		n -= (size_t)(end + 1 - text);
		text = end + 1;
	}
	keep(s, text, n);
}

/* write(…): returns env.error, as a file of io does. */
static int
errors_write(lua_State *L)
{
	struct state *s = check_errors(L);
	int top = lua_gettop(L);

	for (int i = 2; i <= top; i++) {
		size_t n;
		const char *text = luaL_checklstring(L, i, &n);
		write_lines(s, text, n);
	}
	lua_settop(L, 1);
	return 1;
}

static int
errors_flush_method(lua_State *L)
{
	errors_flush(check_errors(L));
	lua_settop(L, 1);
	return 1;
}

void
errors_push_metatable(struct state *s, lua_State *L)
{
	static const luaL_Reg methods[] = {
		{ "write", errors_write },
		{ "flush", errors_flush_method },
		{ NULL, NULL },
	};

	push_metatable(s, L, methods);
}
