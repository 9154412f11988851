/* The file of a unix socket: whose it is, and who may connect. */
#ifndef ARBITER_SOCKET_FILE_H
#define ARBITER_SOCKET_FILE_H

#include "gateway/config/settings.h"

/* As the application's settings say. NULL, or why it cannot be; the text lives until
 * the next call. */
const char *socket_file_set(const char *path, const struct app_settings *app);

/* Removes the socket that a server left behind. 0, also when there is none; -1 and
 * errno when something else is there: EADDRINUSE when somebody answers, EEXIST when it
 * is no socket. */
int socket_file_clear(const char *path);

#endif
