#include "bindings/common/request_path.h"

#include <stdio.h>
#include <string.h>

bool
request_path_is_clean(const char *path)
{
	for (const char *c = path; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return false;
	while (*path != '\0') {
		size_t len = strcspn(path, "/");
		if (len == 2 && path[0] == '.' && path[1] == '.')
			return false;
		path += len;
		path += strspn(path, "/");
	}
	return true;
}

bool
request_path_add_slash(char *out, size_t room, const char *uri)
{
	if (*uri == '/')
		uri += strspn(uri, "/") - 1;
	size_t len = strcspn(uri, "?");
	int n = snprintf(out, room, "%.*s/%s", (int)len, uri, uri + len);
	return n >= 0 && (size_t)n < room;
}
