#include "bindings/lua/descriptors.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* What the call gave, or nil and the reason. */
static int
push_result(lua_State *L, ssize_t n)
{
	if (n >= 0) {
		lua_pushinteger(L, (lua_Integer)n);
		return 1;
	}
	lua_pushnil(L);
	lua_pushstring(L, strerror(errno));
	return 2;
}

/* read(fd): what is there, at most 8 KiB; "" at the end. */
int
descriptor_read(lua_State *L)
{
	char room[8192];
	ssize_t n;

	do
		n = read((int)luaL_checkinteger(L, 1), room, sizeof(room));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return push_result(L, n);
	lua_pushlstring(L, room, (size_t)n);
	return 1;
}

/* write(fd, text): how many bytes of it were taken. */
int
descriptor_write(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 2, &len);
	ssize_t n;

	do
		n = write((int)luaL_checkinteger(L, 1), text, len);
	while (n < 0 && errno == EINTR);
	return push_result(L, n);
}

int
descriptor_close(lua_State *L)
{
	return push_result(L, close((int)luaL_checkinteger(L, 1)));
}
