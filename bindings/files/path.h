/*
 * Paths of requests as paths of files.
 */
#ifndef FILES_PATH_H
#define FILES_PATH_H

enum path_kind {
	PATH_CLEAN,
	PATH_HIDDEN, /* it has a part that begins with a dot: nothing is said of it */
	PATH_BAD, /* it holds control bytes, or a ".." */
};

/*
 * Makes a relative path of a decoded PATH_INFO, without empty parts: "a/b", or "a/b/"
 * where a folder is meant, "" for the root. It is not longer than what it is made of.
 * Of what is hidden the only exception is /.well-known (RFC 8615).
 */
enum path_kind path_clean(char *out, const char *path);

#endif
