/*
 * Sinks, as the logger has them: where lines end up. Each has a stock of its own, so
 * that one which takes nothing holds no other up. What a sink is, is told by the
 * arbiter; files come opened, as the logger has no rights.
 */
#ifndef LOGGER_SINK_H
#define LOGGER_SINK_H

#include <sys/queue.h>
#include <sys/socket.h>

#include "gateway/config/log_sink.h"
#include "gateway/logger/log.h"
#include "gateway/logger/stock.h"

enum {
	SINK_IDS = 256, /* that there may be at one time */
	SINK_TEXT_MAX = 512, /* of an address */
	SINK_ENTRY_MAX = 9 * 1024, /* what one line becomes, with all around it */
};

/* What the arbiter says of one. */
struct sink_facts {
	uint32_t id; /* below SINK_IDS */
	uint32_t kind; /* enum sink_kind */
	uint32_t rfc5424;
	uint32_t waits; /* processes wait for room; else lines are dropped */
	char to[SINK_TEXT_MAX];
	char tag[64]; /* "" is none */
	char facility[16]; /* as syslog_facility() takes it */
};

/* What is known of a line besides its text. */
struct sink_line {
	enum log_level level;
	bool is_access; /* of a request; else a message */
	int pid;
	const char *app; /* "" of the server itself */
	struct slice text;
};

/* A descriptor, and how many there were before it. */
struct sink_file {
	int fd; /* -1: none */
	uint32_t number;
};

struct sink;

struct sink_class {
	/* Writes what the line becomes into so much room; its length. */
	size_t (*make)(const struct sink *s, char *out, size_t room,
		const struct sink_line *line);
	/* Writes what the stock has, without waiting. NULL, or why it is not done: then
	 * errno says more, and EAGAIN that nothing is wrong. */
	const char *(*write)(struct sink *s);
};

struct sink {
	struct sink_facts facts;
	const struct sink_class *class;
	struct stock stock;
	struct sink_file file, next; /* in use, and the one that replaces it */
	size_t done; /* of what was begun, bytes that are in the file */
	bool is_new; /* the file, and that was not told yet */
	bool is_checked; /* `done` is known */
	bool is_locked;
	uint64_t lock_refused; /* of clock_ms(): since when; 0: it was not */
	uint64_t retry_at; /* of clock_ms(): not before */
	bool is_failing; /* and that was said */
	bool is_ending; /* once it is empty, */
	uint64_t give_up_at; /* of clock_ms(): or, a socket, fails still */
	/* Of syslog. */
	struct resolver *resolver;
	struct sockaddr_storage address;
	socklen_t address_len;
	bool is_stream;
	int facility;
	LIST_ENTRY(sink) list;
};

/* Of regular files; of what is written as it comes; of sockets. */
extern const struct sink_class sink_class_file, sink_class_stream, sink_class_syslog,
	sink_class_journal;

/* What the arbiter tells: a sink, or other facts of one; a file for it; that it is not
 * used any more. All take the descriptor over. */
void sink_add(const struct sink_facts *facts, int memory);
void sink_use(uint32_t id, uint32_t number, int fd);
void sink_end(uint32_t id);

/* Of syslog and the journal: takes the address apart. */
void sink_socket_init(struct sink *s);

/* A file is about to be replaced: it gets no part of a line. */
void sink_file_leave(struct sink *s);

/* NULL: there is none. */
struct sink *sink_find(uint32_t id);

/* Makes the line ready in the stock: 0 and where the stock ends with it; -1: there is
 * no room. */
int sink_offer(struct sink *s, const struct sink_line *line, uint64_t *in);

/* More than half of its stock is free. */
bool sink_has_room(const struct sink *s);

/* Files have come for some of them. */
bool sinks_are_to_change(void);

/* Changes to files that came; `changed` is told of each. */
void sinks_change(uint64_t now, void (*changed)(uint32_t id, uint32_t number));

/* Lets all of them write; `ended` is told of those that were to end and are empty.
 * Returns when it wants to be
 * called again: in so many milliseconds; -1: not before there is more. */
int sinks_write(uint64_t now, void (*ended)(uint32_t id));

/* All stocks are empty; or those are that somebody waits for, not syslog's. */
bool sinks_are_empty(void);
bool sinks_are_done(void);

/* Name for messages: "log /var/log/alicorn", "syslog udp://…". */
const char *sink_name(const struct sink *s);

#endif
