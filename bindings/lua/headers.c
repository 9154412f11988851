#include "bindings/lua/headers.h"

#include <stdio.h>
#include <string.h>

/* Writes them before `end`, as printf(3) would, but for each request. */
static char *
write_digits(char *end, long long number)
{
	unsigned long long n = number < 0 ? 0 - (unsigned long long)number
					  : (unsigned long long)number;

	do
		*--end = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	if (number < 0)
		*--end = '-';
	return end;
}

/* A number that is no code is for the gateway to refuse, with all its digits. */
static const char *
code_text(lua_Number number, char code[STATUS_CODE_ROOM])
{
	if (number >= 0 && number < 1000 && number == (int)number) {
		code[STATUS_CODE_ROOM - 1] = '\0';
		return write_digits(code + STATUS_CODE_ROOM - 1, (int)number);
	}
	snprintf(code, STATUS_CODE_ROOM, "%.14g", number);
	return code;
}

const char *
status_text(lua_State *L, int at, char code[STATUS_CODE_ROOM])
{
	size_t n;

	if (lua_type(L, at) == LUA_TNUMBER)
		return code_text(lua_tonumber(L, at), code);
	if (lua_type(L, at) != LUA_TSTRING)
		luaL_error(L,
			"the application gives a %s for the status, neither a number "
			"nor a string",
			luaL_typename(L, at));
	const char *text = lua_tolstring(L, at, &n);
	if (strlen(text) != n)
		luaL_error(L, "the status holds a NUL");
	return text;
}

/* Makes a text of the number on top of the stack. Lua itself would write a length that
 * came of a division as 6.0, or a great one as 1e+14. */
static void
write_number(lua_State *L)
{
	static const lua_Number most = 1e15;
	char digits[32], *end = digits + sizeof(digits);
	lua_Number value = lua_tonumber(L, -1);

	if (value < -most || value > most || value != (lua_Number)(long long)value)
		return;
	const char *text = write_digits(end, (long long)value);
	lua_pop(L, 1);
	lua_pushlstring(L, text, (size_t)(end - text));
}

/* Moves what is on top of the stack below the values there that loops go on with. */
static void
keep(lua_State *L, int above)
{
	lua_insert(L, -1 - above);
}

static void
grow(struct headers *h, lua_State *L, int above)
{
	struct al_header *more = lua_newuserdata(L, 2 * h->room * sizeof(*more));

	memcpy(more, h->all, h->n * sizeof(*more));
	keep(L, above);
	h->all = more;
	h->room *= 2;
}

/* Adds a field with the value on top of the stack, and takes that away. A string stays
 * where it is as its table does; what was made of a number is kept. */
static void
add(struct headers *h, lua_State *L, const char *name, size_t name_len, int above)
{
	size_t n;
	bool is_number = lua_type(L, -1) == LUA_TNUMBER;

	luaL_checkstack(L, 4, "too many headers");
	if (is_number)
		write_number(L);
	else if (lua_type(L, -1) != LUA_TSTRING)
		luaL_error(L,
			"the header %s is a %s, neither a string, nor a number, nor a "
			"list of these",
			name, luaL_typename(L, -1));
	const char *value = lua_tolstring(L, -1, &n);
	if (is_number)
		keep(L, above);
	else
		lua_pop(L, 1);
	if (h->n == h->room)
		grow(h, L, above);
	h->all[h->n++] = (struct al_header){ name, value, name_len, n };
}

/* The same for a list of values. */
static void
add_each(struct headers *h, lua_State *L, const char *name, size_t name_len)
{
	for (int i = 1;; i++) {
		lua_rawgeti(L, -1, i);
		if (lua_isnil(L, -1))
			break;
		add(h, L, name, name_len, 2);
	}
	lua_pop(L, 2);
}

void
headers_read(struct headers *h, lua_State *L, int at)
{
	size_t n;

	h->all = h->few;
	h->n = 0;
	h->room = HEADERS_FEW;
	if (lua_isnil(L, at))
		return;
	if (!lua_istable(L, at))
		luaL_error(L, "the application gives a %s for the headers, not a table",
			luaL_typename(L, at));
	lua_pushnil(L);
	while (lua_next(L, at)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			luaL_error(L, "the name of a header is a %s, not a string",
				luaL_typename(L, -2));
		const char *name = lua_tolstring(L, -2, &n);
		if (lua_istable(L, -1))
			add_each(h, L, name, n);
		else
			add(h, L, name, n, 1);
	}
}
