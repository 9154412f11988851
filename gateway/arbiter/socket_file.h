/* The file of a unix socket: whose it is, and who may connect. */
#ifndef ARBITER_SOCKET_FILE_H
#define ARBITER_SOCKET_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "gateway/config/settings.h"

/* The one that was made: another server may put its own in its place. */
struct socket_file {
	dev_t device;
	ino_t inode;
};

/* A socket that listens at the path, where a server may have left one behind. Nobody
 * but its owner can connect yet. -1 and errno, which socket_file_why() explains. */
int socket_file_open(const char *path);
const char *socket_file_why(int error);

/* Remembers the file; tells whether it is still there; and removes that one and no
 * other. */
void socket_file_note(struct socket_file *f, const char *path);
bool socket_file_is_there(const struct socket_file *f, const char *path);
void socket_file_remove(const struct socket_file *f, const char *path);

/* Owner and mode. NULL, or why it cannot be; the text lives until the next call. */
const char *socket_file_give(
	const char *path, mode_t mode, const struct identity *owner);

/* The same, as the application's settings say. */
const char *socket_file_set(const char *path, const struct app_settings *app);

/* Removes the socket that a server left behind. 0, also when there is none; -1 and
 * errno when something else is there: EADDRINUSE when somebody answers, EEXIST when it
 * is no socket. */
int socket_file_clear(const char *path);

#endif
