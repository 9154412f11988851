#include "bindings/files/path.h"

#include <stdbool.h>
#include <string.h>

static bool
is_part(const char *at, size_t len, const char *name)
{
	return len == strlen(name) && memcmp(at, name, len) == 0;
}

static bool
has_control_bytes(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

enum path_kind
path_clean(char *out, const char *path)
{
	char *to = out;

	if (has_control_bytes(path))
		return PATH_BAD;
	for (path += strspn(path, "/"); *path != '\0'; path += strspn(path, "/")) {
		size_t len = strcspn(path, "/");
		bool is_first = to == out;
		if (is_part(path, len, ".."))
			return PATH_BAD;
		if (*path == '.' && !(is_first && is_part(path, len, ".well-known")))
			return PATH_HIDDEN;
		to = mempcpy(to, path, len);
		path += len;
		if (*path == '/')
			*to++ = '/';
	}
	*to = '\0';
	return PATH_CLEAN;
}
