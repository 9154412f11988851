/*
 * Paths of requests as paths of files.
 */
#ifndef FILES_PATH_H
#define FILES_PATH_H

/*
 * Makes a relative path of a decoded PATH_INFO, without empty parts: "a/b", or "a/b/"
 * where a folder is meant, "" for the root. It is not longer than what it is made of.
 * Returns NULL, or the status: there are control bytes or a "..", or something hidden
 * is meant; of that the only exception is /.well-known (RFC 8615).
 */
const char *path_clean(char *out, const char *path);

#endif
