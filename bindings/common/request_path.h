/*
 * What is looked at, and answered, for the path of a request before there is a file.
 */
#ifndef COMMON_REQUEST_PATH_H
#define COMMON_REQUEST_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* Without ".." and control bytes. */
bool request_path_is_clean(const char *path);

/* Where a folder is that was asked for without its slash: links on its page would lead
 * elsewhere. One slash in front, as two begin the name of a host. False: there is no
 * room for it, which is two bytes more than the URI has. */
bool request_path_add_slash(char *out, size_t room, const char *uri);

#endif
