#include "tests/unit/stage.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/arbiter/arbiter.h"
#include "gateway/common/channel.h"
#include "gateway/common/offspring.h"
#include "gateway/config/log_sink.h"
#include "gateway/logger/log.h"

enum { STEP_MS = 10 };

struct stage *stage;
char stage_folder[STAGE_NAME];
pid_t stage_arbiter;

static char log_path[STAGE_NAME + 16];

/* ---- Workers ---- */

static const struct heritage *heritage;
static struct channel channel;

/* Until the arbiter has gone. */
static int
serve(void)
{
	for (;;) {
		struct pollfd p = { .fd = channel.fd, .events = POLLIN };
		struct imsg m;
		int got = channel_receive(&channel, &m);
		if (got == -1)
			return EXIT_DONE;
		if (got == 0)
			poll(&p, 1, -1);
		else if (m.type == MESSAGE_SERVE)
			return -1;
	}
}

static void
get_ready(void)
{
	channel_send(&channel, MESSAGE_READY, SLICE(""));
	if (serve() != -1)
		exit(EXIT_DONE);
	stage->served++;
}

static int
sleep_well(void)
{
	get_ready();
	return serve();
}

static int
fail_to_load(void)
{
	channel_send(&channel, MESSAGE_FAILED, SLICE("no such module"));
	return EXIT_LOAD;
}

static int
die(void)
{
	return 7;
}

static int
say_nothing(void)
{
	return serve();
}

/* The first one is never ready; the others were for a while. */
static int
be_fickle(void)
{
	if (stage->stuck++ == 0)
		return serve();
	channel_send(&channel, MESSAGE_READY, SLICE(""));
	poll(NULL, 0, 1100);
	return 7;
}

static int
crash(void)
{
	get_ready();
	raise(SIGKILL);
	return EXIT_DONE;
}

static int
be_deaf(void)
{
	signal(SIGTERM, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	return sleep_well();
}

static void
answer_and_leave(int number)
{
	(void)number;
	if (heritage->slot->verdict != VERDICT_TIMEOUT)
		stage->faults++;
	dprintf(heritage->slot->client, "from the worker");
	_exit(1);
}

/* The first one takes a connection and stays in its request; later ones serve. */
static int
be_stuck(void (*on_abort)(int))
{
	struct pollfd p = { .fd = heritage->listeners[0]->fd, .events = POLLIN };

	signal(SIGABRT, on_abort);
	get_ready();
	if (stage->stuck++ != 0)
		return serve();
	poll(&p, 1, -1);
	heritage->slot->client = accept(p.fd, NULL, NULL);
	strcpy(heritage->slot->request, "GET /slow");
	heritage->slot->busy_since = clock_ms();
	return serve();
}

static int
be_stuck_but_answer(void)
{
	return be_stuck(answer_and_leave);
}

static int
be_quite_stuck(void)
{
	return be_stuck(SIG_IGN);
}

/* The first ones have served enough at once. */
static int
get_tired(int (*then)(void))
{
	if (stage->tired-- <= 0)
		return then();
	get_ready();
	heritage->slot->requests = 1000;
	channel_send(&channel, MESSAGE_RECYCLE, SLICE(""));
	return serve();
}

static int
be_tired(void)
{
	return get_tired(sleep_well);
}

static int
be_tired_then_fail(void)
{
	return get_tired(fail_to_load);
}

static const struct {
	const char *name;
	int (*run)(void);
} behaviours[] = {
	{ "sleep", sleep_well },
	{ "fail", fail_to_load },
	{ "die", die },
	{ "mute", say_nothing },
	{ "fickle", be_fickle },
	{ "crash", crash },
	{ "deaf", be_deaf },
	{ "answer", be_stuck_but_answer },
	{ "stuck", be_quite_stuck },
	{ "tired", be_tired },
	{ "tired, then fail", be_tired_then_fail },
};

static int
count_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = -1; /* its own */

	while (d != NULL && readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 2; /* . and .. */
}

static void
look_around(void)
{
	sigset_t blocked;
	struct sigaction pipe;

	sigprocmask(SIG_SETMASK, NULL, &blocked);
	sigaction(SIGPIPE, NULL, &pipe);
	for (int i = 1; i < 32; i++)
		stage->faults += sigismember(&blocked, i);
	stage->faults += pipe.sa_handler != SIG_DFL;
	stage->faults += heritage->slot->pid != 0 && heritage->slot->pid != getpid();
	stage->descriptors = count_descriptors();
	strncpy(stage->target, heritage->target, STAGE_NAME - 1);
}

static int
worker(const struct heritage *h)
{
	heritage = h;
	channel_init(&channel, h->channel);
	look_around();
	for (size_t i = 0; i < sizeof(behaviours) / sizeof(behaviours[0]); i++) {
		if (strcmp(h->target, behaviours[i].name) == 0)
			return behaviours[i].run();
	}
	return sleep_well(); /* in front of a program */
}

/* ---- Prototypes ---- */

static void
be_born(const struct heritage *h, pid_t pid, const struct imsg *m)
{
	struct heritage own = *h;
	struct birth birth;

	memcpy(&birth, m->payload.ptr, sizeof(birth));
	own.slot = birth.slot;
	own.age = birth.age;
	own.channel = m->fd;
	close(h->channel);
	channel_init(&channel, m->fd);
	channel_send(&channel, MESSAGE_BORN, slice_of((const char *)&pid, sizeof(pid)));
	imsg_writer_release(&channel.out); /* worker() begins anew with it */
	exit(worker(&own));
}

static void
fork_one(const struct heritage *h, const struct imsg *m)
{
	if (offspring_fork() == 0)
		be_born(h, getpid(), m);
	close(m->fd);
}

/* Its workers say the pid of process 1, which the arbiter could end as root. */
static void
fork_a_liar(const struct heritage *h, const struct imsg *m)
{
	if (offspring_fork() == 0)
		be_born(h, 1, m);
	close(m->fd);
}

static void
fork_none(const struct heritage *h, const struct imsg *m)
{
	(void)h;
	close(m->fd);
}

static void
forget_it(const struct heritage *h, const struct imsg *m)
{
	(void)h;
	(void)m;
}

static const struct {
	const char *name;
	void (*spawn)(const struct heritage *h, const struct imsg *m);
} prototypes[] = {
	{ "fork", fork_one },
	{ "liar", fork_a_liar },
	{ "barren", fork_none },
	{ "forgetful", forget_it },
};

static int
prototype(const struct heritage *h)
{
	struct channel own;
	struct imsg m;
	int got;

	stage->faults += h->slot != NULL;
	channel_init(&own, h->channel);
	stage->loaded++;
	channel_send(&own, MESSAGE_READY, SLICE(""));
	while ((got = channel_receive(&own, &m)) != -1) {
		struct pollfd p = { .fd = own.fd, .events = POLLIN };
		if (got == 0)
			poll(&p, 1, -1);
		if (got == 0 || m.type != MESSAGE_SPAWN)
			continue;
		for (size_t i = 0; i < sizeof(prototypes) / sizeof(prototypes[0]); i++)
			if (strcmp(stage->prototype, prototypes[i].name) == 0)
				prototypes[i].spawn(h, &m);
	}
	return EXIT_DONE;
}

/* ---- Configurations ---- */

static void *
take_zeroed(struct arena *memory, size_t n)
{
	return memset(arena_alloc(memory, n), 0, n);
}

static const char *
copy(struct arena *memory, const char *text)
{
	return text[0] != '\0' ? arena_strz(memory, slice_str(text)) : NULL;
}

static void
set_addresses(struct app_settings *app, struct arena *memory)
{
	const char **items = take_zeroed(memory, 2 * sizeof(*items));

	app->addresses = take_zeroed(memory, 2 * sizeof(*app->addresses));
	app->bind.items = items;
	for (int i = 0; i < 2 && stage->bind[i][0] != '\0'; i++) {
		items[i] = copy(memory, stage->bind[i]);
		ck_assert_ptr_null(address_parse(&app->addresses[i], items[i], memory));
		app->bind.n++;
	}
}

static struct config *
make_config(void)
{
	struct config *c = calloc(1, sizeof(*c));
	struct arena *memory = &c->memory;
	struct app_settings *app = take_zeroed(memory, sizeof(*app));
	struct log_sink *sink = take_zeroed(memory, sizeof(*sink));

	c->server.errorlog = copy(memory, log_path);
	c->server.loglevel = "debug";
	c->server.log_overflow = "block";
	c->server.log_user = "nobody";
	sink->to = c->server.errorlog;
	sink->takes = SINK_LOG;
	sink->level = "debug";
	c->server.sinks = sink;
	c->server.n_sinks = 1;
	c->server.pidfile = copy(memory, stage->pidfile);
	c->apps = app;
	c->n_apps = 1;
	app->name = "shop";
	app->what.text = app->what.spec = copy(memory, stage->behaviour);
	if (stage->command[0] != '\0') {
		const char **words = take_zeroed(memory, 4 * sizeof(*words));
		words[0] = "/bin/sh";
		words[1] = "-c";
		words[2] = copy(memory, stage->command);
		app->what.command = words;
	}
	set_addresses(app, memory);
	app->user = "myself";
	app->identity = app->socket_identity = identity_own();
	app->umask = MODE_UNSET;
	app->socket_mode = 0660;
	app->backlog = 64;
	app->preload_app = stage->prototype[0] != '\0';
	app->workers = stage->workers;
	app->timeout = stage->timeout;
	app->graceful_timeout = stage->graceful_timeout;
	app->boot_timeout = stage->boot_timeout;
	app->boot_attempts = stage->boot_attempts;
	return c;
}

static struct config *
reload(void *arg, const struct config *previous, struct buffer *errors)
{
	(void)arg;
	(void)previous;
	if (!stage->is_broken)
		return make_config();
	buffer_add_str(errors, "shop.conf:1: first fault\nshop.conf:2: second fault\n");
	return NULL;
}

/* ---- The arbiter, from outside ---- */

void
stage_set_up(void)
{
	stage = mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(stage, MAP_FAILED);
	strcpy(stage->behaviour, "sleep");
	strcpy(stage->bind[0], "127.0.0.1:0");
	stage->workers = 2;
	stage->timeout = 0;
	stage->graceful_timeout = 60;
	stage->boot_timeout = 60;
	stage->boot_attempts = 3;
	strcpy(stage_folder, "/tmp/alicorn-arbiter-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(stage_folder));
	snprintf(log_path, sizeof(log_path), "%s/log", stage_folder);
	setenv("TMPDIR", stage_folder, 1);
}

void
stage_tear_down(void)
{
	unlink(log_path);
	ck_assert_msg(
		rmdir(stage_folder) == 0, "%s: %s", stage_folder, strerror(errno));
}

void
stage_start(void)
{
	const struct arbiter_job job = {
		.reload = reload,
		.worker = worker,
		.prototype = prototype,
		.timeout_answer = SLICE_INIT("from the arbiter"),
	};

	stage_arbiter = fork();
	if (stage_arbiter != 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* should the test fail */
	log_open(log_path);
	exit(arbiter_run(make_config(), &job));
}

void
stage_pause(void)
{
	poll(NULL, 0, STEP_MS);
}

int
stage_children(pid_t *pids)
{
	DIR *d = opendir("/proc");
	struct dirent *entry;
	int n = 0;

	while ((entry = readdir(d)) != NULL && n < STAGE_CHILDREN) {
		char path[300], name[32], state;
		int pid = (int)strtol(entry->d_name, NULL, 10), parent;
		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		FILE *f = pid > 0 ? fopen(path, "r") : NULL;
		if (f == NULL)
			continue;
		if (fscanf(f, "%*d (%31[^)]) %c %d", name, &state, &parent) == 3 &&
			parent == stage_arbiter && state != 'Z' &&
			strcmp(name, "alicorn-logger") != 0)
			pids[n++] = pid;
		fclose(f);
	}
	closedir(d);
	return n;
}

const char *
stage_log(void)
{
	static char text[1 << 20];
	int fd = open(log_path, O_RDONLY);
	ssize_t n = fd != -1 ? read(fd, text, sizeof(text) - 1) : 0;

	if (fd != -1)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* The logger writes a little later than others speak. */
static void
let_logger_write(void)
{
	size_t len;

	do {
		len = strlen(stage_log());
		poll(NULL, 0, 3 * STEP_MS);
	} while (strlen(stage_log()) != len);
}

static int
count(const char *what)
{
	int n = 0;

	for (const char *at = stage_log(); (at = strstr(at, what)) != NULL; at++)
		n++;
	return n;
}

int
stage_count(const char *what)
{
	let_logger_write();
	return count(what);
}

void
stage_wait_log(const char *what, int times)
{
	stage_wait(count(what) >= times);
}

void
stage_wait_children(int n)
{
	pid_t pids[STAGE_CHILDREN];

	stage_wait(stage_children(pids) == n);
}

void
stage_tell(int number)
{
	ck_assert_int_eq(kill(stage_arbiter, number), 0);
}

/* Whether the signal was sent and no handler has seen it yet. */
static bool
is_pending(int number)
{
	char path[64], line[256];
	unsigned long long mask = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)stage_arbiter);
	FILE *f = fopen(path, "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, "ShdPnd:", 7) == 0)
			mask = strtoull(line + 7, NULL, 16);
	}
	if (f != NULL)
		fclose(f);
	return (mask >> (number - 1) & 1) != 0;
}

/* The kernel keeps one signal of a kind for a process, so the next one is sent when the
 * arbiter has taken the last; what it does with it may take longer. */
void
stage_tell_times(int number, int times)
{
	for (int i = 0; i < times; i++) {
		stage_tell(number);
		while (is_pending(number))
			;
	}
}

void
stage_expect_exit(int status)
{
	int got;

	stage_wait(waitpid(stage_arbiter, &got, WNOHANG) == stage_arbiter);
	ck_assert_msg(WIFEXITED(got) && WEXITSTATUS(got) == status,
		"wait status 0x%x instead of exit status %d; the log:\n%s", got, status,
		stage_log());
	ck_assert_msg(stage->faults == 0, "%d faults", stage->faults);
}

void
stage_stop(void)
{
	stage_tell(SIGTERM);
	stage_expect_exit(EXIT_DONE);
}

int
stage_connect(void)
{
	static const char words[] = "listening on 127.0.0.1:";
	struct sockaddr_in name = { .sin_family = AF_INET };
	const char *at = strstr(stage_log(), words);

	ck_assert_ptr_nonnull(at);
	name.sin_port = htons((uint16_t)strtol(at + strlen(words), NULL, 10));
	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&name, sizeof(name)) == 0)
		return fd;
	close(fd);
	return -1;
}

void
stage_start_and_serve(void)
{
	stage_start();
	stage_wait(stage->served == (int)stage->workers);
}
