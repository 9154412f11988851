/*
 * What the two programs of this example share: the types of their messages, and the
 * system calls that the codec (protocols/imsg.h) leaves to its user. The socket is a
 * blocking one here.
 */
#ifndef EXAMPLES_IMSG_TALK_H
#define EXAMPLES_IMSG_TALK_H

#include <stdint.h>

#include "protocols/imsg.h"

enum talk {
	TALK_FILE = 1, /* sender to receiver: a name, and the file itself, open */
	TALK_COUNTS, /* receiver to sender: struct counts, then the name */
};

struct counts {
	uint64_t bytes;
	uint64_t lines;
};

/* A unix socket that listens there, or is connected to it; -1 and errno. */
int talk_listen(const char *path);
int talk_connect(const char *path);

/* Sends all that waits in the writer; -1 and errno. */
int talk_send(int socket, struct imsg_writer *w);

/* The next message: 1; 0 when the other side has closed; -1 and errno. */
int talk_receive(int socket, struct imsg_reader *r, struct imsg *m);

#endif
